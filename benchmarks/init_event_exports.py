"""The other half of the exports for `pql init`: trackers, counted tables, keys with decoys, numbers and times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from init_exports import (
    DAY,
    START,
    Export,
    Files,
    Row,
    World,
    account_rows,
    date,
    epoch,
    event_rows,
    iso,
    payment_rows,
    write_csv,
    write_json,
)

Rows = Callable[[World], list[Row]]


def files(
    folder: Path, events: list[Row], accounts: list[Row], paid: list[Row], *, log: str = "events.csv", **options: Any
) -> Files:
    writer = write_json if log.endswith("jsonl") else write_csv
    return Files(
        (writer(folder / log, events, **options) if writer is write_csv else writer(folder / log, events),),
        write_csv(folder / "accounts.csv", accounts, **options),
        write_csv(folder / "subscriptions.csv", paid, **options),
    )


def log(name: str, rows: Rows, file: str = "events.csv", **expected: Any) -> Export:
    """An event log in a vendor's form, beside plain accounts and payments."""

    def write(world: World, folder: Path) -> Files:
        return files(folder, rows(world), account_rows(world), payment_rows(world), log=file)

    columns = {f"events.0.columns.{role}": column for role, column in expected.items()}
    return Export(name, write, columns)


# ---------------------------------------------------------------- trackers


