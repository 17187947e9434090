"""The raw tables of `pql.yaml` in SQL: their names, and their columns read as text, time or number.

`pql_model.sources.casts` decides how a column is read; this module must agree with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from pql_model.config.row_filter import RowFilter
from pql_model.criteria.sql_dialects import Node, SqlDialect
from pql_model.sources.file_format import file_kind
from pql_model.sources.scalars import MISSING_IDS, canonical_value, spellings
from pql_model.sources.time_forms import EARLIEST, LATEST, NEVER, NEVER_BEFORE, NEVER_FROM
from pql_model.time import parse_instant

RAW = "raw"
"""Marks a raw table among the steps of the statement."""
Cte = tuple[str, exp.Query]
"""Name of a step, and its query."""
_NO_ID = f"^({'|'.join(re.escape(word) for word in MISSING_IDS)})?$"
"""Lower-case texts that stand for a missing id."""


def col(name: str, table: str | None = None) -> exp.Column:
    """A column that the statement itself names."""
    return exp.column(name, table)


def literal(text: str) -> exp.Literal:
    return exp.Literal.string(text)


def number(value: float) -> Node:
    """A number in its shortest form: 2 and not 2.0."""
    return exp.convert(int(value) if float(value).is_integer() and abs(value) < 1e15 else value)


def aliased(node: Node, name: str) -> Node:
    """`node AS name`, unless it already has that name."""
    return node.copy() if isinstance(node, exp.Column) and node.name == name else exp.alias_(node, name)


def case_when(test: Node | None, value: Node) -> Node:
    """`value` where the test holds, otherwise null."""
    return value.copy() if test is None else exp.case().when(test.copy(), value.copy())


def plus(time: Node, length: Node) -> Node:
    return exp.Add(this=time.copy(), expression=length)


def minus(time: Node, length: Node) -> Node:
    return exp.Sub(this=time.copy(), expression=length)


def is_present(column: Node) -> Node:
    """Whether a value is present."""
    return exp.not_(column.copy().is_(exp.null()))


def ascending(node: Node) -> exp.Ordered:
    """Nulls last, in every dialect."""
    return exp.Ordered(this=node.copy(), nulls_first=False)


def descending(node: Node) -> exp.Ordered:
    return exp.Ordered(this=node.copy(), desc=True, nulls_first=False)


def over(
    function: Node,
    partition: Node | Sequence[Node],
    *ranks: Node,
    rows: tuple[str | None, str | None] | None = None,
) -> Node:
    """A window function over the rows with the same value of `partition`, ordered by `ranks`.

    `rows` says where its frame starts and ends: `UNBOUNDED`, or None for the current row.
    """
    keys = partition if isinstance(partition, Sequence) else [partition]
    order = exp.Order(expressions=list(ranks)) if ranks else None
    spec = None
    if rows is not None:
        (start, end), current = rows, "CURRENT ROW"
        sides = {"start": start or current, "start_side": "PRECEDING" if start else None}
        sides |= {"end": end or current, "end_side": "FOLLOWING" if end else None}
        spec = exp.WindowSpec(kind="ROWS", **sides)
    return exp.Window(this=function, partition_by=[key.copy() for key in keys], order=order, spec=spec)


def row_number(partition: Node | Sequence[Node], *ranks: Node) -> Node:
    """Number the rows with the same value of `partition`, ordered by `ranks`."""
    return over(exp.RowNumber(), partition, *ranks)


def one_of(text: Node, values: Sequence[str], truths: bool = False) -> Node:
    """Whether a text is listed; 12 is also 12.0, and with `truths` true is also TRUE."""
    forms = dict.fromkeys(form for value in values for form in spellings(value, truths))
    return text.isin(*[literal(form) for form in forms])


def _with_zeros(values: Sequence[str]) -> list[str]:
    """The values, and whole numbers also as a column of decimals writes them: 49 is 49.00."""
    whole = [value for value in map(canonical_value, values) if re.fullmatch(r"-?\d+", value)]
    return [*values, *(f"{value}.{'0' * places}" for value in whole for places in (2, 3, 4))]


def plausible_time(engine: SqlDialect, time: Node) -> list[Node]:
    """Tests that a time is plausible: an unset time is often stored as the year 1, 1900, 1970 or 9999."""
    return [time > engine.moment(EARLIEST), time < engine.moment(LATEST), time.neq(engine.moment(0))]


def never_as_null(engine: SqlDialect, time: Node) -> Node:
    """The time, or null where it stands for "never": needed where a missing time differs from an unreadable one."""
    never: list[Node] = [time < engine.moment(NEVER_BEFORE), time >= engine.moment(NEVER_FROM)]
    never += [exp.and_(time >= engine.moment(first), time < engine.moment(end)) for first, end in NEVER]
    return exp.case().when(exp.or_(*never), exp.null()).else_(time.copy())


_COMPARISONS = {"at_least": exp.GTE, "at_most": exp.LTE, "above": exp.GT, "below": exp.LT}


def or_null(column: Node, *tests: Node) -> Node:
    """Whether the column is null or passes the tests."""
    return exp.paren(exp.or_(column.copy().is_(exp.null()), exp.and_(*tests)))


@dataclass
class Raw:
    """A raw table. It records which of its columns are read, and as which type.

    Attributes
    ----------
    table, name : str
        Its name in the config and in SQL.
    day_only : bool
        Whether times are truncated to their UTC date.
    columns : collection of str, optional
        All its columns, if known: `properties.size` may be one of them, otherwise it is a field of `properties`.
    lists : mapping
        Column of ids whose cells hold lists -> `array`, or `json` for their text.
    """

    engine: SqlDialect
    table: str
    name: str
    day_only: bool = False
    columns: Collection[str] | None = None
    lists: Mapping[str, str] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)

    def plain(self, name: str, kind: str = "text") -> Node:
        """The column, unconverted."""
        path = name.split(".")
        nested = len(path) > 1 and name not in (self.columns or ())
        outer = path[0] if nested else name
        self.read.setdefault(outer, "JSON" if nested else kind)
        column = exp.column(self.engine.name(outer))
        return self.engine.field(column, path[1:]) if nested else column

    def text(self, name: str) -> Node:
        """Trimmed text."""
        return exp.Trim(this=self.engine.text(self.plain(name)))

    def identifier(self, name: str) -> Node:
        """Trimmed text; null for a text that stands for a missing id."""
        return case_when(exp.not_(self.engine.matches(exp.Lower(this=self.text(name)), _NO_ID)), self.text(name))

    def id_list(self, name: str) -> Node:
        """JSON text of a cell that may hold a list of ids."""
        cell = self.plain(name, "list" if self.lists[name] == "array" else "text")
        return self.engine.json_of_array(cell) if self.lists[name] == "array" else self.engine.text(cell)

    def instant(self, name: str) -> Node:
        expression = self.engine.read_instant(self.plain(name, "time"))
        return self.engine.instant(self.engine.day(expression)) if self.day_only else expression

    def number(self, name: str) -> Node:
        """A finite number, otherwise null."""
        expression = self.engine.read_double(self.plain(name, "number"))
        return case_when(exp.Abs(this=expression.copy()) < exp.Literal.number("1E308"), expression)

    def accepts(self, name: str, row_filter: RowFilter) -> Node:
        """Whether a filter of `where:` accepts the value of a column."""
        if not row_filter.tests_value:
            missing = self.identifier(name).is_(exp.null())
            return missing if row_filter.accepts_missing else exp.not_(missing)
        tests: list[Node] = []
        if row_filter.bounds:
            value = self.instant(name) if row_filter.of_times else self.number(name)
            tests += plausible_time(self.engine, value) if row_filter.of_times else []
            for key, bound in row_filter.bounds.items():
                limit = self.engine.moment(parse_instant(bound)) if isinstance(bound, str) else number(bound)
                tests.append(_COMPARISONS[key](this=value.copy(), expression=limit))
        if row_filter.in_ is not None:
            tests.append(one_of(self.text(name), _with_zeros(row_filter.in_), truths=True))
        if row_filter.not_ is not None:
            tests.append(exp.not_(one_of(self.text(name), _with_zeros(row_filter.not_), truths=True)))
        if row_filter.accepts_missing:
            return exp.paren(exp.or_(self.identifier(name).is_(exp.null()), exp.and_(*tests)))
        values = (row_filter.in_ or []) if row_filter.not_ is None else MISSING_IDS
        if any(value.lower() in MISSING_IDS for value in values):  # other tests exclude a missing value by themselves
            tests.insert(0, is_present(self.identifier(name)))
        return exp.and_(*tests)

    def select(self, columns: Mapping[str, Node], where: Mapping[str, RowFilter]) -> exp.Select:
        """Select columns of the rows that count."""
        parts = [self.name] if file_kind(self.table) else self.name.split(".")
        names = [self.engine.name(part) for part in reversed(parts)]
        table = exp.Table(**dict(zip(("this", "db", "catalog"), names, strict=False)))
        table.meta[RAW] = True
        rows = exp.select(*[aliased(node, name) for name, node in columns.items()]).from_(table)
        return rows.where(*[self.accepts(name, row_filter) for name, row_filter in where.items()]) if where else rows


def table_names(tables: Sequence[str]) -> dict[str, str]:
    """Name each table of the config in SQL: a file by its stem, a glob by its fixed part.

    >>> table_names(["data/events_*.csv.gz", "old/accounts.csv", "accounts.csv", "crm.accounts"])
    {'data/events_*.csv.gz': 'events', 'old/accounts.csv': 'accounts',
     'accounts.csv': 'accounts_2', 'crm.accounts': 'crm.accounts'}
    """
    names: dict[str, str] = {}
    for table in dict.fromkeys(tables):
        name = _stem(table) if file_kind(table) else table
        used_names = {used_name.lower() for used_name in names.values()}
        copies = [name, *(f"{name}_{copy}" for copy in range(2, len(used_names) + 2))]
        names[table] = next(copy for copy in copies if copy.lower() not in used_names)
    return names


def _stem(path: str) -> str:
    """The last part of a path that can serve as a name: `logs/2025/*.parquet` becomes `logs`."""
    parts = re.split(r"[/\\]", path)
    parts[-1] = parts[-1].split(".")[0]
    names = [re.sub(r"\W+", "_", re.split(r"[*?\[]", part)[0]).strip("_") for part in parts]
    return next((name for name in reversed(names) if re.search(r"[^\W\d]", name)), "events")
