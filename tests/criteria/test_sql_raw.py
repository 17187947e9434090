"""Raw tables and columns in SQL."""

import pytest

from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.criteria.sql_raw import (
    Raw,
    case_when,
    col,
    is_present,
    number,
    one_of,
    or_null,
    plausible_time,
    table_names,
)

DUCKDB = DIALECTS["duckdb"]


def raw(**overrides):
    return Raw(DUCKDB, "data/events.csv", "events", **overrides)


def test_a_column_is_read_as_text_time_or_number_and_remembered():
    table = raw()
    texts = [table.text("who").sql("duckdb"), table.instant("at").sql("duckdb"), table.number("mb").sql("duckdb")]

    assert texts == [
        'TRIM(CAST("who" AS TEXT))',
        'TRY_CAST("at" AS TIMESTAMP)',
        'CASE WHEN ABS(TRY_CAST("mb" AS DOUBLE)) < 1E308 THEN TRY_CAST("mb" AS DOUBLE) END',
    ]
    assert table.read == {"who": "text", "at": "time", "mb": "number"}


def test_times_are_cut_to_their_date_where_the_config_says_so():
    assert (
        raw(day_only=True).instant("at").sql("duckdb") == 'CAST(CAST(TRY_CAST("at" AS TIMESTAMP) AS DATE) AS TIMESTAMP)'
    )


def test_a_name_with_a_dot_is_a_field_unless_there_is_such_a_column():
    field, column = raw(), raw(columns=["props.size"])

    assert field.plain("props.size").sql("duckdb") == "CAST(\"props\" AS JSON) ->> '$.size'"
    assert field.read == {"props": "JSON"}
    assert column.plain("props.size").sql("duckdb") == '"props.size"'


@pytest.mark.parametrize(
    ("table", "name", "written"),
    [("data/events.csv", "events", 'FROM "events"'), ("crm.accounts", "crm.accounts", 'FROM "crm"."accounts"')],
)
def test_a_file_is_one_name_and_a_table_may_have_a_schema(table, name, written):
    assert Raw(DUCKDB, table, name).select({"a": number(1)}, {}).sql("duckdb") == f"SELECT 1 AS a {written}"


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("events.parquet", "events"),
        ("logs/2025/*.parquet", "logs"),
        ("events_*.csv.gz", "events"),
        ("raw data/my-events.2025.csv", "my_events"),
        ("*.csv", "events"),
        ("2025.csv", "events"),
        ("analytics.events", "analytics.events"),
    ],
)
def test_a_table_is_named_after_its_file_or_table(table, name):
    assert table_names([table]) == {table: name}


def test_two_files_with_the_same_name_get_different_names():
    assert list(table_names(["a/x.csv", "b/X.csv", "a/x.csv", "c/x.csv"]).values()) == ["x", "X_2", "x_3"]


@pytest.mark.parametrize(
    ("values", "truths", "written"),
    [
        (["acme"], False, "a IN ('acme')"),
        (["12"], False, "a IN ('12', '12.0')"),
        (["1-10"], True, "a IN ('1-10')"),
        (["12.0"], False, "a IN ('12.0', '12')"),
        (["007"], False, "a IN ('007', '007.0')"),
        (["true"], True, "a IN ('true', 'TRUE', 'True')"),
        (["True"], True, "a IN ('True', 'true', 'TRUE')"),
        (["true"], False, "a IN ('true')"),
        (["True"], False, "a IN ('True')"),
    ],
)
def test_listed_values_match_however_they_are_written(values, truths, written):
    assert one_of(col("a"), values, truths).sql() == written


@pytest.mark.parametrize(("value", "written"), [(2.0, "2"), (-3.0, "-3"), (0.1, "0.1"), (1e300, "1e+300"), (0, "0")])
def test_numbers_are_written_without_needless_decimals(value, written):
    assert number(value).sql() == written


def test_a_time_is_possible_after_1900_before_2200_and_not_at_zero():
    assert [test.sql("duckdb") for test in plausible_time(DUCKDB, col("t"))] == [
        "t > CAST('1900-01-01' AS TIMESTAMP)",
        "t < CAST('2200-01-01' AS TIMESTAMP)",
        "t <> CAST('1970-01-01' AS TIMESTAMP)",
    ]


def test_small_expressions():
    assert is_present(col("a")).sql() == "NOT a IS NULL"
    assert or_null(col("a"), col("a").eq(1)).sql() == "(a IS NULL OR a = 1)"
    assert case_when(None, col("a")).sql() == "a"
    assert case_when(col("b"), col("a")).sql() == "CASE WHEN b THEN a END"
