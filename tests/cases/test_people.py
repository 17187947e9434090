"""Who did it, in exports of analytics tools: merged persons, lists of groups, logs that name only the user."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from exports import case

from pql_model.config.load import load_config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources

ACCOUNTS = {"table": "accounts.csv", "columns": {"entity": "account_id", "signed_up": "created_at"}}
PAID = {"table": "subscriptions.csv", "columns": {"entity": "account_id", "time": "paid_at", "value": "mrr"}}


def export(name: str, home: Path) -> Path:
    """Copy an export into `home`, where a config may stand beside it."""
    for file in case(name).iterdir():
        shutil.copyfile(file, home / file.name)  # not its mode: the exports may be read-only
    return home


def counts(home: Path, events: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """What `pql check` counts, and the users of each account."""
    raw = {"name": "case", "events": [events], "entities": ACCOUNTS, "conversions": PAID, "motion": "trial", **keys}
    (home / "pql.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    with open_session("1GB") as con:
        sources = read_sources(con, load_config(home / "pql.yaml"), may_lack_conversions=True)
        rows = sources.events.table.select("entity", "user").to_pyarrow().to_pylist()
        users = defaultdict(set)
        for row in rows:
            users[row["entity"]].add(row["user"])
        return {
            "events": len(rows),
            "rows": (sources.events.rows_read, sources.events.rows_added),
            "set_aside": sources.events.by_reason(),
            "entities": int(sources.entities.table.count().to_pyarrow().as_py()),
            "conversions": int(sources.conversions.table.count().to_pyarrow().as_py()),
            "users": {entity: sorted(map(str, ids)) for entity, ids in users.items()},
            "more": sources.more_set_aside,
        }


# ---------------------------------------------------------------- the exports


def test_posthog_counts_persons_and_not_their_distinct_ids(tmp_path):
    home = export("04-posthog-merged-persons", tmp_path)
    columns = {"entity": "$group_0", "event": "event", "time": "timestamp", "id": "uuid"}

    persons = counts(home, {"table": "events.csv", "columns": {**columns, "user": ["person_id", "distinct_id"]}})
    distinct = counts(home, {"table": "events.csv", "columns": {**columns, "user": "distinct_id"}})

    assert max(map(len, persons["users"].values())) == 3
    assert max(map(len, distinct["users"].values())) > 3


def test_the_same_persons_come_from_a_table_of_merges(tmp_path):
    """PostHog's `person_distinct_ids`: the persons of the export, by way of aliases."""
    home = export("04-posthog-merged-persons", tmp_path)
    with (home / "events.csv").open(encoding="utf-8", newline="") as file:
        pairs = {(row["distinct_id"], row["person_id"]) for row in csv.DictReader(file)}
    lines = [f"{distinct},{person}\n" for distinct, person in sorted(pairs)]
    (home / "person_distinct_ids.csv").write_text("distinct_id,person_id\n" + "".join(lines), encoding="utf-8")
    columns = {"entity": "$group_0", "event": "event", "time": "timestamp", "id": "uuid"}
    aliases = {"table": "person_distinct_ids.csv", "columns": {"alias": "distinct_id", "user": "person_id"}}

    persons = counts(home, {"table": "events.csv", "columns": {**columns, "user": "person_id"}})
    merged = counts(home, {"table": "events.csv", "columns": {**columns, "user": "distinct_id"}}, aliases=aliases)

    assert merged["users"] == persons["users"]


def test_mixpanel_lists_of_groups_give_an_event_to_each(tmp_path):
    home = export("18-mixpanel-group-lists", tmp_path)
    columns = {
        "entity": "properties.account_id",
        "user": "properties.distinct_id",
        "event": "event",
        "time": "properties.time",
        "id": "properties.$insert_id",
    }
    lines = [json.loads(line) for line in (home / "events.json").read_text(encoding="utf-8").splitlines()]
    cells = [line["properties"]["account_id"] for line in lines]
    pairs = sum(len(set(cell)) if isinstance(cell, list) else 1 for cell in cells)
    found = counts(home, {"table": "events.json", "columns": columns})

    assert (found["entities"], found["conversions"]) == (300, 55)
    assert found["rows"] == (5207, pairs - 5207)
    assert found["events"] == 5207
    assert found["set_aside"] == {"unknown_entity": pairs - 5207}  # agencies, which are not accounts of the product


