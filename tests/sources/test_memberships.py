"""An event counts for the accounts its user belonged to at its time, once each, however the memberships are written."""

from __future__ import annotations

import random

import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from staging import put, read_shop, shop

from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.entities import read_entities
from pql_model.sources.memberships import ALWAYS, STILL, read_memberships
from pql_model.time import DAY, parse_instant

MEMBERS = {
    "table": "members.csv",
    "columns": {"user": "person", "entity": "account", "since": "joined", "until": "left"},
}
LOG = {"columns": {"user": "person", "event": "action", "time": "at"}}
JAN = parse_instant("2026-01-01")


def read(home, members, events, **keys):
    """The events of each account as (entity, user, day of January), of a log that names only the user."""
    put(home, "members.csv", "person,account,joined,left\n" + "".join(f"{row}\n" for row in members))
    rows = "".join(f"{user},login,{at}\n" for user, at in events)
    product = read_shop(home, "person,action,at\n" + rows, log=LOG, members=MEMBERS, **keys)
    return [(e["entity"], e["user"], (e["time"] - JAN) // DAY + 1) for e in product.events], product


def test_an_event_counts_for_the_account_its_user_belonged_to_then(tmp_path):
    members = ["u,a,,2026-01-12", "u,b,2026-01-12,", "v,c,2026-01-10,2026-01-11"]
    days = ("2026-01-11T23:59:59.999999", "2026-01-12", "2026-01-20")
    events, product = read(tmp_path, members, [*(("u", d) for d in days), ("v", "2026-01-10"), ("v", "2026-01-11")])

    assert events == [("a", "u", 11), ("b", "u", 12), ("b", "u", 20), ("c", "v", 10)]
    assert product.set_aside == {"no_membership": 1}
    assert (product.sources.events.rows_read, product.sources.events.rows_added) == (5, 0)


def test_a_user_of_two_accounts_counts_for_both(tmp_path):
    members = ["u,a,2026-01-08,", "u,b,,", "u,x,,"]
    events, product = read(tmp_path, members, [("u", "2026-01-07"), ("u", "2026-01-09")])

    assert events == [("a", "u", 9), ("b", "u", 7), ("b", "u", 9)]
    assert product.set_aside == {}
    assert product.sources.events.rows_added == 1
    assert product.sources.more_set_aside == {"members": {"unknown_entity": 1}}


def test_an_end_that_stands_for_never_is_open(tmp_path):
    assert periods(tmp_path, ["u,a,1970-01-01,9999-12-31"])[0] == [("u", "a", ALWAYS, STILL)]


def test_since_and_until_may_be_left_out(tmp_path):
    put(tmp_path, "who.csv", "person,account\nu,a\nv,b\n")
    members = {"table": "who.csv", "columns": {"user": "person", "entity": "account"}}
    product = read_shop(
        tmp_path, "person,action,at\nu,login,2026-01-10\nv,login,2026-01-10\n", log=LOG, members=members
    )

    assert [e["entity"] for e in product.events] == ["a", "b"]


def test_each_event_without_an_account_has_one_reason(tmp_path):
    members = ["u,a,2026-01-08,", "s,stranger,,", "googlebot,a,,"]
    events = [
        ("u", "2026-01-07"),  # not yet a member
        ("nobody", "2026-01-10"),
        ("s", "2026-01-10"),
        ("", "2026-01-10"),
        ("u", "soon"),
        ("googlebot", "2026-01-10"),
        ("u", "2026-01-10"),
    ]
    _, product = read(tmp_path, members, events)

    assert product.set_aside == {
        "no_user": 1,
        "unparsable_time": 1,
        "bot": 1,
        "no_membership": 2,
        "unknown_entity": 1,
    }


def test_memberships_that_cannot_be_used_are_counted_by_reason(tmp_path):
    members = [
        "u,a,,",
        ",a,,",
        "u,,,",
        "u,b,soon,",
        "u,b,,soon",
        "u,b,2026-01-09,2026-01-09",
        "u,b,2026-01-09,2026-01-08",
        "u,stranger,,",
        "u,a,,",
        "u,a,2026-01-05,2026-01-20",
        "nothing at all",
    ]
    events, product = read(tmp_path, members, [("u", "2026-01-10")])

    assert events == [("a", "u", 10)]
    assert product.sources.people.warnings[0].startswith(
        "Rows of members.csv that cannot be used: 1 broken_line, 1 no_user"
    )
    assert "overlapping" not in product.sources.people.warnings[0]  # which lose nothing
    assert product.sources.more_set_aside["members"] == {
        "broken_line": 1,
        "no_user": 1,
        "no_entity": 1,
        "unparsable_time": 2,
        "until_before_since": 2,
        "unknown_entity": 1,
        "repeated": 1,
        "overlapping": 1,
    }


def periods(home, members):
    put(home, "members.csv", "person,account,joined,left\n" + "".join(f"{row}\n" for row in members))
    with open_session("1GB") as con:
        config = shop(home, log=LOG, members=MEMBERS)
        found = read_memberships(con, config, read_entities(con, config).roster)
        rows = found.table.order_by("user", "entity", "since").to_pyarrow().to_pylist()
        return [(r["user"], r["entity"], r["since"], r["until"]) for r in rows], found.set_aside


def day(number):
    return JAN + (number - 1) * DAY


def test_overlapping_periods_of_one_user_and_account_become_one(tmp_path):
    members = [
        "u,a,2026-01-01,2026-01-05",
        "u,a,2026-01-04,2026-01-07",
        "u,a,2026-01-02,2026-01-03",
        "u,a,2026-01-07,2026-01-09",  # begins where the first ends: no overlap
        "u,a,2026-01-20,",
        "u,b,2026-01-04,2026-01-06",
    ]

    assert periods(tmp_path, members) == (
        [("u", "a", day(1), day(9)), ("u", "a", day(20), STILL), ("u", "b", day(4), day(6))],
        {"overlapping": 2},
    )


def test_blank_ends_are_open(tmp_path):
    assert periods(tmp_path, ["u,a,,"])[0] == [("u", "a", ALWAYS, STILL)]


def test_a_row_may_list_several_accounts_or_users(tmp_path):
    rows = ['u,"[""a"",""b""]",,', '"[""v"",""w""]",c,,', "w,[],,"]
    found, set_aside = periods(tmp_path, rows)

    assert [row[:2] for row in found] == [("u", "a"), ("u", "b"), ("v", "c"), ("w", "c")]
    assert set_aside == {"no_entity": 1}


def test_mostly_unusable_memberships_stop_the_run_but_repeated_ones_do_not(tmp_path):
    calls = ["u,a,2026-01-05,"] * 9  # a program that says it at every login
    assert read(tmp_path, calls, [("u", "2026-01-10")], max_set_aside=0.5)[0] == [("a", "u", 10)]

    with pytest.raises(DataError, match=r"3 of 4 rows of members\.csv cannot be used.*3 unknown_entity"):
        read(tmp_path, ["u,a,,", "u,x,,", "u,y,,", "u,z,,"], [("u", "2026-01-10")], max_set_aside=0.5)


def test_users_of_no_account_at_all_are_an_error_with_examples_of_both(tmp_path):
    expected = r"No user of events\.csv belongs to an account in members\.csv\. .*such as 17; members such as user-17\."
    with pytest.raises(DataError, match=expected):
        read(tmp_path, ["user-17,a,,"], [("17", "2026-01-10")])


def test_mixed_offsets_are_refused(tmp_path):
    members = ["u,a,2026-01-05T10:00:00Z,", "v,a,2026-01-05T10:00:00,"]
    with pytest.raises(DataError, match=r"members\.csv: the times of `joined` mix time zones"):
        read(tmp_path, members, [("u", "2026-01-10")])


def test_a_table_that_names_the_account_keeps_it(tmp_path):
    put(tmp_path, "members.csv", "person,account,joined,left\nu,b,,\n")
    more = {"table": "more.csv", "event": "call", "columns": {"user": "person", "time": "at"}}
    put(tmp_path, "more.csv", "person,at\nu,2026-01-11\n")
    product = read_shop(tmp_path, members=MEMBERS, more=[more])

    assert [(e["entity"], e["event"]) for e in product.events if e["event"] == "call"] == [("b", "call")]
    assert {e["entity"] for e in product.events if e["event"] == "login"} == {"a", "b", "c"}


def test_merged_users_belong_to_the_accounts_of_all_their_ids(tmp_path):
    put(tmp_path, "merges.csv", "old,new\nanon,ann\n")
    aliases = {"table": "merges.csv", "columns": {"alias": "old", "user": "new"}}
    events, product = read(tmp_path, ["anon,a,,"], [("ann", "2026-01-10"), ("anon", "2026-01-11")], aliases=aliases)

    assert events == [("a", "ann", 10), ("a", "ann", 11)]
    assert product.sources.more_set_aside == {"members": {}, "aliases": {}}


# ---------------------------------------------------------------- any memberships, against a naive reading

DAYS = st.integers(7, 12)  # the last account signed up on the 7th
PEOPLE, ACCOUNTS = st.sampled_from(("u", "v")), st.sampled_from(("a", "b", "c", "stranger"))
PERIODS = st.lists(st.tuples(PEOPLE, ACCOUNTS, st.none() | DAYS, st.none() | DAYS), min_size=1, max_size=8)
EVENTS = st.lists(st.tuples(PEOPLE, DAYS), min_size=1, max_size=6)


def naive(members, events):
    """The accounts of each event, by asking each membership in turn."""
    counted = []
    for user, at in events:
        at_home = {
            account
            for who, account, since, until in members
            if who == user and (since is None or since <= at) and (until is None or at < until)
        }
        counted += [(account, user, at) for account in at_home - {"stranger"}]
    return sorted(counted)


def written(members):
    def cell(number):
        return "" if number is None else f"2026-01-{number:02}"

    return [f"{user},{account},{cell(since)},{cell(until)}" for user, account, since, until in members]


@examples(25, suppress=[HealthCheck.function_scoped_fixture])
@given(members=PERIODS, events=EVENTS, later=PERIODS, dice=st.randoms(use_true_random=False))
def test_any_memberships_equal_the_naive_reading_and_later_ones_change_nothing_before(
    tmp_path, members, events, later, dice
):
    anchor, seen = ("anchor", "c", None, None), [*events, ("anchor", 9)]
    rows, _ = read(tmp_path, written([*members, anchor]), [(u, f"2026-01-{d:02}") for u, d in seen])
    assert sorted(rows) == naive([*members, anchor], seen)

    # memberships that start at or after as_of, in any order of rows
    as_of = 10
    future = [(u, a, as_of + (since or 0), None) for u, a, since, _ in later if as_of + (since or 0) < 28]
    shuffled = [*members, *future, anchor]
    dice.shuffle(shuffled)
    again, _ = read(tmp_path, written(shuffled), [(u, f"2026-01-{d:02}") for u, d in random.sample(seen, len(seen))])
    assert sorted(r for r in again if r[2] < as_of) == sorted(r for r in rows if r[2] < as_of)