def segment(world: World) -> list[Row]:
    return [
        {
            "id": f"ajs-{n}",
            "received_at": iso(time + dt.timedelta(seconds=2)),
            "anonymous_id": f"anon-{user}-{n % 2}",
            "context_group_id": account,
            "context_user_agent": "Mozilla/5.0",
            "event": name.lower().replace(" ", "_"),
            "event_text": name,
            "original_timestamp": iso(time),
            "sent_at": iso(time),
            "timestamp": iso(time),
            "user_id": user,
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def posthog(world: World) -> list[Row]:
    return [
        {
            "uuid": f"018f{n:06d}",
            "event": name,
            "properties": "{}",
            "distinct_id": f"anon-{user}-{n % 3}",
            "person_id": f"person-{user}",
            "$group_0": account,
            "timestamp": iso(time),
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def posthog_imported(world: World) -> list[Row]:
    """The newest rows come first; everything before August was loaded at once."""
    load = START + 213 * DAY
    return [
        {**row, "inserted_at": iso(load if event[3] < load else event[3] + dt.timedelta(seconds=40))}
        for row, event in zip(posthog(world), world.events, strict=True)
    ][::-1]


def amplitude(world: World) -> list[Row]:
    return [
        {
            "$insert_id": f"i{n}",
            "amplitude_id": 90_000_000 + int(account[4:]) * 10 + int(user[-1]),
            "user_id": user if n % 3 else None,
            "device_id": f"dev-{user}-{n % 2}",
            "event_type": name,
            "event_time": time.strftime("%Y-%m-%d %H:%M:%S.000000"),
            "server_upload_time": (time + dt.timedelta(seconds=5)).strftime("%Y-%m-%d %H:%M:%S.000000"),
            "session_id": epoch(time),
            "group_properties": {"plan": "free"},
            "groups": {"account": account},
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def ga4(world: World) -> list[Row]:
    return [
        {
            "event_date": time.strftime("%Y%m%d"),
            "event_timestamp": 1_000_000 * int(time.timestamp()),
            "event_name": name.lower().replace(" ", "_"),
            "user_id": user if n % 3 else "",
            "user_pseudo_id": f"{n % 2}{user[-1]}{account[4:]}.1767",
            "event_bundle_sequence_id": n % 7,
            "account_id": account,
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def mixpanel(world: World) -> list[Row]:
    return [
        {
            "event": name,
            "properties": {
                "time": epoch(time),
                "distinct_id": user,
                "$insert_id": f"m{n}",
                "account_id": account if n % 3 == 0 else [account],
            },
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def snowplow(world: World) -> list[Row]:
    return [
        {
            "app_id": "web",
            "collector_tstamp": iso(time + dt.timedelta(seconds=1)),
            "derived_tstamp": iso(time),
            "event": "unstruct",
            "event_id": f"ev-{n}",
            "event_name": name.lower().replace(" ", "_"),
            "user_id": user,
            "domain_userid": f"d-{user}-{n % 2}",
            "tenant_id": account,
        }
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def environments(world: World) -> list[Row]:
    """A tenth of the rows come from staging."""
    return [
        {**row, "environment": "staging" if n % 10 == 9 else "production"} for n, row in enumerate(event_rows(world))
    ]


# ---------------------------------------------------------------- counted tables


def number_of(account: str) -> int:
    return int(account[4:]) + 1


def weekly(world: World) -> list[Row]:
    """Counts and users per account and week, as a CRM hands them out."""
    cells: dict[tuple[int, dt.date], dict[str, list[str]]] = {}
    for account, user, name, time in world.events:
        monday = (time - dt.timedelta(days=time.weekday())).date()
        cells.setdefault((number_of(account), monday), {}).setdefault(name, []).append(user)
    keys = {"CRM_CONTACTS": ACTS[0], "CRM_DEALS": ACTS[1], "EMAIL": ACTS[2]}
    return [
        {
            "WHEN_TIMESTAMP": f"{monday} 00:00:00.000",
            **{f"ACTIONS_{key}": len(names.get(act, ())) for key, act in keys.items()},
            **{f"USERS_{key}": len(set(names.get(act, ()))) for key, act in keys.items()},
            "id": account,
        }
        for (account, monday), names in sorted(cells.items(), key=lambda item: item[0][1])
    ]


ACTS = ("Teammate Invited", "Project Created", "File Uploaded")


def crm_usage(world: World, folder: Path) -> Files:
    """Ids are small integers, as the counts are, and are called `id` in all three tables."""
    accounts = [
        {"id": number_of(a.id), "created": date(a.signed_up - 7 * DAY), "EMPLOYEE_RANGE": "1-10"}
        for a in world.accounts
    ]
    paid = [
        {"CLOSEDATE": date(a.paid_at), "MRR": a.price, "ALEXA_RANK": 17 * n, "id": number_of(a.id)}
        for n, a in enumerate(world.payers)
    ]
    return files(folder, weekly(world), accounts, paid, log="usage_actions.csv")


def crm_usage_other_names(world: World, folder: Path) -> Files:
    """The same, but the usage calls its id `portal` and the accounts call theirs `id`."""
    usage = [{("portal" if k == "id" else k): v for k, v in row.items()} for row in weekly(world)]
    accounts = [{"id": number_of(a.id), "created_at": date(a.signed_up - 7 * DAY)} for a in world.accounts]
    paid = [{"portal": number_of(a.id), "paid_at": date(a.paid_at), "mrr": a.price} for a in world.payers]
    return files(folder, usage, accounts, paid, log="weekly_usage.csv")


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


DAYS = {"resolution": "day"}
COMMAS = {"events.0.decimal": ",", "events.0.thousands": "."}
EVENTS = (
    log("segment", segment, entity="context_group_id", user="user_id", time="timestamp", known_at="received_at"),
    log("posthog", posthog, entity="$group_0", user="person_id"),
    log("posthog_imported", posthog_imported, entity="$group_0", user="person_id", known_at=None),
    log("amplitude", amplitude, "events.jsonl", entity="groups.account", user="amplitude_id"),
    log("ga4", ga4, entity="account_id", user="user_id"),
    log("mixpanel", mixpanel, "events.jsonl", entity="properties.account_id", user="properties.distinct_id"),
    log("snowplow", snowplow, entity="tenant_id", user="user_id"),
    Export("environments", log("", environments).write, {"events.0.where": {"environment": ["production"]}}),
    Export("crm_usage", crm_usage, {"events.0.columns.entity": "id", "events.0.covers": "7d"}),
    Export(
        "crm_usage_other_names", crm_usage_other_names, {"events.0.columns.entity": "portal", "events.0.covers": "7d"}
    ),
    Export("decoys", decoys, {"events.0.columns.entity": "account_no", "conversions.columns.entity": "account_no"}),
    Export("customer_in_between", customer_in_between, refused=True),
    Export("two_accounts", two_accounts, {"events.0.columns.entity": "to_account"}, refused=True),
    Export("sorted_by_account", sorted_by_account, {"events.0.columns.entity": "account_id"}),
    Export("leading_zeros", leading_zeros),
    Export("upper_case", upper_case),
    Export("salesforce_ids", salesforce_ids),
    Export("float_ids", float_ids, refused=True),
    Export("german_numbers", german_numbers, COMMAS),
    Export("german_thousands", german_thousands, refused=True),
    Export("american_numbers", american_numbers, {"events.0.thousands": ",", "events.0.values": {"amount": "amount"}}),
    Export("latin1", latin1, {"entities.encoding": "cp1252"}),
    Export("dates", times_as(date), DAYS),
    Export("date_hour_minute", times_as(date_hour_minute)),
    Export("python_logging", times_as(python_logging)),
    Export("sql_server", times_as(sql_server)),
    Export("epoch_seconds", times_as(epoch)),
    Export("pandas_ns", pandas_ns),
    Export("users_who_pay", users_who_pay, {"events.0.columns.entity": "student_id", **DAYS}),
)
"""Event logs in many forms, beside plain payments."""
