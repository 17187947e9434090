"""`pql forget` after everything that pql writes: nothing holds the account or its users, nor does what is written after it."""

import gzip
import json
import sqlite3
import zipfile
from contextlib import closing

import pandas as pd
import pyarrow.parquet as pq
import pytest

import pql_model
from pql_model.workflows.ledger import write_ledger

ID, MAIL = "canary-7f3a", "canary.person@zyx-quill.example"
SOURCES = {"accounts.csv", "events.parquet", "subscriptions.csv", "truth.json", "pql.yaml"}
AS_OF = "2025-11-20"
TARGETS = """
sync:
- {name: table, kind: file, path: out/all.csv, rows: all}
- {name: lines, kind: file, path: out/all.jsonl, rows: all}
- {name: hub, kind: hubspot, path: out/hubspot.csv, rows: all}
"""


@pytest.fixture
def home(with_store, tmp_path):
    """The demo, in which the busiest account at risk and its main user have names that occur nowhere else."""
    home = with_store(tmp_path / "home")
    pql_model.make_demo(home, accounts=1200)
    accounts = pd.read_csv(home / "accounts.csv", dtype=str, keep_default_na=False)
    paid = pd.read_csv(home / "subscriptions.csv", dtype=str)["account_id"]
    events = pd.read_parquet(home / "events.parquet").astype({"user_id": object})
    young = accounts["created_at"].between("2025-11-07", "2025-11-12") & ~accounts["account_id"].isin(paid)
    of_young = events[events["account_id"].isin(accounts.loc[young, "account_id"])]
    old = of_young["account_id"].value_counts().index[0]
    user = of_young.loc[of_young["account_id"] == old, "user_id"].value_counts().index[0]
    accounts.replace({"account_id": {old: ID}}).to_csv(home / "accounts.csv", index=False)
    events = events.replace({"account_id": {old: ID}, "user_id": {user: MAIL}})
    events.to_parquet(home / "events.parquet", index=False)
    with (home / "pql.yaml").open("a") as file:
        file.write(TARGETS)
    return home


def write_everything(home, as_of):
    config = home / "pql.yaml"
    pql_model.train(config, trials=1, promote="force")
    pql_model.write_report(config, explorer="rows")
    pql_model.score(config, as_of=as_of)
    pql_model.sync(config, send=True)
    pql_model.write_leads(config, as_of=as_of)
    write_ledger(config)
    pql_model.write_features(config, output=home / "features.parquet")
    pql_model.export(config)
    pql_model.monitor(config, as_of="2025-12-30")
    pql_model.backtest(config, every="90d")


def decoded(path):
    """What a file holds: its bytes, and what they decode to."""
    content = path.read_bytes()
    yield content
    if content[:4] == b"PAR1":
        table = pq.read_table(path)
        yield json.dumps(table.to_pydict(), default=str, ensure_ascii=False).encode()
        yield str(table.schema.metadata).encode()
    elif content[:15] == b"SQLite format 3":
        with closing(sqlite3.connect(path)) as con:
            yield "\n".join(con.iterdump()).encode()
    elif content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def holders(home, *names):
    """Files below a folder, sources apart, whose path or content has one of the names."""
    found = set()
    for path in home.rglob("*"):
        where = path.relative_to(home).as_posix()
        texts = (where.encode(), *decoded(path)) if path.is_file() and where not in SOURCES else (where.encode(),)
        if any(name.encode() in text for name in names for text in texts):
            found.add(where)
    return found


@pytest.mark.slow
def test_nothing_that_was_written_holds_the_account_nor_does_a_training_bring_it_back(home):
    write_everything(home, AS_OF)
    kinds = {path.split("/")[0] for path in holders(home, ID)}
    expected = {".pql", "features.parquet", "leads.html", "ledger.parquet", "mlruns", "out", "runs", "score_log"}
    assert kinds == {*expected, "scores.parquet"}
    assert {"out/hubspot.csv", "out/all.csv", "scores.parquet"} <= holders(home, MAIL)

    result = pql_model.forget(home / "pql.yaml", ID)

    assert MAIL in result.users
    assert holders(home, *result.entities, *result.users) == set()
    assert {path for path in holders(home, "acc-0") if path.startswith("out/")}  # others are still there

    for name in ("accounts.csv", "subscriptions.csv"):
        rows = pd.read_csv(home / name, dtype=str, keep_default_na=False)
        rows[rows["account_id"] != ID].to_csv(home / name, index=False)
    events = pd.read_parquet(home / "events.parquet")
    events[events["account_id"] != ID].to_parquet(home / "events.parquet", index=False)
    write_everything(home, "2025-11-21")

    assert holders(home, *result.entities, *result.users) == set()
