"""The currency of payments: values of several are one number only where the config says at which rates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import ibis

from pql_model.config.source_tables import ConversionTable
from pql_model.errors import DataError
from pql_model.sources.casts import text
from pql_model.sources.duckdb_session import Connection, fetch_row
from pql_model.sources.files import RawTable

Table = Any
Column = Any

_CODE = r"^[A-Za-z]{3}$"


def currency_of(raw: RawTable, spec: ConversionTable) -> Column:
    """Read the column of currencies in capitals; null where none is mapped.

    Raises
    ------
    DataError
        If none is mapped, and the table has one with several currencies.
    """
    if spec.columns.currency is not None:
        return text(raw.column(spec.columns.currency, "conversions.columns.currency")).upper()
    texts = [name for name, column in raw.names.items() if column.type().is_string()]
    name = currency_column(texts, spec.columns.value) if spec.columns.value is not None else None
    if name is None:
        return ibis.null("string")
    codes = text(raw.names[name]).upper()
    counts = raw.table.select(currency=codes).filter(lambda t: t.currency.re_search(_CODE)).currency.value_counts()
    rows = counts.order_by(ibis.desc(counts.columns[1]), "currency").to_pyarrow().to_pylist()
    if len(rows) > 1:
        received = ", ".join(f"{row['currency']} ({row[counts.columns[1]]:,} rows)" for row in rows[:8])
        raise DataError(
            f"The values `{spec.columns.value}` of {raw.source} are of several currencies",
            received=f"{received} in `{name}`",
            allowed="values of one currency, or a column of currencies that is mapped",
            remedy=f"set `conversions.columns.currency: {name}`, and `conversions.rates` with the worth of each in one of them",
        )
    return ibis.null("string")


def currency_column(names: Iterable[str], value: str) -> str | None:
    """Find the column of currencies that belongs to a column of values: the one that shares most words with it.

    >>> currency_column(["Currency", "Converted Currency"], "Converted Amount"), currency_column(["Plan"], "Amount")
    ('Converted Currency', None)
    """
    found = [name for name in names if "currency" in name.lower()]
    return max(found, key=lambda name: (len(_words(name) & _words(value)), -len(name)), default=None)


def is_currency(code: str) -> bool:
    """Tell whether a text can be the code of a currency (ISO 4217).

    >>> is_currency("usd"), is_currency("US dollars")
    (True, False)
    """
    return re.match(_CODE, code) is not None


def _words(name: str) -> set[str]:
    return set(re.findall("[a-z]+", name.lower()))


def in_one_currency(con: Connection, spec: ConversionTable, staged: Table) -> tuple[Table, str | None, list[str]]:
    """Convert the values of payments at the rates of the config.

    Parameters
    ----------
    con : Connection
        An open session.
    spec : ConversionTable
        Of the config.
    staged : Table
        value, refunded, currency.

    Returns
    -------
    staged : Table
        With converted values.
    currency : str or None
        Without rates, the one whose values are known: that of most payments.
    warnings : list of str
        Sentences a person should read.

    Raises
    ------
    DataError
        If a currency has no rate.
    """
    if spec.columns.currency is None:
        return staged, None, []
    valued = staged.filter(staged.value.notnull())
    counts = valued.group_by("currency").agg(rows=valued.count())
    rows = {row["currency"]: row["rows"] for row in counts.to_pyarrow().to_pylist()}
    known = {code: n for code, n in rows.items() if code is not None}
    if not spec.rates:
        main = max(sorted(known), key=lambda code: known[code], default=None)
        others = sum(rows.values()) - (known.get(main, 0) if main is not None else 0)
        if not others:
            return staged, main, []
        said = f"{others:,} of {sum(rows.values()):,} payments of {spec.table} are not in {main or 'a known currency'}"
        return staged, main, [f"{said}: what they are worth is not used. Set `conversions.rates` to use it."]
    rates = {code.upper(): rate for code, rate in spec.rates.items()}
    if missing := sorted(set(known) - set(rates)):
        raise DataError(
            f"`conversions.rates` lacks currencies of {spec.table}",
            received=", ".join(f"{code} ({known[code]:,} rows)" for code in missing[:8]),
            allowed=f"all currencies of `{spec.columns.currency}`",
            remedy="add their rates, or select the others with `conversions.where`",
        )
    rate = ibis.cases(
        *((staged.currency == code, float(rate)) for code, rate in rates.items()), else_=ibis.null("float64")
    )
    converted = staged.mutate(value=staged.value * rate, refunded=staged.refunded * rate)
    converted = con.create_table("converted_payments", converted, overwrite=True)
    lost = fetch_row(staged.aggregate(n=staged.count(where=staged.value.notnull() & staged.currency.isnull())))["n"]
    said = f"{lost:,} payments of {spec.table} have no currency and count as payments of unknown amount."
    return converted, None, [said] if lost else []
