"""Rows that occur twice: alike in everything, as after overlapping exports, or sent twice under two ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.config.source_tables import ConversionTable, EventTable
from pql_model.sources.duckdb_session import Connection, fetch_row, row_count
from pql_model.sources.files import RawTable, paths_of, read_raw
from pql_model.time import MINUTE, SECOND

Table = Any
Column = Any

NOTICED = 0.001
"""Below this share of a table, repeated rows are not worth a warning."""
_BEYOND_CHANCE = 5
"""Rows alike in everything are beyond chance if they are so many times as frequent as rows one unit of time apart."""
_SAMPLE = 200_000
_TWINS, _FEWEST_TWINS = 0.1, 20
_TRIPLES = 0.25
"""Clusters of three, relative to those that independent repetition would leave beside the clusters of two."""


def drop_repeats(raw: RawTable) -> RawTable:
    """Keep one of several rows that are alike in every column; the others are counted as `repeated`."""
    columns = {f"c{i}": column for i, column in enumerate(raw.names.values())}
    table = raw.table.select(**columns).distinct()
    names = dict(zip(raw.names, (table[name] for name in columns), strict=True))
    return replace(raw, table=table, names=names, repeated=row_count(raw.table) - row_count(table))


def repeat_warnings(con: Connection, config: Config, raw: RawTable, spec: EventTable, staged: Table) -> list[str]:
    """Report rows of a table without ids that are alike in everything, where they are more than chance leaves.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    raw, spec : RawTable, EventTable
        The table and its part of the config.
    staged : Table
        Its rows: entity, user, event, time, `value_*`.
    """
    if spec.columns.id is not None or spec.drop_repeats or spec.counts is not None:
        return []
    rows, repeated = _repeated_rows(raw)
    if repeated <= NOTICED * rows:
        return []
    overlap = _overlap(con, config, raw, spec)
    if overlap is None and not _beyond_chance(staged):
        return []
    return [f"{_repeat(raw, rows, repeated, overlap)}. {_ONCE}, or map `columns.id`."]


def repeated_payment_warnings(con: Connection, config: Config, raw: RawTable, staged: Table) -> list[str]:
    """Report payments that are alike in every column, where others are refunds: a charge that stands twice outlives one.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    raw : RawTable
        The table of conversions.
    staged : Table
        Its rows, with `value`.
    """
    refunds = fetch_row(staged.aggregate(rows=staged.count(where=staged.value < 0)))["rows"]
    if config.conversions.drop_repeats or not refunds:
        return []
    rows, repeated = _repeated_rows(raw)
    if not repeated:
        return []
    overlap = _overlap(con, config, raw, config.conversions)
    said = _repeat(raw, rows, repeated, overlap)
    return [f"{said}. A charge that stands twice is not taken back by one refund. {_ONCE} if they are one payment."]


_ONCE = "Set `drop_repeats: true` for this table to count each once"


def _repeated_rows(raw: RawTable) -> tuple[int, int]:
    """Count the rows, and those that repeat another in every column."""
    rows = row_count(raw.table)
    hashes = raw.table.select(row=_row_hash(raw, raw.columns))
    return rows, rows - int(hashes.row.nunique().to_pyarrow().as_py())


def _repeat(raw: RawTable, rows: int, repeated: int, overlap: str | None) -> str:
    share = f"{repeated:,} of {rows:,} rows of {raw.source} ({repeated / rows:.0%})"
    return f"{share} repeat another row in every column{overlap or ''}"


def _row_hash(raw: RawTable, columns: Sequence[str]) -> Column:
    parts = {f"c{i}": raw.names[name].cast("string") for i, name in enumerate(columns)}
    return ibis.struct(parts).hash()


def _overlap(con: Connection, config: Config, raw: RawTable, spec: EventTable | ConversionTable) -> str | None:
    """Name the two files that share most rows; None where no two files share any."""
    paths = paths_of(spec.table, config.home, config.connection)
    if len(paths) < 2:
        return None
    columns, parts = sorted(raw.names), []
    for number, path in enumerate(paths):
        part = read_raw(con, path, Path(), name=f"part_{number}_of_{raw.source}", encoding=spec.encoding)
        if sorted(part.names) == columns:
            file = ibis.literal(number)
            parts.append(
                con.create_table(
                    f"rows_of_part_{number}",
                    part.table.select(row=_row_hash(part, columns), file=file).distinct(),
                    overwrite=True,
                )
            )
    if len(parts) < 2:
        return None
    rows = ibis.union(*parts)
    pairs = rows.inner_join(rows.view(), "row").filter(lambda t: t.file < t.file_right)
    pairs = pairs.group_by("file", "file_right").agg(rows=pairs.count())
    most = pairs.order_by(pairs["rows"].desc(), "file", "file_right").limit(1).to_pyarrow().to_pylist()
    if not most:
        return None
    first, second = (Path(paths[most[0][key]]).name for key in ("file", "file_right"))
    return f"; {most[0]['rows']:,} stand in both {first} and {second}"


def _beyond_chance(staged: Table) -> bool:
    """Whether equal rows are far more frequent than rows one unit of time apart, as the log writes time.

    Two clicks of one second look alike in a log of seconds. If that is all, there are about as many pairs one second
    apart; a second copy of the row has no such neighbours.
    """
    usable = staged.filter(staged.time.notnull())
    units = fetch_row(
        usable.aggregate(
            **{f"u{unit}": usable.count(where=(usable.time % unit) != 0) for unit in (SECOND, MINUTE, 60 * MINUTE)}
        )
    )
    if not units[f"u{60 * MINUTE}"]:
        return False  # dates or hours: the same act twice within one is normal
    unit = MINUTE if not units[f"u{MINUTE}"] else SECOND if not units[f"u{SECOND}"] else SECOND // 1000
    gaps = usable.select(gap=_gap(usable))
    row = fetch_row(
        gaps.aggregate(same=gaps.count(where=gaps.gap < 1), next=gaps.count(where=(gaps.gap > 0) & (gaps.gap <= unit)))
    )
    return bool(row["same"] > _BEYOND_CHANCE * (row["next"] + 1))


def _gap(t: Table) -> Column:
    """Time since the same act of the same actor with the same values."""
    values = [t[column] for column in t.columns if column.startswith("value_")]
    window = ibis.window(group_by=[t.entity, t.user, t.event, *values], order_by=t.time)
    return t.time - t.time.lag().over(window)


def double_firing_warnings(spec: EventTable, staged: Table) -> list[str]:
    """Report events of which many were sent twice: alike within a second, under two ids.

    Acts that come in bursts leave clusters of every size. An event that fires twice leaves clusters of two and hardly
    any of three, so their number is compared with what independent repetition would leave.
    """
    if spec.columns.id is None or spec.counts is not None:
        return []
    t = staged.filter(staged.reason.isnull())
    rows = row_count(t)
    if rows > _SAMPLE:
        t = t.filter((t.entity.hash() % (rows // _SAMPLE + 1)) == 0)
    t = t.mutate(starts=(_gap(t).fill_null(2 * SECOND) > SECOND).cast("int64"))
    values = [t[column] for column in t.columns if column.startswith("value_")]
    window = ibis.window(group_by=[t.entity, t.user, t.event, *values], order_by=t.time, preceding=None, following=0)
    t = t.mutate(cluster=t.starts.sum().over(window))
    sizes = t.group_by("entity", "user", "event", *[v.get_name() for v in values], "cluster").agg(size=t.count())
    counts = sizes.group_by("event").agg(
        one=sizes.count(where=sizes.size == 1),
        two=sizes.count(where=sizes.size == 2),
        more=sizes.count(where=sizes.size > 2),
    )
    found = []
    for row in counts.order_by("event").to_pyarrow().to_pylist():
        one, two, more = row["one"], row["two"], row["more"]
        share = two / max(one + two + more, 1)
        if two >= _FEWEST_TWINS and share >= _TWINS and more * max(one, 1) <= _TRIPLES * two * two:
            found.append(
                f"`{row['event']}` of {spec.table} was often sent twice: {share:.0%} of its events have a twin within a "
                "second, of the same user and with the same values, under another id. Both count. Remove one of each "
                "pair from the export, or map `columns.id` to what both have in common."
            )
    return found
