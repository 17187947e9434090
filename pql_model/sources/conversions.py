"""The conversions: payments, of which the first of each entity counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from pql_model import time
from pql_model.config.schema import Config
from pql_model.config.source_tables import ConversionColumns
from pql_model.config.text_format import marks_of
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.sources.aliases import Aliases, resolve_entities
from pql_model.sources.casts import Times, identifier, number, refuse_mixed_times, times
from pql_model.sources.currency import currency_of, in_one_currency
from pql_model.sources.duckdb_session import Connection, count_by, fetch_row, row_count
from pql_model.sources.entities import Entities
from pql_model.sources.events import REASONS
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.id_columns import refuse_lossy_ids, with_one_spelling
from pql_model.sources.id_lists import ids, with_each_id
from pql_model.sources.number_marks import compared_as_numbers, with_marks
from pql_model.sources.payments import CANCELED_WITHIN, PAYMENT_REASONS, judge_payments
from pql_model.sources.repeats import drop_repeats, repeated_payment_warnings
from pql_model.sources.row_filter import select_rows

Table = Any
Column = Any


@dataclass(frozen=True)
class Conversions:
    """The first conversion of each entity.

    Attributes
    ----------
    table
        entity, time, value. One row per entity that converted; value is what was not paid back, null where unknown.
    rows
        Rows of the source, unusable ones included.
    set_aside
        Reason -> rows that do not count.
    warnings
        Sentences a person should read.
    payments
        In the same columns, every payment that was not wholly paid back, of which `table` holds the first.
    """

    table: Table
    rows: int
    set_aside: dict[str, int]
    warnings: tuple[str, ...] = ()
    payments: Table | None = None


def paid_since(conversions: Conversions, instant: int, until: int) -> dict[str, int]:
    """Return when each entity converted, for those whose first payment is at or after an instant; later than `until` are plans."""
    table = conversions.table
    rows = (
        table.filter((table.time >= instant) & (table.time <= until)).select("entity", "time").to_pyarrow().to_pylist()
    )
    return {row["entity"]: int(row["time"]) for row in rows}


def read_conversions(
    con: Connection, config: Config, entities: Entities, aliases: Aliases | None = None
) -> Conversions:
    """Stage the first payment of each entity as table `conversions`; there may be none.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    entities : Entities
        Conversions of others are set aside.
    aliases : Aliases, optional
        Merged users.

    Raises
    ------
    DataError
        If a column is missing, or that of the values holds no numbers.
    """
    spec = config.conversions
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_conversions", encoding=spec.encoding)
    raw = drop_repeats(raw) if spec.drop_repeats else raw
    refuse_lossy_ids(raw, {spec.columns.entity: "conversions.columns.entity"})
    amounts = {"value": spec.columns.value, "refunded": spec.columns.refunded}
    numbers = {name: f"conversions.columns.{key}" for key, name in amounts.items() if name is not None}
    raw = with_marks(raw, marks_of(spec), {**compared_as_numbers(spec.where, "conversions.where"), **numbers})
    raw = select_rows(raw, spec.where, "conversions.where", config.resolution)
    staged = con.create_table("staged_conversions", raw.table.select(**_columns_of_payments(raw, config)))
    staged = with_each_id(con, staged, "staged_conversions", "entity")
    staged = with_one_spelling(staged, config.normalise)
    staged = resolve_entities(staged, aliases, config)
    staged, currency, notes = in_one_currency(con, spec, staged)
    t = staged.left_join(entities.roster.select("entity", "selected"), "entity").drop("entity_right")
    reason = ibis.cases(
        (t.entity.isnull(), "no_entity"),
        (t.blank, "not_paid"),
        (t.time.isnull(), "unparsable_time"),
        (t.canceled, "canceled_trial"),
        (t.selected.isnull(), "unknown_entity"),
        (~t.selected, "not_selected"),
        else_=ibis.null("string"),
    )
    t = con.create_table("checked_conversions", t.mutate(reason=reason))
    refuse_mixed_times(t, spec.table, {spec.columns.time: ("time", "has_offset")})
    usable = t.filter(t.reason.isnull()).drop("reason")
    judged = con.create_table("judged_payments", judge_payments(usable, time.now(), spec.columns.refunded is not None))
    payments = judged.filter(judged.unpaid.isnull()).select("entity", "time", value=_known_value(judged, currency))
    order = [payments.time, payments.value.desc(nulls_first=False)]  # of several at the same time, the largest
    rank = ibis.row_number().over(ibis.window(group_by="entity", order_by=order))
    first = payments.mutate(rank=rank).filter(lambda t: t.rank == 0).select("entity", "time", "value")
    conversions = con.create_table("conversions", first)
    counts = {**raw.unread, "repeated_row": raw.repeated, "not_selected": raw.left_out}
    for table, column in ((t, "reason"), (judged, "unpaid")):
        for why, rows in count_by(table, column).items():
            counts[why] = counts.get(why, 0) + rows
    set_aside = {reason: counts[reason] for reason in (*REASONS, *PAYMENT_REASONS) if counts.get(reason)}
    _refuse_flag(config, staged)
    repeats = repeated_payment_warnings(con, config, raw, staged)
    warnings = (*raw.warnings, *notes, *_warnings(config, staged, judged), *repeats)
    return Conversions(
        conversions,
        row_count(staged) + sum(raw.unread.values()) + raw.repeated + raw.left_out,
        set_aside,
        warnings,
        payments,
    )


def _known_value(judged: Table, currency: str | None) -> Column:
    """What was not paid back; unknown in another currency than that of the values."""
    return judged.net if currency is None else ibis.ifelse(judged.currency == currency, judged.net, None)


def _columns_of_payments(raw: RawTable, config: Config) -> dict[str, Column]:
    """Read the columns of the conversions. A row without a time is `blank`; one with an unreadable time is not."""
    columns = config.conversions.columns
    paid_at = _payment_times(raw, config, config.resolution)
    canceled = ibis.literal(False)
    if columns.canceled is not None:
        ended = times(raw.column(columns.canceled, "conversions.columns.canceled")).instant
        canceled = (ended <= _last_free_instant(raw, columns)).fill_null(False)
    amounts = {
        key: raw.column(name, f"conversions.columns.{key}") if name else ibis.null("float64")
        for key, name in (("value", columns.value), ("refunded", columns.refunded))
    }
    return {
        "entity": ids(raw.column(columns.entity, "conversions.columns.entity")),
        "time": paid_at.instant,
        "has_offset": paid_at.has_offset,
        "blank": ~paid_at.present,
        "canceled": canceled,
        "currency": currency_of(raw, config.conversions),
        **{key: number(column) for key, column in amounts.items()},
        **{f"{key}_present": identifier(column).notnull() for key, column in amounts.items()},
    }


def _last_free_instant(raw: RawTable, columns: ConversionColumns) -> Column:
    """Until when a subscription could be cancelled without paying: the charge after its trial, or its start without one."""
    paid_at = times(raw.column(columns.time, "conversions.columns.time")).instant
    charged = paid_at + CANCELED_WITHIN.us
    if columns.start is None:
        return charged
    begun = times(raw.column(columns.start, "conversions.columns.start")).instant
    return ibis.ifelse(paid_at.notnull() & (begun.isnull() | (paid_at > begun)), charged, begun - 1)


def _payment_times(raw: RawTable, config: Config, resolution: str) -> Times:
    """The time of each row; its start where it has no time and the start is mapped."""
    columns = config.conversions.columns
    paid_at = times(raw.column(columns.time, "conversions.columns.time"), resolution)
    if columns.start is None:
        return paid_at
    begun = times(raw.column(columns.start, "conversions.columns.start"), resolution)
    return Times(
        ibis.ifelse(paid_at.present, paid_at.instant, begun.instant),
        ibis.ifelse(paid_at.present, paid_at.has_offset, begun.has_offset),
        paid_at.present | begun.present,
        ~paid_at.present & begun.never,
    )


def _refuse_flag(config: Config, staged: Table) -> None:
    """Refuse a column that says whether a payment was refunded, and not how much of it: true would be an amount of 1."""
    name = config.conversions.columns.refunded
    if name is None:
        return
    is_one = staged.refunded.abs() == 1
    counts = fetch_row(
        staged.aggregate(
            ones=staged.count(where=is_one),
            whole=staged.count(where=is_one & (staged.value == 1)),
            amounts=staged.count(where=staged.refunded.notnull() & ~is_one & (staged.refunded != 0)),
        )
    )
    if counts["ones"] and not counts["whole"] and not counts["amounts"]:
        condition = "{" + name + ": [false]}"
        raise DataError(
            f"Column `{name}` of {config.conversions.table} says whether a payment was refunded, and not how much of it",
            received=f"{counts['ones']:,} rows with true or 1, and no other amount",
            allowed="the part of the amount that was paid back",
            remedy=f"remove `conversions.columns.refunded`, and select what was kept: `conversions.where: {condition}`",
        )


def _warnings(config: Config, staged: Table, judged: Table) -> list[str]:
    """Report payments of unknown amount, and refuse a column of values that holds no numbers.

    Raises
    ------
    DataError
        If all values are texts that are not numbers.
    """
    spec = config.conversions
    warnings = []
    for key, name in (("value", spec.columns.value), ("refunded", spec.columns.refunded)):
        if name is None:
            continue
        present = staged[f"{key}_present"]
        counts = fetch_row(
            staged.aggregate(
                readable=staged[key].count(), unreadable=staged.count(where=present & staged[key].isnull())
            )
        )
        if counts["unreadable"] and not counts["readable"]:
            raise DataError(
                f"Column `{name}` of {spec.table} does not hold numbers",
                received=f"{counts['unreadable']:,} texts",
                remedy=f"map `conversions.columns.{key}` to a column of numbers such as 1234.5, or leave it out",
            )
        lacking = fetch_row(
            judged.aggregate(
                missing=judged.count(where=judged[key].isnull() & ~judged[f"{key}_present"]),
                unreadable=judged.count(where=judged[key].isnull() & judged[f"{key}_present"]),
                unpaid=judged.count(where=judged.unpaid == "no_payment"),
                rows=judged.count(),
            )
        )
        if key == "value" and lacking["unpaid"] > lacking["rows"] / 2:
            warnings.append(
                f"{lacking['unpaid']:,} of {lacking['rows']:,} rows of {spec.table} have a `{name}` of 0 or below and are not "
                "payments. If they are, map another column as `value`, or none."
            )
        effect = "payments of unknown amount" if key == "value" else "not paid back"
        if key == "value" and lacking["missing"]:
            warnings.append(
                f"{lacking['missing']:,} of {lacking['rows']:,} rows of {spec.table} have no `{name}` and count as {effect}."
            )
        if lacking["unreadable"]:
            warnings.append(
                f"{lacking['unreadable']:,} values of `{name}` in {spec.table} are not numbers; their rows count as {effect}."
            )
    return warnings


def no_conversions_error(source: str, conversions: Conversions) -> NotEnoughDataError | None:
    """Return the error for a table without a usable conversion, with the reasons; None if it has one."""
    if row_count(conversions.table):
        return None
    why = ", ".join(f"{n:,} {r}" for r, n in conversions.set_aside.items())
    return NotEnoughDataError(
        f"There are no conversions: {source} has {conversions.rows:,} rows and none can be used",
        received=why or "an empty table",
        remedy="check `conversions.columns` and `conversions.where`, and that the entity ids match those of the entities table",
    )
