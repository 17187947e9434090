"""The ledger put together: each score once, with what was done about it and what came of it, as known at one instant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pandas as pd
import pyarrow as pa

from pql_model.decide.holdout import unit_hash
from pql_model.ledger.schema import KEY, LEDGER_SCHEMA, MEANINGS, SAID, STAGES_SCHEMA
from pql_model.time import DAY

Connection = Any
Table = Any
Column = Any


@ibis.udf.scalar.builtin(name="make_timestamp")  # type: ignore[untyped-decorator]
def _make_timestamp(microseconds: int) -> dt.timestamp:
    """DuckDB's timestamp of microseconds since the epoch."""


def _instant(microseconds: Column) -> Column:
    return _make_timestamp(microseconds).cast(dt.Timestamp("UTC"))


SET_ASIDE = {
    "incomplete": "a row without an entity, a probability from 0 to 1, or the model's version",
    "other_product": "a score of another product in the same log",
    "scored_ahead": "an instant more than a day after the scoring: what it says was not known",
    "learnt_from": "an instant before the end of the outcomes that the model has learnt from",
    "excluded": "an entity that the config excludes",
    "already_converted": "by today's data it had converted before the instant",
    "looked_back": "a run of an instant that was made again after the run of a later one; what was said in time counts",
    "repeated": "the same entity, instant and model again; the last one scored counts",
}
"""Why a logged row is not in the ledger, in the order of the checks."""

_RUN = pa.schema([("as_of", pa.int64()), ("model_version", pa.string()), ("scored_at", pa.int64())])

ROWS_AT_ONCE = 1_500_000
"""Rows of the log that are put together at once; more take more memory."""


@dataclass(frozen=True)
class Ledger:
    """The outcome ledger, as tables of the session.

    Attributes
    ----------
    table
        `LEDGER_SCHEMA`: one row per entity, instant and model version.
    stages
        `STAGES_SCHEMA`: the first time of each entity and stage; empty without `stages:` in the config.
    feedback
        entity, time (microseconds), meaning, reason, owner: what sales did; None without `feedback:`.
    counts
        `rows` by source, and logged rows `set_aside` by reason.
    until
        The instant up to which outcomes are known (microseconds).
    warnings
        Sentences a person should read.
    """

    table: Table
    stages: Table
    counts: dict[str, dict[str, int]]
    until: int
    feedback: Table | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LedgerParts:
    """Everything the ledger is made of. Instants are microseconds; tables are of one session.

    Attributes
    ----------
    product
        Name of the product, which is that of its registered model.
    horizon
        Microseconds.
    outcomes_until
        The instant up to which outcomes are known.
    as_of
        The instant as of which the ledger is built: later scores, feedback and outcomes do not exist. None: everything.
    said
        The columns of `SAID`: logged and replayed rows.
    entities
        entity, excluded: those of today's data.
    conversions
        entity, time, value: the first of each entity.
    resolve
        Brings the ids in column `entity` of a table to those of today's data.
    feedback
        entity, time, meaning, reason, owner.
    sent
        entity, time: deliveries by `pql sync`.
    stages
        entity, stage, time.
    hold_out
        Model version -> its share of the hold-out; `default_hold_out` for other versions.
    learnt_until
        Model version -> the end of the outcomes that it has learnt from, for versions that are known.
    """

    product: str
    horizon: int
    outcomes_until: int
    said: Table
    entities: Table
    conversions: Table
    as_of: int | None = None
    resolve: Callable[[Table], Table] = lambda table: table
    feedback: Table | None = None
    sent: Table | None = None
    stages: Table | None = None
    hold_out: Mapping[str, float] = field(default_factory=dict)
    default_hold_out: float = 0.0
    learnt_until: Mapping[str, int] = field(default_factory=dict)

    @property
    def until(self) -> int:
        """The instant up to which outcomes are known as of the ledger's instant."""
        return self.outcomes_until if self.as_of is None else min(self.as_of, self.outcomes_until)


