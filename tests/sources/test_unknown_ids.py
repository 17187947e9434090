"""Unknown ids that another spelling would match are counted with the key to set, and a better column is named."""

from __future__ import annotations

import pytest
from staging import put, read_shop

from pql_model.errors import DataError

ACCOUNTS = "account,signed_up\n" + "".join(f"000{n},2026-01-05\n" for n in range(1, 10))


def unknown(read):
    return [text for text in read.sources.warnings if "does not list" in text]


def events_of(ids, header="account,person,action,at\n"):
    return header + "".join(f"{each},u,login,2026-01-12\n" for each in ids)


def test_ids_that_lost_their_zeros_are_counted_with_the_key_to_set(tmp_path):
    listed = [f"000{n}" for n in range(1, 10)]
    paid = "account,paid_at,mrr\n1,2026-01-20,5\n0002,2026-01-20,5\n"
    read = read_shop(tmp_path, events_of(listed), ACCOUNTS, paid)

    assert len(read.conversions) == 1
    assert unknown(read) == [
        "1 of 2 rows of paid.csv name ids that accounts.csv does not list; 1 of these 1 ids match without leading zeros: "
        "set `normalise: [leading_zeros]`."
    ]
    again = read_shop(tmp_path, events_of(listed), ACCOUNTS, paid, normalise=["leading_zeros"])
    assert [row["entity"] for row in again.conversions] == ["1", "2"]
    assert unknown(again) == []


@pytest.mark.parametrize(
    ("written", "form"), [("(a)", "brackets"), ("A", "case"), ("a\u00a0", "spaces"), ("\u200ba", "spaces")]
)
def test_other_spellings_are_recognised(tmp_path, written, form):
    quoted = '"' + written.replace('"', '""') + '"'
    events = events_of(["b", "b", quoted])
    read = read_shop(tmp_path, events)

    assert f"`normalise: [{form}]`" in unknown(read)[0]
    assert len(read_shop(tmp_path, events, normalise=[form]).events) == 3


def test_better_column_is_named(tmp_path):
    events = "account,person,action,at,org\n" + "".join(
        f"{'a' if n == 0 else f'x{n}'},u,login,2026-01-12,{'abc'[n % 3]}\n" for n in range(12)
    )
    read = read_shop(tmp_path, events)

    assert "11 of 12 rows of events.csv name ids" in unknown(read)[0]
    assert "100% of the ids in its column `org` are listed: set `events[0].columns.entity: org`" in unknown(read)[0]


def test_a_few_unknown_ids_are_only_counted(tmp_path):
    assert unknown(read_shop(tmp_path, events_of(["a"] * 20 + ["gone"]))) == []


def test_spelling_that_makes_one_of_two_listed_entities_is_refused(tmp_path):
    accounts = "account,signed_up\na,2026-01-05\nA,2026-01-06\n"
    with pytest.raises(DataError, match=r"`normalise` makes one entity of several.*`A` and `a`.*Fix: remove one of"):
        read_shop(tmp_path, accounts=accounts, normalise=["case"])


MERGES = {"table": "merges.csv", "columns": {"alias": "old", "user": "new"}}
MEMBERS = {"table": "members.csv", "columns": {"user": "person", "entity": "account"}}
USER_LOG = {"columns": {"user": "person", "event": "action", "time": "at"}}


def of_people(read, source):
    return [text for text in read.sources.warnings if f" of {source} " in text]


def merged(home, *aliases, users=("anon-1", "ann")):
    put(home, "merges.csv", "old,new\n" + "".join(f"{each},ann\n" for each in aliases))
    rows = "".join(f"a,{user},login,2026-01-12\n" for user in users)
    return of_people(read_shop(home, "account,person,action,at\n" + rows, aliases=MERGES), "merges.csv")


def test_aliases_in_another_spelling_are_counted_because_they_merge_nobody(tmp_path):
    assert merged(tmp_path, "ANON-1", "anon-2") == [
        "1 of the 2 aliases of merges.csv match users of the events only in lower case, and have no effect. Write the users "
        "of both tables in one way."
    ]


def test_aliases_of_nobody_are_said_and_a_few_idle_ones_are_not(tmp_path):
    assert merged(tmp_path, "x", "y") == [
        "None of the 2 aliases of merges.csv is a user of the events, so that they have no effect."
    ]
    assert merged(tmp_path, "anon-1", "y") == []


def test_where_users_convert_the_entity_is_the_user(tmp_path):
    put(tmp_path, "merges.csv", "old,new\nanon,a\n")
    events = "account,person,action,at\nanon,,login,2026-01-12\na,,login,2026-01-12\n"

    assert of_people(read_shop(tmp_path, events, entity="user", aliases=MERGES), "merges.csv") == []


def test_members_in_another_spelling_are_counted(tmp_path):
    put(tmp_path, "members.csv", "person,account\nu1,a\n00u2,b\nU3,c\nu9,c\n")
    rows = "".join(f"{user},login,2026-01-12\n" for user in ("u1", "u1", "u1", "u3", "u4"))
    read = read_shop(tmp_path, "person,action,at\n" + rows, log=USER_LOG, members=MEMBERS)

    assert of_people(read, "members.csv") == [
        "1 of the 4 members of members.csv match users of the events only in lower case, and have no effect. Write the users "
        "of both tables in one way."
    ]
