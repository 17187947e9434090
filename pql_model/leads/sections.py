"""The sections of the list: every scored row belongs to exactly one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.decide.policy import expected_conversions
from pql_model.leads.lead import ListedLead
from pql_model.statistics.estimate import Estimate

NEW, OPEN, WAITING, OTHERS, NOT_TO_CALL = SECTIONS = ("new", "open", "waiting", "others", "not_to_call")
"""New today, still open, suppressed with a reason, not qualified, and the lowest band, in the order of the page."""
WITH_DETAILS = 200
"""Rows of a section that are shown with reasons and contact; the others are shown in one line each."""
LISTED = 5_000
"""Rows of a section that are shown at all. A page of a hundred thousand names would not open."""
_BRIEF = (OTHERS, NOT_TO_CALL)
"""Sections of which no row has details: nobody is called from them."""


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    rows
        Number of scored rows in it, listed or not.
    expected
        Expected conversions of them.
    leads, brief
        Those with details, and those in one line, the highest probability first.
    suppressed
        Reason -> rows, of those that are suppressed.
    band
        The band of `not_to_call`; None in other sections.
    """

    key: str
    rows: int
    expected: Estimate
    leads: tuple[ListedLead, ...]
    brief: tuple[ListedLead, ...]
    suppressed: Mapping[str, int]
    band: str | None = None

    @property
    def left_out(self) -> int:
        """Rows that are counted and not listed."""
        return self.rows - len(self.leads) - len(self.brief)


def section_of(rows: pd.DataFrame, bands: Sequence[str], paid: Mapping[str, int]) -> tuple[np.ndarray, str]:
    """Name the section of every scored row.

    Parameters
    ----------
    rows
        entity, band, is_pql, newly_qualified, suppressed.
    bands
        Names of the bands, the highest first.
    paid
        The entities that have paid since they were scored.

    Returns
    -------
    tuple of numpy.ndarray and str
        One of `SECTIONS` for each row, and the band of `not_to_call`: the lowest with rows that are not PQLs, never the
        highest, as in `pql score`.
    """
    band = rows["band"].astype(str).to_numpy()
    is_pql, new = (rows[column].eq(True).fillna(False).to_numpy(bool) for column in ("is_pql", "newly_qualified"))
    waits = rows["suppressed"].notna().to_numpy(bool) & ~is_pql
    has_paid = rows["entity"].astype(str).isin(set(paid)).to_numpy(bool)
    lowest = next((name for name in bands[:0:-1] if ((band == name) & ~is_pql).any()), bands[-1])
    conditions = [has_paid, is_pql & new, is_pql, waits, band == lowest]
    return np.select(conditions, [WAITING, NEW, OPEN, WAITING, NOT_TO_CALL], OTHERS), lowest


def make_sections(
    rows: pd.DataFrame,
    bands: Sequence[str],
    level_error: float,
    lead: Callable[[Mapping[Any, Any]], ListedLead],
    paid: Mapping[str, int],
) -> dict[str, Section]:
    """Split scored rows into the sections of the page.

    Parameters
    ----------
    rows
        A table of scored rows, the highest probability first.
    level_error
        See `expected_conversions`.
    lead
        Makes the lead of a row.
    """
    section, lowest = section_of(rows, bands, paid)
    return {
        key: _section(key, rows[section == key], level_error, lead, lowest if key == NOT_TO_CALL else None)
        for key in SECTIONS
    }


def _section(
    key: str, rows: pd.DataFrame, level_error: float, lead: Callable[[Mapping[Any, Any]], ListedLead], band: str | None
) -> Section:
    leads = tuple(lead(row) for row in rows.head(LISTED).to_dict("records"))
    detailed = 0 if key in _BRIEF else WITH_DETAILS
    return Section(
        key,
        len(rows),
        expected_conversions(rows["probability"].to_numpy(float), level_error),
        leads[:detailed],
        leads[detailed:],
        {str(reason): int(n) for reason, n in rows["suppressed"].dropna().value_counts().items()},
        band,
    )
