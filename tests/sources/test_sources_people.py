"""Lists, merged users and memberships applied together, and what is done without any of them."""

from __future__ import annotations

from staging import log, put, read_shop, shop

from pql_model.sources.duckdb_session import open_session
from pql_model.sources.people import NOBODY, People
from pql_model.sources.read import read_sources

LOG = {"columns": {"user": ["person", "device"], "event": "action", "time": "at"}}


def test_without_any_table_nothing_is_counted():
    assert People(None, None) == NOBODY
    assert NOBODY.set_aside == {}


def test_a_merged_user_of_two_accounts_counts_once_for_each(tmp_path):
    put(tmp_path, "members.csv", "person,account\nphone,a\nann,b\n")
    put(tmp_path, "merges.csv", "old,new\nphone,ann\n")
    product = read_shop(
        tmp_path,
        "person,device,action,at\n,phone,login,2026-01-10\nann,phone,login,2026-01-11\n",
        log=LOG,
        members={"table": "members.csv", "columns": {"user": "person", "entity": "account"}},
        aliases={"table": "merges.csv", "columns": {"alias": "old", "user": "new"}},
    )

    assert [(e["entity"], e["user"]) for e in product.events] == [("a", "ann")] * 2 + [("b", "ann")] * 2


def test_of_several_user_columns_the_first_that_is_not_blank_counts(tmp_path):
    columns = {"entity": "account", "user": ["person", "device"], "event": "action", "time": "at"}
    rows = ["a,ann,d1,login,2026-01-10", "a,,d2,login,2026-01-10", "a,null,d3,login,2026-01-10", "a,,,login,2026-01-10"]
    product = read_shop(tmp_path, log(*rows, header="account,person,device,action,at\n"), log={"columns": columns})

    assert sorted(str(e["user"]) for e in product.events) == ["None", "ann", "d2", "d3"]


def test_an_entity_is_found_by_a_merged_id_only_where_users_convert(tmp_path):
    put(tmp_path, "merges.csv", "old,new\nold-a,x\nx,a\n")
    merges = {"table": "merges.csv", "columns": {"alias": "old", "user": "new"}}
    for entity, found in (("user", "a"), ("account", "old-a")):
        config = shop(tmp_path, log("a,,login,2026-01-10"), entity=entity, aliases=merges)
        with open_session("1GB") as con:
            people = read_sources(con, config).people
            assert people.entity_that_counts(config, "old-a") == found
            assert people.entity_that_counts(config, "b") == "b"
