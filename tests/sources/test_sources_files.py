"""Names of files, Parquet, and tables of a connection."""

from __future__ import annotations

import datetime as dt
import sqlite3

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staging import put, read, rows_of_raw

from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.files import read_raw


def parquet(home, name, **columns):
    pq.write_table(pa.table(columns), home / name)
    return name


class TestNames:
    def test_a_missing_file_comes_with_the_nearest(self, tmp_path):
        put(tmp_path, "events.csv", "a\n1\n")

        with pytest.raises(DataError, match=r"There is no file event\.csv, did you mean `events\.csv`\?"):
            read(tmp_path, "event.csv")

    def test_a_missing_file_in_a_missing_folder_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no file data/events\.csv\. Received: .*events\.csv"):
            read(tmp_path, "data/events.csv")

    def test_a_glob_that_matches_nothing_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no file part/\*\.csv"):
            read(tmp_path, "part/*.csv")

    def test_a_folder_is_refused_with_what_it_holds(self, tmp_path):
        put(tmp_path, "part/1.csv", "a\n1\n")

        with pytest.raises(DataError, match=r"There is no file part\. Received: .*part, a folder\. Allowed: 1\.csv"):
            read(tmp_path, "part")

    def test_an_unknown_ending_is_refused_with_the_known_ones(self, tmp_path):
        put(tmp_path, "events.xlsx", "a")

        with pytest.raises(
            DataError, match=r"events\.xlsx does not have a readable format.*Allowed: csv, tsv, json lines"
        ):
            read(tmp_path, "events.xlsx")

    def test_a_glob_over_several_kinds_is_refused(self, tmp_path):
        put(tmp_path, "part/1.csv", "a\n1\n")
        put(tmp_path, "part/2.jsonl", '{"a": 1}\n')

        with pytest.raises(DataError, match=r"part/\* does not have a readable format"):
            read(tmp_path, "part/*")

    def test_a_glob_passes_over_folders_and_reaches_into_them_with_two_stars(self, tmp_path):
        put(tmp_path, "2026/01/1.csv", "a\n1\n")
        put(tmp_path, "2026/02/1.csv", "a\n2\n")

        assert read(tmp_path, "**/*.csv") == ([{"a": "1"}, {"a": "2"}], 0)

    @pytest.mark.parametrize("name", ["events [1].csv", "what?.csv", "it's.csv", "odd*.csv", "[2026]/events.csv"])
    def test_wildcard_characters_may_be_part_of_a_name(self, tmp_path, name):
        put(tmp_path, name, "a\n1\n")

        assert read(tmp_path, name) == ([{"a": "1"}], 0)

    def test_home_folder_may_contain_wildcard_characters(self, tmp_path):
        put(tmp_path / "shop [eu]", "part/1.csv", "a\n1\n")

        assert read(tmp_path / "shop [eu]", "part/*.csv") == ([{"a": "1"}], 0)

    def test_an_absolute_path_is_taken_as_it_is(self, tmp_path):
        put(tmp_path, "events.csv", "a\n1\n")

        assert read(tmp_path / "elsewhere", str(tmp_path / "events.csv")) == ([{"a": "1"}], 0)

    def test_urls_are_not_downloaded(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no file https://example\.org/events\.csv"):
            read(tmp_path, "https://example.org/events.csv")


class TestColumns:
    def test_missing_column_is_refused_with_the_nearest_and_the_key_to_correct(self, tmp_path):
        put(tmp_path, "t.csv", "account,occurred,action\n1,2,3\n")
        expected = (
            r"t\.csv has no column `ocurred`, did you mean `occurred`\?.* Received: events\[0\]\.columns\.time: ocurred"
        )

        with open_session("1GB") as con, pytest.raises(DataError, match=expected):
            read_raw(con, "t.csv", tmp_path).column("ocurred", "events[0].columns.time")

    def test_column_names_are_case_sensitive(self, tmp_path):
        put(tmp_path, "t.csv", "Size,size\n1,2\n")

        with open_session("1GB") as con:
            raw = read_raw(con, "t.csv", tmp_path)
            assert raw.table.select(x=raw.column("size", "k")).to_pyarrow()["x"].to_pylist() == ["2"]
            with pytest.raises(DataError, match=r"no column `SIZE`, did you mean `size`"):
                raw.column("SIZE", "k")


class TestParquet:
    def test_types_are_kept(self, tmp_path):
        day = dt.date(2026, 1, 31)
        parquet(tmp_path, "t.parquet", a=[1], b=[1.5], c=["x"], d=[True], e=[day])

        assert read(tmp_path, "t.parquet") == ([{"a": 1, "b": 1.5, "c": "x", "d": True, "e": day}], 0)

    def test_columns_of_several_files_are_matched_by_name(self, tmp_path):
        parquet(tmp_path, "1.parquet", a=[1], b=["x"])
        parquet(tmp_path, "2.parquet", b=["y"], c=[2.5], a=[2])

        assert read(tmp_path, "*.parquet") == (
            [{"a": 1, "b": "x", "c": None}, {"a": 2, "b": "y", "c": 2.5}],
            0,
        )

    def test_reserved_words_and_spaces_are_names(self, tmp_path):
        pq.write_table(pa.table({"at": [1], "order": [2], "group by": [3], "document": ["x"]}), tmp_path / "t.parquet")

        assert read(tmp_path, "t.parquet") == ([{"at": 1, "order": 2, "group by": 3, "document": "x"}], 0)

    def test_dictionary_column_is_read_as_its_texts(self, tmp_path):
        parquet(tmp_path, "t.parquet", a=pa.array(["x", "y", "x"]).dictionary_encode())

        assert read(tmp_path, "t.parquet") == ([{"a": "x"}, {"a": "x"}, {"a": "y"}], 0)

    def test_a_table_without_rows_has_its_columns(self, tmp_path):
        parquet(tmp_path, "t.parquet", a=pa.array([], pa.string()))

        with open_session("1GB") as con:
            raw = read_raw(con, "t.parquet", tmp_path)
            assert (raw.columns, rows_of_raw(raw)) == (["a"], [])

    def test_dot_reaches_into_a_struct_and_into_json(self, tmp_path):
        parquet(tmp_path, "t.parquet", p=[{"size": 3, "file": {"kind": "pdf"}}], document=['{"size": 4}'])

        with open_session("1GB") as con:
            raw = read_raw(con, "t.parquet", tmp_path)
            names = ("p.size", "p.file.kind", "document.size")
            row = raw.table.select(**{f"k{i}": raw.column(name, "k") for i, name in enumerate(names)}).to_pyarrow()
            assert row.to_pylist() == [{"k0": 3, "k1": "pdf", "k2": "4"}]
            with pytest.raises(
                DataError, match=r"no column `p\.sise`, did you mean `p\.size`.*Allowed: p, document, p.size"
            ):
                raw.column("p.sise", "k")

    def test_file_that_is_not_parquet_is_refused(self, tmp_path):
        put(tmp_path, "t.parquet", "a,b\n1,2\n" * 10)

        with pytest.raises(DataError, match=r"t\.parquet cannot be read: .*Fix: check that the file is complete"):
            read(tmp_path, "t.parquet")

    def test_truncated_parquet_is_refused(self, tmp_path):
        parquet(tmp_path, "t.parquet", a=list(range(1000)))
        (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-20])

        with pytest.raises(DataError, match=r"t\.parquet cannot be read"):
            read(tmp_path, "t.parquet")


