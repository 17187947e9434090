"""Subscriptions, charges, payments and invoices in the form of billing systems."""

from __future__ import annotations

import datetime as dt
from typing import Any

from init_world import DAY, START, Account, Row, World, epoch, iso, minute, shuffled

# ---------------------------------------------------------------- Stripe


def _subscription(a: Account, n: int, trial: bool = True) -> dict[str, Any]:
    """A subscription's life: its trial, its status, and when it was cancelled."""
    begin = a.signed_up + dt.timedelta(minutes=2)
    if a.paid_at is None:
        if trial:
            end = begin + 14 * DAY
            status = ("canceled", "incomplete_expired", "canceled", "trialing", "unpaid")[n % 5]
            cancelled = end if status == "canceled" and n % 2 else begin + 5 * DAY if status == "canceled" else None
            if status == "trialing":
                end = START + 330 * DAY
        else:
            end, status, cancelled = None, ("incomplete", "incomplete_expired")[n % 2], None
            begin = a.signed_up + 3 * DAY
        ended = max(cancelled, end) if cancelled and end else cancelled
        return dict(begin=begin, trial_end=end, status=status, cancelled=cancelled, ended=ended)
    status, cancelled = (("active", None), ("past_due", None), ("canceled", a.paid_at + 40 * DAY))[n % 3]
    trial_end = a.paid_at if trial else None
    return dict(
        begin=begin if trial else a.paid_at, trial_end=trial_end, status=status, cancelled=cancelled, ended=cancelled
    )


def _dashboard_subscription(a: Account, n: int, trial: bool = True) -> Row:
    s = _subscription(a, n, trial)
    return {
        "id": f"sub_{n:05d}",
        "Customer ID": f"cus_{n:05d}",
        "Plan": "pro-monthly",
        "Quantity": 1,
        "Currency": "usd",
        "Interval": "month",
        "Amount": f"{a.price}.00",
        "Status": s["status"],
        "Created (UTC)": minute(s["begin"]),
        "Start Date (UTC)": minute(s["begin"]),
        "Current Period Start (UTC)": minute(s["trial_end"] or s["begin"]),
        "Current Period End (UTC)": minute((s["trial_end"] or s["begin"]) + 30 * DAY),
        "Trial Start (UTC)": minute(s["begin"]) if s["trial_end"] else "",
        "Trial End (UTC)": minute(s["trial_end"]),
        "Canceled At (UTC)": minute(s["cancelled"]),
        "Ended At (UTC)": minute(s["ended"]),
        "account_id (metadata)": a.id,
    }


def stripe_trials(world: World) -> list[Row]:
    """Everybody begins a trial; those cancelled later had paid before."""
    return [_dashboard_subscription(a, n) for n, a in enumerate(world.accounts)]


def stripe_mixed(world: World) -> list[Row]:
    """Some subscriptions begin with a trial, the others are paid at once."""
    return shuffled([_dashboard_subscription(a, n, trial=n % 2 == 0) for n, a in enumerate(world.accounts)])


def stripe_without_trials(world: World) -> list[Row]:
    rows = [_dashboard_subscription(a, n, trial=False) for n, a in enumerate(world.accounts)]
    return [{k: v for k, v in row.items() if not k.startswith("Trial")} for row in rows]


def stripe_raw_subscriptions(world: World) -> list[Row]:
    rows = []
    for n, a in enumerate(world.accounts):
        s = _subscription(a, n)
        rows.append(
            {
                "id": f"sub_{n:05d}",
                "object": "subscription",
                "customer": f"cus_{n:05d}",
                "status": s["status"],
                "created": epoch(s["begin"]),
                "start_date": epoch(s["begin"]),
                "trial_start": epoch(s["begin"]),
                "trial_end": epoch(s["trial_end"]),
                "canceled_at": epoch(s["cancelled"]),
                "ended_at": epoch(s["ended"]),
                "cancel_at_period_end": False,
                "livemode": n % 29 != 28 or a.paid_at is not None,
                "metadata": {"account_id": a.id},
            }
        )
    return rows


