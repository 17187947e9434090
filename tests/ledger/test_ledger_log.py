"""The score log as the ledger reads it: files of several versions, a process killed while writing, foreign files."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pql_model.errors import DataError
from pql_model.ledger.log import LOGGED, read_log_batches, read_log_files
from pql_model.score_log.files import log_files, write_log
from pql_model.score_log.log_schema import SCHEMA
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY

ROW = {
    "entity": "a",
    "as_of": 20_000 * DAY + 1,
    "scored_at": 20_000 * DAY + 2,
    "source": "score",
    "model_name": "shop",
    "model_version": "1",
    "feature_set": "f",
    "probability": 0.25,
    "reasons": "[]",
    "inputs": [1.0, None],
    "inputs_digest": "x",
}


@pytest.fixture(scope="module")
def con():
    with open_session("1GB") as con:
        yield con


def logged(**cells):
    return pa.Table.from_pylist([{**ROW, **cells}], schema=SCHEMA)


def paths(folder):
    return [file.path for file in log_files(folder)]


def test_files_of_an_earlier_version_lack_columns_and_are_read(con, tmp_path):
    write_log(tmp_path, [logged(is_pql=True, expected_value=3.5)])
    pq.write_table(logged(entity="b").drop_columns(["expected_value", "meets_in_force"]), tmp_path / "older.parquet")

    table = read_log_files(con, paths(tmp_path))

    assert table.schema() == LOGGED
    rows = sorted(table.to_pyarrow().to_pylist(), key=lambda row: row["entity"])
    assert [(r["entity"], r["is_pql"], r["expected_value"]) for r in rows] == [("a", True, 3.5), ("b", None, None)]
    assert (rows[0]["as_of"], rows[0]["scored_at"]) == (ROW["as_of"], ROW["scored_at"])


def test_what_a_killed_process_left_of_a_file_is_not_read(con, tmp_path):
    def killed():
        yield logged(entity="b")
        raise KeyboardInterrupt

    write_log(tmp_path, [logged()])
    half = write_log(tmp_path, [logged(entity="c")])
    half.rename(half.with_name(f".{half.name}.7-7.part"))
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        write_log(tmp_path, killed())

    assert read_log_files(con, paths(tmp_path)).to_pyarrow()["entity"].to_pylist() == ["a"]


def test_a_damaged_file_is_named(con, tmp_path):
    path = write_log(tmp_path, [logged()])
    path.write_bytes(path.read_bytes()[:-50])

    with pytest.raises(DataError, match=f"A file of the score log cannot be read: .* Received: {path}"):
        read_log_files(con, [path])


def test_a_foreign_file_is_named(con, tmp_path):
    pq.write_table(pa.table({"entity": ["a"]}), tmp_path / "x.parquet")

    with pytest.raises(DataError, match=r"not part of it: it has no column `scored_at`"):
        read_log_files(con, [tmp_path / "x.parquet"])


@pytest.mark.parametrize(
    ("column", "values"), [("as_of", ["2026-01-01"]), ("probability", ["high"]), ("is_pql", ["yes"])]
)
def test_a_column_of_another_type_is_named(con, tmp_path, column, values):
    path = write_log(tmp_path, [logged()])
    rows = pq.read_table(path)
    pq.write_table(rows.set_column(rows.schema.get_field_index(column), column, pa.array(values)), path)

    with pytest.raises(DataError, match=f"has a column `{column}` of another type"):
        read_log_files(con, [path])


def test_a_log_without_files_is_empty(con):
    assert read_log_files(con, []).schema() == LOGGED
    assert read_log_files(con, []).count().to_pyarrow().as_py() == 0


def test_rows_of_a_database_are_read_part_by_part(con):
    table = read_log_batches(con, [logged(), logged(entity="b", as_of=None)])

    assert table.schema() == LOGGED
    rows = table.order_by("entity").to_pyarrow().to_pylist()
    assert [(row["entity"], row["as_of"]) for row in rows] == [("a", ROW["as_of"]), ("b", None)]