# ---------------------------------------------------------------- siblings, always there

PEOPLE = ("ann", "bob", "cleo")
TIMES = [f"2026-01-{day:02}T10:00:00Z" for day in range(6, 12)]


@pytest.fixture
def shop(tmp_path):
    """Two accounts, of which one paid."""
    (tmp_path / "accounts.csv").write_text("account_id,created_at\na,2026-01-05\nb,2026-01-05\n")
    (tmp_path / "subscriptions.csv").write_text("account_id,paid_at,mrr\na,2026-01-20,49\n")
    return tmp_path


def write_lines(home: Path, rows: list[dict[str, Any]]) -> None:
    (home / "events.json").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def users_of(found: dict[str, Any]) -> dict[str, list[str]]:
    return dict(sorted(found["users"].items()))


BOTH = {"a": ["ann", "cleo"], "b": ["bob", "cleo"]}
"""Ann works at a, Bob at b, Cleo at both."""
GROUPS = {"ann": ["a"], "bob": ["b"], "cleo": ["a", "b"]}


def test_amplitude_groups(shop):
    rows = [
        {
            "user_id": who,
            "event_type": "login",
            "event_time": at,
            "groups": {"company": GROUPS[who]},
            "uuid": f"{who}{at}",
        }
        for who in PEOPLE
        for at in TIMES
    ]
    write_lines(shop, rows)
    columns = {"entity": "groups.company", "user": "user_id", "event": "event_type", "time": "event_time", "id": "uuid"}
    found = counts(shop, {"table": "events.json", "columns": columns})

    assert users_of(found) == BOTH
    assert (found["rows"], found["events"], found["set_aside"]) == ((18, 6), 24, {})


def test_amplitude_merged_ids_before_user_ids(shop):
    """`amplitude_id` is the person; `user_id` is blank before the login."""
    rows = [
        {"amplitude_id": 9007199254740993, "user_id": user, "groups": {"company": ["a"]}, "name": "login", "at": at}
        for user, at in zip([None, None, "ann", "ann", None, "ann"], TIMES, strict=True)
    ]
    write_lines(shop, rows)
    columns = {"entity": "groups.company", "user": ["amplitude_id", "user_id"], "event": "name", "time": "at"}

    assert users_of(counts(shop, {"table": "events.json", "columns": columns})) == {"a": ["9007199254740993"]}


def test_mixpanel_lists_nested_in_parquet(shop):
    rows = {
        "event": ["login"] * 4,
        "time": TIMES[:4],
        "properties": [
            {"distinct_id": "ann", "account_id": ["a"]},
            {"distinct_id": "bob", "account_id": ["b", "b"]},
            {"distinct_id": "cleo", "account_id": ["a", "b"]},
            {"distinct_id": "dan", "account_id": []},
        ],
    }
    pq.write_table(pa.table(rows), shop / "events.parquet")
    columns = {
        "entity": "properties.account_id",
        "user": "properties.distinct_id",
        "event": "event",
        "time": "time",
    }
    found = counts(shop, {"table": "events.parquet", "columns": columns})

    assert users_of(found) == BOTH
    assert found["set_aside"] == {"no_entity": 1}


def test_posthog_groups_and_persons_before_distinct_ids(shop):
    header = "event,distinct_id,person_id,$group_0,timestamp\n"
    rows = ["login,d1,p1,a,{}", "login,d2,p1,a,{}", "login,d3,,a,{}"]
    (shop / "events.csv").write_text(header + "".join(f"{r.format(at)}\n" for r, at in zip(rows, TIMES, strict=False)))
    columns = {"entity": "$group_0", "user": ["person_id", "distinct_id"], "event": "event", "time": "timestamp"}

    assert users_of(counts(shop, {"table": "events.csv", "columns": columns})) == {"a": ["d3", "p1"]}


