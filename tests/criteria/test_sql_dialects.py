"""Differences between the dialects."""

import pytest

from pql_model.criteria.sql_dialects import DIALECTS, dialect_of
from pql_model.criteria.sql_raw import col
from pql_model.errors import DataError
from pql_model.time import Duration, parse_instant

A, B = col("a"), col("b")
MOMENT = parse_instant("2026-01-08T12:30:00.000001Z")


def in_each(build):
    return {dialect: build(engine).sql(dialect) for dialect, engine in DIALECTS.items()}


def test_the_supported_dialects():
    assert list(DIALECTS) == ["duckdb", "postgres", "bigquery", "snowflake", "databricks", "redshift", "trino"]


def test_an_unknown_dialect_is_rejected_with_the_nearest_name():
    with pytest.raises(DataError, match=r"Unknown SQL dialect `postgresql`, did you mean `postgres`?"):
        dialect_of("postgresql")


def test_instants_keep_their_microseconds():
    assert in_each(lambda engine: engine.moment(MOMENT)) == {
        "duckdb": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMP)",
        "postgres": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMP)",
        "bigquery": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMP)",
        "snowflake": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMPNTZ)",
        "databricks": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMP_NTZ)",
        "redshift": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMP)",
        "trino": "CAST('2026-01-08 12:30:00.000001' AS TIMESTAMP(6))",
    }


def test_the_present_is_in_utc():
    assert in_each(lambda engine: engine.now()) == {
        "duckdb": "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'",
        "postgres": "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'",
        "bigquery": "CURRENT_TIMESTAMP()",
        "snowflake": "CAST(SYSDATE() AS TIMESTAMPNTZ)",
        "databricks": "CONVERT_TIMEZONE(CURRENT_TIMEZONE(), 'UTC', CAST(CURRENT_TIMESTAMP() AS TIMESTAMP_NTZ))",
        "redshift": "GETDATE()",
        "trino": "CAST(AT_TIMEZONE(CURRENT_TIMESTAMP, 'UTC') AS TIMESTAMP(6))",
    }


def test_intervals():
    assert in_each(lambda engine: engine.interval(Duration.parse("36h"))) == {
        "duckdb": "INTERVAL '36' HOUR",
        "postgres": "INTERVAL '36 HOUR'",
        "bigquery": "INTERVAL 36 HOUR",
        "snowflake": "INTERVAL '36 HOUR'",
        "databricks": "INTERVAL '36' HOUR",
        "redshift": "INTERVAL '36 HOUR'",
        "trino": "INTERVAL '36' HOUR",
    }


def test_differences_in_microseconds():
    assert in_each(lambda engine: engine.micros(A, B)) == {
        "duckdb": "DATE_DIFF('MICROSECOND', a, b)",
        "postgres": "ROUND(EXTRACT(EPOCH FROM b - a) * 1000000)",
        "bigquery": "TIMESTAMP_DIFF(b, a, MICROSECOND)",
        "snowflake": "TIMESTAMPDIFF(MICROSECOND, a, b)",
        "databricks": "TIMESTAMPDIFF(MICROSECOND, a, b)",
        "redshift": "DATEDIFF(MICROSECOND, a, b)",
        "trino": "ROUND(TO_UNIXTIME(b) * 1000000) - ROUND(TO_UNIXTIME(a) * 1000000)",
    }


def test_consecutive_days_are_consecutive_numbers():
    assert in_each(lambda engine: engine.day_number(A)) == {
        "duckdb": "DATE_DIFF('DAY', CAST('1970-01-01' AS DATE), a)",
        "postgres": "a - CAST('1970-01-01' AS DATE)",
        "bigquery": "DATE_DIFF(a, CAST('1970-01-01' AS DATE), DAY)",
        "snowflake": "DATEDIFF(DAY, CAST('1970-01-01' AS DATE), a)",
        "databricks": "DATEDIFF(DAY, CAST('1970-01-01' AS DATE), a)",
        "redshift": "DATEDIFF(DAY, CAST('1970-01-01' AS DATE), a)",
        "trino": "DATE_DIFF('DAY', CAST('1970-01-01' AS DATE), a)",
    }


