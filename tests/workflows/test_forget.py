"""`pql forget`: afterwards no file that pql has written holds the entity or its users, and everything else still loads."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from worlds import product

from pql_model.decide.state import EntityState, RunState
from pql_model.decide.state_file import read_runs, state_path, write_runs
from pql_model.errors import DataError
from pql_model.privacy import formats
from pql_model.score_log.database_table import LogTable
from pql_model.workflows.forget import forget

SOURCES = {
    "accounts.csv",
    "events.csv",
    "conversions.csv",
    "events.parquet",
    "subscriptions.csv",
    "truth.json",
    "pql.yaml",
}
NAMES = ("acc-1", "acc-10", "acc-2")
ACCOUNTS = [{"account": name, "signed_up": "2026-01-01"} for name in NAMES]
EVENTS = [
    {"account": name, "user": f"{user}@{name}", "event": "login", "time": "2026-01-02"}
    for name in NAMES
    for user in ("ann", "bob")
]
ANN, BOB = "ann@acc-1", "bob@acc-1"


@pytest.fixture
def home(tmp_path):
    """A product with files of each kind. Everywhere, Ann of acc-1 is also a contact of the other accounts."""
    home = tmp_path / "home"
    home.mkdir()
    product(home, ACCOUNTS, EVENTS, [])
    contacts = [{"user": ANN, "brought_in_by": BOB}, {"user": "ann@acc-2", "brought_in_by": BOB}]
    rows = [
        {"entity": name, "as_of": "2026-01-08", "is_pql": True, "contact": contacts[0], "contacts": contacts[: 1 + k]}
        for name, k in (("acc-1", 0), ("acc-10", 1), ("acc-2", 1))
    ]
    texts = [{**row, "contact": json.dumps(row["contact"]), "contacts": json.dumps(row["contacts"])} for row in rows]
    others = {"acc-1": BOB, "acc-10": f"ann@acc-2; {BOB}", "acc-2": f"ann@acc-2; {BOB}"}
    flat = [{**row, "contact": ANN, "contacts": None, "other_contacts": others[row["entity"]]} for row in rows]
    (home / "out").mkdir()
    pd.DataFrame(texts).to_parquet(home / "scores.parquet", index=False)
    pd.DataFrame(flat).to_csv(home / "out" / "new.csv", index=False)
    (home / "out" / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "out" / "hubspot.csv").write_text(f"Email,PQL account,PQL score\n{ANN},acc-1,1\nann@acc-2,acc-2,2\n")
    (home / "leads.html").write_text("<title>small-world: leads of today</title><bdi>acc-1</bdi>")
    state = RunState(5, {name: EntityState(True, 5, 5) for name in NAMES})
    write_runs(state_path(home, "small-world"), [state])
    with closing(sqlite3.connect(home / ".pql" / "outbox-small-world.sqlite")) as con:
        con.execute("CREATE TABLE leads (entity TEXT, row TEXT)")
        con.executemany("INSERT INTO leads VALUES (?, ?)", [(row["entity"], json.dumps(row)) for row in rows])
        con.commit()
    return home


def holders(home, *ids):
    """Files below a folder that hold one of the ids, in their bytes or in a decoded value."""
    found = set()
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.name not in SOURCES:
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += json.dumps(pq.read_table(path).to_pydict(), default=str).encode()
            if any(name.encode() in content.replace(b"acc-10", b"").replace(b"@acc-2", b"") for name in ids):
                found.add(path.relative_to(home).as_posix())
    return found


def names_of(result, home):
    return {Path(place.path).relative_to(home).as_posix() for place in result.places}


def test_the_rows_of_the_entity_and_the_names_of_its_users_go(home):
    before = holders(home, "acc-1", ANN, BOB)
    assert len(before) == 7
    result = forget(home / "pql.yaml", "acc-1")

    assert holders(home, "acc-1", ANN, BOB) == set()
    assert names_of(result, home) == before
    assert result.users == ("acc-1", ANN, BOB)
    assert result.sources == ("accounts.csv", "conversions.csv", "events.csv")
    assert not list(home.rglob("*.part"))


def test_other_entities_and_their_people_stay(home):
    forget(home / "pql.yaml", "acc-1")
    scores = pd.read_parquet(home / "scores.parquet")
    flat = pd.read_csv(home / "out" / "new.csv")
    rows = [json.loads(line) for line in (home / "out" / "new.jsonl").read_text().splitlines()]
    left = [{"user": "ann@acc-2", "brought_in_by": None}]

    assert list(scores["entity"]) == list(flat["entity"]) == [row["entity"] for row in rows] == ["acc-10", "acc-2"]
    assert [json.loads(text) for text in scores["contacts"]] == [row["contacts"] for row in rows] == [left, left]
    assert set(flat["contact"]) == {"ann@acc-2"}
    assert flat["other_contacts"].isna().all()
    assert [json.loads(text) for text in scores["contact"]] == [row["contact"] for row in rows] == [left[0], left[0]]
    assert (home / "out" / "hubspot.csv").read_text() == "Email,PQL account,PQL score\nann@acc-2,acc-2,2\n"
    assert set(read_runs(state_path(home, "small-world"))[0].entities) == {"acc-10", "acc-2"}


def test_the_source_tables_are_not_touched(home):
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.name in SOURCES}
    forget(home / "pql.yaml", "acc-1")

    assert {name: (home / name).read_bytes() for name in before} == before


def test_a_dry_run_says_the_same_and_changes_nothing(home):
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    planned = forget(home / "pql.yaml", "acc-1", dry_run=True)

    assert {path: path.read_bytes() for path in before} == before
    assert forget(home / "pql.yaml", "acc-1").places == planned.places


@pytest.mark.parametrize("after", [1, 4])
def test_a_run_that_was_killed_is_completed_by_the_next(home, monkeypatch, after):
    (home / "events.csv").unlink()  # so that only the files say who the users are
    real, calls = formats.atomic_write, []

    def dies(path, write):
        calls.append(path)
        if len(calls) > after:
            raise KeyboardInterrupt
        real(path, write)

    monkeypatch.setattr(formats, "atomic_write", dies)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        forget(home / "pql.yaml", "acc-1")
    monkeypatch.setattr(formats, "atomic_write", real)
    assert holders(home, "acc-1")
    forget(home / "pql.yaml", "acc-1")

    assert holders(home, "acc-1", ANN, BOB) == set()


def test_a_person_is_forgotten_and_the_account_stays(home):
    result = forget(home / "pql.yaml", ANN)

    assert holders(home, ANN) == set()
    assert "acc-1" in set(pd.read_parquet(home / "scores.parquet")["entity"])
    assert "out/new.csv" in names_of(result, home)


def test_a_user_of_several_accounts_stays_a_contact_of_the_others(home):
    shared = [{"account": name, "user": ANN, "event": "login", "time": "2026-01-02"} for name in ("acc-1", "acc-2")]
    product(home, ACCOUNTS, [*EVENTS, *shared], [])
    result = forget(home / "pql.yaml", "acc-1")

    assert ANN not in result.users
    assert ANN in (home / "out" / "new.csv").read_text()


def test_without_the_source_tables_the_files_say_who_the_users_are(home):
    (home / "events.csv").unlink()
    result = forget(home / "pql.yaml", "acc-1")

    assert "The source tables cannot be read" in result.notes[0]
    assert holders(home, "acc-1", ANN, BOB) == set()


def test_an_id_is_read_as_in_the_tables(home):
    pd.DataFrame({"entity": ["12", "13"], "as_of": [1, 1]}).to_parquet(home / "x.parquet", index=False)

    assert forget(home / "pql.yaml", " 12.0 ").entities == ("12", "12.0")
    assert list(pd.read_parquet(home / "x.parquet")["entity"]) == ["13"]


def test_other_places_are_searched_when_named(home, tmp_path):
    (home / "scores.parquet").rename(tmp_path / "elsewhere.parquet")
    result = forget(home / "pql.yaml", "acc-1", also=[tmp_path / "elsewhere.parquet"])

    assert str(tmp_path / "elsewhere.parquet") in {place.path for place in result.places}
    with pytest.raises(DataError, match=r"There is no such file or folder. Received: .*gone"):
        forget(home / "pql.yaml", "acc-1", also=[tmp_path / "gone"])


@pytest.mark.parametrize("name", ["nobody", "acc", "ACC-1"])
def test_an_entity_that_is_nowhere_is_refused(home, name):
    before = (home / "scores.parquet").read_bytes()
    with pytest.raises(DataError, match=rf"Nothing that pql has written holds `{name}`\. Received: {name}"):
        forget(home / "pql.yaml", name)
    assert (home / "scores.parquet").read_bytes() == before


def test_runs_elsewhere_are_named_and_the_rest_is_done(home, monkeypatch):
    monkeypatch.setattr(
        "pql_model.workflows.forget._mlflow_folders", lambda _: ([], ["the files of run 7 in s3://b/7"])
    )
    assert forget(home / "pql.yaml", "acc-1").not_reached == ("the files of run 7 in s3://b/7",)
    with pytest.raises(DataError, match=r"holds `nobody`; the files of run 7 in s3://b/7 cannot be searched"):
        forget(home / "pql.yaml", "nobody")


def test_what_a_sync_has_brought_elsewhere_is_named(home):
    targets = [
        {"name": "warehouse", "kind": "table", "connection_env": "URL", "table": "pql_scores"},
        {"name": "crm", "kind": "webhook", "url": "https://crm.example.com/a", "secret_env": "S"},
        {"name": "team", "kind": "slack", "url_env": "SLACK"},
        {"name": "mail", "kind": "notify", "url_env": "MAIL"},
        {"name": "hub", "kind": "hubspot", "path": "out/hubspot.csv"},
        {"name": "sf", "kind": "salesforce", "path": "out/sf.csv"},
        {"name": "today", "kind": "file", "path": "out/new.csv"},
    ]
    product(home, ACCOUNTS, EVENTS, [], sync=targets)
    assert forget(home / "pql.yaml", "acc-1").not_reached == (
        "sync target `warehouse`: rows in the table `pql_scores`",
        "sync target `crm`: messages that its receiver has stored",
        "sync target `team`: messages in Slack",
        "sync target `mail`: notifications",
        "sync target `hub`: what HubSpot imported from `out/hubspot.csv`",
        "sync target `sf`: what Salesforce imported from `out/sf.csv`",
    )
    with pytest.raises(DataError, match=r"holds `nobody`; sync target `warehouse`: rows in the table `pql_scores`, "):
        forget(home / "pql.yaml", "nobody")


def test_a_tracking_server_that_is_down_does_not_stop_it(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    [sentence] = forget(home / "pql.yaml", "acc-1").not_reached

    assert "test_predictions.parquet" in sentence
    assert "The MLflow server does not answer" in sentence
    assert holders(home, "acc-1") == set()


def test_a_log_in_a_database_loses_the_rows(home):
    duckdb.connect(str(home / "shop.duckdb")).close()
    product(home, ACCOUNTS, EVENTS, [], connection="duckdb://shop.duckdb", score_log={"table": "logged"})
    log = LogTable("duckdb://shop.duckdb", home, "logged", ("entity",))
    log.append([pa.table({"entity": ["acc-1", "acc-2"], "scored_at": ["1", "2"], "inputs_digest": ["x", "y"]})])
    result = forget(home / "pql.yaml", "acc-1")

    assert ("score log table", 1) in {(place.kind, place.match.rows) for place in result.places}
    assert log.read(["entity"])["entity"].to_pylist() == ["acc-2"]