def test_ga4_users_before_devices(shop):
    header = "event_name,user_id,user_pseudo_id,account,event_timestamp\n"
    rows = ["login,,device,a,1767780000000000", "login,ann,device,a,1767790000000000"]
    (shop / "events.csv").write_text(header + "".join(f"{row}\n" for row in rows))
    columns = {
        "entity": "account",
        "user": ["user_id", "user_pseudo_id"],
        "event": "event_name",
        "time": "event_timestamp",
    }
    aliases = {"table": "events.csv", "columns": {"alias": "user_pseudo_id", "user": "user_id"}}

    plain = counts(shop, {"table": "events.csv", "columns": columns})
    merged = counts(shop, {"table": "events.csv", "columns": columns}, aliases=aliases)

    assert (users_of(plain), users_of(merged)) == ({"a": ["ann", "device"]}, {"a": ["ann"]})
    assert merged["more"] == {"aliases": {"no_user": 1}}


def test_segment_group_calls_as_memberships(shop):
    """Segment's `groups`: a row at every call, and tracks that name only the user."""
    calls = [f"{who},{group},{at}" for who in PEOPLE for group in GROUPS[who] for at in TIMES[:3]]
    (shop / "groups.csv").write_text("user_id,group_id,received_at\n" + "".join(f"{row}\n" for row in calls))
    tracks = [f"{who},login,{at}" for who in (*PEOPLE, "dan") for at in ("2026-01-05T12:00:00Z", *TIMES)]
    (shop / "tracks.csv").write_text("user_id,event,timestamp\n" + "".join(f"{row}\n" for row in tracks))
    members = {"table": "groups.csv", "columns": {"user": "user_id", "entity": "group_id", "since": "received_at"}}
    columns = {"user": "user_id", "event": "event", "time": "timestamp"}
    found = counts(shop, {"table": "tracks.csv", "columns": columns}, members=members)

    assert users_of(found) == BOTH
    assert (found["rows"], found["events"]) == ((28, 6), 24)
    assert found["set_aside"] == {"no_membership": 10}  # one of each before the call, and all of Dan's
    assert found["more"] == {"members": {"overlapping": 8}}


def test_intercom_users_that_list_their_companies_as_memberships(shop):
    rows = ['ann,"[""a""]"', 'bob,"[""b""]"', 'cleo,"[""a"", ""b""]"']
    (shop / "users.csv").write_text("user_id,companies\n" + "".join(f"{row}\n" for row in rows))
    logins = [f"{who},{at}" for who in PEOPLE for at in TIMES]
    (shop / "logins.csv").write_text("user_id,at\n" + "".join(f"{row}\n" for row in logins))
    members = {"table": "users.csv", "columns": {"user": "user_id", "entity": "companies"}}
    found = counts(
        shop, {"table": "logins.csv", "event": "login", "columns": {"user": "user_id", "time": "at"}}, members=members
    )

    assert users_of(found) == BOTH


def test_heap_identities_as_aliases(shop):
    """Heap's `user_migrations`: from_user_id was merged into to_user_id, in chains."""
    (shop / "user_migrations.csv").write_text("from_user_id,to_user_id\n1,2\n2,3\n7,3\n")
    rows = [f"{user},login,a,{at}" for user, at in zip([1, 2, 3, 7, 8, 8], TIMES, strict=True)]
    (shop / "events.csv").write_text("user_id,event,account,time\n" + "".join(f"{row}\n" for row in rows))
    columns = {"entity": "account", "user": "user_id", "event": "event", "time": "time"}
    aliases = {"table": "user_migrations.csv", "columns": {"alias": "from_user_id", "user": "to_user_id"}}

    assert users_of(counts(shop, {"table": "events.csv", "columns": columns}, aliases=aliases)) == {"a": ["3", "8"]}
