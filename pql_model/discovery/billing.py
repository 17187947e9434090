"""The exports of billing systems and CRMs, as data: where they hold the entity, the first payment and the amount."""

from __future__ import annotations

from pql_model.discovery.exports import Export, Family

_STRIPE_ENTITY = (
    "account_id (metadata)",
    "user_id (metadata)",
    "metadata.account_id",
    "metadata.user_id",
    "client_reference_id",
    "Customer ID",
    "customer_id",
    "customer",
)
_CHARGEBEE_ENTITY = ("cf_account_id", "cf_user_id", "meta_data.account_id", "customer_id", "Customer Id")
_PADDLE_ENTITY = ("custom_data.account_id", "custom_data.user_id", "account_id", "user_id", "customer_id")
_RECURLY_ENTITY = ("account_code", "account.code", "account_id", "account")
_HUBSPOT_ENTITY = (
    "associatedcompanyid",
    "Associated Company IDs",
    "Associated Company ID",
    "hs_primary_associated_company",
)


def _export(
    name: str, family: Family, needs: str, entity: tuple[str, ...], minor_units: bool = False, **roles: str
) -> Export:
    """Declare an export; columns that may stand for each other are divided by `|`, groups of columns by `;`."""
    groups = tuple(tuple(group.split("|")) for group in needs.split(";"))
    columns = {role: tuple(names.split("|")) for role, names in roles.items()}
    return Export(name, groups, {"account": entity, **columns}, family=family, minor_units=minor_units)


CONVERSION_EXPORTS = (
    _export(
        "Stripe subscriptions",
        "subscription",
        "Customer ID|customer|customer_id;Start Date (UTC)|Start (UTC)|Current Period Start (UTC)|start_date"
        "|current_period_start;Plan|Interval|trial_end|cancel_at_period_end|collection_method|billing_cycle_anchor",
        _STRIPE_ENTITY,
        time="Start Date (UTC)|Start (UTC)|start_date|Created (UTC)|created|current_period_start",
        trial_end="Trial End (UTC)|trial_end",
        canceled="Canceled At (UTC)|canceled_at|Ended At (UTC)|ended_at",
        value="Amount|plan.amount|plan_amount",
    ),
    _export(
        "Stripe invoices",
        "payment",
        "Customer|Customer ID|customer|customer_id;Amount Due|amount_due;Amount Paid|amount_paid"
        ";created|livemode|Date (UTC)|Created (UTC)|status_transitions.paid_at|status_transitions_paid_at",
        _STRIPE_ENTITY,
        minor_units=True,
        time="status_transitions.paid_at|status_transitions_paid_at|Paid At (UTC)|paid_at|Finalized At (UTC)"
        "|status_transitions.finalized_at|Date (UTC)|Created (UTC)|created",
        value="Amount Paid|amount_paid",
    ),
    _export(
        "Stripe charges",
        "payment",
        "Customer ID|customer|customer_id|payment_intent;Created (UTC)|Created date (UTC)|created"
        ";Amount|Converted Amount|amount|amount_received;Status|paid|captured|amount_refunded|amount_received|livemode",
        _STRIPE_ENTITY,
        time="Created date (UTC)|Created (UTC)|created",
        value="Amount|Converted Amount|amount_received|amount",
        refunded="Amount Refunded|amount_refunded|Converted Amount Refunded",
    ),
    _export(
        "Chargebee subscriptions",
        "subscription",
        "activated_at|Activated At;started_at|trial_start|current_term_start|Started At|Trial Start;status|Status"
        ";plan_id|plan_unit_price|item_price_id|customer_id|Plan Id|Customer Id",
        _CHARGEBEE_ENTITY,
        minor_units=True,
        time="activated_at|Activated At",
        value="mrr|plan_amount|plan_unit_price|Mrr",
    ),
    _export(
        "Chargebee transactions",
        "payment",
        "type|Type;status|Status;date|Date;amount|Amount;gateway|id_at_gateway|payment_method|gateway_account_id|Gateway",
        _CHARGEBEE_ENTITY,
        minor_units=True,
        time="settled_at|date|Date",
        value="amount|Amount",
        refunded="amount_refunded",
    ),
    _export(
        "Chargebee invoices",
        "payment",
        "status|Status;total|Total|Amount;amount_paid|Amount Paid;date|paid_at|Invoice Date|Paid On",
        _CHARGEBEE_ENTITY,
        minor_units=True,
        time="paid_at|Paid On|Paid At|date|Invoice Date",
        value="amount_paid|Amount Paid|total",
    ),
    _export(
        "Paddle subscriptions",
        "subscription",
        "first_billed_at;status|next_billed_at",
        _PADDLE_ENTITY,
        time="first_billed_at",
    ),
    _export(
        "Paddle transactions",
        "payment",
        "billed_at;status;origin|collection_mode|invoice_number|subscription_id|details.totals.grand_total",
        _PADDLE_ENTITY,
        minor_units=True,
        time="completed_at|billed_at|created_at",
        value="details.totals.grand_total|details.totals.total|grand_total|total",
    ),
    _export(
        "Recurly invoices",
        "payment",
        "state|status|invoice_state;closed_at|invoice_number|invoice_closed_at;total|invoice_total;account_code|account.code|account|account_id",
        _RECURLY_ENTITY,
        time="closed_at|invoice_closed_at|created_at",
        value="paid|total|invoice_total",
    ),
    _export(
        "Recurly transactions",
        "payment",
        "status;type|action;amount;account_code|account.code|account|account_id;origin|gateway_type|transaction_id|collection_method",
        _RECURLY_ENTITY,
        time="collected_at|created_at|date",
        value="amount",
    ),
    _export(
        "HubSpot deals",
        "deal",
        "dealstage|Deal Stage|hs_is_closed_won|Is Closed Won;closedate|Close Date|hs_closedate",
        _HUBSPOT_ENTITY,
        time="closedate|Close Date|hs_closedate",
        value="amount_in_home_currency|amount|Amount",
    ),
    _export(
        "HubSpot contacts",
        "person",
        "hs_lifecyclestage_customer_date|Became a Customer Date|Became a Customer On",
        _HUBSPOT_ENTITY,
        time="hs_lifecyclestage_customer_date|Became a Customer Date|Became a Customer On",
        value="Total Revenue|total_revenue|Recent Deal Amount",
    ),
    _export(
        "Salesforce opportunities",
        "deal",
        "IsWon|Is Won|Won|StageName|Stage;CloseDate|Close Date",
        ("AccountId", "Account ID", "Account Id", "ContactId"),
        time="CloseDate|Close Date",
        value="Amount|ExpectedRevenue",
    ),
    _export(
        "Pipedrive deals",
        "deal",
        "won_time|Deal - Won time;status|Deal - Status",
        ("org_id", "org_id.value", "Deal - Organization"),
        time="won_time|Deal - Won time",
        value="value|Deal - Value",
    ),
)
"""The most specific first: `match_export` takes the first that fits."""
