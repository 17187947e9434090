"""How far the log reaches, without reading all of it."""

import pytest
from worlds import at, product

from pql_model.errors import DataError
from pql_model.sources.aliases import read_aliases
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.entities import read_entities
from pql_model.sources.newest_event import read_newest_event
from pql_model.sources.read import read_sources

ACCOUNTS = [{"account": name, "signed_up": "2026-01-01", "kind": name} for name in ("a", "b", "test")]
NOW = at("2026-03-01")


def event(account, time):
    return {"account": account, "event": "login", "time": time}


def newest(home, *events, **config):
    made = product(home, ACCOUNTS, events, [{"account": "a", "time": "2026-01-02"}], **config)
    with open_session() as con:
        aliases = read_aliases(con, made)
        return read_newest_event(con, made, read_entities(con, made, aliases), aliases, NOW)


def test_it_is_the_newest_event_that_has_happened_of_an_entity_that_counts(tmp_path):
    rows = [event("a", "2026-01-05"), event("b", "2026-01-07"), event("test", "2026-01-08")]
    wrong = [event("unknown", "2026-01-09"), event("a", "2099-01-01"), event("a", "never")]
    assert newest(tmp_path, *rows, *wrong, exclude={"entities": {"kind": ["test"]}}) == at("2026-01-07")
    assert newest(tmp_path, *rows, observed_until="2026-01-06") == at("2026-01-05")


def test_it_is_that_of_the_whole_log(tmp_path):
    rows = [event("a", "2026-01-05T10:00:00Z"), event("b", "2026-01-07T11:30:00Z")]
    read = newest(tmp_path, *rows)
    with open_session() as con:
        sources = read_sources(con, product(tmp_path, ACCOUNTS, rows, [{"account": "a", "time": "2026-01-02"}]))
        assert sources.events.table.time.max().to_pyarrow().as_py() == read


def test_ids_are_read_as_elsewhere(tmp_path):
    rows = [event("a", "2026-01-05"), event('["x", "B"]', "2026-01-06")]
    assert newest(tmp_path, *rows) == at("2026-01-05")
    assert newest(tmp_path, *rows, normalise=["case"]) == at("2026-01-06")


def test_a_log_without_a_time_in_the_past_is_an_error(tmp_path):
    with pytest.raises(DataError, match="No event has a time in the past"):
        newest(tmp_path, event("a", "2099-01-01"))
