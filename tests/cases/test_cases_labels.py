"""A conversion is a payment: exports with failed, free, refunded, planned and test rows give the true conversions."""

from __future__ import annotations

import pytest
from exports import case, config_of, read_export, write_export

from pql_model.time import iso
from pql_model.workflows.check import check

STRIPE_PAYMENTS = {
    "table": "payments.csv",
    "columns": {
        "entity": "account_id (metadata)",
        "time": "Created date (UTC)",
        "value": "Amount",
        "refunded": "Amount Refunded",
    },
}


class TestExports:
    def test_a_subscription_that_starts_with_a_trial_converts_when_the_trial_ends_and_is_paid(self):
        columns = {"entity": "account_id (metadata)", "time": "Trial End (UTC)", "value": "Amount"}
        where = {"Status": ["active", "past_due"]}
        conversions = {"table": "subscriptions.csv", "columns": columns, "where": where}
        sources, paid = read_export(config_of(case("01-stripe-subscriptions-trials"), conversions))

        assert len(paid) == 96
        assert sources.conversions.set_aside == {"not_selected": 404}
        assert iso(paid["acc_0002"]["time"]) == "2025-04-29T20:36:00Z"

    def test_failed_refunded_free_and_test_payments_do_not_count(self):
        conversions = {**STRIPE_PAYMENTS, "where": {"Status": ["Paid", "Refunded"], "Mode": ["Live"]}}
        result = check(config_of(case("02-stripe-payments-failed-refunded"), conversions)).to_dict()

        assert result["conversions"] == 96
        assert result["set_aside_by_table"]["conversions"] == {"not_selected": 59, "no_payment": 26, "refunded": 30}
        assert result["set_aside"] == {"not_selected": 59, "no_payment": 26, "refunded": 30}

    def test_deals_that_are_lost_or_open_do_not_count_and_their_planned_dates_do_not_move_the_end(self):
        columns = {"entity": "AccountId", "time": "CloseDate", "value": "Amount"}
        conversions = {"table": "opportunities.csv", "columns": columns, "where": {"IsWon": [True]}}
        sources, paid = read_export(config_of(case("03-crm-deals-lost"), conversions))

        assert len(paid) == 96
        assert sources.conversions.set_aside == {"not_selected": 213}
        assert iso(sources.observed_until) == "2025-11-05T20:18:26Z"

    def test_a_blank_date_in_a_file_that_lists_everybody_has_not_paid(self):
        conversions = {"table": "contacts.csv", "columns": {"entity": "account_id", "time": "paid_at", "value": "mrr"}}
        sources, paid = read_export(config_of(case("19b-wide-second-file"), conversions))

        assert len(paid) == 55
        assert sources.conversions.set_aside == {"not_paid": 245}

    @pytest.mark.parametrize("mapped", [True, False])
    def test_a_column_of_arrivals_that_is_partly_an_import_is_questioned(self, mapped):
        columns = {"entity": "$group_0", "user": "distinct_id", "event": "event", "time": "timestamp", "id": "uuid"}
        columns |= {"known_at": "inserted_at"} if mapped else {}
        conversions = {
            "table": "subscriptions.csv",
            "columns": {"entity": "account_id", "time": "paid_at", "value": "mrr"},
        }
        events = [{"table": "events.csv", "columns": columns}]
        sources, paid = read_export(config_of(case("20-partly-backfilled"), conversions, events=events))
        warnings = [warning for warning in sources.warnings if "arrived" in warning]

        assert len(paid) == 55
        assert len(warnings) == mapped
        if mapped:
            assert warnings[0].startswith("events.csv: 61% of 5,207 rows arrived more than a day after they happened, ")
            assert "on 2025-07-01 (`inserted_at`)" in warnings[0]


def labels(home, rows, columns, where=None):
    """Write an export of payments and read it: entity -> (date, value), and the rows that do not count."""
    table = {"table": "paid.csv", "columns": columns, "where": where or {}}
    sources, paid = read_export(config_of(write_export(home, rows), table))
    return {e: (iso(r["time"])[:10], r["value"]) for e, r in sorted(paid.items())}, sources.conversions.set_aside


