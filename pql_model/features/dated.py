"""Dated columns as of each snapshot: the last value that held and was known before it.

What is right is defined by `pql_model.features.dated_reader.latest_of`; this module must equal it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import pandas as pd

from pql_model.sources.dated_columns import DatedColumns

Table = Any


def join_latest(
    table: pd.DataFrame, snapshots: Table, dated: Sequence[DatedColumns], columns: Mapping[str, str]
) -> pd.DataFrame:
    """Put dated columns beside the rows of a feature table.

    Parameters
    ----------
    table : pandas.DataFrame
        With entity and as_of (microseconds).
    snapshots : Table
        entity, as_of of the same rows.
    dated : Sequence[DatedColumns]
        The tables of dated columns.
    columns : Mapping[str, str]
        Name of a value -> its column in the feature table; others are left out.
    """
    for part in dated:
        wanted = {i: columns[name] for i, name in enumerate(part.names) if name in columns}
        if wanted:
            latest = _latest(part, snapshots, wanted)
            table = table.merge(latest, on=["entity", "as_of"], how="left", validate="many_to_one")
    return table


def _latest(part: DatedColumns, snapshots: Table, wanted: Mapping[int, str]) -> pd.DataFrame:
    rows = part.table
    known = ibis.coalesce(rows.known_at, rows.time)
    places = {  # total, hence the row with the highest place is one; a blank value comes first
        f"place_{i}": ibis.row_number().over(
            ibis.window(group_by="entity", order_by=[rows.time, known, rows[f"value_{i}"].asc(nulls_first=True)])
        )
        for i in wanted
    }
    placed = rows.mutate(**places)
    conditions = [
        snapshots.entity == placed.entity,
        placed.time < snapshots.as_of,
        placed.known_at.isnull() | (placed.known_at < snapshots.as_of),
    ]
    kept = [placed[name] for i in wanted for name in (f"value_{i}", f"place_{i}")]
    t = snapshots.join(placed, conditions).select(snapshots.entity, snapshots.as_of, *kept)
    last = {column: _last(t, i, part.states_all) for i, column in wanted.items()}
    last = {name: c.cast("float64") if c.type().is_decimal() else c for name, c in last.items()}
    found: pd.DataFrame = t.group_by("entity", "as_of").agg(**last).to_pandas()
    return found


def _last(t: Table, i: int, states_all: bool) -> Any:
    """The last value; where each row states all values, none if the last row has none."""
    value, place = t[f"value_{i}"], t[f"place_{i}"]
    last = value.argmax(place, where=value.notnull())
    return ibis.ifelse(place.max() == place.max(where=value.notnull()), last, None) if states_all else last
