"""When the values of events appear relative to conversions: counted on the log here, judged by the audit."""

from __future__ import annotations

from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.event_timing import EventTiming, each_entity, timed_log
from pql_model.sources.read import Sources

Table = Any

LEVELS = 20
"""Levels of a value: each number if there are no more than this, otherwise as many bins of equal size."""
OTHER_THAN = "other than"
"""Level of all numbers but the most common one, where one makes up a fifth of the rows."""
_LEAST_USUAL = 0.2


def read_value_timing(con: Connection, config: Config, sources: Sources, until: int) -> list[EventTiming]:
    """Count each level of each value of each event relative to conversions, as `read_event_timing` counts events.

    The levels are single numbers, or bins of a value with many, and every number but the most common one.
    """
    if not any(table.values for table in config.events):
        return []
    log, dated = timed_log(sources, until)
    numbers = [column for column in log.columns if column.startswith("value_")]
    rows = log.select("entity", "event", "time", "known_at", "paid", "signed_up", *numbers)
    rows = rows.pivot_longer(numbers, names_to="value", values_to="number")
    # staged, since compiling a long expression several times takes longer than reading it
    rows = con.create_table("value_rows", rows.filter(rows.number.notnull()), temp=True, overwrite=True)
    levels = con.create_table("value_levels", _levels_of(rows), temp=True, overwrite=True)
    each = each_entity(_levelled(rows, levels), dated, until, config.horizon.us, "value", "level")
    counts = each.group_by("event", "value", "level").agg(
        doers=each.count(),
        after=each.count(where=each.begun_after),
        did=each.count(where=each.did),
        did_convert=each.count(where=each.did_convert),
    )
    payload = counts.order_by("event", "value", "level").to_pyarrow().to_pylist()
    con.drop_table("value_rows")
    con.drop_table("value_levels")
    return [
        EventTiming(converters=0, near=None, **{**row, "value": row["value"].removeprefix("value_")}) for row in payload
    ]


def _levels_of(rows: Table) -> Table:
    """For each value of each event: its distinct numbers, the edges of its bins, and the most common number."""
    counts = rows.group_by("event", "value", "number").agg(n=rows.count())
    counts = counts.mutate(share=counts.n / counts.n.sum().over(ibis.window(group_by=["event", "value"])))
    usual = counts.group_by("event", "value").agg(
        distinct_numbers=counts.count(), share=counts.share.max(), usual=counts.number.argmax(counts.n)
    )
    edges = rows.group_by("event", "value").agg(edges=rows.number.quantile([i / LEVELS for i in range(1, LEVELS)]))
    return usual.join(edges, ["event", "value"])


def _levelled(rows: Table, levels: Table) -> Table:
    """Each row once with its number or bin as `level`, and once more if its number is not the most common one."""
    t = rows.join(levels, ["event", "value"])
    place = sum(((t.number >= t.edges[i]).cast("int64") for i in range(LEVELS - 1)), ibis.literal(0))
    percent = place * (100 // LEVELS)
    binned = ibis.literal("above percentile ") + percent.cast("string")
    exact = ibis.literal("= ") + t.number.cast("string")
    every = t.mutate(level=ibis.ifelse(t.distinct_numbers > LEVELS, binned, exact))
    other = t.filter((t.share >= _LEAST_USUAL) & (t.number != t.usual))
    other = other.mutate(level=ibis.literal(f"{OTHER_THAN} ") + other.usual.cast("string"))
    return every.union(other)
