"""Which rows of a table of conversions are payments, after what was paid back.

An entity converts at its first payment that was not wholly paid back. What was paid back is read from one place: from the
column `refunded` where it is mapped, otherwise from rows with a negative value. Such a row takes back the newest charges
before it first, and what it takes back beyond them reduces the next ones; so an entity has converted exactly if the sum of
its rows is positive. A payment without a value is one of unknown amount, and always counts.

Refunds are used whenever they happened: the label is the outcome, and nothing a feature may know.
"""

from __future__ import annotations

from typing import Any

import ibis

from pql_model.time import Duration

Table = Any
Column = Any

PAYMENT_REASONS = {
    "not_paid": "a row of the conversions without a time: it has not been paid",
    "canceled_trial": "a subscription cancelled by the time of its first payment",
    "no_payment": "a row of the conversions with a value of 0 or below",
    "refunded": "a payment that was paid back in full",
}
"""Why a readable row of the conversions is not a payment. Such rows are expected and never stop a run."""

CANCELED_WITHIN = Duration.parse("1h")
"""Billing systems charge within the hour after a trial ends; a subscription cancelled until then was never paid. One without a
trial is charged when it starts."""
NEGLIGIBLE = 1e-12
"""Share of all that an entity ever paid and got back below which a remainder is a rounding error."""


def judge_payments(rows: Table, now: int, refunded_is_mapped: bool) -> Table:
    """Add why a row is not a payment, and what is left of its value.

    Parameters
    ----------
    rows : Table
        entity, time, value, refunded: the usable rows of a table of conversions.
    now : int
        The present instant; a refund that is only planned takes nothing back.
    refunded_is_mapped : bool
        Whether refunds are in the column `refunded`, and not in rows of their own.

    Returns
    -------
    Table
        The same rows with `unpaid`, null for a payment, and `net`, null where the value is.
    """
    if refunded_is_mapped:
        rows = _with_refunds_of_one_payment(rows)
        whole = rows.back >= rows.value * (1 - NEGLIGIBLE)
        unpaid = ibis.cases((rows.value <= 0, "no_payment"), (whole, "refunded"), else_=_NO_REASON)
        return rows.mutate(unpaid=unpaid, net=rows.value - rows.back).drop("back")
    rows = rows.mutate(signed=ibis.coalesce(rows.value, 0.0), planned=rows.time > now)
    so_far = {"group_by": ["entity", "planned"], "order_by": [rows.time, rows.signed.desc()]}
    rows = rows.mutate(
        balance=rows.signed.sum().over(ibis.window(following=0, **so_far)),
        turnover=rows.signed.abs().sum().over(ibis.window(group_by=["entity", "planned"])),
        lowest=rows.signed.min().over(ibis.window(group_by=["entity", "planned"])),
    )
    # what a charge added to the balance remains as far as the balance never falls below it again
    remaining = rows.balance.min().over(
        ibis.window(preceding=0, group_by=["entity", "planned"], order_by=so_far["order_by"])
    )
    left = remaining - ibis.greatest(rows.balance - rows.signed, 0.0)
    rows = rows.mutate(net=ibis.ifelse(rows.lowest < 0, ibis.ifelse(rows.value.notnull(), left, None), rows.value))
    paid_back = (rows.lowest < 0) & (rows.net <= rows.turnover * NEGLIGIBLE)
    reason = ibis.cases((rows.value <= 0, "no_payment"), (paid_back, "refunded"), else_=_NO_REASON)
    return rows.mutate(unpaid=reason).drop("signed", "planned", "balance", "turnover", "lowest")


def _with_refunds_of_one_payment(rows: Table) -> Table:
    """Add `back`, what was paid back, where a payment may have a row per refund, as when a table of refunds was joined.

    Rows of one entity, instant and value are read as one payment if each has a refund of another amount and these fit
    into the value together.
    """
    same = ["entity", "time", "value"]
    rows = rows.mutate(back=ibis.coalesce(rows.refunded.abs(), 0.0))
    place = ibis.row_number().over(ibis.window(group_by=[*same, "back"], order_by=rows.back))
    rows = rows.mutate(once=ibis.ifelse(place > 0, 0.0, rows.back))
    total, least = (each.over(ibis.window(group_by=same)) for each in (rows.once.sum(), rows.back.min()))
    is_one = (least > 0) & (total <= rows.value * (1 + NEGLIGIBLE))
    return rows.mutate(back=ibis.ifelse(is_one, total, rows.back)).drop("once")


_NO_REASON = ibis.null("string")
