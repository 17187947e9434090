"""Whom to contact: the online answer, the naive oracle and the batch query agree, and each rule has its own case."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import ibis
import pyarrow as pa
import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from strategies import crowd, worlds

from pql_model.features.contact_query import snapshot_contacts
from pql_model.features.contacts import contacts, is_invitation
from pql_model.features.timeline import EventRow
from pql_model.time import DAY

EVENTS = ("login", "Teammate Invited", "Invitation Accepted", "inviteSent")
SCHEMA = {
    "entity": pa.string(),
    "user": pa.string(),
    "event": pa.string(),
    "time": pa.int64(),
    "known_at": pa.int64(),
    "n": pa.float64(),
}


def oracle(log, as_of):
    """The three most active users by the sentences of the documentation, one user at a time."""
    known = [e for e in log if e.user is not None and e.time < as_of and (e.known_at is None or e.known_at < as_of)]
    counted = [e for e in known if e.time >= as_of - 28 * DAY] or known
    ranked = []
    for user in {e.user for e in counted}:
        share = Fraction(sum(e.n for e in counted if e.user == user)) / Fraction(sum(e.n for e in counted))
        last, first = max(e.time for e in known if e.user == user), min(e.time for e in known if e.user == user)
        inviters = {
            e.user
            for e in known
            if e.event in ("Teammate Invited", "inviteSent")
            and e.user != user
            and first - 14 * DAY <= e.time
            and e.time < first
        }
        ranked.append((-share, -last, user, inviters))
    return [
        (user, float(-share), -last, min(inviters) if len(inviters) == 1 else None)
        for share, last, user, inviters in sorted(ranked, key=lambda row: row[:3])[:3]
    ]


def told(found):
    return [(c.user, c.share, c.last_seen, c.brought_in_by) for c in found]


def row(event):
    return EventRow(event.event, event.time, event.user, event.values, event.known_at, event.n, event.users)


@pytest.fixture(scope="module")
def con():
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def batch(con, world):
    rows = [{"entity": r.entity, **{k: getattr(r.event, k) for k in list(SCHEMA)[1:]}} for r in world.rows]
    events = con.create_table("events", pa.Table.from_pylist(rows, pa.schema(SCHEMA)), overwrite=True)
    instants = pa.table(
        {
            "entity": pa.array([s.entity for s in world.snapshots], pa.string()),
            "as_of": pa.array([s.as_of for s in world.snapshots], pa.int64()),
        }
    )
    return snapshot_contacts(events, con.create_table("snapshots", instants, overwrite=True))


def assert_all_agree(con, world):
    found = batch(con, world)
    for snapshot in world.snapshots:
        log = world.log(snapshot.entity)
        expected = oracle(log, snapshot.as_of)
        assert told(contacts(map(row, log), snapshot.as_of)) == expected
        assert told(found.get((snapshot.entity, snapshot.as_of), [])) == expected


@examples(60, suppress=HealthCheck)
@given(world=worlds(names=EVENTS))
def test_batch_online_and_oracle_agree_in_any_world(con, world):
    assert_all_agree(con, world)


@pytest.mark.parametrize("late", [False, True])
def test_batch_online_and_oracle_agree_on_every_edge(con, late):
    world = crowd(80, late, EVENTS)
    assert_all_agree(con, world)
    origins = Counter(c.brought_in_by is not None for of in batch(con, world).values() for c in of)
    assert min(origins[True], origins[False]) > 5


@examples(20)
@given(st.permutations(range(5)))
def test_the_order_of_the_rows_does_not_matter(order):
    log = [
        EventRow("login", 0, "ann"),
        EventRow("Teammate Invited", 0, "ann"),
        EventRow("login", DAY, "bob"),
        EventRow("login", DAY, "Bob"),
        EventRow("login", DAY, "eve"),
    ]
    assert contacts([log[k] for k in order], 9 * DAY) == contacts(log, 9 * DAY)


def test_ties_go_to_the_newest_event_then_to_the_smaller_id():
    log = [EventRow("login", t, u) for u, t in (("b", 1), ("a", 1), ("c", 2), ("d", 0))]
    assert [c.user for c in contacts(log, DAY)] == ["c", "a", "b"]


def test_the_last_28_days_count_and_everything_only_if_they_are_empty():
    log = [EventRow("login", k, "ann") for k in range(9)] + [EventRow("login", 5 * DAY, "bob")]
    assert told(contacts(log, 33 * DAY)) == [("bob", 1.0, 5 * DAY, None)]
    assert [(c.user, c.share) for c in contacts(log, 33 * DAY + 1)] == [("ann", 0.9), ("bob", 0.1)]


def test_only_users_who_are_known_count():
    assert contacts([EventRow("login", 0), EventRow("login", 1, n=40.0, users=3.0)], DAY) == []


INVITED = EventRow("Teammate Invited", DAY, "ann")


@pytest.mark.parametrize(
    ("others", "brought_in_by"),
    [
        ([INVITED], "ann"),
        ([INVITED, INVITED._replace(time=2 * DAY)], "ann"),
        ([INVITED, INVITED._replace(user="eve")], None),  # either of them may have invited bob
        ([INVITED._replace(event="Invitation Accepted")], None),
        ([INVITED._replace(user="bob")], None),  # who invites is here already
        ([INVITED._replace(time=3 * DAY)], None),  # not before bob's first event
        ([INVITED._replace(known_at=4 * DAY)], None),
        ([INVITED._replace(user=None)], None),
    ],
)
def test_a_user_was_brought_in_by_the_only_other_user_who_invited_before(others, brought_in_by):
    log = [EventRow("login", 3 * DAY, "bob", n=5.0), *others]
    assert contacts(log, 4 * DAY)[0].brought_in_by == brought_in_by


@pytest.mark.parametrize(("days", "counts"), [(14, True), (15, False)])
def test_an_old_invitation_brings_nobody_in(days, counts):
    log = [EventRow("login", (1 + days) * DAY, "bob", n=5.0), INVITED]
    assert contacts(log, 20 * DAY)[0].brought_in_by == ("ann" if counts else None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        *((name, True) for name in ("invite", "User Invited", "INVITES_SENT", "board.invitation.created")),
        *((name, False) for name in ("invitee list", "Invite Accepted", "Invite Modal Opened", "Uninvited", "login")),
    ],
)
def test_names_of_invitations(name, says):
    assert is_invitation(name) == says


def test_a_contact_is_written_as_json():
    assert contacts([INVITED], 4 * DAY)[0].to_dict() == {
        "user": "ann",
        "share": 1.0,
        "last_seen": "1970-01-02",
        "brought_in_by": None,
    }