def assemble(con: Connection, parts: LedgerParts, progress: Callable[[float], None] | None = None) -> Ledger:
    """Put the ledger together as tables `ledger` and `ledger_stages` of the session.

    The log is read some days at a time, so that memory does not grow with its length.

    Parameters
    ----------
    con : Connection
        An open session.
    parts : LedgerParts
        What it is made of.
    progress : callable, optional
        Called with the share done, 0 to 1.
    """
    said = _resolved(parts)
    units = _units(con, parts, said)
    feedback, sent = _first_of_each(con, parts), _deliveries(con, parts)
    ledger = con.create_table("ledger", schema=ibis.schema(LEDGER_SCHEMA), overwrite=True)
    looks_back = _looks_back(con, parts, said)
    set_aside: Counter[str] = Counter()
    spans = list(day_spans(said, ROWS_AT_ONCE))
    for done, (start, end) in enumerate(spans, 1):
        rows = said.filter((said.as_of >= start) & (said.as_of < end))
        judged = con.create_table("judged_scores", _judged(rows, looks_back, parts), overwrite=True)
        reasons = judged.reason.value_counts(name="rows").to_pyarrow().to_pylist()
        set_aside.update({row["reason"]: row["rows"] for row in reasons if row["reason"] is not None})
        kept = judged.filter(judged.reason.isnull())
        con.insert("ledger", _in_schema(_with_done(_with_outcome(kept, parts), units, feedback, sent, parts)))
        if progress is not None:
            progress(done / len(spans))
    by_source = ledger["source"].value_counts(name="rows").to_pyarrow().to_pylist()
    counts = {
        "rows": {row["source"]: int(row["rows"]) for row in sorted(by_source, key=lambda row: row["source"])},
        "set_aside": {reason: set_aside[reason] for reason in SET_ASIDE if set_aside[reason]},
    }
    return Ledger(ledger, _stages(con, parts), counts, parts.until, feedback)


# ---------------------------------------------------------------- what was said


def _resolved(parts: LedgerParts) -> Table:
    """The scores with their entity of today, the id under which they were made, and an instant in each."""
    said = parts.said
    said = said.mutate(own_id=said.entity.strip(), as_of=ibis.coalesce(said.as_of, said.scored_at))
    said = said.mutate(entity=said.own_id)
    if parts.as_of is not None:
        said = said_by(said, parts.as_of)
    return parts.resolve(said).select(*SAID.names, "own_id")


def said_by(said: Table, instant: int) -> Table:
    """Keep what had been said at an instant: logged rows that were made by then, and replays of instants until then."""
    made = (said["source"] == "replayed") | (said.scored_at <= instant)
    return said.filter((ibis.coalesce(said.as_of, said.scored_at) <= instant) & made)


def _looks_back(con: Connection, parts: LedgerParts, said: Table) -> Table:
    """as_of, model_version, scored_at of the runs that only look back: made after a run of a later instant, beside one made in time."""
    scored = said.filter(
        (said["source"] == "score") & (said.model_name == parts.product) & said.model_version.notnull()
    )
    runs = scored.select("as_of", "model_version", "scored_at").distinct().to_pandas()
    first_made = runs.groupby("as_of")["scored_at"].min().sort_index()
    later_made = first_made[::-1].cummin()[::-1].shift(-1)
    late = runs["scored_at"] > runs["as_of"].map(later_made).fillna(np.inf)
    in_time = pd.MultiIndex.from_frame(runs.loc[~late, ["as_of", "model_version"]])
    repeated = pd.MultiIndex.from_frame(runs[["as_of", "model_version"]]).isin(in_time)
    found = pa.Table.from_pandas(runs[late & repeated], schema=_RUN, preserve_index=False)
    return con.create_table("looks_back", found, overwrite=True)


