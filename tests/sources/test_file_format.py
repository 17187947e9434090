"""What a file is, by its name and by its first bytes."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staging import put, read

from pql_model.errors import DataError
from pql_model.sources.file_format import file_kind

CONTENT = "a,b\n1,2\n3,4\n"
ROWS = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("e.csv", "csv"), ("E.TSV.GZ", "csv"), ("part/*.parquet", "parquet"), ("e.json", "json"), ("public.events", None)],
)
def test_the_ending_names_the_format(name, kind):
    assert file_kind(name) == kind


def test_compression_is_recognised_whatever_the_name_says(tmp_path):
    (tmp_path / "packed.csv").write_bytes(gzip.compress(CONTENT.encode()))
    (tmp_path / "plain.csv.gz").write_text(CONTENT)

    assert read(tmp_path, "packed.csv") == (ROWS, 0)
    assert read(tmp_path, "plain.csv.gz") == (ROWS, 0)


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", CONTENT)


def _sqlite(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (a)")


@pytest.mark.parametrize(
    ("write", "what", "remedy"),
    [
        (lambda path: pq.write_table(pa.table({"a": [1]}), path), "a Parquet file", "the ending .parquet"),
        (_zip, "a zip archive or an Excel workbook", "save the sheet as CSV"),
        (_sqlite, "a SQLite database", "connection: sqlite"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_file_of_another_format_is_refused_by_what_it_is(tmp_path, write, what, remedy, name):
    write(tmp_path / name)

    with pytest.raises(DataError, match=rf"{name} is {what}\..*{remedy}"):
        read(tmp_path, name)


def test_a_workbook_is_refused_by_what_it_is(tmp_path):
    _zip(tmp_path / "t.xlsx")

    with pytest.raises(DataError, match=r"t\.xlsx is a zip archive or an Excel workbook"):
        read(tmp_path, "t.xlsx")


def test_an_unknown_ending_is_refused_with_those_that_are_read(tmp_path):
    with pytest.raises(DataError, match=r"t\.log does not have a readable format.*csv, tsv, json lines"):
        read(tmp_path, put(tmp_path, "t.log", CONTENT))