def test_a_pattern_matches_anywhere_in_the_text():
    assert in_each(lambda engine: engine.matches(A, r"bot|\(x")) == {
        "duckdb": r"REGEXP_MATCHES(a, 'bot|\(x')",
        "postgres": r"a ~ 'bot|\(x'",
        "bigquery": r"REGEXP_CONTAINS(a, 'bot|\\(x')",
        "snowflake": r"REGEXP_INSTR(a, 'bot|\\(x') > 0",
        "databricks": r"REGEXP_LIKE(a, 'bot|\\(x')",
        "redshift": r"a ~ 'bot|\\(x'",
        "trino": r"REGEXP_LIKE(a, 'bot|\(x')",
    }


def test_only_postgres_rounds_decimals():
    rounded = in_each(lambda engine: engine.rounded(A, 8))

    assert rounded.pop("postgres") == "ROUND(CAST(a AS DECIMAL), 8)"
    assert set(rounded.values()) == {"ROUND(a, 8)"}


def test_unreadable_values_are_null_where_the_dialect_has_safe_casts():
    assert in_each(lambda engine: engine.read_double(A)) == {
        "duckdb": "TRY_CAST(a AS DOUBLE)",
        "postgres": "CAST(a AS DOUBLE PRECISION)",
        "bigquery": "SAFE_CAST(a AS FLOAT64)",
        "snowflake": "CAST(a AS DOUBLE)",
        "databricks": "TRY_CAST(a AS DOUBLE)",
        "redshift": "CAST(a AS DOUBLE PRECISION)",
        "trino": "TRY_CAST(a AS DOUBLE)",
    }


def test_a_field_of_json():
    assert in_each(lambda engine: engine.field(A, ["page", "size"])) == {
        "duckdb": "CAST(a AS JSON) ->> '$.page.size'",
        "postgres": "JSON_EXTRACT_PATH_TEXT(CAST(a AS JSON), 'page', 'size')",
        "bigquery": "JSON_VALUE(a, '$.page.size')",
        "snowflake": "JSON_EXTRACT_PATH_TEXT(a, 'page.size')",
        "databricks": "GET_JSON_OBJECT(a, '$.page.size')",
        "redshift": "JSON_EXTRACT_PATH_TEXT(a, 'page', 'size')",
        "trino": "JSON_EXTRACT_SCALAR(a, '$.page.size')",
    }


def test_a_json_field_with_any_name():
    assert in_each(lambda engine: engine.field(A, ["it's", 'a "b"'])) == {
        "duckdb": r"""CAST(a AS JSON) ->> '$."it''s"."a \"b\""'""",
        "postgres": r"""JSON_EXTRACT_PATH_TEXT(CAST(a AS JSON), 'it''s', 'a "b"')""",
        "bigquery": r"""JSON_VALUE(a, '$."it\'s"."a \\"b\\""')""",
        "snowflake": r"""JSON_EXTRACT_PATH_TEXT(a, '["it\'s"]["a \\"b\\""]')""",
        "databricks": r"""GET_JSON_OBJECT(a, '$[\'it\\\'s\'][\'a "b"\']')""",
        "redshift": r"""JSON_EXTRACT_PATH_TEXT(a, 'it\'s', 'a "b"')""",
        "trino": r"""JSON_EXTRACT_SCALAR(a, '$["it''s"]["a \"b\""]')""",
    }


@pytest.mark.parametrize(
    ("written", "snowflake", "elsewhere"),
    [
        ("account_id", "account_id", '"account_id"'),
        ("Order", '"Order"', '"Order"'),
        ("my col", '"my col"', '"my col"'),
        ('q"t', '"q""t"', '"q""t"'),
    ],
)
def test_names_are_quoted_except_plain_ones_in_snowflake(written, snowflake, elsewhere):
    assert DIALECTS["snowflake"].name(written).sql("snowflake") == snowflake
    assert DIALECTS["postgres"].name(written).sql("postgres") == elsewhere
