"""What the batch query does with tables as they are. `test_contacts.py` compares it with the oracle."""

import ibis

from pql_model.features.contact_query import snapshot_contacts
from pql_model.time import DAY

COLUMNS = {
    "entity": "string",
    "user": "string",
    "event": "string",
    "time": "int64",
    "known_at": "int64",
    "n": "float64",
}


def events(*rows):
    return ibis.memtable([dict(zip(COLUMNS, row, strict=True)) for row in rows], schema=COLUMNS)


def snapshots(*rows):
    return ibis.memtable([{"entity": e, "as_of": t} for e, t in rows], schema={"entity": "string", "as_of": "int64"})


LOG = events(
    ("a", "ann", "Teammate Invited", 0, None, 1.0),
    ("a", "bob", "login", DAY, None, 1.0),
    ("a", "bob", "login", 2 * DAY, None, 1.0),
    ("b", "eve", "login", 0, None, 1.0),
    ("c", None, "login", 0, None, 5.0),
)


def test_each_snapshot_has_its_own_contacts():
    found = snapshot_contacts(LOG, snapshots(("a", DAY), ("a", 3 * DAY), ("b", DAY)))
    assert {key: [(c.user, c.brought_in_by) for c in contacts] for key, contacts in found.items()} == {
        ("a", DAY): [("ann", None)],
        ("a", 3 * DAY): [("bob", "ann"), ("ann", None)],
        ("b", DAY): [("eve", None)],
    }


def test_snapshots_without_a_known_user_are_left_out():
    assert snapshot_contacts(LOG, snapshots(("c", DAY), ("nobody", DAY), ("b", 0))) == {}
    assert snapshot_contacts(LOG, snapshots()) == {}