def fivetran_subscriptions(world: World) -> list[Row]:
    """The same in a warehouse: flat, with times as text and columns in another order."""
    rows = []
    for n, a in enumerate(world.accounts):
        s = _subscription(a, n)
        rows.append(
            {
                "_fivetran_synced": "2025-12-01T00:00:00Z",
                "metadata_account_id": a.id,
                "ended_at": iso(s["ended"]),
                "canceled_at": iso(s["cancelled"]),
                "current_period_start": iso(s["trial_end"]),
                "current_period_end": iso(s["trial_end"] + 30 * DAY),
                "trial_end": iso(s["trial_end"]),
                "trial_start": iso(s["begin"]),
                "start_date": iso(s["begin"]),
                "created": iso(s["begin"]),
                "status": s["status"],
                "livemode": "true",
                "customer_id": f"cus_{n:05d}",
                "id": f"sub_{n:05d}",
            }
        )
    return rows


def attempts(world: World) -> list[tuple[Account, dt.datetime, str]]:
    """Attempts to pay, several per payer: paid, failed, refunded, free or in test mode."""
    attempts = []
    for n, a in enumerate(world.accounts):
        if a.paid_at is not None:
            attempts.append((a, a.paid_at, "paid"))
            if n % 2:
                attempts.append((a, a.paid_at - 2 * DAY, "failed"))
            if n % 3 == 0:
                attempts.append((a, a.paid_at + 30 * DAY, "paid"))
        elif n % 2:
            attempts.append((a, a.signed_up + 7 * DAY, ("failed", "refunded", "free", "test")[n // 2 % 4]))
    return attempts


def stripe_payments(world: World) -> list[Row]:
    return shuffled(
        [
            {
                "id": f"ch_{n}",
                "Created date (UTC)": minute(time),
                "Amount": "0.00" if what == "free" else f"{a.price}.00",
                "Amount Refunded": f"{a.price}.00" if what == "refunded" else "0.00",
                "Currency": "usd",
                "Captured": str(what != "failed").lower(),
                "Status": {"failed": "Failed", "refunded": "Refunded"}.get(what, "Paid"),
                "Decline Reason": "insufficient_funds" if what == "failed" else "",
                "Mode": "Test" if what == "test" else "Live",
                "Customer ID": f"cus_{a.id}",
                "account_id (metadata)": a.id,
            }
            for n, (a, time, what) in enumerate(attempts(world))
        ]
    )


def stripe_raw_charges(world: World) -> list[Row]:
    return [
        {
            "id": f"ch_{n}",
            "object": "charge",
            "amount": 0 if what == "free" else 100 * a.price,
            "amount_captured": 100 * a.price if what in ("paid", "refunded", "test") else 0,
            "amount_refunded": 100 * a.price if what == "refunded" else 0,
            "captured": what != "failed",
            "created": epoch(time),
            "currency": "usd",
            "customer": f"cus_{a.id}",
            "livemode": what != "test",
            "paid": what != "failed",
            "refunded": what == "refunded",
            "status": "failed" if what == "failed" else "succeeded",
            "metadata": {"account_id": a.id},
        }
        for n, (a, time, what) in enumerate(attempts(world))
    ]


def stripe_invoices(world: World) -> list[Row]:
    rows = []
    for n, (a, time, what) in enumerate(attempts(world)):
        status = {"paid": "paid", "failed": "uncollectible", "refunded": "void", "free": "paid", "test": "draft"}[what]
        amount = 0 if what == "free" else 100 * a.price
        rows.append(
            {
                "id": f"in_{n}",
                "customer": f"cus_{a.id}",
                "status": status if n % 7 or what == "paid" else "open",
                "amount_due": amount,
                "amount_paid": amount if what == "paid" else 0,
                "created": epoch(time - 3 * DAY),
                "due_date": epoch(time + 30 * DAY),
                "status_transitions": {"paid_at": epoch(time) if status == "paid" else None},
                "livemode": what != "test",
                "metadata": {"account_id": a.id},
            }
        )
    return rows


# ---------------------------------------------------------------- Chargebee, Paddle, Recurly


def chargebee_subscriptions(world: World) -> list[Row]:
    rows = []
    for n, a in enumerate(world.accounts):
        begin = a.signed_up + dt.timedelta(minutes=1)
        paid = a.paid_at is not None
        status = ("active", "non_renewing", "cancelled")[n % 3] if paid else ("in_trial", "cancelled", "future")[n % 3]
        cancelled = (a.paid_at + 60 * DAY if a.paid_at else begin + 14 * DAY) if status == "cancelled" else None
        rows.append(
            {
                "id": f"sub{n}",
                "customer_id": f"cb_{n}",
                "plan_id": "pro",
                "status": status,
                "trial_start": iso(begin),
                "trial_end": iso(a.paid_at or begin + 14 * DAY),
                "created_at": iso(begin),
                "started_at": iso(begin),
                "activated_at": iso(a.paid_at),
                "cancelled_at": iso(cancelled),
                "mrr": 100 * a.price if paid else 0,
                "cf_account_id": a.id,
            }
        )
    return rows


def chargebee_invoices(world: World) -> list[Row]:
    names = {"paid": "paid", "failed": "not_paid", "refunded": "voided", "free": "paid", "test": "pending"}
    rows = []
    for n, (a, time, what) in enumerate(attempts(world)):
        total = 0 if what == "free" else 100 * a.price
        rows.append(
            {
                "id": f"INV-{n}",
                "customer_id": a.id,
                "status": names[what] if n % 5 or what == "paid" else "payment_due",
                "date": iso(time - DAY),
                "due_date": iso(time + 14 * DAY),
                "paid_at": iso(time) if what in ("paid", "free") else "",
                "total": total,
                "amount_paid": total if what == "paid" else 0,
                "amount_due": 0 if what == "paid" else total,
            }
        )
    return rows


def chargebee_transactions(world: World) -> list[Row]:
    kinds = {"paid": "payment", "failed": "payment", "refunded": "refund", "free": "payment", "test": "authorization"}
    return [
        {
            "id": f"txn{n}",
            "type": kinds[what],
            "status": {"failed": "failure"}.get(what, "success"),
            "date": iso(time),
            "amount": 0 if what == "free" else 100 * a.price,
            "currency_code": "USD",
            "customer_id": a.id,
            "gateway": "stripe",
        }
        for n, (a, time, what) in enumerate(attempts(world))
    ]


def paddle_transactions(world: World) -> list[Row]:
    names = {"paid": "completed", "failed": "past_due", "refunded": "canceled", "free": "draft", "test": "billed"}
    return [
        {
            "id": f"txn_{n}",
            "status": "paid" if what == "paid" and n % 4 == 0 else names[what],
            "customer_id": f"ctm_{a.id}",
            "subscription_id": f"sub_{a.id}",
            "currency_code": "USD",
            "created_at": iso(time - dt.timedelta(hours=1)),
            "billed_at": iso(time) if what in ("paid", "test", "failed") else None,
            "origin": "web",
            "details": {"totals": {"grand_total": str(100 * a.price), "currency_code": "USD"}},
            "custom_data": {"account_id": a.id},
        }
        for n, (a, time, what) in enumerate(attempts(world))
    ]


def paddle_subscriptions(world: World) -> list[Row]:
    rows = []
    for n, a in enumerate(world.accounts):
        paid = a.paid_at is not None
        status = ("active", "past_due", "canceled")[n % 3] if paid else ("trialing", "canceled", "paused")[n % 3]
        rows.append(
            {
                "id": f"sub_{n}",
                "status": status,
                "customer_id": f"ctm_{n}",
                "account_id": a.id,
                "currency_code": "USD",
                "created_at": iso(a.signed_up + dt.timedelta(minutes=3)),
                "started_at": iso(a.signed_up + dt.timedelta(minutes=3)),
                "first_billed_at": iso(a.paid_at),
                "next_billed_at": iso(a.paid_at + 30 * DAY) if a.paid_at else "",
                "canceled_at": iso((a.paid_at or a.signed_up) + 9 * DAY) if status == "canceled" else "",
            }
        )
    return rows


def recurly_invoices(world: World) -> list[Row]:
    names = {"paid": "paid", "failed": "failed", "refunded": "voided", "free": "paid", "test": "past_due"}
    return [
        {
            "invoice_number": 1000 + n,
            "account_code": a.id,
            "state": names[what] if n % 5 or what == "paid" else "pending",
            "type": "charge",
            "created_at": iso(time - DAY),
            "closed_at": iso(time) if what in ("paid", "free", "failed") else "",
            "due_at": iso(time + 10 * DAY),
            "total": "0.00" if what == "free" else f"{a.price}.00",
            "currency": "USD",
        }
        for n, (a, time, what) in enumerate(attempts(world))
    ]


def recurly_transactions(world: World) -> list[Row]:
    return [
        {
            "transaction_id": f"t{n}",
            "account_code": a.id,
            "type": "verify" if what == "free" else "refund" if what == "refunded" else "purchase",
            "origin": "recurring",
            "status": "declined" if what == "failed" else "void" if n % 9 == 8 and what != "paid" else "success",
            "test": str(what == "test").lower(),
            "amount": f"{a.price}.00",
            "currency": "USD",
            "created_at": iso(time),
        }
        for n, (a, time, what) in enumerate(attempts(world))
    ]
