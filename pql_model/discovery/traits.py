"""Which columns of the entities are traits, and why the others are not."""

from __future__ import annotations

import re
from collections.abc import Collection

from pql_model.discovery.sketch import ColumnSketch, TableSketch, instant_of, vocabulary

_IDENTIFIERS = vocabulary("id ids uuid guid hash token key ip phone telephone ssn iban")
_NAMES = vocabulary(
    "name firstname lastname fullname surname username address street url website description notes note comment "
    "comments bio avatar password"
)
_OUTCOME = vocabulary(
    "paid paying payer converted conversion customer subscription subscribed subscriber mrr arr revenue ltv churned "
    "churn upgraded premium adopter plan billing stage status won cancelled canceled"
)
_LONG = 60


def split_traits(sketch: TableSketch, taken: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """The columns to use as traits, and the reason for each one left out.

    >>> sizes = ColumnSketch("seats", ("3", "12"), 2, 1.0, "number")
    >>> mails = ColumnSketch("contact", ("a@b.co", "c@d.co"), 2, 1.0, "text")
    >>> split_traits(TableSketch("accounts.csv", (sizes, mails), 2), ())
    (['seats'], {'contact': 'e-mail addresses'})
    """
    others = [column for column in sketch.columns if column.name not in taken]
    left_out = {column.name: why for column in others if (why := _why_not(sketch, column))}
    return [column.name for column in others if column.name not in left_out], left_out


def may_be_outcome(name: str) -> bool:
    """Whether a trait's name speaks of paying, which is what is to be predicted."""
    return bool(_OUTCOME.intersection(ColumnSketch(name, (), 0, 0.0, "text").words))


def _why_not(sketch: TableSketch, column: ColumnSketch) -> str | None:
    if not column.samples or column.filled == 0:
        return "empty"
    if column.is_time or _all_epochs(column):
        return "a date or time about the entity, undated: may know the future"
    if _IDENTIFIERS.intersection(column.words):
        return "looks like an identifier"
    if sum("@" in sample and "." in sample for sample in column.samples) > 0.5 * len(column.samples):
        return "e-mail addresses"
    if column.distinct <= 1:
        return "the same value everywhere" if column.filled == 1 else "only one value"
    if column.kind == "text":
        return _why_not_text(sketch, column)
    if column.is_whole and sketch.rows >= 20 and sketch.unique(column) and _counts_up(column):
        return "a number of its own for every row: looks like an identifier"
    return None


def _why_not_text(sketch: TableSketch, column: ColumnSketch) -> str | None:
    mean_length = sum(map(len, column.samples)) / len(column.samples)
    if mean_length > _LONG or column.samples[0].lstrip()[:1] in ("{", "["):
        return "free text"
    mostly_own = column.distinct > 0.5 * sketch.looked * column.filled
    if mostly_own and column.distinct > 2 and (sketch.rows >= 20 or _NAMES.intersection(column.words)):
        return "free text or a name: nearly every row has its own value"
    return None


def _all_epochs(column: ColumnSketch) -> bool:
    """Ten, thirteen or sixteen digits that are all times of this century, whatever the column is called."""
    if column.kind != "number":
        return False
    long = [sample for sample in column.samples if re.fullmatch(r"\d{10}(\d{3}(\d{3})?)?(\.\d+)?", sample.strip())]
    return len(long) == len(column.samples) and all(instant_of(sample) is not None for sample in long)


def _counts_up(column: ColumnSketch) -> bool:
    numbers = sorted(float(sample) for sample in column.samples)
    return len(numbers) > 2 and numbers[-1] - numbers[0] < 3 * len(numbers)
