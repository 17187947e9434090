"""Ids that are spelled differently in two tables, and the forms of `normalise:` that bring them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from pql_model.discovery.sketch import ColumnSketch
from pql_model.sources.id_forms import normalise_id

FORMS = {
    "spaces": "spaces around them",
    "case": "upper and lower case",
    "leading_zeros": "leading zeros",
    "brackets": "brackets or quotes around them",
    "salesforce": "Salesforce's 15 or 18 characters",
}
"""Form -> what it leaves out of account."""
_MOST_FORMS = 3
_LEAST = 0.2
"""Share of the unmatched ids that a form must bring to a match; fewer may be chance."""


def spelling_forms(child: ColumnSketch, parent: ColumnSketch) -> tuple[tuple[str, ...], int]:
    """Find the fewest forms under which most ids of one column are ids of another, and how many match only then.

    Forms under which two ids of the parent become one are not used.

    >>> accounts = ColumnSketch("id", ("00012", "00700"), 2, 1.0, "text")
    >>> spelling_forms(ColumnSketch("account", ("12", "700"), 2, 1.0, "number"), accounts)
    (('leading_zeros',), 2)
    """
    unmatched = child.ids.keys() - parent.ids.keys()
    if not unmatched or child.zeros or parent.zeros:
        return (), 0
    best: tuple[tuple[str, ...], int] = ((), 0)
    for size in range(1, _MOST_FORMS + 1):
        for forms in combinations(FORMS, size):
            known = _normalised(parent.ids, forms)
            if len(known) < len(parent.ids):
                continue
            gained = sum(normalise_id(value, forms) in known for value in unmatched)
            if gained > best[1]:
                best = forms, gained
    return best if best[1] >= _LEAST * len(unmatched) else ((), 0)


def _normalised(ids: Iterable[str], forms: Sequence[str]) -> set[str | None]:
    return {normalise_id(value, forms) for value in ids}
