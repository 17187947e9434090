"""Stages of the funnel: the first time of each counts."""

from __future__ import annotations

from test_feedback import ACCOUNTS, EVENTS, PAID
from worlds import product, rows_of

from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.sources.stages import read_stages
from pql_model.time import parse_instant

SPEC = {"table": "stages.csv", "columns": {"entity": "account", "time": "at", "stage": "stage"}}


def read(home, text, **config):
    (home / "stages.csv").write_text("account,at,stage\n" + text)
    config = product(home, ACCOUNTS, EVENTS, PAID, **config)
    with open_session("1GB") as con:
        stages = read_stages(con, config, read_sources(con, config))
        return stages and (
            stages.set_aside,
            sorted((r["entity"], r["stage"], r["time"]) for r in rows_of(stages.table)),
        )


def test_the_first_time_of_each_stage_counts_also_where_stages_go_backwards(tmp_path):
    text = "a,2026-01-07,MQL\na,2026-01-03,SQL\na,2026-01-05,MQL\nb,2026-01-04,MQL\n"

    set_aside, rows = read(tmp_path, text, stages=SPEC)

    assert rows == [
        ("a", "MQL", parse_instant("2026-01-05")),
        ("a", "SQL", parse_instant("2026-01-03")),
        ("b", "MQL", parse_instant("2026-01-04")),
    ]
    assert set_aside == {"repeated": 1}


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path):
    text = ",2026-01-07,MQL\na,soon,MQL\nz,2026-01-07,MQL\na,2199-01-01,MQL\na,2026-01-07,\na,2026-01-07,MQL\n"

    set_aside, rows = read(tmp_path, text, stages=SPEC)

    assert len(rows) == 1
    assert set_aside == {"in_the_future": 1, "no_entity": 1, "unknown_entity": 1, "unparsable_time": 1, "no_stage": 1}


def test_a_product_without_stages_has_none(tmp_path):
    assert read(tmp_path, "a,2026-01-07,MQL\n") is None