@pytest.fixture
def shop(tmp_path):
    """A folder with the same little table in DuckDB and in SQLite."""
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute('create table events (account integer, "order" varchar, "at" timestamp)')
        con.execute("insert into events values (1, 'x', '2026-01-31 12:00:00'), (2, 'y', null)")
        con.execute("create view recent as select account from events")
        con.execute("create schema raw")
        con.execute("create table raw.lessons as select 7 as account")
    lite = sqlite3.connect(tmp_path / "shop.db")
    lite.execute('create table events (account integer, "order" text, "at" datetime)')
    lite.execute("insert into events values (1, 'x', '2026-01-31 12:00:00'), (2, 'y', 'nonsense'), (3, null, 17)")
    lite.commit()
    lite.close()
    return tmp_path


class TestConnections:
    @pytest.mark.parametrize("url", ["duckdb://shop.duckdb", "duckdb:///shop.duckdb", "duckdb:shop.duckdb"])
    def test_a_duckdb_file_is_found_from_the_folder_of_the_config(self, shop, url):
        noon = dt.datetime(2026, 1, 31, 12)

        assert read(shop, "events", url) == (
            [{"account": 1, "order": "x", "at": noon}, {"account": 2, "order": "y", "at": None}],
            0,
        )

    def test_absolute_path_to_a_duckdb_file_is_accepted(self, shop):
        assert read(shop / "elsewhere", "recent", f"duckdb://{shop}/shop.duckdb") == (
            [{"account": 1}, {"account": 2}],
            0,
        )

    @pytest.mark.parametrize("table", ["events", "main.events"])
    def test_several_tables_of_one_connection_can_be_read(self, shop, table):
        with open_session("1GB") as con:
            first = read_raw(con, table, shop, "duckdb://shop.duckdb", name="first")
            second = read_raw(con, "raw.lessons", shop, "duckdb://shop.duckdb", name="second")
            assert (len(rows_of_raw(first)), rows_of_raw(second)) == (2, [{"account": 7}])

    def test_path_may_contain_a_quote(self, tmp_path):
        (tmp_path / "bob's").mkdir()
        with duckdb.connect(str(tmp_path / "bob's" / "shop.duckdb")) as con:
            con.execute("create table t as select 1 as a")

        assert read(tmp_path / "bob's", "t", "duckdb://shop.duckdb") == ([{"a": 1}], 0)

    @pytest.mark.parametrize("url", ["sqlite:///shop.db", "sqlite://shop.db"])
    def test_sqlite_columns_are_read_as_texts(self, shop, url):
        assert read(shop, "events", url) == (
            [
                {"account": "1", "order": "x", "at": "2026-01-31 12:00:00"},
                {"account": "2", "order": "y", "at": "nonsense"},
                {"account": "3", "order": None, "at": "17"},
            ],
            0,
        )

    @pytest.mark.parametrize("url", ["duckdb://shop.duckdb", "sqlite:///shop.db"])
    def test_an_unknown_table_comes_with_the_nearest(self, shop, url):
        with pytest.raises(DataError, match=r"The connection has no table `event`, did you mean `events`\?"):
            read(shop, "event", url)

    @pytest.mark.parametrize("url", ["duckdb://shap.duckdb", "sqlite:///shap.db"])
    def test_missing_database_is_refused_with_the_nearest_and_not_created(self, shop, url):
        with pytest.raises(DataError, match=r"There is no database .*shap\.\w+, did you mean `shop\.\w+`\?"):
            read(shop, "events", url)

        assert sorted(path.name for path in shop.iterdir()) == ["shop.db", "shop.duckdb"]

    @pytest.mark.parametrize("url", ["duckdb://shop.db", "sqlite:///shop.duckdb"])
    def test_database_of_another_kind_is_refused_without_downloads(self, shop, url):
        with pytest.raises(DataError, match=r"The connection failed: .*") as caught:
            read(shop, "events", url)

        assert "http" not in str(caught.value)

    def test_an_unknown_scheme_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"The connection failed: .*Received: nosuch://host"):
            read(tmp_path, "events", "nosuch://host")

    def test_password_is_not_shown(self, tmp_path):
        with pytest.raises(DataError, match=r"Received: nosuch://me:\*\*\*@host/db") as caught:
            read(tmp_path, "events", "nosuch://me:secret@host/db")

        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("url", ["duckdb://", "duckdb://shop.duckdb"])
    def test_files_can_be_read_beside_a_connection(self, shop, url):
        put(shop, "t.csv", "a\n1\n")

        assert read(shop, "t.csv", url) == ([{"a": "1"}], 0)

    def test_without_a_connection_a_table_is_a_file(self, shop):
        with pytest.raises(DataError, match=r"There is no file events"):
            read(shop, "events", "duckdb://")


def test_parquet_files_with_times_and_numbers_in_one_column_are_refused(tmp_path):
    for number, values in enumerate((pa.array([0], pa.timestamp("us")), pa.array([1_767_225_600]))):
        pq.write_table(pa.table({"at": values}), tmp_path / f"part-{number}.parquet")

    with pytest.raises(DataError, match=r"different types in `at`.*times in part-0.parquet, numbers in part-1.parquet"):
        read(tmp_path, "part-*.parquet")


def test_a_part_without_the_header_of_the_others_is_refused(tmp_path):
    put(tmp_path, "pay-aa.csv", "account,paid_at,mrr\na,2026-01-20,9\nb,2026-01-21,9\n")
    put(tmp_path, "pay-ab.csv", "c,2026-01-22,9\n")
    with open_session("1GB") as con:
        raw = read_raw(con, "pay-*.csv", tmp_path)
        with pytest.raises(DataError, match=r"Some files of pay-\*.csv have no column `paid_at`.*pay-ab.csv"):
            raw.column("paid_at", "conversions.columns.time")
        raw.column("mrr", "conversions.columns.value")  # may be missing in some