class TestSiblings:
    """Other vendors' exports of the same kinds."""

    def test_invoices_of_which_only_paid_ones_in_live_mode_count(self, tmp_path):
        keys = ("customer", "created", "amount_paid", "status", "livemode")
        rows = [
            ("a0", 1743465600, 4900, "paid", "true"),
            ("a1", 1743465600, 0, "paid", "true"),  # the invoice of a trial
            ("a1", 1744465600, 4900, "paid", "true"),
            ("a2", 1743465600, 0, "open", "true"),
            ("a3", 1743465600, 4900, "paid", "false"),
            ("a4", 1743465600, 0, "uncollectible", "true"),
            ("a5", 1743465600, 0, "void", "true"),
        ]
        found = labels(
            tmp_path,
            [dict(zip(keys, row, strict=True)) for row in rows],
            {"entity": "customer", "time": "created", "value": "amount_paid"},
            {"status": ["paid"], "livemode": [True]},
        )

        assert found == (
            {"a0": ("2025-04-01", 4900.0), "a1": ("2025-04-12", 4900.0)},
            {"not_selected": 4, "no_payment": 1},
        )

    def test_charges_that_were_partly_paid_back_count_with_what_is_left(self, tmp_path):
        keys = ("customer", "created", "amount", "amount_refunded", "paid")
        rows = [
            ("a0", "2025-03-20", 49, 20, True),
            ("a1", "2025-03-20", 49, 49, True),
            ("a1", "2025-04-20", 49, 0, True),
            ("a2", "2025-03-20", 49, 49, True),
            ("a3", "2025-03-20", 49, "", True),
            ("a4", "2025-03-20", 49, 0, False),
        ]
        found = labels(
            tmp_path,
            [dict(zip(keys, row, strict=True)) for row in rows],
            {"entity": "customer", "time": "created", "value": "amount", "refunded": "amount_refunded"},
            {"paid": [True]},
        )

        assert found == (
            {"a0": ("2025-03-20", 29.0), "a1": ("2025-04-20", 49.0), "a3": ("2025-03-20", 49.0)},
            {"not_selected": 1, "refunded": 2},
        )

    def test_refunds_in_rows_of_their_own_cancel_the_charges_before_them(self, tmp_path):
        keys = ("customer", "created", "amount", "type")
        rows = [
            ("a0", "2025-03-20", 49, "charge"),
            ("a0", "2025-03-25", -49, "refund"),
            ("a1", "2025-03-20", 49, "charge"),
            ("a1", "2025-04-20", 49, "charge"),
            ("a1", "2025-04-21", -49, "refund"),
            ("a2", "2025-03-20", 99, "charge"),
            ("a2", "2025-03-22", -30, "refund"),
            ("a3", "2025-03-20", -5, "adjustment"),
            ("a4", "2025-03-20", 49, "payout"),
        ]
        found = labels(
            tmp_path,
            [dict(zip(keys, row, strict=True)) for row in rows],
            {"entity": "customer", "time": "created", "value": "amount"},
            {"type": {"not": ["payout"]}},
        )

        assert found == (
            {"a1": ("2025-03-20", 49.0), "a2": ("2025-03-20", 69.0)},
            {"not_selected": 1, "no_payment": 4, "refunded": 2},
        )

    def test_deals_in_a_won_stage_count_whatever_else_is_in_the_pipeline(self, tmp_path):
        keys = ("company", "closedate", "amount", "dealstage")
        rows = [
            ("a0", "2025-04-02", 990, "closedwon"),
            ("a1", "2025-04-02", 990, "closedlost"),
            ("a2", "2026-04-02", 990, "contractsent"),
            ("a3", "2025-04-05", "", "closedwon"),
        ]
        found = labels(
            tmp_path,
            [dict(zip(keys, row, strict=True)) for row in rows],
            {"entity": "company", "time": "closedate", "value": "amount"},
            {"dealstage": ["closedwon"]},
        )

        assert found == ({"a0": ("2025-04-02", 990.0), "a3": ("2025-04-05", None)}, {"not_selected": 2})

    def test_a_wide_table_of_subscriptions_with_never_and_blank_dates(self, tmp_path):
        keys = ("account", "activated_at", "mrr")
        rows = [
            ("a0", "2025-04-02 10:00:00", 49),
            ("a1", "", ""),
            ("a2", "0000-00-00 00:00:00", ""),
            ("a3", "NULL", ""),
            ("a4", "2025-04-02 10:00:00", 0),
            ("a5", "soon", 49),
        ]
        found = labels(
            tmp_path,
            [dict(zip(keys, row, strict=True)) for row in rows],
            {"entity": "account", "time": "activated_at", "value": "mrr"},
        )

        assert found == ({"a0": ("2025-04-02", 49.0)}, {"unparsable_time": 1, "not_paid": 3, "no_payment": 1})
