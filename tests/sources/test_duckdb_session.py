"""A session is empty, in UTC, limited in memory, offline, and removed afterwards."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pql_model.errors import DataError
from pql_model.sources.duckdb_session import in_file_order, open_session, row_count


def setting(con, name):
    return {row[0]: row[1] for row in con.raw_sql("select name, value from duckdb_settings()").fetchall()}[name]


def test_session_is_in_utc_and_downloads_nothing():
    with open_session("1GB") as con:
        assert setting(con, "TimeZone") == "UTC"
        assert setting(con, "autoinstall_known_extensions") == "false"


def test_session_leaves_no_files_even_after_an_error():
    folders = []

    def work():
        with open_session("1GB") as con:
            folders.append(Path(setting(con, "temp_directory")).parent)
            con.create_table("t", pa.table({"a": [1]}))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        work()

    assert not folders[0].exists()


def test_two_sessions_are_independent():
    with open_session("1GB") as one, open_session("1GB") as other:
        one.create_table("t", pa.table({"a": [1]}))

        assert other.raw_sql("select count(*) from duckdb_tables()").fetchone() == (0,)


def test_environment_limits_the_memory(monkeypatch):
    monkeypatch.setenv("PQL_MEMORY_LIMIT", "512MiB")

    with open_session() as con:
        assert setting(con, "memory_limit") == "512.0 MiB"


def test_invalid_limit_is_refused(monkeypatch):
    monkeypatch.setenv("PQL_MEMORY_LIMIT", "lots")

    with pytest.raises(DataError, match=r"Invalid memory limit `lots`\. Allowed: .*4GB"), open_session():
        pass


@pytest.mark.parametrize("keep_order", [False, True])
def test_files_are_read_in_order_inside_the_block(keep_order):
    with open_session("1GB", keep_order) as con:
        with in_file_order(con):
            assert setting(con, "preserve_insertion_order") == "true"
        assert setting(con, "preserve_insertion_order") == str(keep_order).lower()


def test_rows_are_counted_in_stored_and_in_derived_tables_of_any_name():
    with open_session("1GB") as con:
        stored = con.create_table('odd "name', pa.table({"a": [1, 2, 2]}))
        assert (row_count(stored), row_count(stored.filter(stored.a == 2)), row_count(stored.distinct())) == (3, 2, 2)
