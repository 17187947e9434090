"""Exports as companies have them, generated with a known truth: what `pql init` should make of each of them.

One product (accounts, users, events, payments) is written in the form of many vendors. The mixture of statuses is that
of a real export: trials that were never paid, failed and refunded charges, test mode, lost deals, planned dates.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
ACTS = ("Teammate Invited", "Project Created", "File Uploaded", "Page Viewed")
DAY = dt.timedelta(days=1)
Row = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """An account of the product; `paid_at` is None where it never paid."""

    id: str
    signed_up: dt.datetime
    paid_at: dt.datetime | None
    price: int


@dataclass(frozen=True)
class World:
    """The truth behind every export."""

    accounts: tuple[Account, ...]
    events: tuple[tuple[str, str, str, dt.datetime], ...]
    """Account, user, name and time."""

    @property
    def payers(self) -> list[Account]:
        return [account for account in self.accounts if account.paid_at is not None]

    @property
    def others(self) -> list[Account]:
        return [account for account in self.accounts if account.paid_at is None]

    @property
    def end(self) -> dt.datetime:
        return max(time for *_, time in self.events)


@dataclass(frozen=True)
class Files:
    """The files of an export, as they are passed to `pql init`."""

    events: tuple[Path, ...]
    entities: Path
    conversions: Path


@dataclass(frozen=True)
class Export:
    """An export and the truth about it.

    Attributes
    ----------
    write
        Writes the files into a folder.
    expected
        What the drafted config must hold: a dotted path such as `conversions.columns.time` and its value.
    counts
        What `pql check` must count, beside the conversions and entities of the world.
    refused
        Whether a refusal or a question is the right answer.
    """

    name: str
    write: Callable[[World, Path], Files]
    expected: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    refused: bool = False


def make_world(seed: int = 5, accounts: int = 300) -> World:
    """Make a product in which a fifth of the accounts pay, two weeks after signing up or later."""
    rng = random.Random(seed)
    made, events = [], []
    for number in range(accounts):
        name = f"acc_{number:04d}"
        signed_up = START + dt.timedelta(seconds=rng.randrange(240 * 86_400))
        paid = rng.random() < 0.2
        paid_at = signed_up + 14 * DAY + dt.timedelta(seconds=rng.randrange(10 * 86_400)) if paid else None
        made.append(Account(name, signed_up, paid_at, rng.choice([49, 99, 199])))
        for _ in range(3 + int(rng.expovariate(1 / 12))):
            time = signed_up + dt.timedelta(seconds=60 + rng.randrange(45 * 86_400))
            events.append((name, f"{name}_u{rng.randrange(3)}", rng.choice(ACTS), time))
    return World(tuple(made), tuple(sorted(events, key=lambda event: event[3])))


# ---------------------------------------------------------------- writing


def iso(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def minute(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M") if time else ""


def date(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%d") if time else ""


def epoch(time: dt.datetime | None) -> int | None:
    return int(time.timestamp()) if time else None


def write_csv(path: Path, rows: Iterable[Row], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """Write rows under the columns of the first row."""
    rows = list(rows)
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def account_rows(world: World, form: Callable[[Any], Any] = iso) -> list[Row]:
    sizes, countries = ("1-10", "11-50", "51-200"), ("DE", "US", "NA")
    return [
        {
            "account_id": a.id,
            "created_at": form(a.signed_up),
            "company_size": sizes[n % 3],
            "country": countries[n // 3 % 3],
        }
        for n, a in enumerate(world.accounts)
    ]


def event_rows(world: World, form: Callable[[Any], Any] = iso) -> list[Row]:
    return [
        {"event_id": f"e{n:06d}", "account_id": account, "user_id": user, "event": name, "timestamp": form(time)}
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def payment_rows(world: World, form: Callable[[Any], Any] = iso) -> list[Row]:
    return [{"account_id": a.id, "paid_at": form(a.paid_at), "mrr": f"{a.price}.0"} for a in world.payers]


def _others(world: World, name: str, rows: Iterable[Row], as_json: bool = False) -> Callable[[Path], Files]:
    """Plain events and accounts beside the given conversions."""

    def write(folder: Path) -> Files:
        events = write_csv(folder / "events.csv", event_rows(world))
        entities = write_csv(folder / "accounts.csv", account_rows(world))
        writer = write_json if as_json else write_csv
        return Files((events,), entities, writer(folder / name, rows))

    return write


def payments(name: str, rows: Callable[[World], list[Row]], **expected: Any) -> Export:
    """An export whose conversions are the given rows; a name that ends in .jsonl is written as JSON."""
    file = f"{name}.csv" if "." not in name else name

    def write(world: World, folder: Path) -> Files:
        return _others(world, file, rows(world), as_json=file.endswith("jsonl"))(folder)

    paths = {key.replace("__", "."): value for key, value in expected.items()}
    return Export(name.split(".")[0], write, paths)


def _shuffled(rows: Sequence[Row], seed: int = 1) -> list[Row]:
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    return rows


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
    return _shuffled([_dashboard_subscription(a, n, trial=n % 2 == 0) for n, a in enumerate(world.accounts)])


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


def _attempts(world: World) -> list[tuple[Account, dt.datetime, str]]:
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
    return _shuffled(
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
            for n, (a, time, what) in enumerate(_attempts(world))
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
        for n, (a, time, what) in enumerate(_attempts(world))
    ]


def stripe_invoices(world: World) -> list[Row]:
    rows = []
    for n, (a, time, what) in enumerate(_attempts(world)):
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
    for n, (a, time, what) in enumerate(_attempts(world)):
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
        for n, (a, time, what) in enumerate(_attempts(world))
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
        for n, (a, time, what) in enumerate(_attempts(world))
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
        for n, (a, time, what) in enumerate(_attempts(world))
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
        for n, (a, time, what) in enumerate(_attempts(world))
    ]


# ---------------------------------------------------------------- CRMs


def _deals(world: World) -> list[tuple[Account, str, dt.datetime]]:
    """Deals: won, lost, and open with a planned date in the future."""
    deals = []
    for n, a in enumerate(world.accounts):
        if a.paid_at is not None:
            deals.append((a, "won", a.paid_at))
            if n % 4 == 0:
                deals.append((a, "open", world.end + 20 * DAY))
        elif n % 3:
            deals.append((a, "lost", a.signed_up + 12 * DAY) if n % 3 == 1 else (a, "open", a.signed_up + 25 * DAY))
    return deals


def hubspot_deals(world: World) -> list[Row]:
    stages = {"won": "closedwon", "lost": "closedlost", "open": "contractsent"}
    return [
        {
            "hs_object_id": 9000 + n,
            "dealname": f"Deal {n}",
            "dealstage": stages[what],
            "pipeline": "default",
            "hs_is_closed": str(what != "open").lower(),
            "hs_is_closed_won": str(what == "won").lower() if what == "won" else "",
            "createdate": iso(a.signed_up + DAY),
            "closedate": iso(time),
            "amount": 12 * a.price,
            "account_id": a.id,
        }
        for n, (a, what, time) in enumerate(_deals(world))
    ]


def hubspot_deals_page(world: World) -> list[Row]:
    """The export of the deals page, with labels instead of internal names."""
    stages = {"won": "Closed Won", "lost": "Closed Lost", "open": "Contract Sent"}
    return [
        {
            "Record ID": 9000 + n,
            "Deal Name": f"Deal {n}",
            "Deal Stage": stages[what],
            "Close Date": minute(time),
            "Create Date": minute(a.signed_up + DAY),
            "Deal owner": "Ann",
            "Amount": 12 * a.price,
            "Workspace Key": a.id,
        }
        for n, (a, what, time) in enumerate(_deals(world))
    ]


def hubspot_contacts(world: World) -> list[Row]:
    return [
        {
            "Record ID": 500 + n,
            "Lifecycle Stage": "customer" if a.paid_at else ("lead", "marketingqualifiedlead")[n % 2],
            "Create Date": minute(a.signed_up),
            "Became a Customer Date": minute(a.paid_at),
            "Became a Lead Date": minute(a.signed_up),
            "Last Activity Date": minute(a.signed_up + 9 * DAY),
            "account_id": a.id,
        }
        for n, a in enumerate(world.accounts)
    ]


def salesforce_opportunities(world: World) -> list[Row]:
    stages = {"won": "Closed Won", "lost": "Closed Lost", "open": "Negotiation"}
    return [
        {
            "Id": f"006{n:012d}",
            "IsDeleted": "false",
            "AccountId": a.id,
            "Name": f"Opportunity {n}",
            "StageName": stages[what],
            "Amount": 12 * a.price,
            "Probability": {"won": 100, "lost": 0, "open": 40}[what],
            "CloseDate": date(time),
            "Type": "New Business",
            "IsClosed": str(what != "open").lower(),
            "IsWon": str(what == "won").lower(),
            "CreatedDate": iso(a.signed_up + DAY),
        }
        for n, (a, what, time) in enumerate(_deals(world))
    ]


def salesforce_report(world: World) -> list[Row]:
    """A report of Salesforce: labels, and only the stage says what was won."""
    stages = {"won": "Closed Won", "lost": "Closed Lost", "open": "Prospecting"}
    return [
        {
            "Opportunity Name": f"Opportunity {n}",
            "Stage": stages[what],
            "Close Date": date(time),
            "Created Date": date(a.signed_up + DAY),
            "Amount": 12 * a.price,
            "Account ID": a.id,
        }
        for n, (a, what, time) in enumerate(_deals(world))
    ]


def pipedrive_deals(world: World) -> list[Row]:
    return [
        {
            "id": n,
            "title": f"Deal {n}",
            "org": a.id,
            "status": what,
            "value": 12 * a.price,
            "add_time": minute(a.signed_up + DAY),
            "won_time": minute(time) if what == "won" else "",
            "lost_time": minute(time) if what == "lost" else "",
            "expected_close_date": date(time),
        }
        for n, (a, what, time) in enumerate(_deals(world))
    ]


# ---------------------------------------------------------------- tables of nobody's


def own_payments(world: World) -> list[Row]:
    names = {"paid": "OK", "failed": "DECLINED", "refunded": "REFUNDED", "free": "VOID", "test": "OK"}
    return [
        {
            "payment_no": n,
            "workspace": a.id,
            "state": names[what],
            "is_test": int(what == "test"),
            "booked_on": iso(time),
            "amount_eur": f"{a.price}.50",
        }
        for n, (a, time, what) in enumerate(_attempts(world))
    ]


def own_orders(world: World) -> list[Row]:
    names = {"paid": "paid", "failed": "voided", "refunded": "refunded", "free": "pending", "test": "paid"}
    return [
        {
            "order_id": 77_000 + n,
            "account_id": a.id,
            "financial_status": names[what],
            "environment": "sandbox" if what == "test" else "production",
            "total_price": f"{a.price}.00",
            "created_at": iso(time),
        }
        for n, (a, time, what) in enumerate(_attempts(world))
    ]


def own_subscriptions(world: World) -> list[Row]:
    """Paid once, some cancelled since: all of them have converted."""
    return [
        {
            "account_id": a.id,
            "status": ("active", "canceled")[n % 2],
            "paid_at": iso(a.paid_at),
            "canceled_at": iso(a.paid_at + 50 * DAY) if n % 2 and a.paid_at else "",
            "mrr": a.price,
        }
        for n, a in enumerate(world.payers)
    ]


def wide_accounts(world: World) -> list[Row]:
    return [
        {"account_id": a.id, "paid_at": iso(a.paid_at), "mrr": f"{a.price}.0" if a.paid_at else ""}
        for a in world.accounts
    ]


TRIAL_END = {"conversions__columns__time": "Trial End (UTC)"}
PAYMENTS = (
    payments("plain_payments", payment_rows, conversions__columns__time="paid_at"),
    payments("stripe_subscriptions_trials", stripe_trials),
    payments("stripe_subscriptions_mixed", stripe_mixed),
    payments("stripe_subscriptions_no_trials", stripe_without_trials),
    payments("stripe_subscriptions_raw.jsonl", stripe_raw_subscriptions),
    payments("stripe_subscriptions_fivetran", fivetran_subscriptions),
    payments("stripe_payments_dashboard", stripe_payments, conversions__columns__refunded="Amount Refunded"),
    payments("stripe_charges_raw.jsonl", stripe_raw_charges, conversions__columns__refunded="amount_refunded"),
    payments("stripe_invoices_raw.jsonl", stripe_invoices, conversions__columns__time="status_transitions.paid_at"),
    payments("chargebee_subscriptions", chargebee_subscriptions, conversions__columns__time="activated_at"),
    payments("chargebee_invoices", chargebee_invoices, conversions__columns__time="paid_at"),
    payments("chargebee_transactions", chargebee_transactions),
    payments("paddle_transactions.jsonl", paddle_transactions),
    payments("paddle_subscriptions", paddle_subscriptions, conversions__columns__time="first_billed_at"),
    payments("recurly_invoices", recurly_invoices, conversions__columns__time="closed_at"),
    payments("recurly_transactions", recurly_transactions),
    payments("hubspot_deals", hubspot_deals, conversions__columns__time="closedate"),
    payments("hubspot_deals_page", hubspot_deals_page, conversions__columns__time="Close Date"),
    payments("hubspot_contacts", hubspot_contacts, conversions__columns__time="Became a Customer Date"),
    payments("salesforce_opportunities", salesforce_opportunities, conversions__columns__time="CloseDate"),
    payments("salesforce_report", salesforce_report, conversions__columns__time="Close Date"),
    payments("pipedrive_deals", pipedrive_deals, conversions__columns__time="won_time"),
    payments("own_payments", own_payments),
    payments("own_orders", own_orders),
    payments("own_subscriptions", own_subscriptions, conversions__columns__time="paid_at"),
    payments("wide_accounts", wide_accounts, conversions__columns__time="paid_at"),
)
"""Conversions in many forms, beside plain events and accounts."""
