"""Queries on the outcome ledger that the monitor's statistics read. What leaves the engine is bounded.

A company may log a score a day and entity. Two reductions keep that small and honest: sums over entities, from which
intervals clustered by entity follow, and one row per entity and age (or period), as models are tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pandas as pd

from pql_model.config.schema import Config
from pql_model.time import DAY, to_datetime

Table = Any

MOST_ROWS = 300_000
"""Rows that the statistics on single rows read; of more, whole entities are drawn by a hash."""
_MONTH = "%Y-%m"
_KEPT = ("source", "probability", "band", "is_pql", "meets_definition", "meets_in_force", "known", "final", "converted")


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def _epoch_us(instant: dt.timestamp) -> int:  # type: ignore[empty-body]
    """DuckDB's microseconds since 1970."""


def outcome_sums(final: Table, by: str | None = None) -> pd.DataFrame:
    """Sums over entities of final rows, by a column, by `month` or in total.

    The rows of one entity in one month share a weight of one, however often it was scored: a daily score is not 30 accounts.

    Parameters
    ----------
    final
        Final rows of the ledger.
    by
        `band`, `month`, `model_version`, `source`, `origin` (`logged` or `replayed`) or None.

    Returns
    -------
    pandas.DataFrame
        `by` (`all` in total); entities, rows, converting (entities); weight, expected, observed, and the sums of squares and
        products over entities `oo`, `ow`, `ww`, `ee`, `eo`, from which variances follow.
    """
    origin = ibis.ifelse(final.source == "replayed", "replayed", "logged")
    rows = final.mutate(month=final.as_of.strftime(_MONTH), all=ibis.literal("all"), origin=origin)
    key = by or "all"
    cells = rows.group_by(list(dict.fromkeys(["entity", "month", key]))).agg(
        rows=rows.count(), expected=rows.probability.sum(), observed=rows.converted.cast("float64").sum()
    )
    share = 1.0 / cells.rows.sum().over(group_by=["entity", "month"])
    units = cells.mutate(weight=cells.rows * share, expected=cells.expected * share, observed=cells.observed * share)
    of_entity = units.group_by([key, "entity"]).agg(
        rows=units.rows.sum(), weight=units.weight.sum(), expected=units.expected.sum(), observed=units.observed.sum()
    )
    t = of_entity
    sums = t.group_by(key).agg(
        entities=t.count(),
        rows=t.rows.sum(),
        converting=(t.observed > 0).sum(),
        weight=t.weight.sum(),
        expected=t.expected.sum(),
        observed=t.observed.sum(),
        oo=(t.observed * t.observed).sum(),
        ow=(t.observed * t.weight).sum(),
        ww=(t.weight * t.weight).sum(),
        ee=(t.expected * t.expected).sum(),
        eo=(t.expected * t.observed).sum(),
    )
    frame: pd.DataFrame = sums.order_by(key).to_pandas()
    return frame


def qualified_counts(final: Table) -> pd.DataFrame:
    """Entities and months in which somebody was a PQL, and in which not, with their conversions.

    The outcome of a month with a PQL is that of its first row as a PQL.

    Returns
    -------
    pandas.DataFrame
        qualified (bool), entities (number of entities and months), converted.
    """
    rows = final.mutate(month=final.as_of.strftime(_MONTH), qualified=final.is_pql.fill_null(False))
    first = rows.group_by(["entity", "month"]).agg(
        qualified=rows.qualified.any(),
        as_pql=rows.converted.argmin(rows.as_of, where=rows.qualified),
        any_row=rows.converted.argmin(rows.as_of),
    )
    outcome = ibis.ifelse(first.qualified, first.as_pql, first.any_row)
    units = first.mutate(outcome=outcome)
    counts = units.group_by("qualified").agg(entities=units.count(), converted=units.outcome.cast("int64").sum())
    frame: pd.DataFrame = counts.to_pandas()
    return frame


def due_rows(
    ledger: Table, entities: Table, config: Config, versions: Sequence[str] | None, since: int, most: int = MOST_ROWS
) -> pd.DataFrame:
    """One row per entity and age at which models are trained, or per entity and horizon in freemium.

    Ages between two landmarks belong to the earlier one; its first row counts.

    Parameters
    ----------
    entities
        entity and signed_up (microseconds) of the sources.
    versions
        Model versions; None for all.
    since
        Rows with an earlier `as_of` are left out.

    Returns
    -------
    pandas.DataFrame
        entity, model_version, as_of and signed_up (int64 microseconds, the second nullable), converted_at (Int64), group, and
        source, probability, band, is_pql, meets_definition, meets_in_force, known, final, converted of the ledger.
    """
    rows = ledger.filter(ledger.as_of >= to_datetime(since))
    if versions is not None:
        rows = rows.filter(rows.model_version.isin(list(versions)))
    known = entities.select("entity", "signed_up")
    rows = rows.join(known, "entity", how="left")
    rows = rows.mutate(
        as_of_us=_epoch_us(rows.as_of), converted_at_us=_epoch_us(rows.converted_at)
    )  # DuckDB casts no timestamp to an integer
    if config.motion == "trial":
        age = rows.as_of_us - rows.signed_up
        landmarks = [days * DAY for days in config.schedule.at_days or ()]
        passed = sum(((age >= landmark).cast("int64") for landmark in landmarks), ibis.literal(0))
        rows = rows.mutate(group=passed - 1)
        rows = rows.filter(rows.group >= 0)
    else:
        rows = rows.mutate(group=rows.as_of_us // config.horizon.us)
    keys = ["entity", "model_version", "group"]
    columns = {name: rows[name] for name in (*_KEPT, "signed_up")}
    whole = ibis.struct({**columns, "as_of": rows.as_of_us, "converted_at": rows.converted_at_us})
    # as a struct: DuckDB would pass over a first row whose column is null, and answer with a later one
    first = rows.group_by(keys).agg(row=whole.argmin(rows.as_of_us)).unpack("row")
    count = int(first.count().execute())
    if count > most:
        parts = -(-count // most)
        first = first.filter((first.entity.hash() % parts) == 0)
    frame: pd.DataFrame = first.order_by("as_of", "entity", "model_version").to_pandas()
    return frame.astype({"signed_up": "Int64", "converted_at": "Int64", "as_of": "int64"})
