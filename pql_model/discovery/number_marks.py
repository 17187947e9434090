"""The decimal and thousands marks of a table's numbers, from the values of all its columns.

`1.250,50` is written in only one way, `1.250` in two. What one column says holds for the whole table; where none says
anything, the question is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pql_model.sources.scalars import leading_sign

_SPACES = " \u00a0\u202f"
_GROUPED = re.compile(rf"[+-]?\d{{1,3}}(?:[.,'\u2019{_SPACES}]\d{{3}})*(?:[.,]\d+)?|[+-]?\d+(?:[.,]\d+)?")
_LEAST = 0.95
"""Share of the values of a column that must be numbers, in some writing."""


@dataclass(frozen=True)
class Marks:
    """How a table writes its numbers.

    Attributes
    ----------
    decimal, thousands
        The marks, where they are not plain.
    columns
        The columns that have marks.
    ambiguous
        Columns that could be read in two ways, where no other column says in which.
    example
        A value of them.
    """

    decimal: str | None = None
    thousands: str | None = None
    columns: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    example: str = ""


PLAIN = Marks()


@dataclass(frozen=True)
class _Evidence:
    """What the values of one column prove: (decimal, thousands) pairs, and a value that proves nothing."""

    proofs: frozenset[tuple[str, str]]
    either: str | None = None


def find_marks(columns: Mapping[str, Iterable[str]]) -> Marks:
    """Find the marks of a table from the different values of its columns.

    >>> find_marks({"price": ["1.250,50", "980,00"]})
    Marks(decimal=',', thousands='.', columns=('price',), ambiguous=(), example='')
    >>> find_marks({"amount": ["1.250", "980"]}).ambiguous, find_marks({"price": ["1.25", "980"]}) == PLAIN
    (('amount',), True)
    """
    evidence = {name: found for name, values in columns.items() if (found := _evidence(values)) is not None}
    proofs = frozenset[tuple[str, str]]().union(*(found.proofs for found in evidence.values()))
    marked = tuple(evidence)
    decimals, thousands = {d for d, _ in proofs if d}, {t for _, t in proofs if t}
    if len(decimals) > 1 or len(thousands) > 1 or decimals & thousands:
        return Marks(columns=marked, ambiguous=marked, example=next(iter(next(iter(columns.values()))), ""))
    decimal, mark = next(iter(decimals), None), next(iter(thousands), None)
    if decimal is None and mark in (".", ","):
        decimal = "," if mark == "." else "."
    if decimal == "," and mark is None and any(found.either and "." in found.either for found in evidence.values()):
        mark = "."
    if decimal == "." and mark is None and any(found.either and "," in found.either for found in evidence.values()):
        mark = ","
    if decimal is None:
        unclear = {name: found.either for name, found in evidence.items() if found.either}
        if not unclear:
            return PLAIN if mark is None else Marks(None, mark, marked)
        return Marks(None, None, marked, tuple(unclear), next(iter(unclear.values())) or "")
    if decimal == "." and mark is None:
        return PLAIN
    return Marks("," if decimal == "," else None, mark, marked)


def to_plain(text: str, marks: Marks) -> str:
    """Rewrite a number without its marks.

    >>> to_plain("1.250,50", Marks(",", "."))
    '1250.50'
    """
    signed = leading_sign(text.strip())
    plain = signed.replace(marks.thousands, "") if marks.thousands else signed
    if marks.thousands == " ":
        plain = re.sub(f"[{_SPACES}]", "", plain)
    return plain.replace(marks.decimal, ".") if marks.decimal else plain


def _evidence(values: Iterable[str]) -> _Evidence | None:
    """What a column proves; None where it does not hold numbers with marks."""
    texts = [leading_sign(stripped) for value in values if (stripped := value.strip())]
    numbers = [text for text in texts if _GROUPED.fullmatch(text)]
    marked = [text for text in numbers if not text.lstrip("+-").isdigit()]
    if not marked or len(numbers) < _LEAST * len(texts):
        return None
    proofs = {proof for text in marked if (proof := _proof(text)) is not None}
    if not proofs and all(text.count(".") == 1 for text in marked) and len(marked) == len(numbers) > 1:
        return None  # every value has a point and three decimals, as 0.125 would: a fixed form
    unclear = next((text for text in marked if _proof(text) is None), None)
    if proofs == {(".", "")} and unclear is None:
        return _Evidence(frozenset(proofs))
    return _Evidence(frozenset(proofs), unclear)


def _proof(text: str) -> tuple[str, str] | None:
    """The decimal and the thousands mark that a number proves; None for one such as 1.250."""
    digits = text.lstrip("+-")
    marks = re.findall(rf"[.,'\u2019{_SPACES}]", digits)
    *_, last = re.split(rf"[.,'\u2019{_SPACES}]", digits)
    kinds = {" " if mark in _SPACES else mark for mark in marks}
    final = " " if marks[-1] in _SPACES else marks[-1]
    if len(kinds) == 2:
        (first,) = kinds - {final}
        return final, first
    if len(marks) > 1 or final not in ".,":
        return "", final
    if len(last) != 3 or digits.startswith("0") or len(digits) > 7:
        return final, ""
    return None
