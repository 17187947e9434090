"""Differences between SQL dialects: names, types, instants, time arithmetic, regular expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import Dialect, exp

from pql_model.errors import DataError, did_you_mean, nearest
from pql_model.time import Duration, to_datetime

Node = exp.Expr

_UNITS = {"d": "DAY", "h": "HOUR", "m": "MINUTE", "s": "SECOND"}
_DAY_ZERO = "1970-01-01"


def _path(keys: Sequence[str], unusual: str) -> str:
    """Path to a field inside JSON; `unusual` is the form of a key that is not a plain word."""
    plain = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
    quote = "'" if "'" in unusual else '"'
    parts = [key.replace("\\", "\\\\").replace(quote, f"\\{quote}") for key in keys]
    return "".join(f".{key}" if plain.fullmatch(key) else unusual.format(key) for key in parts)


def _called(function: str, x: Node, *texts: str) -> Node:
    return exp.Anonymous(this=function, expressions=[x, *map(exp.Literal.string, texts)])


class SqlDialect:
    """DuckDB; the other dialects override what differs.

    Instants are timestamps in UTC without a time zone, so a day always has 24 hours.

    Attributes
    ----------
    dialect : str
        Its name in sqlglot and on the command line.
    instant_type : str
        The type of an instant, with microseconds.
    in_utc : str
        Statement that sets a session to UTC, for tables whose times carry a time zone.
    safe_casts : bool
        Whether a text that is not a valid time or number is read as null; otherwise the statement fails.
    materialize : bool
        Whether a step that is read several times needs the hint to be computed once.
    each_id : str or None
        Query that returns a row for each distinct id in the JSON text of `entity`; None where there is none.
    """

    dialect = "duckdb"
    instant_type = "TIMESTAMP"
    in_utc = "SET TimeZone = 'UTC'"
    safe_casts = True
    materialize = False
    each_id: str | None = """SELECT l.id FROM e CROSS JOIN UNNEST(LIST_DISTINCT(
        CASE WHEN e.entity LIKE '[%' AND JSON_VALID(e.entity)
        THEN CAST(CAST(e.entity AS JSON) AS TEXT[]) ELSE [e.entity] END)) AS l(id)"""

    def name(self, text: str) -> exp.Identifier:
        """A table or column name of the user, exactly as written."""
        return exp.to_identifier(text, quoted=True)

    def field(self, column: Node, path: Sequence[str]) -> Node:
        """The text of a field in a column that holds JSON, also as text."""
        document = exp.cast(column, "JSON")
        return exp.JSONExtractScalar(this=document, expression=exp.Literal.string("$" + _path(path, '."{}"')))

    def text(self, x: Node) -> Node:
        return exp.cast(x, "TEXT")

    def json_of_array(self, x: Node) -> Node:
        """The JSON text of a column of arrays."""
        return self.text(_called("TO_JSON", x))

    def double(self, x: Node) -> Node:
        return exp.cast(x, "DOUBLE")

    def read_double(self, x: Node) -> Node:
        """Read a column of numbers."""
        return self._read(self.double(x))

    def instant(self, x: Node) -> Node:
        return exp.cast(x, exp.DataType.build(self.instant_type, dialect=self.dialect))

    def read_instant(self, x: Node) -> Node:
        """Read a column of times."""
        return self._read(self.instant(x))

    def _read(self, cast: Node) -> Node:
        return exp.TryCast(this=cast.this, to=cast.args["to"], safe=True) if self.safe_casts else cast

    def day(self, x: Node) -> Node:
        """The UTC day of an instant."""
        return exp.cast(x, "DATE")

    def moment(self, instant: int) -> Node:
        """A literal instant."""
        text = to_datetime(instant).replace(tzinfo=None).isoformat(sep=" ")
        return self.instant(exp.Literal.string(text.removesuffix(" 00:00:00")))

    def now(self) -> Node:
        """The present instant."""
        return exp.AtTimeZone(this=exp.CurrentTimestamp(), zone=exp.Literal.string("UTC"))

    def interval(self, length: Duration) -> Node:
        text = str(length)
        return exp.Interval(this=exp.Literal.string(text[:-1]), unit=exp.var(_UNITS[text[-1]]))

    def micros(self, start: Node, end: Node) -> Node:
        """Microseconds from one instant to another."""
        return exp.TimestampDiff(this=end, expression=start, unit=exp.var("MICROSECOND"))

    def day_number(self, day: Node) -> Node:
        """Days since 1970 as a whole number, so that consecutive days are consecutive numbers."""
        zero = self.day(exp.Literal.string(_DAY_ZERO))
        return exp.DateDiff(this=day, expression=zero, unit=exp.var("DAY"))

    def matches(self, x: Node, pattern: str) -> Node:
        """Whether a regular expression matches anywhere in a text."""
        return exp.RegexpLike(this=x, expression=exp.Literal.string(pattern))

    def ordered(self, x: Node, desc: bool = False) -> exp.Ordered:
        """Order by what is never null, without a NULLS clause, which BigQuery refuses in frames."""
        nulls = Dialect.get_or_raise(self.dialect).NULL_ORDERING
        first = nulls == "nulls_are_large" if desc else nulls == "nulls_are_small"
        return exp.Ordered(this=x.copy(), desc=desc, nulls_first=first)

    def rounded(self, x: Node, digits: int) -> Node:
        return exp.Round(this=x, decimals=exp.Literal.number(digits))


class Postgres(SqlDialect):
    """PostgreSQL 12 or later."""

    dialect = "postgres"
    in_utc = "SET TIME ZONE 'UTC'"
    safe_casts = False
    materialize = True  # otherwise the events are computed again for every entity
    each_id = """SELECT l.id FROM e CROSS JOIN LATERAL (SELECT DISTINCT x.id FROM JSONB_ARRAY_ELEMENTS_TEXT(
        CASE WHEN e.entity LIKE '[%' THEN CAST(e.entity AS JSONB) ELSE JSONB_BUILD_ARRAY(e.entity) END) AS x(id)) AS l"""

    def field(self, column: Node, path: Sequence[str]) -> Node:
        return _called("JSON_EXTRACT_PATH_TEXT", exp.cast(column, "JSON"), *path)

    def micros(self, start: Node, end: Node) -> Node:
        seconds = exp.Extract(this=exp.var("EPOCH"), expression=exp.Sub(this=end, expression=start))
        return exp.Round(this=exp.Mul(this=seconds, expression=exp.Literal.number(1_000_000)))

    def day_number(self, day: Node) -> Node:
        return exp.Sub(this=day, expression=self.day(exp.Literal.string(_DAY_ZERO)))

    def rounded(self, x: Node, digits: int) -> Node:
        return super().rounded(exp.cast(x, "DECIMAL"), digits)  # ROUND with digits does not take a double


class BigQuery(SqlDialect):
    """BigQuery, whose TIMESTAMP is always in UTC."""

    dialect = "bigquery"
    in_utc = ""
    each_id = """SELECT id FROM e CROSS JOIN UNNEST(ARRAY(SELECT DISTINCT x FROM UNNEST(
        CASE WHEN e.entity LIKE '[%' THEN JSON_VALUE_ARRAY(e.entity) ELSE [e.entity] END) AS x)) AS id"""

    def json_of_array(self, x: Node) -> Node:
        return _called("TO_JSON_STRING", x)

    def field(self, column: Node, path: Sequence[str]) -> Node:
        return _called("JSON_VALUE", column, "$" + _path(path, '."{}"'))

    def instant(self, x: Node) -> Node:
        return exp.cast(x, "TIMESTAMPTZ")  # sqlglot's name for BigQuery's TIMESTAMP

    def now(self) -> Node:
        return exp.CurrentTimestamp()

    def interval(self, length: Duration) -> Node:
        text = str(length)
        return exp.Interval(this=exp.Literal.number(text[:-1]), unit=exp.var(_UNITS[text[-1]]))


class Snowflake(SqlDialect):
    """Snowflake. Plain names stay unquoted, since quotes would make them differ from their upper-case form."""

    dialect = "snowflake"
    instant_type = "TIMESTAMP_NTZ"
    in_utc = "ALTER SESSION SET TIMEZONE = 'UTC'"
    safe_casts = False  # its TRY_CAST takes texts only
    each_id = """SELECT CAST(l.value AS TEXT) AS id FROM e CROSS JOIN LATERAL FLATTEN(INPUT => ARRAY_DISTINCT(
        CASE WHEN e.entity LIKE '[%' THEN PARSE_JSON(e.entity) ELSE ARRAY_CONSTRUCT(e.entity) END)) AS l"""

    def field(self, column: Node, path: Sequence[str]) -> Node:
        return _called("JSON_EXTRACT_PATH_TEXT", column, _path(path, '["{}"]').removeprefix("."))

    def name(self, text: str) -> exp.Identifier:
        plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.upper() not in _SNOWFLAKE_WORDS.split()
        return exp.to_identifier(text, quoted=not plain)

    def now(self) -> Node:
        return self.instant(exp.Anonymous(this="SYSDATE"))  # the instant in UTC, whatever the session's time zone

    def matches(self, x: Node, pattern: str) -> Node:
        position = _called("REGEXP_INSTR", x, pattern)
        return exp.GT(this=position, expression=exp.Literal.number(0))  # REGEXP_LIKE must match the whole text


class Databricks(SqlDialect):
    """Databricks SQL, and Spark 3.4 or later."""

    dialect = "databricks"
    instant_type = "TIMESTAMP_NTZ"
    in_utc = "SET TIME ZONE 'UTC'"
    each_id = """SELECT l.id FROM e LATERAL VIEW EXPLODE(ARRAY_DISTINCT(
        CASE WHEN e.entity LIKE '[%' THEN FROM_JSON(e.entity, 'ARRAY<STRING>') ELSE ARRAY(e.entity) END)) l AS id"""

    def field(self, column: Node, path: Sequence[str]) -> Node:
        return _called("GET_JSON_OBJECT", column, "$" + _path(path, "['{}']"))

    def now(self) -> Node:
        zone = exp.Anonymous(this="CURRENT_TIMEZONE")
        local = self.instant(exp.CurrentTimestamp())
        return exp.Anonymous(this="CONVERT_TIMEZONE", expressions=[zone, exp.Literal.string("UTC"), local])


class Redshift(SqlDialect):
    """Amazon Redshift."""

    dialect = "redshift"
    each_id = None
    in_utc = "SET timezone TO 'UTC'"
    safe_casts = False

    def field(self, column: Node, path: Sequence[str]) -> Node:
        return _called("JSON_EXTRACT_PATH_TEXT", column, *path)

    def now(self) -> Node:
        return exp.CurrentTimestamp()  # GETDATE(), which is in UTC

    def micros(self, start: Node, end: Node) -> Node:
        return exp.DateDiff(this=end, expression=start, unit=exp.var("MICROSECOND"))


class Trino(SqlDialect):
    """Trino and Starburst, whose plain TIMESTAMP has only milliseconds."""

    dialect = "trino"
    instant_type = "TIMESTAMP(6)"
    in_utc = "SET TIME ZONE 'UTC'"
    each_id = """SELECT l.id FROM e CROSS JOIN UNNEST(ARRAY_DISTINCT(
        CASE WHEN e.entity LIKE '[%' THEN CAST(JSON_PARSE(e.entity) AS ARRAY(VARCHAR)) ELSE ARRAY[e.entity] END)) AS l(id)"""

    def json_of_array(self, x: Node) -> Node:
        return _called("JSON_FORMAT", exp.cast(x, "JSON"))

    def field(self, column: Node, path: Sequence[str]) -> Node:
        return _called("JSON_EXTRACT_SCALAR", column, "$" + _path(path, '["{}"]'))

    def now(self) -> Node:
        return self.instant(super().now())

    def micros(self, start: Node, end: Node) -> Node:
        return exp.Sub(this=self._since_1970(end), expression=self._since_1970(start))

    def _since_1970(self, x: Node) -> Node:
        seconds = exp.Anonymous(this="TO_UNIXTIME", expressions=[x])  # its DATE_DIFF has only milliseconds
        return exp.Round(this=exp.Mul(this=seconds, expression=exp.Literal.number(1_000_000)))


DIALECTS: dict[str, SqlDialect] = {
    each.dialect: each
    for each in (SqlDialect(), Postgres(), BigQuery(), Snowflake(), Databricks(), Redshift(), Trino())
}
"""Name -> dialect."""

_SNOWFLAKE_WORDS = (
    "ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE "
    "CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DELETE DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR FROM FULL GRANT "
    "GROUP HAVING ILIKE IN INCREMENT INNER INSERT INTERSECT INTO IS JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP MINUS "
    "NATURAL NOT NULL OF ON OR ORDER QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS SAMPLE SELECT SET SOME START TABLE "
    "TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION UNIQUE UPDATE USING VALUES WHEN WHENEVER WHERE WITH"
)
"""Words that Snowflake does not accept as an unquoted column name."""


def dialect_of(dialect: str) -> SqlDialect:
    """Return a dialect by name.

    Raises
    ------
    DataError
        If the name is unknown, with the nearest known one.

    Examples
    --------
    >>> dialect_of("postgres").moment(0).sql("postgres")
    "CAST('1970-01-01' AS TIMESTAMP)"
    """
    if dialect in DIALECTS:
        return DIALECTS[dialect]
    raise DataError(
        f"Unknown SQL dialect `{dialect}`" + did_you_mean(nearest(dialect, DIALECTS)),
        received=dialect,
        allowed=list(DIALECTS),
        remedy="choose one with `--dialect`",
    )
