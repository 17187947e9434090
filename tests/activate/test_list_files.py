import csv
import json

import pandas as pd
import pytest
from sync_world import DAY_0, scored_row

from pql_model.activate import list_files
from pql_model.activate.list_files import resolved_path, write_rows
from pql_model.errors import DataError
from pql_model.time import HOUR


def test_a_csv_has_flat_columns_in_utf8(tmp_path):
    path = tmp_path / "new" / "leads.csv"
    assert write_rows(path, [scored_row('Łódź, "Co" 🚀'), scored_row("=1+1")]) == 2
    with path.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["entity"], first["is_pql"], first["probability"]) == ('Łódź, "Co" 🚀', "true", "0.3")
    assert second["entity"] == "'=1+1"


def test_json_lines_hold_the_rows_of_the_service(tmp_path):
    rows = [scored_row("a"), scored_row("b", contact=None)]
    write_rows(tmp_path / "a.jsonl", rows)
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()] == rows


def test_parquet_has_the_columns_and_types_of_a_score(tmp_path):
    write_rows(tmp_path / "a.parquet", [scored_row("a")])
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert frame["as_of"].iloc[0] == pd.Timestamp("2024-10-04", tz="UTC")
    assert json.loads(frame["reasons"].iloc[0]) == scored_row("a")["reasons"]
    assert bool(frame["is_pql"].iloc[0])


def test_a_list_of_nobody_is_an_empty_file_with_its_columns(tmp_path):
    assert write_rows(tmp_path / "a.csv", []) == 0
    assert (tmp_path / "a.csv").read_text().startswith("entity,as_of,probability")
    assert write_rows(tmp_path / "a.parquet", []) == 0
    assert "entity" in pd.read_parquet(tmp_path / "a.parquet").columns


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl"])
def test_a_full_disk_leaves_the_old_file(tmp_path, name, monkeypatch):
    write_rows(tmp_path / name, [scored_row("old")])
    before = (tmp_path / name).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(list_files, "atomic_write", full)
    with pytest.raises(DataError, match="could not be written; what it held before is unchanged"):
        write_rows(tmp_path / name, [scored_row("new")])
    assert (tmp_path / name).read_bytes() == before


def test_a_row_that_cannot_be_written_leaves_the_old_file_and_no_litter(tmp_path):
    write_rows(tmp_path / "a.jsonl", [scored_row("old")])
    with pytest.raises(ValueError, match="Out of range float"):
        write_rows(tmp_path / "a.jsonl", [scored_row("new", probability=float("nan"))])
    assert '"old"' in (tmp_path / "a.jsonl").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "name,email\nx,y\n"), ("a.parquet", "text"), ("a.jsonl", "\x00")]
)
def test_another_file_is_not_overwritten(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="does not hold a list of leads"):
        write_rows(tmp_path / name, [])
    assert (tmp_path / name).read_text() == content


def test_the_instant_in_a_path_has_no_colons(tmp_path):
    assert resolved_path(tmp_path, "new-{as_of}.csv", DAY_0).name == "new-2024-10-04.csv"
    assert resolved_path(tmp_path, "new-{as_of}.csv", DAY_0 + HOUR).name == "new-2024-10-04T010000Z.csv"
