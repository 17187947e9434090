"""Which files below a folder hold rows about entities."""

import json
import os
import sqlite3
from contextlib import closing

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pql_model.errors import DataError
from pql_model.privacy.places import find_places
from pql_model.privacy.subject import Subject
from pql_model.time import DAY

SUBJECT = Subject(frozenset({"a-1"}))
PAGE = "<!doctype html><html><head><title>boards: leads of 3 May</title></head><body><bdi>{}</bdi></body></html>"


def parquet(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns or {"entity": ["a-1"], "as_of": [1]}), path)


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def names(home, sources=(), roots=()):
    return sorted(place.path.relative_to(home).as_posix() for place in find_places([home, *roots], sources))


def test_tables_of_pql_are_recognised_by_their_columns(tmp_path):
    parquet(tmp_path / "scores.parquet")
    parquet(tmp_path / "runs" / "1" / "test_predictions.parquet")
    parquet(tmp_path / ".pql" / "decisions-x.parquet")
    parquet(tmp_path / "other.parquet", entity=["a-1"], x=[1])
    text(tmp_path / "out" / "new.csv", "\ufeffentity,as_of\na-1,1\n")
    text(tmp_path / "out" / "hubspot.csv", "Email,PQL account\nx,a-1\n")
    text(tmp_path / "out" / "mine.csv", "Email,name\nx,a-1\n")
    text(tmp_path / "new.jsonl", json.dumps({"entity": "a-1", "as_of": "2026"}) + "\n")
    text(tmp_path / "log.jsonl", "not json\n")
    text(tmp_path / "empty.jsonl", "")
    text(tmp_path / "empty.csv", "")
    with closing(sqlite3.connect(tmp_path / ".pql" / "outbox-x.sqlite")) as con:
        con.execute("CREATE TABLE leads (entity TEXT)")

    assert names(tmp_path) == [
        ".pql/decisions-x.parquet",
        ".pql/outbox-x.sqlite",
        "new.jsonl",
        "out/hubspot.csv",
        "out/new.csv",
        "runs/1/test_predictions.parquet",
        "scores.parquet",
    ]


def test_source_tables_are_left_out_whatever_their_columns(tmp_path):
    parquet(tmp_path / "events.parquet")
    parquet(tmp_path / "scores.parquet")

    assert names(tmp_path, [tmp_path / "." / "events.parquet"]) == ["scores.parquet"]


def test_a_file_below_two_roots_is_found_once(tmp_path):
    parquet(tmp_path / "log" / "a.parquet")

    assert names(tmp_path, roots=[tmp_path / "log", tmp_path / "log" / "a.parquet"]) == ["log/a.parquet"]


def test_environments_hidden_folders_and_links_are_not_searched(tmp_path):
    for folder in (".git", "node_modules", "venv"):
        parquet(tmp_path / folder / "x.parquet")
    text(tmp_path / "venv" / "pyvenv.cfg", "")
    parquet(tmp_path / "elsewhere" / "x.parquet")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (home / "x.parquet").symlink_to(tmp_path / "elsewhere" / "x.parquet")

    assert names(tmp_path) == ["elsewhere/x.parquet"]
    assert names(home) == []


def test_a_leads_page_is_deleted_where_it_names_the_entity(tmp_path):
    text(tmp_path / "leads.html", PAGE.format("a-1"))
    text(tmp_path / "old.html", PAGE.format("a-10, xa-1, a-1-b"))
    text(tmp_path / "report.html", "<title>Growth report</title>a-1")
    places = {place.path.name: place.content for place in find_places([tmp_path], [])}

    assert set(places) == {"leads.html", "old.html"}
    assert places["leads.html"].count(SUBJECT)
    assert not places["old.html"].count(SUBJECT)
    places["leads.html"].forget(SUBJECT, rows=False)
    assert (tmp_path / "leads.html").exists()
    places["leads.html"].forget(SUBJECT, rows=True)
    assert not (tmp_path / "leads.html").exists()


def test_a_fold_of_a_backtest_is_deleted_because_its_name_is_a_digest_of_its_rows(tmp_path):
    parquet(tmp_path / ".pql" / "backtest" / "k1.parquet")
    parquet(tmp_path / ".pql" / "backtest" / "k2.parquet", entity=["b"], as_of=[1])
    for place in find_places([tmp_path], []):
        if place.content.count(SUBJECT):
            place.content.forget(SUBJECT, rows=True)

    assert names(tmp_path) == [".pql/backtest/k2.parquet"]


def test_what_a_killed_process_left_is_deleted_once_it_is_a_day_old(tmp_path, monkeypatch):
    left = tmp_path / ".scores.parquet.123-456.part"
    left.write_bytes(b"half a file about a-1")
    written = left.stat().st_mtime_ns // 1000
    monkeypatch.setattr("pql_model.privacy.places.now", lambda: written + DAY // 2)
    assert names(tmp_path) == []
    monkeypatch.setattr("pql_model.privacy.places.now", lambda: written + 2 * DAY)
    [place] = find_places([tmp_path], [])
    assert place.content.count(SUBJECT)
    place.content.forget(SUBJECT, rows=True)
    assert os.listdir(tmp_path) == []


def test_a_damaged_file_stops_the_search(tmp_path):
    (tmp_path / "scores.parquet").write_bytes(b"PAR1 and then nothing")

    with pytest.raises(
        DataError, match=r"A file cannot be searched: .*scores\.parquet\. Fix: delete it if it is damaged"
    ):
        list(find_places([tmp_path], []))
