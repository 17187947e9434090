"""The statement returns the entities that pql says meet the definition on DuckDB and PostgreSQL, and parses elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import sqlglot
import yaml
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from postgres import copy_tables
from raw_worlds import AS_OF, COLUMNS, LOGGED, write
from warehouse import asked, in_duckdb, judged, who
from worlds import at, product

from pql_model.config.definition import Definition
from pql_model.config.load import load_config, parse_config
from pql_model.criteria.evaluate import meets
from pql_model.criteria.sql import definition_sql
from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.demo.world import CONFIG
from pql_model.errors import DataError
from pql_model.features.spec import declared_feature
from pql_model.time import DAY, HOUR, now, to_datetime

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOTS = Path(__file__).parent / "sql"
OPERATORS = (">=", ">", "<=", "<", "==", "!=")
few = examples(20, suppress=[HealthCheck.function_scoped_fixture])


def rule(*conditions, join="all"):
    return Definition.model_validate({join: list(conditions)})


def at_least(event, threshold, within="ever", **overrides):
    return {"event": event, "at_least": threshold, "within": within, **overrides}


def remapped(config, **changed):
    """The same product with other keys in its config."""
    path = config.home / "pql.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changed}), encoding="utf-8")
    return load_config(path)


def log_of(**columns):
    return {"table": "events.csv", "columns": {"entity": "account", "event": "event", "time": "time", **columns}}


def met_in_duckdb(config, definition, as_of, **columns):
    return who(asked(in_duckdb(config), definition_sql(config, definition, "duckdb", as_of, **columns)))


def met_by_engine(config, definition, as_of):
    table = judged(config, definition, as_of)
    return sorted(table["entity"][table["met"]])


# ---------------------------------------------------------------- the same as our engine


@st.composite
def definitions(draw, crowd):
    """Up to three conditions whose thresholds are numbers of the crowd, so that ties are common."""
    conditions = []
    for _ in range(draw(st.integers(1, 3))):
        measure = draw(st.sampled_from(sorted(crowd.conditions)))
        condition = draw(st.sampled_from(crowd.conditions[measure]))
        feature = declared_feature(rule(condition).criteria[0]).name
        numbers = sorted(set(crowd.table[feature].dropna().round(6))) or [0.0]
        threshold, operator = draw(st.sampled_from(numbers)), draw(st.sampled_from(OPERATORS))
        conditions.append({**condition, "operator": operator, "threshold": threshold})
    conditions += draw(
        st.sampled_from(([], [{"trait": "size", "in": ["11-50", "51-200", 12]}], [{"trait": "seats", "at_least": 4}]))
    )
    joined = [{"all": conditions}, {"any": conditions}, {"at_least_k": min(2, len(conditions)), "of": conditions}]
    if len(conditions) > 2:
        joined += [
            {"any": [conditions[0], {"all": conditions[1:]}]},
            {"all": [{"any": conditions[:2]}, *conditions[2:]]},
        ]
    return Definition.model_validate(draw(st.sampled_from(joined)))


@few
@given(data=st.data())
def test_any_definition_gives_the_same_entities_on_duckdb(crowd, data):
    definition = data.draw(definitions(crowd))
    sql = definition_sql(crowd.config, definition, "duckdb", AS_OF, COLUMNS)

    assert who(asked(crowd.warehouse, sql)) == sorted(crowd.table["entity"][meets(definition, crowd.table)])


@few
@given(data=st.data())
def test_any_definition_gives_the_same_entities_on_postgres(crowd, crowd_in_postgres, data):
    definition = data.draw(definitions(crowd))
    sql = definition_sql(crowd.config, definition, "postgres", AS_OF, COLUMNS)

    assert who(asked(crowd_in_postgres, sql)) == sorted(crowd.table["entity"][meets(definition, crowd.table)])


@pytest.mark.parametrize("seed", range(4))
def test_another_world_and_another_moment_give_the_same_entities(tmp_path, postgres, seed):
    motion = ("trial", "freemium")[seed % 2]
    until = {"observed_until": "2026-03-09"} if seed == 2 else {}
    config = write(tmp_path, motion, 40, seed=100 + seed, resolution="day" if seed == 3 else "instant", **until)
    as_of = AS_OF - seed * 31 * HOUR
    definition = rule(
        at_least(LOGGED[0], 1, "last 7d"),
        at_least("any", 2, "first 7d", measure="active_days"),
        {"event": "any", "measure": "days_since_last", "less_than": 3},
        join="any",
    )
    expected = met_by_engine(config, definition, as_of)
    warehouse = in_duckdb(config)
    copy_tables(postgres, warehouse)

    assert expected
    assert who(asked(warehouse, definition_sql(config, definition, "duckdb", as_of))) == expected
    assert who(asked(postgres, definition_sql(config, definition, "postgres", as_of))) == expected


def test_the_files_of_the_demo_are_read_unchanged(tmp_path):
    import pql_model

    pql_model.make_demo(tmp_path, accounts=700)
    config = load_config(tmp_path / "pql.yaml")
    definition = rule(*config.definition.criteria, {"trait": "company_size", "in": ["11-50", "51-200", "201+"]})
    expected = met_by_engine(config, definition, at("2025-11-20"))

    assert len(expected) > 2
    assert met_in_duckdb(config, definition, at("2025-11-20")) == expected


# ---------------------------------------------------------------- who is listed, case by case

ACCOUNTS = [
    {"account": "edge", "signed_up": at("2026-01-01")},
    {"account": "over", "signed_up": at("2026-01-01")},
    {"account": "twice", "signed_up": at("2026-01-01")},
    {"account": "before", "signed_up": at("2026-01-01")},
    {"account": "late", "signed_up": at("2026-01-01")},
    {"account": "paid", "signed_up": at("2026-01-01")},
    {"account": "pays now", "signed_up": at("2026-01-01")},
    {"account": "old", "signed_up": at("2026-01-01") - 8 * DAY - 1},
    {"account": "young", "signed_up": at("2026-01-01") + 1},
]
AT_DAY_7 = at("2026-01-08")


def used(account, time, **overrides):
    return {"account": account, "event": "used", "time": time, "known_at": None, "row": None, **overrides}


EVENTS = [
    used("edge", at("2026-01-01")),
    used("edge", at("2026-01-01") + 3 * DAY - 1),
    used("over", at("2026-01-01")),
    used("over", at("2026-01-01") + 3 * DAY),
    used("twice", at("2026-01-02"), row="t1"),
    used("twice", at("2026-01-02"), row="t1"),
    used("before", at("2026-01-01")),
    used("before", at("2026-01-01") - 1),
    used("late", at("2026-01-02")),
    used("late", at("2026-01-02"), known_at=AT_DAY_7),
    *[
        used(account, at("2026-01-02") + hour * HOUR)
        for account in ("paid", "pays now", "old", "young")
        for hour in (1, 2)
    ],
]
PAID = [{"account": "paid", "time": AT_DAY_7 - 1}, {"account": "pays now", "time": AT_DAY_7}]


@pytest.fixture
def small(tmp_path):
    config = product(tmp_path, ACCOUNTS, EVENTS, PAID, snapshots={"at_days": [7]})
    return remapped(config, events=[log_of(known_at="known_at", id="row")])


def test_only_visible_events_of_entities_at_risk_count_and_windows_are_half_open(small):
    definition = rule(at_least("used", 2, "first 3d"))

    assert met_by_engine(small, definition, AT_DAY_7) == ["edge", "pays now"]
    assert met_in_duckdb(small, definition, AT_DAY_7) == ["edge", "pays now"]


def test_a_microsecond_later_a_conversion_and_a_late_event_count(small):
    definition = rule(at_least("used", 2, "first 3d"))

    assert met_by_engine(small, definition, AT_DAY_7 + 1) == ["edge", "late", "young"]
    assert met_in_duckdb(small, definition, AT_DAY_7 + 1) == ["edge", "late", "young"]


def test_the_result_lists_entity_as_of_and_the_number_of_each_condition(small):
    definition = rule(at_least("used", 2, "first 3d"), {"event": "any", "measure": "days_since_last", "at_most": 5})
    rows = asked(in_duckdb(small), definition_sql(small, definition, "duckdb", AT_DAY_7))

    assert list(rows[0]) == ["entity", "as_of", "used_count_first_3d", "days_since_last"]
    assert rows[0]["entity"] == "edge"
    assert rows[0]["as_of"].isoformat() == "2026-01-08T00:00:00"
    assert rows[0]["used_count_first_3d"] == 2
    assert rows[0]["days_since_last"] == pytest.approx(4.0, abs=1e-9)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_without_as_of_it_refers_to_the_moment_the_statement_runs(small, postgres, dialect):
    con = in_duckdb(small)
    if dialect == "postgres":
        copy_tables(postgres, con)
    con = postgres if dialect == "postgres" else con
    con.execute("SET TimeZone = 'America/New_York'")
    sql = definition_sql(small, rule(at_least("used", 1)), dialect)
    moment = asked(con, sql.split("), entity_rows AS")[0] + ") SELECT as_of FROM moment")[0]["as_of"]
    con.execute("SET TimeZone = 'UTC'")

    assert abs((moment - to_datetime(now()).replace(tzinfo=None)).total_seconds()) < 60
    assert asked(con, sql) == []  # by now all of them are too old for a trial


def test_a_step_named_like_a_table_is_renamed(tmp_path):
    config = product(tmp_path, ACCOUNTS[:2], EVENTS[:4], PAID[:0])
    for old, new in (("accounts", "at_risk"), ("events", "events_seen"), ("conversions", "Converted")):
        (tmp_path / f"{old}.csv").rename(tmp_path / f"{new}.csv")
    text = (tmp_path / "pql.yaml").read_text()
    for old, new in (("accounts", "at_risk"), ("events", "events_seen"), ("conversions", "Converted")):
        text = text.replace(f"{old}.csv", f"{new}.csv")
    (tmp_path / "pql.yaml").write_text(text)
    config = load_config(tmp_path / "pql.yaml")
    definition = rule(at_least("used", 2, "first 3d"))

    assert met_in_duckdb(config, definition, AT_DAY_7) == ["edge"]


def test_hostile_names_are_quoted(tmp_path):
    name = "it's; DROP TABLE x --\n'); \\ \"quoted\" 🎉"
    events = [{**used("edge", at("2026-01-02")), "event": name}]
    config = product(tmp_path, ACCOUNTS[:2], events, [], name="x")
    definition = rule(at_least(name, 1))
    columns = {"columns": {"events.csv": ["account", "event", "time", "known_at", "row"]}}

    assert met_in_duckdb(config, definition, AT_DAY_7, **columns) == ["edge"]
    for dialect in DIALECTS:
        assert len(sqlglot.parse(definition_sql(config, definition, dialect, AT_DAY_7), read=dialect)) == 1


def test_excluded_users_and_bots_are_left_out_where_users_are_entities(tmp_path):
    people = [{"account": name, "signed_up": at("2026-01-01")} for name in ("ann", "internal", "googlebot")]
    config = product(
        tmp_path,
        people,
        [
            {k: v for k, v in used(p["account"], at("2026-01-02")).items() if k not in ("known_at", "row")}
            for p in people
        ],
        [],
        entity="user",
        exclude={"users": ["internal"]},
    )
    definition = rule(at_least("any", 1))

    assert met_by_engine(config, definition, AT_DAY_7) == ["ann"]
    assert met_in_duckdb(config, definition, AT_DAY_7) == ["ann"]


def test_an_event_without_a_user_belongs_to_the_entity_where_users_convert(tmp_path):
    people = [{"account": name, "signed_up": at("2026-01-01")} for name in ("ann", "bob", "internal", "googlebot")]
    acts = [
        {"account": p["account"], "event": "login", "time": at("2026-01-02"), "user": user}
        for p, user in zip(people, ("", "internal", "", ""), strict=True)
    ]
    config = product(tmp_path, people, acts, [], entity="user", exclude={"users": ["internal"]})
    definition = rule(at_least("any", 1))

    assert met_by_engine(config, definition, AT_DAY_7) == ["ann"]
    assert met_in_duckdb(config, definition, AT_DAY_7) == ["ann"]


def test_a_bot_column_is_read_if_the_columns_are_known(tmp_path):
    events = [{**used(name, at("2026-01-02")), "is_bot": bot} for name, bot in (("edge", "no"), ("over", "yes"))]
    plain = [{key: row[key] for key in ("account", "event", "time", "is_bot")} for row in events]
    config = remapped(product(tmp_path, ACCOUNTS[:2], plain, []), events=[log_of()])
    definition = rule(at_least("used", 1))

    assert met_by_engine(config, definition, AT_DAY_7) == ["edge"]
    assert met_in_duckdb(config, definition, AT_DAY_7, columns={"events.csv": list(plain[0])}) == ["edge"]
    assert "is_bot is not read" in definition_sql(config, definition, "duckdb", AT_DAY_7)


def test_fields_inside_json_are_read(tmp_path):
    lines = [
        '{"account": "edge", "time": "2026-01-02", "props": {"what": "used", "mb": 3}}',
        '{"account": "over", "time": "2026-01-02", "props": {"what": "used", "mb": 1}}',
    ]
    log = {
        "table": "log.jsonl",
        "columns": {"entity": "account", "event": "props.what", "time": "time"},
        "values": {"mb": "props.mb"},
    }
    config = remapped(product(tmp_path, ACCOUNTS[:2], [], []), events=[log])
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    definition = rule(at_least("used", 2, measure="max", value="mb"))

    assert met_by_engine(config, definition, AT_DAY_7) == ["edge"]
    assert met_in_duckdb(config, definition, AT_DAY_7, columns={"log.jsonl": ["account", "time", "props"]}) == ["edge"]


def test_traits_alone_need_no_events_and_a_single_wide_table_is_enough(tmp_path):
    accounts = [
        {"account": "a", "signed_up": at("2026-01-01"), "seats": 5, "paid_at": None},
        {"account": "b", "signed_up": at("2026-01-01"), "seats": 5, "paid_at": "2026-01-03"},
        {"account": "c", "signed_up": at("2026-01-01"), "seats": 2, "paid_at": None},
    ]
    paid = {"table": "accounts.csv", "columns": {"entity": "account", "time": "paid_at"}}
    config = remapped(product(tmp_path, accounts, [{**EVENTS[0], "account": "a"}], []), conversions=paid)
    definition = rule({"trait": "seats", "at_least": 3})

    assert met_by_engine(config, definition, AT_DAY_7) == ["a"]
    assert met_in_duckdb(config, definition, AT_DAY_7) == ["a"]
    assert "events" not in definition_sql(config, definition, "duckdb", AT_DAY_7).split("WITH moment")[1]


# ---------------------------------------------------------------- what is refused


def test_what_the_config_does_not_map_is_rejected(small, tmp_path):
    with pytest.raises(DataError, match="reads the value `mb`, which no table has in `values`"):
        definition_sql(small, rule(at_least("used", 2, measure="sum", value="mb")), "duckdb")
    with pytest.raises(DataError, match=r"Unknown SQL dialect `oracle`. Received: oracle. Allowed: duckdb, postgres"):
        definition_sql(small, rule(at_least("used", 1)), "oracle")
    both = rule({"trait": "size", "in": ["1"]}, {"trait": "size", "at_least": 1})
    with pytest.raises(DataError, match="Trait `size` is compared both as a text and as a number"):
        definition_sql(small, both, "duckdb")


def test_an_event_that_no_table_counts_is_rejected_with_the_nearest_name(tmp_path):
    lesson = {"table": "events.csv", "columns": {"entity": "account", "time": "time"}, "event": "lesson watched"}
    config = remapped(product(tmp_path, ACCOUNTS[:1], EVENTS[:1], []), events=[lesson])

    with pytest.raises(
        DataError,
        match=r"names event `lessons watched`, which the config does not have, did you mean `lesson watched`?",
    ):
        definition_sql(config, rule(at_least("lessons watched", 1)), "duckdb")


# ---------------------------------------------------------------- other dialects


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_statement_of_a_small_definition_equals_its_snapshot(tmp_path, dialect):
    """Rewrite the snapshots with PQL_SNAPSHOTS=write, and read what changed."""
    accounts = [{**account, "plan": "free", "size": "1-10"} for account in ACCOUNTS[:2]]
    config = product(
        tmp_path,
        accounts,
        EVENTS[:4],
        PAID,
        name="snapshot",
        exclude={"entities": {"plan": ["internal"]}, "bots": False},
    )
    definition = Definition.model_validate(
        {
            "at_least_k": 2,
            "of": [
                at_least("used", 2, "first 3d"),
                at_least("any", 3, "last 7d", measure="longest_streak_days"),
                {"event": "used", "measure": "days_since_last", "less_than": 2.5},
                {"trait": "size", "in": ["1-10"]},
            ],
        }
    )
    sql = definition_sql(config, definition, dialect, AT_DAY_7)
    path = SNAPSHOTS / f"{dialect}.sql"
    if os.environ.get("PQL_SNAPSHOTS") == "write":
        path.write_text(sql, encoding="utf-8")

    assert sql == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_measure_parses_as_one_statement_of_the_dialect(crowd, dialect):
    conditions = [conditions[0] for conditions in crowd.conditions.values()]
    sql = definition_sql(crowd.config, rule(*conditions), dialect)
    parsed = sqlglot.parse(sql, read=dialect)

    assert len(parsed) == 1
    assert parsed[0].named_selects[:2] == ["entity", "as_of"]
    assert len(parsed[0].named_selects) == 2 + len(conditions)
    assert all(len(name) <= 55 and name.isidentifier() for name in parsed[0].named_selects)
    assert np.all([len(cte.alias) <= 63 for cte in parsed[0].ctes])


@pytest.mark.parametrize(("dialect", "once"), [("postgres", True), ("duckdb", False), ("redshift", False)])
def test_postgres_computes_the_events_once_and_not_per_entity(small, dialect, once):
    sql = definition_sql(small, rule(at_least("used", 1)), dialect)

    assert ("events_seen AS MATERIALIZED (" in sql) is once


def test_the_example_in_the_docs_equals_the_statement_of_the_demo():
    shown = re.findall(r"```sql\n(.+?)\n```", (ROOT / "docs" / "sql.md").read_text(encoding="utf-8"), re.DOTALL)
    config = parse_config(CONFIG)
    columns = {table: () for table in ("accounts.csv", "events.parquet")}
    sql = definition_sql(config, config.definition, "postgres", at("2025-11-20"), columns)

    assert len(shown) == 2
    assert sql.startswith(shown[0])
    assert sql.endswith(f"{shown[1]}\n")
