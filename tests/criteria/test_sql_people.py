"""Members, aliases, lists of accounts and traits that change: the statement finds the same accounts as pql."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
import yaml
from postgres import copy_tables
from warehouse import asked, in_duckdb, judged, who

from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.criteria.sql import definition_sql
from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.errors import DataError
from pql_model.time import DAY, HOUR, parse_instant

AS_OF = parse_instant("2026-03-10T08:00:00Z")
DEFINITION = Definition.model_validate(
    {
        "at_least_k": 2,
        "of": [
            {"event": "any", "measure": "distinct_users", "at_least": 9},
            {"event": "login", "at_least": 28},
            {"trait": "plan", "in": ["team", "pro"]},
            {"trait": "seats", "at_least": 5},
        ],
    }
)
LISTS = {"events.parquet": {"account": "json"}}
USERS = [f"u{number}" for number in range(14)]
MERGES = [("u1", "u0"), ("u2", "u1"), ("u5", "googlebot"), ("u7", "u8"), ("u9", "u9"), ("u1", "u0"), (None, "u3")]
MOMENTS = pa.timestamp("us")
NEVER = tuple(map(parse_instant, ("1970-01-01", "9999-12-31")))
UNREADABLE = tuple(map(parse_instant, ("1850-06-01", "2230-06-01")))
"""Years that no time has, and that stand for nothing."""


def table(home, name, rows, **kinds):
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds.values())]
    pq.write_table(pa.table(columns, names=list(kinds)), home / f"{name}.parquet")


def write(home, seed: int, events: dict[str, Any], **keys: Any):
    """Accounts with users, memberships, merges and changes around AS_OF, shuffled."""
    dice = random.Random(seed)
    accounts = [f"a{number}" for number in range(25)]
    signed_up = {name: AS_OF - dice.randrange(4, 14) * DAY for name in accounts}

    def around(name):
        return dice.choice((AS_OF, AS_OF - 1, signed_up[name], signed_up[name] + dice.randrange(300) * HOUR))

    def at_times(name):
        since = dice.choice((None, around(name), around(name), *NEVER, *UNREADABLE))
        until = dice.choice((None, None, around(name), around(name), *NEVER, *UNREADABLE))
        return since, until

    def groups():
        return [*dice.choices([*accounts, "stranger"], k=dice.choice((0, 1, 1, 2, 3)))]

    log = [[dice.choice((*USERS, None)), "login", around(dice.choice(accounts)), groups()] for _ in range(500)]
    members = [[dice.choice((*USERS, None)), a, *at_times(a)] for a in dice.choices(accounts, k=90)]
    changes = [
        [a, around(a), dice.choice(("free", "team", "pro", None)), dice.choice((1, 5, 9, None))]
        for a in dice.choices(accounts, k=80)
    ]
    texts = {"user": pa.string(), "action": pa.string(), "at": MOMENTS}
    as_json = [
        [*row[:3], dice.choice((row[3][0], f'["{row[3][0]}"]')) if len(row[3]) == 1 else str(row[3])] for row in log
    ]
    as_json = [[*row[:3], row[3].replace("'", '"')] for row in as_json]
    ids = [[*row, f"e{dice.randrange(200)}"] for row in as_json]
    table(home, "events", ids, **texts, account=pa.string(), row=pa.string())
    table(home, "arrays", log, **texts, account=pa.list_(pa.string()))
    table(home, "members", members, user=pa.string(), account=pa.string(), since=MOMENTS, until=MOMENTS)
    table(home, "aliases", MERGES, old=pa.string(), new=pa.string())
    table(home, "history", changes, account=pa.string(), changed=MOMENTS, plan=pa.string(), seats=pa.int64())
    table(home, "accounts", [[a, signed_up[a]] for a in accounts], account=pa.string(), created=MOMENTS)
    table(home, "paid", [["a3", AS_OF - DAY]], account=pa.string(), paid_at=MOMENTS)
    raw = {
        "name": "people",
        "events": [events],
        "entities": {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}},
        "conversions": {"table": "paid.parquet", "columns": {"entity": "account", "time": "paid_at"}},
        "history": {
            "table": "history.parquet",
            "columns": {"entity": "account", "time": "changed"},
            "traits": ["plan", "seats"],
        },
        "motion": "trial",
        "max_set_aside": 1.0,
        **keys,
    }
    (home / "pql.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    return load_config(home / "pql.yaml")


COLUMNS = {"user": "user", "event": "action", "time": "at"}
MEMBERS = {
    "members": {
        "table": "members.parquet",
        "columns": {"user": "user", "entity": "account", "since": "since", "until": "until"},
    }
}
ALIASES = {"aliases": {"table": "aliases.parquet", "columns": {"alias": "old", "user": "new"}}}
BY_ID = {"table": "events.parquet", "columns": {**COLUMNS, "entity": "account", "id": "row"}}
PRODUCTS = {
    "members": ({"table": "events.parquet", "columns": COLUMNS}, MEMBERS),
    "members and aliases": (
        {"table": "events.parquet", "columns": COLUMNS},
        {**MEMBERS, **ALIASES, "exclude": {"users": ["u7", "u3"]}},
    ),
    "lists": (BY_ID, {}),
    "lists and aliases": (BY_ID, {**ALIASES, "exclude": {"users": ["u8"], "bots": False}}),
    "undated members": (
        {"table": "events.parquet", "columns": {**COLUMNS, "id": "row"}},
        {"members": {"table": "members.parquet", "columns": {"user": "user", "entity": "account"}}},
    ),
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_same_accounts_as_pql_on_duckdb_and_postgres(tmp_path, postgres, product):
    events, keys = PRODUCTS[product]
    config = write(tmp_path, 3, events, **keys)
    found = judged(config, DEFINITION, AS_OF)
    expected = sorted(found["entity"][found["met"]])
    warehouse = in_duckdb(config)
    copy_tables(postgres, warehouse)

    assert 2 < len(expected) < len(found)
    for dialect, con in (("duckdb", warehouse), ("postgres", postgres)):
        rows = asked(con, definition_sql(config, DEFINITION, dialect, AS_OF, lists=LISTS))
        assert who(rows) == expected, dialect
        numbers = found.set_index("entity").loc[who(rows)]
        rows.sort(key=lambda row: row["entity"])
        assert [row["login_count_ever"] for row in rows] == numbers["login.count.ever"].tolist(), dialect
        assert [row["distinct_users_ever"] for row in rows] == numbers["any.distinct_users.ever"].tolist(), dialect


def test_arrays_are_read_as_lists_on_duckdb(tmp_path):
    config = write(tmp_path, 5, {"table": "arrays.parquet", "columns": {**COLUMNS, "entity": "account"}})
    found = judged(config, DEFINITION, AS_OF)
    sql = definition_sql(config, DEFINITION, "duckdb", AS_OF, lists={"arrays.parquet": {"account": "array"}})

    assert who(asked(in_duckdb(config), sql)) == sorted(found["entity"][found["met"]])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_dialect_parses_or_refuses_in_a_sentence(tmp_path, product, dialect):
    events, keys = PRODUCTS[product]
    config = write(tmp_path, 3, events, **keys)
    if dialect == "redshift" and "lists" in product:
        with pytest.raises(DataError, match=r"The SQL of redshift cannot read lists of ids.*Fix: load one row"):
            definition_sql(config, DEFINITION, dialect, AS_OF, lists=LISTS)
        return
    sql = definition_sql(config, DEFINITION, dialect, AS_OF, lists=LISTS)

    assert len(sqlglot.parse(sql, read=dialect)) == 1


def test_merged_entities_and_lists_elsewhere_are_refused_in_a_sentence(tmp_path):
    by_user = {"table": "events.parquet", "columns": {**COLUMNS, "entity": "user"}}
    with pytest.raises(DataError, match=r"The SQL cannot merge entities: with `entity: user`, an alias"):
        definition_sql(write(tmp_path, 3, by_user, entity="user", **ALIASES), DEFINITION, "duckdb", AS_OF)

    config = write(tmp_path, 3, BY_ID)
    for lists in ({"paid.parquet": {"account": "json"}}, {"events.parquet": {"account": "other"}}):
        with pytest.raises(DataError, match=rf"The SQL cannot read the lists of ids in {next(iter(lists))}\."):
            definition_sql(config, DEFINITION, "duckdb", AS_OF, lists=lists)
