"""How the text of a table is written: its encoding, and the marks of its numbers."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from pql_model.config.types import Strict

DECIMALS = (".", ",")
THOUSANDS = (",", ".", " ", "'")


IdForm = Literal["spaces", "brackets", "salesforce", "leading_zeros", "case"]
"""What `normalise` may list."""


class NumberMarks(NamedTuple):
    """The marks of a table's numbers. `thousands` is None where there is none.

    >>> NumberMarks(".", None).plain, NumberMarks(",", ".").plain
    (True, False)
    """

    decimal: str
    thousands: str | None

    @property
    def plain(self) -> bool:
        """Whether numbers are written as programs read them."""
        return self == (".", None)


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"`{name}` is not an encoding. Allowed: such as utf-8, cp1252, latin-1, utf-16") from None


def _one_of(marks: tuple[str, ...]) -> AfterValidator:
    def check(mark: str) -> str:
        if mark not in marks:
            raise ValueError(f"`{mark}` is not such a mark. Allowed: {', '.join(repr(each) for each in marks)}")
        return mark

    return AfterValidator(check)


EncodingField = Annotated[
    Annotated[str, AfterValidator(_encoding)] | None,
    Field(description="The encoding of text files that are not UTF-8, such as cp1252."),
]
DecimalField = Annotated[
    Annotated[str, _one_of(DECIMALS)] | None,
    Field(description="The decimal mark of this table's numbers: `.` (the default) or `,`."),
]
ThousandsField = Annotated[
    Annotated[str, _one_of(THOUSANDS)] | None,
    Field(description="The mark between groups of three digits: `,`, `.`, a space or `'`; by default there is none."),
]


class TextFormat(Strict):
    """How the texts of a table are written."""

    encoding: EncodingField = None
    decimal: DecimalField = None
    thousands: ThousandsField = None

    @model_validator(mode="after")
    def _two_marks(self) -> Self:
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"`decimal` and `thousands` are the same mark. Received: {self.decimal!r}")
        return self


def marks_of(table: TextFormat) -> NumberMarks | None:
    """Return the marks that the config states; None where it states none, so that they have to be clear from the data.

    A table that states `thousands: "."` has the decimal mark `,`.
    """
    if table.decimal is None and table.thousands is None:
        return None
    return NumberMarks(table.decimal or ("," if table.thousands == "." else "."), table.thousands)
