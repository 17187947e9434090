"""The ledger equals its definition, whatever is odd about the log, the feedback and the outcomes."""

from __future__ import annotations

import ibis
import pyarrow as pa
import pytest
from oracle import HORIZON, LEARNT, PRODUCT, SHARES, World, instant, ledger_of

from pql_model.ledger import build
from pql_model.ledger.build import LedgerParts, assemble
from pql_model.ledger.log import LOGGED
from pql_model.ledger.schema import LEDGER_SCHEMA, STAGES_SCHEMA
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY

TIMES = [field.name for field in LEDGER_SCHEMA if pa.types.is_timestamp(field.type)]


@pytest.fixture(scope="module")
def con():
    with open_session("1GB") as con:
        yield con


def table(con, name, rows, schema):
    return con.create_table(name, pa.Table.from_pylist(rows, schema=pa.schema(schema)), overwrite=True)


def parts_of(con, world, outcomes_until, **more):
    text, at, number = pa.string(), pa.int64(), pa.float64()
    pairs = table(
        con, "w_aliases", [{"old": o, "new": n} for o, n in world.aliases.items()], [("old", text), ("new", text)]
    )

    def resolve(rows):
        joined = rows.left_join(pairs, rows.entity == pairs.old)
        return joined.mutate(entity=ibis.coalesce(joined.new, joined.entity)).drop("old", "new")

    return LedgerParts(
        product=PRODUCT,
        horizon=HORIZON,
        outcomes_until=outcomes_until,
        said=table(con, "w_said", world.said, LOGGED.to_pyarrow()),
        entities=table(con, "w_entities", world.entities, [("entity", text), ("excluded", pa.bool_())]),
        conversions=table(con, "w_paid", world.conversions, [("entity", text), ("time", at), ("value", number)]),
        resolve=resolve,
        feedback=table(
            con,
            "w_feedback",
            world.feedback,
            [("entity", text), ("time", at), ("meaning", text), ("reason", text), ("owner", text)],
        ),
        sent=table(con, "w_sent", world.sent, [("entity", text), ("time", at)]),
        hold_out=SHARES,
        default_hold_out=0.3,
        learnt_until=LEARNT,
        **more,
    )


def rows_of(ledger):
    rows = ledger.table.to_pyarrow()
    assert rows.schema.equals(LEDGER_SCHEMA)
    return sorted(rows.to_pylist(), key=key)


def key(row):
    return (row["entity"], row["as_of"], row["model_version"])


def expected(rows):
    shown = [{**row, **{name: instant(row[name]) for name in TIMES}} for row in rows]
    return sorted(({name: row[name] for name in LEDGER_SCHEMA.names} for row in shown), key=key)


@pytest.mark.parametrize("seed", range(8))
def test_every_column_of_every_row_is_that_of_the_definition(con, seed):
    world, until = World(seed), (40 + seed) * DAY
    for as_of in (None, 31 * DAY):
        ledger = assemble(con, parts_of(con, world, until, as_of=as_of))
        rows, aside = ledger_of(world, until, as_of)

        assert rows_of(ledger) == expected(rows)
        assert ledger.counts["set_aside"] == aside
        assert sum(ledger.counts["rows"].values()) == len(rows)
        assert len({key(row) for row in rows}) == len(rows)


def test_the_worlds_hold_what_they_are_to_test():
    rows, aside = [], set()
    for seed in range(8):
        found, reasons = ledger_of(World(seed), (40 + seed) * DAY)
        rows, aside = rows + found, aside | set(reasons)

    assert aside == set(build.SET_ASIDE)
    assert {row["converted"] for row in rows} == {True, False, None}
    assert {row["source"] for row in rows} == {"score", "service", "replayed"}
    assert {(row["known"], row["final"]) for row in rows} == {(True, True), (True, False), (False, False)}
    assert any(row["converted_at"] == row["as_of"] + HORIZON and row["converted"] is False for row in rows)
    assert any(row["converted_at"] == row["as_of"] + HORIZON - 1 and row["converted"] for row in rows)


def test_the_ledger_does_not_depend_on_how_much_is_read_at_once(con, monkeypatch):
    world = World(3)
    monkeypatch.setattr(build, "ROWS_AT_ONCE", 5)
    shares = []

    ledger = assemble(con, parts_of(con, world, 43 * DAY), shares.append)

    rows, aside = ledger_of(world, 43 * DAY)
    assert (rows_of(ledger), ledger.counts["set_aside"]) == (expected(rows), aside)
    assert len(shares) > 5
    assert shares[-1] == 1


@pytest.mark.parametrize("lacking", ["log", "conversions"])
def test_a_ledger_without_scores_or_without_a_conversion(con, lacking):
    world = World(1, **{lacking: False}, replayed=False)

    ledger = assemble(con, parts_of(con, world, 60 * DAY))

    rows, _ = ledger_of(world, 60 * DAY)
    assert rows_of(ledger) == expected(rows)
    assert bool(rows) == (lacking == "conversions")
    assert not any(row["converted"] for row in rows)


def test_nothing_after_the_instant_of_the_ledger_changes_it(con):
    world = World(5)
    before = rows_of(assemble(con, parts_of(con, world, 60 * DAY, as_of=30 * DAY)))

    world.feedback = [f for f in world.feedback if f["time"] < 30 * DAY]
    world.sent = [s for s in world.sent if s["time"] < 30 * DAY]
    world.conversions = [c for c in world.conversions if c["time"] < 30 * DAY]
    world.said = [
        s
        for s in world.said
        if (s["scored_at"] if s["as_of"] is None else s["as_of"]) <= 30 * DAY
        and (s["source"] == "replayed" or s["scored_at"] <= 30 * DAY)
    ]

    assert rows_of(assemble(con, parts_of(con, world, 60 * DAY, as_of=30 * DAY))) == before
    assert before


def test_stages_have_their_own_table_up_to_the_instant_of_the_ledger(con):
    rows = [{"entity": "a", "stage": "MQL", "time": 3 * DAY}, {"entity": "a", "stage": "SQL", "time": 9 * DAY}]
    stages = table(con, "w_stages", rows, [("entity", pa.string()), ("stage", pa.string()), ("time", pa.int64())])

    ledger = assemble(con, parts_of(con, World(0), 60 * DAY, stages=stages, as_of=9 * DAY))

    found = ledger.stages.to_pyarrow()
    assert found.schema.equals(STAGES_SCHEMA)
    assert found.to_pylist() == [{"entity": "a", "stage": "MQL", "at": instant(3 * DAY)}]
