"""Columns of ids: refused where numbers have lost digits, and brought to one spelling where the config says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ibis

from pql_model.errors import DataError, listed
from pql_model.sources.duckdb_session import fetch_row, row_count
from pql_model.sources.files import RawTable
from pql_model.sources.id_forms import BRACKETS, EDGES, INNER, SALESFORCE, ZEROS

Table = Any
Column = Any

_EXACT = {4: 2.0**24, 8: 2.0**53}
"""Bytes of a float -> the number from which it cannot hold every whole number."""
_SCIENTIFIC = r"^[0-9](?:\.[0-9]+)?[eE]\+[0-9]+$"
_LONG_FLOAT = r"^[0-9]{16,}\.0+$"


def refuse_lossy_ids(raw: RawTable, columns: Mapping[str, str]) -> None:
    """Refuse ids that went through floating point and lost digits, so that several became one.

    Parameters
    ----------
    raw : RawTable
        The table.
    columns : mapping
        Column of ids -> the key of the config that names it.

    Raises
    ------
    DataError
        With examples of the first such column.
    """
    lossy = {
        key: (name, test) for name, key in columns.items() if (test := lossy_ids(raw.column(name, key))) is not None
    }
    if not lossy:
        return
    sums = {}
    for i, (key, (name, test)) in enumerate(lossy.items()):
        sums[f"count_{i}"] = raw.table.count(where=test)
        sums[f"example_{i}"] = raw.column(name, key).cast("string").max(where=test)
    row = fetch_row(raw.table.aggregate(**sums))
    for i, (key, (name, _)) in enumerate(lossy.items()):
        if count := row[f"count_{i}"]:
            raise DataError(
                f"The ids in column `{name}` of {raw.source} have lost digits: they were stored as floating-point numbers",
                received=f"{count:,} values such as {row[f'example_{i}']} under `{key}`",
                allowed="ids as texts or whole numbers; a float holds whole numbers exactly only up to 9007199254740992",
                remedy=f"export `{name}` again as text (in pandas, read it with dtype `string` or `Int64`)",
            )


def lossy_ids(column: Column) -> Column | None:
    """Whether each id has lost digits in floating point; None for a type that cannot hold such ids."""
    kind = column.type()
    if kind.is_floating():
        finite = ~column.isnan() & ~column.isinf()
        return finite & (column.abs() >= _EXACT.get(kind.nbytes, 2.0**53))
    if not kind.is_string():
        return None
    scientific = column.contains("+") & column.re_search(_SCIENTIFIC)
    return scientific | (column.endswith("0") & column.re_search(_LONG_FLOAT))


def with_one_spelling(table: Table, forms: Sequence[str], *columns: str) -> Table:
    """Bring the ids in the columns of a staged table, by default `entity`, to the spelling of `normalise:`."""
    if not forms:
        return table
    return table.mutate(**{name: normalised(table[name], forms) for name in columns or ("entity",)})


def normalised(column: Column, forms: Sequence[str]) -> Column:
    """Bring ids to one spelling, as `pql_model.sources.id_forms.normalise_id` does for a single one."""
    for form in FORMS:
        if form in forms:
            column = FORMS[form](column)
    return column.nullif("") if forms else column


def _salesforce(column: Column) -> Column:
    return ibis.ifelse(column.re_search(SALESFORCE), column.left(15), column)


FORMS: dict[str, Callable[[Column], Column]] = {
    "spaces": lambda column: column.re_replace(INNER, "").re_replace(EDGES, ""),
    "brackets": lambda column: column.re_replace(BRACKETS, ""),
    "salesforce": _salesforce,
    "leading_zeros": lambda column: column.re_replace(ZEROS, r"\1"),
    "case": lambda column: column.lower(),
}
"""What `normalise:` may list, in the order in which it is applied."""


def refuse_merged_entities(source: str, staged: Table, forms: Sequence[str]) -> None:
    """Refuse forms that make one entity of two that are listed.

    Raises
    ------
    DataError
        With examples.
    """
    if not forms:
        return
    ids = staged.select(before=staged.entity, after=normalised(staged.entity, forms))
    ids = ids.filter(ids.after.notnull()).distinct()
    merged = ids.group_by("after").agg(count=ids.count(), first=ids.before.min(), last=ids.before.max())
    merged = merged.filter(merged["count"] > 1)
    if count := row_count(merged):
        rows = merged.order_by("after").limit(3).to_pyarrow().to_pylist()
        examples = ", ".join("`{first}` and `{last}`".format(**row) for row in rows)
        raise DataError(
            f"`normalise` makes one entity of several that {source} lists",
            received=f"{count:,} such as {examples}",
            allowed="forms under which the ids of this table stay different",
            remedy=f"remove one of {listed(list(forms))} from `normalise`, or correct the table",
        )
