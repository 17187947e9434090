"""Data read as they were known at an earlier instant."""

from __future__ import annotations

import pytest
import yaml
from staging import put

from pql_model.config.load import load_config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.time import iso, parse_instant

EVENTS = """a,e,t,k
x,Visit,2026-01-05,2026-01-05
x,Visit,2026-01-09,2026-01-20
y,Visit,2026-01-10,2026-01-10
y,Visit,2026-02-10,2026-02-10
z,Visit,2026-03-10,2026-03-10
"""


@pytest.fixture
def config(tmp_path):
    put(tmp_path, "e.csv", EVENTS)
    put(tmp_path, "a.csv", "a,s\nx,2026-01-01\ny,2026-01-01\nz,2026-03-01\n")
    put(tmp_path, "c.csv", "a,t\nx,2026-01-12\ny,2026-02-20\nz,2026-03-12\n")
    raw = {
        "name": "boards",
        "entity": "account",
        "events": [{"table": "e.csv", "columns": {"entity": "a", "event": "e", "time": "t", "known_at": "k"}}],
        "entities": {"table": "a.csv", "columns": {"entity": "a", "signed_up": "s"}},
        "conversions": {"table": "c.csv", "columns": {"entity": "a", "time": "t"}},
        "motion": "trial",
        "snapshots": {"at_days": [3]},
        "horizon": "30d",
    }
    return load_config(tmp_path / put(tmp_path, "pql.yaml", yaml.safe_dump(raw)))


def facts(config, **options):
    with open_session() as con:
        sources = read_sources(con, config, **options)
        return (
            sorted(iso(t) for t in sources.events.table.to_pandas()["time"]),
            sorted(sources.conversions.table.to_pandas()["entity"]),
            iso(sources.observed_until),
            sources.events.by_reason(),
        )


def test_what_happened_or_arrived_later_does_not_exist(config):
    events, paid, until, set_aside = facts(config, known_before=parse_instant("2026-01-15"))

    assert events == ["2026-01-05", "2026-01-10"]  # the visit of the 9th arrived on the 20th
    assert paid == ["x"]
    assert until == "2026-01-12"  # payments keep coming; nothing of February moves it
    assert set_aside == {}


def test_the_instant_itself_is_not_known(config):
    events, paid, _, _ = facts(config, known_before=parse_instant("2026-02-10"))
    assert "2026-02-10" not in events
    assert paid == ["x"]


def test_data_that_end_earlier_are_not_stretched(config):
    assert facts(config, known_before=parse_instant("2029-01-01"))[2] == facts(config)[2]


def test_a_written_end_of_the_data_is_not_passed(config):
    early = config.model_copy(update={"observed_until": parse_instant("2026-01-08")})
    assert facts(early, known_before=parse_instant("2026-01-15"))[2] == "2026-01-08"
    late = config.model_copy(update={"observed_until": parse_instant("2026-06-01")})
    assert facts(late, known_before=parse_instant("2026-01-15"))[2] == "2026-01-15"
