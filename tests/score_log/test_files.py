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
from pql_model.score_log.schema import REPLAYED, log_table
from pql_model.score_log.selection import Wanted, choose
from pql_model.time import parse_instant, to_datetime

AT = to_datetime(parse_instant("2026-01-05T15:30:00.25Z"))


def table(*entities):
    rows = pd.DataFrame({"entity": entities, "feature_set": "fs", "reasons": "[]", "scored_at": AT})
    return log_table(rows, [np.array([1.0, np.nan])] * len(rows), "score", ["boards"] * len(rows))


def entities(path, **wanted):
    return choose(log_files(path), Wanted(**wanted))[0]["entity"].to_pylist()


def test_a_file_is_named_by_the_instant_in_a_folder_of_its_day(tmp_path, monkeypatch):
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


def test_days_that_ended_before_the_rows_that_are_asked_for_are_not_opened(tmp_path):
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


def test_several_tables_are_one_file_and_few_rows_of_many_are_read(tmp_path):
    path = write_log(tmp_path, [table(*(f"a{k:05d}" for k in range(12_000))), table("z")])
    assert pq.ParquetFile(path).metadata.num_rows == 12_001
    assert entities(tmp_path, rows=3) == ["a00000", "a06000", "z"]
    assert entities(path, entity="a11999") == ["a11999"]


def test_a_write_that_fails_leaves_no_file(tmp_path):
    def tables():
        yield table("a")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_log(tmp_path, tables())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_write_left_is_not_read(tmp_path):
    path = write_log(tmp_path, [table("a")])
    path.with_name(f".{path.name}.1-2.part").write_bytes(path.read_bytes()[:100])
    assert entities(tmp_path) == ["a"]


def test_a_merged_file_of_another_name_is_read_too(tmp_path):
    write_log(tmp_path / "log", [table("a")])
    write_log(tmp_path / "log", [table("b")])
    merged = tmp_path / "merged.parquet"
    code = f"import duckdb; duckdb.sql(\"copy (from '{tmp_path}/log/*/*.parquet' order by entity) to '{merged}'\")"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    got, _ = choose(log_files(merged), Wanted())
    assert got.schema == REPLAYED
    assert got.equals(pa.concat_tables([table("a"), table("b")]).select(REPLAYED.names))


def test_a_file_of_a_release_with_other_columns_is_read_as_far_as_replaying_needs(tmp_path):
    pq.write_table(
        table("a").drop_columns(["nearest_missing"]).append_column("new", pa.array(["?"])), tmp_path / "a.parquet"
    )
    assert entities(tmp_path) == ["a"]


def test_one_entity_is_deleted_as_the_documents_say(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "score_log.md").read_text()
    code = re.search(r"```python\n(.+?)```", text, re.DOTALL)[1]
    write_log(tmp_path / "score_log", [table("acc-00007", "acc-00008")])
    write_log(tmp_path / "score_log", [table("acc-00007")])
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    assert entities(tmp_path / "score_log") == ["acc-00008"]


def test_no_log_is_said(tmp_path):
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


def test_a_file_of_something_else_is_named(tmp_path):
    scores = tmp_path / "scores.parquet"
    pq.write_table(table("a").drop_columns(["inputs", "inputs_digest"]), scores)
    with pytest.raises(DataError, match=rf"is of something else: it has no `inputs`. Received: {scores}"):
        entities(tmp_path)
    pq.write_table(table("a").drop_columns("score").append_column("score", pa.array(["much"])), scores)
    with pytest.raises(DataError, match=rf"cannot be read: .* Received: {scores}"):
        entities(tmp_path)
