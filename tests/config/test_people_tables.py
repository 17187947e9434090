"""The keys `members`, `aliases` and `history`, and columns that may be left out or be several."""

from __future__ import annotations

import pytest
import yaml
from configs import SMALL, fault, faults
from test_json_schema import SCHEMA, complaints, plain

from pql_model.config.load import dump_config, parse_config

EVENTS = "events: [{table: e.csv, columns: {entity: a, event: b, time: c}}]"
MEMBERS = "members: {table: m.csv, columns: {user: u, entity: a, since: s, until: t}}\n"
ALIASES = "aliases: {table: m.csv, columns: {alias: old, user: new}}\n"
HISTORY = "history: {table: h.csv, columns: {entity: a, time: t}, traits: [plan, seats]}\n"


@pytest.mark.parametrize("text", [MEMBERS, ALIASES, HISTORY, MEMBERS + ALIASES + HISTORY])
def test_the_tables_are_read_and_match_the_schema(text):
    assert complaints(plain(SMALL + text), SCHEMA) == []
    assert parse_config(dump_config(parse_config(SMALL + text))) == parse_config(SMALL + text)


@pytest.mark.parametrize("user", ["u", "[u]", "[user_id, device]"])
def test_a_user_may_be_one_column_or_several(user):
    text = SMALL.replace("time: c}", f"time: c, user: {user}}}")

    assert complaints(plain(text), SCHEMA) == []
    config = parse_config(text)
    assert config.events[0].columns.user == ([user] if user == "u" else yaml.safe_load(user))
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize("user", ["[]", "7", "[u, 7]", "{u: v}"])
def test_a_user_that_is_neither_is_refused(user):
    message = fault(SMALL.replace("time: c}", f"time: c, user: {user}}}"))

    assert message.startswith("needs the name of a column, or a list of names. Received: ")


def test_events_without_an_account_need_members_and_a_user():
    without = SMALL.replace("entity: a, event: b", "event: b")
    with_user = SMALL.replace("entity: a, event: b", "user: u, event: b")

    assert fault(without).startswith("`events[0].columns` needs `entity`; it may be left out only with `members`")
    assert fault(with_user).startswith("`events[0].columns` needs `entity`; it may be left out only with `members`")
    assert fault(without + MEMBERS).startswith("`events[0].columns` needs `user`, whose accounts are looked up")
    assert parse_config(with_user + MEMBERS).events[0].columns.entity is None


def test_members_are_for_products_whose_accounts_convert():
    assert fault(SMALL + "entity: user\n" + MEMBERS) == (
        "`members` says which accounts users belong to: it needs `entity: account`"
    )


@pytest.mark.parametrize("traits", ["[plan, plan]", "[plan, Plan]"])
def test_a_trait_is_named_once(traits):
    assert "names a column twice" in fault(SMALL + HISTORY.replace("[plan, seats]", traits))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("members: {table: m.csv, columns: {user: u}}\n", "members.columns.entity"),
        ("members: {table: m.csv, columns: {user: u, entity: a, from: s}}\n", "members.columns.from"),
        ("aliases: {table: m.csv, columns: {alias: a}}\n", "aliases.columns.user"),
        ("history: {table: h.csv, columns: {entity: a, time: t}}\n", "history.traits"),
        ("history: {table: h.csv, columns: {entity: a, time: t}, traits: []}\n", "history.traits"),
    ],
)
def test_what_is_missing_or_unknown_is_named(text, path):
    assert faults(SMALL + text) == [(path, 6)]
