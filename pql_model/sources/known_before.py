"""The data as they were known at an earlier instant: what happened or arrived later does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pql_model.sources.conversions import Conversions
from pql_model.sources.events import StagedEvents

Table = Any


def events_before(staged: Sequence[StagedEvents], instant: int) -> list[StagedEvents]:
    """Leave out the rows of every event table that happened, or arrived, at or after an instant.

    Rows without a readable time stay, to be set aside and counted.
    """
    return [replace(part, table=_before(part.table, instant)) for part in staged]


def conversions_before(conversions: Conversions, instant: int) -> Conversions:
    """Leave out the payments at or after an instant."""
    payments = conversions.payments
    return replace(
        conversions,
        table=conversions.table.filter(conversions.table.time < instant),
        payments=payments if payments is None else payments.filter(payments.time < instant),
    )


def _before(t: Table, instant: int) -> Table:
    return t.filter((t.time.isnull() | (t.time < instant)) & (t.known_at.isnull() | (t.known_at < instant)))
