"""All ids of one entity in the source tables."""

import pandas as pd
import pytest
from worlds import product

from pql_model.sources.duckdb_session import open_session
from pql_model.sources.ids_of_entity import ids_of_entity
from pql_model.sources.read import read_sources

ACCOUNTS = [{"account": name, "signed_up": "2026-01-01"} for name in ("a", "b")]
EVENTS = [
    {"account": account, "user": user, "event": "login", "time": "2026-01-02"}
    for account, user in (("a", "ann"), ("a", "both"), ("b", "both"), ("b", "eve"), ("a", None))
]


@pytest.fixture
def config(tmp_path):
    return product(tmp_path, ACCOUNTS, EVENTS, [])


def ids(config, *names, named=()):
    with open_session() as con:
        found = ids_of_entity(config, read_sources(con, config, may_lack_conversions=True), names, named)
    return found.entities, found.users


def test_the_users_of_an_account_are_found_without_those_who_acted_elsewhere_too(config):
    assert ids(config, "a") == ({"a"}, {"ann"})
    assert ids(config, "a", named=["old", "eve"]) == ({"a"}, {"ann", "old"})
    assert ids(config, "absent") == ({"absent"}, set())


def test_merged_users_are_found_by_either_id(tmp_path):
    pd.DataFrame({"old": ["anna"], "new": ["ann"]}).to_csv(tmp_path / "merges.csv", index=False)
    aliases = {"table": "merges.csv", "columns": {"alias": "old", "user": "new"}}
    config = product(tmp_path, ACCOUNTS, EVENTS, [], aliases=aliases)

    assert ids(config, "a") == ({"a"}, {"ann", "anna"})
    assert ids(config, "anna")[1] == {"ann", "anna"}
