import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pql_model.errors import DataError
from pql_model.score_log.files import log_files, write_log
from pql_model.score_log.log_schema import REPLAY_SCHEMA, log_table
from pql_model.score_log.store import RowSelection, select_rows
from pql_model.time import parse_instant, to_datetime

AT = to_datetime(parse_instant("2026-01-05T15:30:00.25Z"))


def table(*entities):
    rows = pd.DataFrame({"entity": entities, "feature_set": "fs", "reasons": "[]", "scored_at": AT})
    return log_table(rows, [np.array([1.0, np.nan])] * len(rows), "score", ["boards"] * len(rows))


def entities(path, **selection):
    return select_rows(log_files(path), RowSelection(**selection))[0]["entity"].to_pylist()


def test_a_file_is_named_by_time_in_a_folder_per_day(tmp_path, monkeypatch):
    monkeypatch.setattr("pql_model.score_log.files.now", lambda: parse_instant("2026-11-23T15:30:00.000250Z"))
    path = write_log(tmp_path / "log", [table("a")])
    assert path.parent == tmp_path / "log" / "2026-11-23"
    assert re.fullmatch(r"153000\.000250-[0-9a-f]{16}\.parquet", path.name)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_files_of_the_same_instant_do_not_overwrite_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("pql_model.score_log.files.now", lambda: parse_instant("2026-11-23T15:30:00Z"))
    threads = [threading.Thread(target=write_log, args=(tmp_path, [table(f"e{k}")])) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entities(tmp_path)) == sorted(f"e{k}" for k in range(12))


def test_names_sort_by_time(tmp_path, monkeypatch):
    for k, at in enumerate(
        ["2026-11-23T09:59:59.999999Z", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000001Z", "2026-11-24"]
    ):
        monkeypatch.setattr("pql_model.score_log.files.now", lambda at=at: parse_instant(at))
        write_log(tmp_path, [table(f"e{k}")])
    assert entities(tmp_path) == ["e0", "e1", "e2", "e3"]


def test_folders_of_days_before_since_are_not_opened(tmp_path):
    day = tmp_path / "2026-01-05"
    day.mkdir()
    (day / "damaged.parquet").write_bytes(b"no parquet")
    names = ["2026-01-05", "2026-99-99", "older"]
    for name in names[1:]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.parquet").write_bytes(b"")

    def opened(since):
        return [file.path.parent.name for file in log_files(tmp_path, parse_instant(since))]

    assert opened("2026-01-05T23:59:59.999999Z") == names
    assert opened("2026-01-06") == names[1:]


def test_several_tables_make_one_file_and_single_rows_can_be_read(tmp_path):
    path = write_log(tmp_path, [table(*(f"a{k:05d}" for k in range(12_000))), table("z")])
    assert pq.ParquetFile(path).metadata.num_rows == 12_001
    assert entities(tmp_path, limit=3) == ["a00000", "a06000", "z"]
    assert entities(path, entity="a11999") == ["a11999"]


def test_a_failed_write_leaves_no_file(tmp_path):
    def tables():
        yield table("a")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_log(tmp_path, tables())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_remains_of_a_killed_write_are_not_read(tmp_path):
    path = write_log(tmp_path, [table("a")])
    path.with_name(f".{path.name}.1-2.part").write_bytes(path.read_bytes()[:100])
    assert entities(tmp_path) == ["a"]


def test_a_merged_file_of_any_name_is_read(tmp_path):
    write_log(tmp_path / "log", [table("a")])
    write_log(tmp_path / "log", [table("b")])
    merged = tmp_path / "merged.parquet"
    code = f"import duckdb; duckdb.sql(\"copy (from '{tmp_path}/log/*/*.parquet' order by entity) to '{merged}'\")"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    got, _ = select_rows(log_files(merged), RowSelection())
    assert got.schema == REPLAY_SCHEMA
    assert got.equals(pa.concat_tables([table("a"), table("b")]).select(REPLAY_SCHEMA.names))


def test_additional_columns_are_ignored(tmp_path):
    pq.write_table(
        table("a").drop_columns(["nearest_missing"]).append_column("new", pa.array(["?"])), tmp_path / "a.parquet"
    )
    assert entities(tmp_path) == ["a"]


def test_one_entity_is_deleted_as_documented(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "score_log.md").read_text()
    code = re.search(r"```python\n(.+?)```", text, re.DOTALL)[1]
    write_log(tmp_path / "score_log", [table("acc-00007", "acc-00008")])
    write_log(tmp_path / "score_log", [table("acc-00007")])
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    assert entities(tmp_path / "score_log") == ["acc-00008"]


def test_a_missing_log_is_an_error(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "no.parquet"):
        with pytest.raises(DataError, match=rf"There is no score log here. Received: {path}\. Allowed: a folder"):
            log_files(path)


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1 half of one"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = write_log(tmp_path, [table("a")])
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"A file of the score log cannot be read: .* Received: {path}"):
        entities(tmp_path)


def test_a_file_cut_short_is_named(tmp_path):
    path = write_log(tmp_path, [table("a")])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"cannot be read: .* Received: {path}"):
        entities(tmp_path)


def test_a_foreign_file_is_named(tmp_path):
    scores = tmp_path / "scores.parquet"
    pq.write_table(table("a").drop_columns(["inputs", "inputs_digest"]), scores)
    with pytest.raises(DataError, match=rf"is not part of it: it has no column `inputs`. Received: {scores}"):
        entities(tmp_path)
    pq.write_table(table("a").drop_columns("score").append_column("score", pa.array(["much"])), scores)
    with pytest.raises(DataError, match=rf"cannot be read: .* Received: {scores}"):
        entities(tmp_path)
