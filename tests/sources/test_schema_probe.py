"""Names of columns, events and traits in the tables."""

import pytest
from worlds import product

from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.schema_probe import probe_schema

ACCOUNTS = [{"account": "a", "signed_up": "2026-01-01", "size": "1-10"}]
EVENTS = [{"account": "a", "event": event, "time": "2026-01-02"} for event in ("login", " any ", "login", "")]


def test_columns_events_and_traits_are_listed(tmp_path):
    config = product(tmp_path, ACCOUNTS, EVENTS, [])
    with open_session("1GB") as con:
        found = probe_schema(con, config)

    assert found.columns == {
        "accounts.csv": ("account", "signed_up", "size"),
        "events.csv": ("account", "event", "time"),
    }
    assert found.events == ("any (event)", "login")
    assert found.traits == ("size",)


def test_events_named_in_the_config_are_listed(tmp_path):
    config = product(tmp_path, ACCOUNTS, EVENTS, [])
    lessons = config.events[0].model_copy(
        update={"event": "lesson", "columns": config.events[0].columns.model_copy(update={"event": None})}
    )
    weekly = lessons.model_copy(update={"event": None, "counts": {"Mail": "event"}})
    with open_session("1GB") as con:
        found = probe_schema(con, config.model_copy(update={"events": [lessons, weekly]}).at(tmp_path))

    assert found.events == ("Mail", "lesson")


def test_a_missing_column_is_refused(tmp_path):
    config = product(tmp_path, ACCOUNTS, EVENTS, [])
    (tmp_path / "events.csv").write_text("account,what,time\na,login,2026-01-02\n")
    with open_session("1GB") as con, pytest.raises(DataError, match=r"events.csv has no column `event`"):
        probe_schema(con, config)
