"""Conversions in many forms: billing systems, CRMs and tables of nobody's, with what `pql init` should make of each."""

from __future__ import annotations

import datetime as dt

import init_billing_exports as billing
from init_world import DAY, Account, Row, World, date, iso, minute, payment_rows, payments

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
        for n, (a, time, what) in enumerate(billing.attempts(world))
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
        for n, (a, time, what) in enumerate(billing.attempts(world))
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
    payments("stripe_subscriptions_trials", billing.stripe_trials),
    payments("stripe_subscriptions_mixed", billing.stripe_mixed),
    payments("stripe_subscriptions_no_trials", billing.stripe_without_trials),
    payments("stripe_subscriptions_raw.jsonl", billing.stripe_raw_subscriptions),
    payments("stripe_subscriptions_fivetran", billing.fivetran_subscriptions),
    payments("stripe_payments_dashboard", billing.stripe_payments, conversions__columns__refunded="Amount Refunded"),
    payments("stripe_charges_raw.jsonl", billing.stripe_raw_charges, conversions__columns__refunded="amount_refunded"),
    payments(
        "stripe_invoices_raw.jsonl", billing.stripe_invoices, conversions__columns__time="status_transitions.paid_at"
    ),
    payments("chargebee_subscriptions", billing.chargebee_subscriptions, conversions__columns__time="activated_at"),
    payments("chargebee_invoices", billing.chargebee_invoices, conversions__columns__time="paid_at"),
    payments("chargebee_transactions", billing.chargebee_transactions),
    payments("paddle_transactions.jsonl", billing.paddle_transactions),
    payments("paddle_subscriptions", billing.paddle_subscriptions, conversions__columns__time="first_billed_at"),
    payments("recurly_invoices", billing.recurly_invoices, conversions__columns__time="closed_at"),
    payments("recurly_transactions", billing.recurly_transactions),
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
