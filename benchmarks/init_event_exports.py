"""Event logs in many forms: trackers, counted tables, keys with decoys, numbers and times."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import init_form_exports as forms
from init_world import (
    ACTS,
    DAY,
    START,
    Export,
    Files,
    Row,
    World,
    date,
    epoch,
    event_rows,
    files,
    iso,
    log,
    number_of,
)

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
    Export(
        "decoys", forms.decoys, {"events.0.columns.entity": "account_no", "conversions.columns.entity": "account_no"}
    ),
    Export("customer_in_between", forms.customer_in_between, refused=True),
    Export("two_accounts", forms.two_accounts, {"events.0.columns.entity": "to_account"}, refused=True),
    Export("sorted_by_account", forms.sorted_by_account, {"events.0.columns.entity": "account_id"}),
    Export("leading_zeros", forms.leading_zeros),
    Export("upper_case", forms.upper_case),
    Export("salesforce_ids", forms.salesforce_ids),
    Export("float_ids", forms.float_ids, refused=True),
    Export("german_numbers", forms.german_numbers, COMMAS),
    Export("german_thousands", forms.german_thousands, refused=True),
    Export(
        "american_numbers", forms.american_numbers, {"events.0.thousands": ",", "events.0.values": {"amount": "amount"}}
    ),
    Export("latin1", forms.latin1, {"entities.encoding": "cp1252"}),
    Export("dates", forms.times_as(date), DAYS),
    Export("date_hour_minute", forms.times_as(forms.date_hour_minute)),
    Export("python_logging", forms.times_as(forms.python_logging)),
    Export("sql_server", forms.times_as(forms.sql_server)),
    Export("epoch_seconds", forms.times_as(epoch)),
    Export("pandas_ns", forms.pandas_ns),
    Export("users_who_pay", forms.users_who_pay, {"events.0.columns.entity": "student_id", **DAYS}),
)
"""Event logs in many forms, beside plain payments."""
