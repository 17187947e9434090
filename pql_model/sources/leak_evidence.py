"""What the sources tell of leaks beyond the feature table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.event_timing import EventTiming, read_event_timing
from pql_model.sources.read import Sources
from pql_model.sources.trait_changes import TraitChanges, read_trait_changes


@dataclass(frozen=True)
class LeakEvidence:
    """What the audit is shown beside the feature table.

    Attributes
    ----------
    around
        Each event around conversions.
    changes
        Each trait between two extracts; empty without an earlier one.
    order
        By entity: `position` of its row in the file (missing for a table of a database), `signed_up`. None: unknown.
    key
        The column that identifies entities; None where they have no ids of their own.
    """

    around: Sequence[EventTiming] = ()
    changes: Sequence[TraitChanges] = ()
    order: pd.DataFrame | None = None
    key: str | None = None


def read_leak_evidence(
    con: Connection, config: Config, sources: Sources, until: int, changes_until: int | None = None
) -> LeakEvidence:
    """Gather it.

    Parameters
    ----------
    until
        Of events and conversions, only what was known then is counted.
    changes_until
        The same for what changed between two extracts; default: `until`. The two are commonly both recent, and those
        whose values changed between them converted later than any row of training.
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
    )
