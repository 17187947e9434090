"""Plain logs whose keys, numbers, texts or times are written as companies write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from init_world import (
    START,
    Files,
    Row,
    World,
    account_rows,
    date,
    event_rows,
    files,
    iso,
    number_of,
    payment_rows,
    write_csv,
)

# ---------------------------------------------------------------- keys


def decoys(world: World, folder: Path) -> Files:
    """Small counts and other ids stand before the account's number, and the file is sorted by time."""
    events = [
        {
            "seats_used": 1 + n % 40,
            "project_id": n % 60,
            "clicks": n % 7,
            "account_no": number_of(account),
            "who": user,
            "event": name,
            "at": iso(time),
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]
    accounts = [
        {"account_no": number_of(a.id), "created_at": iso(a.signed_up), "seats": n % 9, "floor": n % 40}
        for n, a in enumerate(world.accounts)
    ]
    paid = [
        {"invoice": 5000 + n, "months": 1 + n % 12, "account_no": number_of(a.id), "paid_at": iso(a.paid_at)}
        for n, a in enumerate(world.payers)
    ]
    return files(folder, events, accounts, paid)


def customer_in_between(world: World, folder: Path) -> Files:
    """Payments know only the customer of the billing system, and the accounts table knows both."""
    accounts = [{**row, "stripe_customer_id": f"cus_{n:05d}"} for n, row in enumerate(account_rows(world))]
    by_id = {row["account_id"]: row["stripe_customer_id"] for row in accounts}
    paid = [{"customer": by_id[a.id], "paid_at": iso(a.paid_at), "amount": f"{a.price}.00"} for a in world.payers]
    return files(folder, event_rows(world), accounts, paid)


def two_accounts(world: World, folder: Path) -> Files:
    """Two columns of account ids that differ in a few rows: who sent, who received."""
    ids = [a.id for a in world.accounts]
    events = [
        {
            "from_account": account if n % 50 else ids[n % 300],
            "to_account": account,
            "event": name,
            "at": iso(time),
        }
        for n, (account, _, name, time) in enumerate(world.events)
    ]
    return files(folder, events, account_rows(world), payment_rows(world))


def sorted_by_account(world: World, folder: Path) -> Files:
    """The head of the file holds accounts that were deleted; the ids of the others begin after many rows."""
    old = [
        {
            "event_id": f"x{n}",
            "account_id": f"old_{n % 20}",
            "user_id": "old",
            "event": "Page Viewed",
            "timestamp": iso(START),
        }
        for n in range(4_000)
    ]
    return files(folder, old + event_rows(world), account_rows(world), payment_rows(world))


def leading_zeros(world: World, folder: Path) -> Files:
    """Ids of five digits; a spreadsheet has cut the zeros of the payments."""

    def five(account: str) -> str:
        return f"{number_of(account) * 331:05d}"

    events = [{**row, "account_id": five(row["account_id"])} for row in event_rows(world)]
    accounts = [{**row, "account_id": five(row["account_id"])} for row in account_rows(world)]
    paid = [{**row, "account_id": str(int(five(row["account_id"])))} for row in payment_rows(world)]
    return files(folder, events, accounts, paid)


def upper_case(world: World, folder: Path) -> Files:
    """The CRM writes ids in upper case with a blank behind."""
    paid = [{**row, "account_id": f"{row['account_id'].upper()}\u00a0"} for row in payment_rows(world)]
    return files(folder, event_rows(world), account_rows(world), paid)


def salesforce_ids(world: World, folder: Path) -> Files:
    """Reports write ids with 15 characters, the API with 18."""

    def short(account: str) -> str:
        return f"001A0{number_of(account):010d}"

    events = [{**row, "account_id": short(row["account_id"]) + "QAB"} for row in event_rows(world)]
    accounts = [{**row, "account_id": short(row["account_id"]) + "QAB"} for row in account_rows(world)]
    paid = [{**row, "account_id": short(row["account_id"])} for row in payment_rows(world)]
    return files(folder, events, accounts, paid)


def float_ids(world: World, folder: Path) -> Files:
    """19 digits through float64: neighbours have become one."""
    first = 9_007_199_254_740_993
    frame = pd.DataFrame(event_rows(world))
    frame["account_id"] = [float(first + number_of(account)) for account, *_ in world.events]
    frame.to_parquet(folder / "events.parquet")
    accounts = [{**row, "account_id": first + number_of(row["account_id"])} for row in account_rows(world)]
    paid = [{**row, "account_id": first + number_of(row["account_id"])} for row in payment_rows(world)]
    return Files(
        (folder / "events.parquet",),
        write_csv(folder / "accounts.csv", accounts),
        write_csv(folder / "subscriptions.csv", paid),
    )


# ---------------------------------------------------------------- numbers, text, times


def _with_amounts(world: World, form: Callable[[float], str]) -> list[Row]:
    return [{**row, "amount": form(300 + (n * 7919) % 2900 + n % 100 / 100)} for n, row in enumerate(event_rows(world))]


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def german_numbers(world: World, folder: Path) -> Files:
    paid = [{**row, "mrr": german(float(row["mrr"]))} for row in payment_rows(world)]
    return files(folder, _with_amounts(world, german), account_rows(world), paid, delimiter=";")


def german_thousands(world: World, folder: Path) -> Files:
    """1.250 and 980: thousands, or one and a quarter?"""
    events = _with_amounts(world, lambda value: f"{round(value):,}".replace(",", "."))
    return files(folder, events, account_rows(world), payment_rows(world), delimiter=";")


def american_numbers(world: World, folder: Path) -> Files:
    return files(folder, _with_amounts(world, lambda v: f"{v:,.2f}"), account_rows(world), payment_rows(world))


def latin1(world: World, folder: Path) -> Files:
    accounts = [
        {**row, "city": ("Rome", "K\u00f6ln", "Paris", "Oslo", "M\u00fcnchen")[n % 5]}
        for n, row in enumerate(account_rows(world))
    ]
    files_ = files(folder, event_rows(world), account_rows(world), payment_rows(world))
    write_csv(folder / "accounts.csv", accounts, encoding="cp1252")
    return files_


def times_as(form: Callable[[Any], Any]) -> Callable[[World, Path], Files]:
    def write(world: World, folder: Path) -> Files:
        return files(folder, event_rows(world, form), account_rows(world, form), payment_rows(world, form))

    return write


def date_hour_minute(time: dt.datetime | None) -> str:
    return time.strftime("%Y%m%d%H%M") if time else ""


def python_logging(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S,123") if time else ""


def sql_server(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.1234567 +00:00") if time else ""


def pandas_ns(world: World, folder: Path) -> Files:
    frame = pd.DataFrame(event_rows(world))
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True).astype("datetime64[ns, UTC]")
    frame.to_parquet(folder / "events.parquet")
    return Files(
        (folder / "events.parquet",),
        write_csv(folder / "accounts.csv", account_rows(world)),
        write_csv(folder / "subscriptions.csv", payment_rows(world)),
    )


def users_who_pay(world: World, folder: Path) -> Files:
    """Users convert, and the log knows the user and the course."""
    events = [
        {
            "course_id": 1 + n % 30,
            "student_id": number_of(account),
            "minutes_watched": n % 50 / 2,
            "date_watched": date(time),
        }
        for n, (account, _, _, time) in enumerate(world.events)
    ]
    accounts = [
        {"student_id": number_of(a.id), "country": ("DE", "US")[n % 2], "date_registered": date(a.signed_up)}
        for n, a in enumerate(world.accounts)
    ]
    paid = [
        {
            "purchase_id": 700 + n,
            "student_id": number_of(a.id),
            "purchase_type": "Annual",
            "date_purchased": date(a.paid_at),
        }
        for n, a in enumerate(world.payers)
    ]
    return files(folder, events, accounts, paid, log="lessons.csv")
