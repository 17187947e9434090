"""Which columns of an entities table can serve as traits, and why others cannot."""

from __future__ import annotations

import re
from collections.abc import Collection

from pql_model.discovery.sketch import ColumnSketch, TableSketch, parse_sample
from pql_model.discovery.vocabulary import IDENTIFIERS, NAMES, OUTCOME, words

_LONG = 60


def split_traits(sketch: TableSketch, taken: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """List the columns to use as traits, and the reason for each one left out.

    >>> sizes = ColumnSketch("seats", ("3", "12"), 2, 1.0, "number")
    >>> mails = ColumnSketch("contact", ("a@b.co", "c@d.co"), 2, 1.0, "text")
    >>> split_traits(TableSketch("accounts.csv", (sizes, mails), 2), ())
    (['seats'], {'contact': 'e-mail addresses'})
    """
    others = [column for column in sketch.columns if column.name not in taken]
    left_out = {column.name: why for column in others if (why := _reason_against(sketch, column))}
    return [column.name for column in others if column.name not in left_out], left_out


def may_be_outcome(name: str) -> bool:
    """Whether the name of a trait suggests the outcome that is to be predicted."""
    return bool(OUTCOME.intersection(words(name)))


def _reason_against(sketch: TableSketch, column: ColumnSketch) -> str | None:
    if not column.samples or column.filled == 0:
        return "empty"
    if column.is_time or _all_epochs(column):
        return "a date or time about the entity that may know the future"
    if IDENTIFIERS.intersection(column.words):
        return "looks like an identifier"
    if sum("@" in sample and "." in sample for sample in column.samples) > 0.5 * len(column.samples):
        return "e-mail addresses"
    if column.distinct <= 1:
        return "the same value everywhere" if column.filled == 1 else "only one value"
    if column.kind == "text":
        return _reason_against_text(sketch, column)
    if column.is_integer and sketch.rows >= 20 and sketch.is_unique(column) and _is_sequence(column):
        return "a different number in every row: looks like an identifier"
    return None


def _reason_against_text(sketch: TableSketch, column: ColumnSketch) -> str | None:
    mean_length = sum(map(len, column.samples)) / len(column.samples)
    if mean_length > _LONG or column.samples[0].lstrip()[:1] in ("{", "["):
        return "free text"
    mostly_unique = column.distinct > 0.5 * sketch.rows * column.filled
    if mostly_unique and column.distinct > 2 and (sketch.rows >= 20 or NAMES.intersection(column.words)):
        return "free text or a name: nearly every row has its own value"
    return None


def _all_epochs(column: ColumnSketch) -> bool:
    """Whether all samples have ten, thirteen or sixteen digits and are times of this century, whatever the name."""
    if column.kind != "number":
        return False
    long = [sample for sample in column.samples if re.fullmatch(r"\d{10}(\d{3}(\d{3})?)?(\.\d+)?", sample.strip())]
    return len(long) == len(column.samples) and all(parse_sample(sample) is not None for sample in long)


def _is_sequence(column: ColumnSketch) -> bool:
    numbers = sorted(float(sample) for sample in column.samples)
    return len(numbers) > 2 and numbers[-1] - numbers[0] < 3 * len(numbers)
