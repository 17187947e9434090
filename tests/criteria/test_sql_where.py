"""`where:` and payments in SQL: the same entities as our engine, on DuckDB and PostgreSQL."""

from __future__ import annotations

import random

import pandas as pd
import pytest
import sqlglot
import yaml
from postgres import copy_tables
from warehouse import asked, in_duckdb, judged, who
from worlds import at

from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.criteria.sql import definition_sql
from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.time import DAY, HOUR, to_datetime

AS_OF = at("2026-01-08")
NEVER = (at("1970-01-01"), at("9999-12-31"))
USED = Definition.model_validate({"all": [{"event": "used", "at_least": 1}]})
WHERE = {
    "events": {"environment": ["production"], "test": {"not": [True]}},
    "entities": {"kind": {"not": ["internal"], "missing": True}, "seats": {"at_least": 1}},
    "conversions": {
        "status": ["Paid", "null"],
        "live": [1],
        "created": {"at_least": "2026-01-02", "below": "2026-03-01"},
    },
}


def write(home, seed, columns, where=None):
    """Forty accounts in parquet with rows of every kind: test mode, failed, free, refunded, in the future."""
    dice = random.Random(seed)
    names = [f"a{number}" for number in range(40)]

    def moment(instant):
        return to_datetime(instant).replace(tzinfo=None)

    accounts = [
        {
            "account": name,
            "signed_up": moment(at("2026-01-01")),
            "kind": dice.choice(("customer", "internal", None, "nan")),
            "seats": dice.choice((None, 0.0, 1.0, 5.0)),
        }
        for name in names
    ]
    events = [
        {
            "account": name,
            "event": "used",
            "time": moment(at("2026-01-02") + dice.randrange(3 * DAY)),
            "environment": dice.choice(("production", "production", "staging", " production ")),
            "test": dice.choice((True, False, None)),
        }
        for name in names
        for _ in range(3)
    ]

    def ended(instant):
        return moment(instant if instant in NEVER else instant + dice.choice((0, HOUR, HOUR + 1)))

    instants = (at("2026-01-01"), at("2026-01-03"), at("2026-01-05"), AS_OF - 1, AS_OF, at("2099-01-01"))
    charges = [
        {
            "account": name,
            "time": moment(dice.choice(instants)),
            "created": moment(dice.choice(instants[:-1])),
            "trial_end": moment(dice.choice((*instants, *NEVER))) if dice.random() < 0.7 else None,
            "ended": ended(dice.choice((*instants, *NEVER))) if dice.random() < 0.7 else None,
            "amount": dice.choice((None, 0.0, 49.0, 49.0, 99.5, -49.0, -20.0)),
            "back": dice.choice((None, 0.0, 0.0, 20.0, 49.0, 120.0)),
            "status": dice.choice(("Paid", "Paid", " Paid", "Failed", "paid", None, "null")),
            "live": dice.choice((1, 1, 1, 0)),
        }
        for name in names
        for _ in range(dice.randrange(5))
    ]
    for table, rows in (("accounts", accounts), ("events", events), ("charges", charges)):
        pd.DataFrame(rows).to_parquet(home / f"{table}.parquet")
    where = where or {}
    raw = {
        "name": "shop",
        "events": [
            {
                "table": "events.parquet",
                "columns": {"entity": "account", "event": "event", "time": "time"},
                "where": where.get("events", {}),
            }
        ],
        "entities": {
            "table": "accounts.parquet",
            "columns": {"entity": "account", "signed_up": "signed_up"},
            "where": where.get("entities", {}),
        },
        "conversions": {
            "table": "charges.parquet",
            "columns": {"entity": "account", "time": "time", **columns},
            "where": where.get("conversions", {}),
        },
        "motion": "trial",
        "snapshots": {"at_days": [7]},
        "max_set_aside": 1.0,
    }
    (home / "pql.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    return load_config(home / "pql.yaml")


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        ({}, WHERE),
        ({"value": "amount"}, None),
        ({"value": "amount"}, WHERE),
        ({"value": "amount", "refunded": "back"}, {"conversions": {"status": {"in": ["Paid"], "missing": True}}}),
        ({"time": "trial_end", "start": "time", "canceled": "ended"}, {"conversions": {"status": ["Paid", "Failed"]}}),
        ({"canceled": "ended", "value": "amount"}, None),
    ],
    ids=["where", "netted", "netted-where", "refunded", "trials", "canceled"],
)
def test_selected_rows_and_payments_give_the_same_entities_on_duckdb_and_postgres(tmp_path, postgres, columns, where):
    config = write(tmp_path, 11, columns, where)
    table = judged(config, USED, AS_OF)
    expected = sorted(table["entity"][table["met"]])
    warehouse = in_duckdb(config)
    copy_tables(postgres, warehouse)

    assert 3 < len(expected) < 37
    assert who(asked(warehouse, definition_sql(config, USED, "duckdb", AS_OF))) == expected
    assert who(asked(postgres, definition_sql(config, USED, "postgres", AS_OF))) == expected


def test_the_statement_parses_in_every_dialect_without_a_complaint(tmp_path, caplog):
    config = write(tmp_path, 11, {"value": "amount"}, WHERE)
    for dialect in DIALECTS:
        assert len(sqlglot.parse(definition_sql(config, USED, dialect, AS_OF), read=dialect)) == 1
    assert caplog.records == []


def test_a_filter_is_as_plain_as_it_can_be(tmp_path):
    where = {"conversions": {"status": ["Paid"], "amount": {"above": 0}}}
    sql = " ".join(definition_sql(write(tmp_path, 11, {}, where), USED, "duckdb", AS_OF).split())

    assert """AND TRIM(CAST("status" AS TEXT)) IN ('Paid') ), converted AS""" in sql
    assert "payments_netted" not in sql
