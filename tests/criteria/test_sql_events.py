"""The visible events, from tables of all three shapes."""

import pytest
from configs_of_sql import config_of

from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.criteria.sql_events import Needs, concerns, event_part, name_in_data, value_columns
from pql_model.criteria.sql_raw import Raw
from pql_model.time import parse_instant

LOG = {"table": "e.csv", "columns": {"entity": "e", "event": "n", "time": "t"}}
LESSONS = {"table": "l.csv", "columns": {"entity": "e", "time": "t"}, "event": "lesson"}
WEEKLY = {
    "table": "w.csv",
    "columns": {"entity": "e", "time": "t"},
    "counts": {"Mail": "MAILS", "Deal": "DEALS"},
    "covers": "7d",
}


def needs(events=None, **overrides):
    plain = {"person": False, "n": False, "n_users": False, "values": {}, "signed_up": True, "until": None}
    return Needs(None if events is None else frozenset(events), **{**plain, **overrides})


def part_of(table, wanted, motion="trial", columns=None, **config):
    product = config_of(motion, events=[table], **config)
    raw = Raw(DIALECTS["duckdb"], table["table"], "e", columns=columns)
    result = event_part(product, product.events[0], raw, wanted, "")
    return dict(result.ctes), [part.sql("duckdb") for part in result.parts]


def test_only_the_events_of_the_definition_are_read():
    assert "e.event_name = 'Invited'" in part_of(LOG, needs(["Invited"]))[1][0]
    assert "e.event_name IN ('A', 'B')" in part_of(LOG, needs(["B", "A"]))[1][0]
    assert "e.event_name =" not in part_of(LOG, needs())[1][0]


@pytest.mark.parametrize(("table", "expected"), [(LOG, True), (LESSONS, False), (WEEKLY, True)])
def test_a_table_that_cannot_contain_them_is_left_out(table, expected):
    assert concerns(config_of("trial", events=[table]).events[0], needs(["Mail"])) is expected
    assert concerns(config_of("trial", events=[table]).events[0], needs())


def test_a_table_of_one_event_names_it():
    assert "'lesson' AS event_name" in part_of(LESSONS, needs())[1][0]


def test_each_count_becomes_an_event_that_is_known_when_its_period_ends():
    parts = part_of(WEEKLY, needs(n=True))[1]

    assert len(parts) == 2
    assert "'Mail' AS event_name" in parts[0]
    assert "e.count_0 AS n" in parts[0]
    assert "(e.event_time + INTERVAL '7' DAY) < r.as_of" in parts[0]
    assert "e.count_1 > 0" in parts[1]


def test_rows_of_one_id_are_ordered_as_our_engine_orders_them():
    table = {**LOG, "columns": {**LOG["columns"], "id": "i", "known_at": "k", "user": "u"}, "values": {"mb": "m"}}
    steps, parts = part_of(table, needs())

    order = "e.known_at, e.event_time), e.event_time, e.event_name, e.person, e.value_mb"
    assert order in steps["event_copies"].sql("duckdb").replace(" NULLS LAST", "")
    assert "(e.row_id IS NULL OR e.place < 2)" in parts[0]


def test_before_sign_up_nothing_counts_and_an_unknown_sign_up_hides_nothing():
    assert "e.event_time >= r.signed_up" in part_of(LOG, needs())[1][0]
    assert "(r.signed_up IS NULL OR e.event_time >= r.signed_up)" in part_of(LOG, needs(), "freemium")[1][0]
    assert "signed_up" not in part_of(LOG, needs(signed_up=False), "freemium", signed_up=None)[1][0]


def test_the_end_of_the_data_ends_the_events():
    assert (
        "e.event_time <= CAST('2026-01-05' AS TIMESTAMP)"
        in part_of(LOG, needs(until=parse_instant("2026-01-05")))[1][0]
    )


def test_bots_and_excluded_users_are_left_out_and_nobody_else():
    table = {**LOG, "columns": {**LOG["columns"], "user": "u"}}
    with_bots = part_of(table, needs(), columns=["e", "n", "t", "u", "User_Agent", "is_bot"])[1][0]
    without = part_of(table, needs(), exclude={"bots": False, "users": ["me"]})[1][0]

    assert "REGEXP_MATCHES(LOWER(e.person)" in with_bots
    assert "REGEXP_MATCHES(e.user_agent" in with_bots
    assert "NOT e.said_bot IN ('true', 't', '1', '1.0', 'yes', 'y')" in with_bots
    assert "(e.person IS NULL OR NOT e.person IN ('me'))" in without
    assert "REGEXP" not in without


def test_persons_are_null_where_users_convert():
    assert "CAST(NULL AS TEXT) AS person" in part_of(LOG, needs(person=True), entity="user")[1][0]


def test_values_get_plain_names_that_differ():
    assert value_columns(["a b", "a-b", "Größe"]) == {"a b": "value_a_b", "a-b": "value_a_b_1", "Größe": "value_gr_e"}


def test_an_event_called_any_has_its_own_name_in_definitions():
    assert name_in_data("any (event)") == "any"
    assert name_in_data("Invited") == "Invited"
