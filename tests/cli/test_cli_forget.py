"""`pql forget`: what it asks, prints and exits with."""

import json

import pandas as pd
import pytest
from worlds import product

from pql_model.cli import forget as module
from pql_model.cli.app import main

ACCOUNTS = [{"account": "a", "signed_up": "2026-01-01"}]
EVENTS = [{"account": "a", "event": "login", "time": "2026-01-02"}]


@pytest.fixture
def scores(tmp_path):
    product(tmp_path, ACCOUNTS, EVENTS, [])
    path = tmp_path / "scores.parquet"
    pd.DataFrame({"entity": ["a", "b"], "as_of": [1, 1]}).to_parquet(path, index=False)
    return path


@pytest.fixture
def run(scores, capsys):
    def run_(*arguments):
        with pytest.raises(SystemExit, match=r"^\d+$") as done:
            main(["forget", *arguments, "-c", str(scores.parent / "pql.yaml")])
        printed = capsys.readouterr()
        return done.value.code, " ".join(printed.out.split()), " ".join(printed.err.split())

    return run_


def left(scores):
    return list(pd.read_parquet(scores)["entity"])


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_a_confirmation_nothing_is_removed(run, scores, more):
    code, _, error = run("a", *more)

    assert code == 2
    assert "Nothing was removed" in error
    assert "--dry-run" in error
    assert left(scores) == ["a", "b"]


def test_a_dry_run_lists_the_places(run, scores):
    code, text, _ = run("a", "--dry-run")

    assert code == 0
    assert "Would remove 1 row:" in text
    assert "Not changed: your own tables (accounts.csv, conversions.csv, events.csv)" in text
    assert left(scores) == ["a", "b"]


def test_yes_removes_and_the_json_counts(run, scores):
    code, text, _ = run("a", "--yes", "--json")
    payload = json.loads(text)

    assert (code, payload["rows"], payload["dry_run"]) == (0, 1, False)
    assert payload["places"] == [{"path": str(scores), "kind": "table", "rows": 1, "cleared": 0}]
    assert left(scores) == ["b"]


@pytest.mark.parametrize(("answer", "expected"), [(True, ["b"]), (False, ["a", "b"])])
def test_a_person_at_a_terminal_is_asked_once_the_places_are_listed(run, scores, monkeypatch, answer, expected):
    monkeypatch.setattr(module.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(module.typer, "confirm", lambda question: answer if "Remove all" in question else None)
    code, text, _ = run("a")

    assert code == 0
    assert "Would remove 1 row" in text
    assert ("Removed 1 row" if answer else "Nothing was removed.") in text
    assert left(scores) == expected


def test_an_unknown_entity_exits_with_2(run):
    code, _, error = run("nobody", "--yes")

    assert code == 2
    assert "Nothing that pql has written holds `nobody`" in error