def day_spans(rows: Table, at_once: int) -> Iterator[tuple[int, int]]:
    """Cut the time of some rows into spans of whole days, each with at most `at_once` rows, or of one day.

    Parameters
    ----------
    rows : Table
        Column as_of (microseconds).
    at_once : int
        Number of rows.
    """
    days = rows.group_by(day=rows.as_of // DAY).agg(rows=lambda t: t.count()).order_by("day").to_pyarrow().to_pylist()
    start, count = None, 0
    days = [row for row in days if row["day"] is not None]
    for place, day in enumerate(days):
        start = day["day"] if start is None else start
        count += day["rows"]
        following = days[place + 1]["rows"] if place + 1 < len(days) else None
        if following is None or count + following > at_once:
            yield int(start) * DAY, (int(day["day"]) + 1) * DAY
            start, count = None, 0


def _judged(rows: Table, looks_back: Table, parts: LedgerParts) -> Table:
    """Add what is known of the entity, and the reason why a score is not in the ledger."""
    rows = rows.left_join(looks_back.mutate(looked_back=True), list(_RUN.names))
    rows = rows.drop(*(f"{name}_right" for name in _RUN.names))
    entities = parts.entities.select("entity", "excluded", known=ibis.literal(True))
    paid = parts.conversions.select("entity", "value", converted_at="time")
    if parts.as_of is not None:
        paid = paid.filter(paid.converted_at < parts.as_of)
    t = rows.left_join(entities, "entity").drop("entity_right").left_join(paid, "entity").drop("entity_right")
    complete = (
        t.entity.notnull() & (t.entity != "") & t.probability.between(0, 1).fill_null(False) & t.model_version.notnull()
    )
    learnt = ibis.literal(False)
    for version, until in parts.learnt_until.items():
        learnt = learnt | ((t.model_version == version) & (t.as_of < until))
    reason = ibis.cases(
        (~complete, "incomplete"),
        (t.model_name != parts.product, "other_product"),
        (t.as_of > t.scored_at + DAY, "scored_ahead"),
        (learnt & (t["source"] != "replayed"), "learnt_from"),  # a replay chooses a model that has not
        (t.excluded.fill_null(False), "excluded"),
        ((t.converted_at < t.as_of).fill_null(False), "already_converted"),
        (t.looked_back.fill_null(False) & (t["source"] == "score"), "looked_back"),
        else_=ibis.null("string"),
    )
    t = t.mutate(reason=reason)
    order = [
        t.reason.notnull(),  # a row that does not count must not hide one that does
        t["source"] == "replayed",
        t.scored_at.desc(),
        t.own_id != t.entity,  # of merged users, the one whose id counts
        t["source"],
        t.probability.desc(),
        t.own_id,
    ]
    rank = ibis.row_number().over(ibis.window(group_by=list(KEY), order_by=order))
    t = t.mutate(rank=rank)
    repeated = t.reason.isnull() & (t["rank"] > 0)
    return t.mutate(reason=ibis.ifelse(repeated, "repeated", t.reason)).drop("rank")


# ---------------------------------------------------------------- what came of it


def _with_outcome(rows: Table, parts: LedgerParts) -> Table:
    """Add whether the outcome is known and final, and what it is."""
    known = rows.known.fill_null(False)
    final = known & (rows.as_of + parts.horizon <= parts.until)
    within = (rows.converted_at < rows.as_of + parts.horizon).fill_null(False)
    return rows.mutate(
        known=known,
        final=final,
        converted=ibis.ifelse(final, within, ibis.null("boolean")),
        converted_at=ibis.ifelse(known, rows.converted_at, None),
        value=ibis.ifelse(known, rows["value"], None),
    )


# ---------------------------------------------------------------- what was done


def _units(con: Connection, parts: LedgerParts, said: Table) -> Table | None:
    """own_id -> the number that decides whether it is in the hold-out; None where there is none."""
    if not any((parts.default_hold_out, *parts.hold_out.values())):
        return None
    ids = said.select("own_id").distinct().to_pyarrow()["own_id"].to_pylist()
    units = [unit_hash(parts.product, own_id) if own_id is not None else None for own_id in ids]
    return con.create_table(
        "hold_out_units",
        pa.table({"own_id": pa.array(ids, pa.string()), "unit": pa.array(units, pa.float64())}),
        overwrite=True,
    )


def _held_out(rows: Table, units: Table | None, parts: LedgerParts) -> Table:
    if units is None:
        return rows.mutate(held_out=ibis.literal(False))
    share: Column = ibis.literal(parts.default_hold_out)
    for version, of_version in parts.hold_out.items():
        share = ibis.ifelse(rows.model_version == version, of_version, share)
    rows = rows.mutate(share=share).left_join(units, "own_id").drop("own_id_right")
    return rows.mutate(held_out=(rows.unit < rows.share).fill_null(False)).drop("unit", "share")


def _first_of_each(con: Connection, parts: LedgerParts) -> Table | None:
    """The feedback with one row per entity, instant and meaning, so that the first is never ambiguous."""
    if parts.feedback is None:
        return None
    rows = parts.feedback if parts.as_of is None else parts.feedback.filter(parts.feedback.time < parts.as_of)
    grouped = rows.group_by("entity", "time", "meaning")
    first = grouped.agg(reason=rows.reason.min(), owner=rows.owner.min())
    return con.create_table("ledger_feedback", first, overwrite=True)


def _deliveries(con: Connection, parts: LedgerParts) -> Table | None:
    if parts.sent is None:
        return None
    rows = parts.sent if parts.as_of is None else parts.sent.filter(parts.sent.time < parts.as_of)
    return con.create_table("ledger_sent", rows.select("entity", "time").distinct(), overwrite=True)


def _with_done(
    rows: Table, units: Table | None, feedback: Table | None, sent: Table | None, parts: LedgerParts
) -> Table:
    """Add the hold-out, the first delivery, and the first feedback of each meaning, at or after `as_of`."""
    moments = rows.select("entity", "as_of").distinct()
    rows = _held_out(rows, units, parts)
    if sent is not None:
        later = _later(moments, sent)
        rows = _joined(rows, later.group_by("entity", "as_of").agg(sent_at=later.time.min()))
    if feedback is None:
        return rows
    later = _later(moments, feedback)
    first = {
        f"{meaning}_at": later.time.min(where=later.meaning == meaning).name(f"{meaning}_at") for meaning in MEANINGS
    }
    # the reason is that of the first rejection, which may have none; the owner is the first that is named
    reason = later.reason.fill_null("").argmin(later.time, where=later.meaning == "rejected").nullif("")
    owner = later.owner.argmin(ibis.struct({"time": later.time, "owner": later.owner}), where=later.owner.notnull())
    return _joined(rows, later.group_by("entity", "as_of").agg(**first, rejected_reason=reason, owner=owner))


def _later(moments: Table, acts: Table) -> Table:
    """Each moment of an entity with what was done at or after it."""
    joined = moments.inner_join(acts, "entity")
    return joined.filter(joined.time >= joined.as_of)


def _joined(rows: Table, of_moment: Table) -> Table:
    return rows.left_join(of_moment, ["entity", "as_of"]).drop("entity_right", "as_of_right")


# ---------------------------------------------------------------- tables


def _in_schema(rows: Table) -> Table:
    return rows.select(**{f.name: _typed(rows, f) for f in LEDGER_SCHEMA})


def _typed(rows: Table, column: pa.Field) -> Column:
    if column.name not in rows.columns:
        return ibis.null(ibis.dtype(column.type))
    if pa.types.is_timestamp(column.type):
        return _instant(rows[column.name])
    return rows[column.name]


def _stages(con: Connection, parts: LedgerParts) -> Table:
    table = con.create_table("ledger_stages", schema=ibis.schema(STAGES_SCHEMA), overwrite=True)
    if parts.stages is not None:
        rows = parts.stages if parts.as_of is None else parts.stages.filter(parts.stages.time < parts.as_of)
        con.insert("ledger_stages", rows.select("entity", "stage", at=_instant(rows.time)))
    return table
