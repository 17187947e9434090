"""Evidence of leakage from the sources, beyond the feature table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.event_timing import EventTiming, read_event_timing
from pql_model.sources.read import Sources
from pql_model.sources.trait_changes import TraitChanges, read_trait_changes
from pql_model.sources.value_timing import read_value_timing


@dataclass(frozen=True)
class LeakEvidence:
    """What the audit reads beside the feature table.

    Attributes
    ----------
    event_timing
        Each event relative to conversions.
    value_timing
        Each level of each value of an event relative to conversions.
    trait_changes
        Each trait compared between two extracts; empty without an earlier one.
    order
        By entity: `position` of its row in the file (missing for a database table) and `signed_up`; None if unknown.
    key
        The column that identifies entities; None where they have no ids of their own.
    """

    event_timing: Sequence[EventTiming] = ()
    trait_changes: Sequence[TraitChanges] = ()
    order: pd.DataFrame | None = None
    key: str | None = None
    value_timing: Sequence[EventTiming] = ()


def read_leak_evidence(
    con: Connection, config: Config, sources: Sources, until: int, changes_until: int | None = None
) -> LeakEvidence:
    """Gather the evidence of leakage.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data.
    until : int
        Count only events and conversions that were known at this instant.
    changes_until : int, optional
        The same limit for changes between two extracts; default: `until`. Both extracts are usually recent, so
        entities whose traits changed between them converted later than any training row.
    """
    order = sources.entities.table.select("entity", "signed_up")
    if sources.entities.positions is not None:
        order = order.left_join(sources.entities.positions, "entity").select("entity", "signed_up", "position")
    frame = order.to_pandas().set_index("entity").reindex(columns=["signed_up", "position"])
    return LeakEvidence(
        read_event_timing(config, sources, until),
        read_trait_changes(con, config, sources, until if changes_until is None else changes_until),
        frame.astype("Float64").astype("float64"),
        config.entities.columns.entity,
        read_value_timing(con, config, sources, until),
    )
