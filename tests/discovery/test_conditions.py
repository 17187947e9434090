import pytest
from sketches import column, ids, table, times

from pql_model.discovery.conditions import family_of, select_payments, select_real, with_refunds


def chosen(*columns, family=None, amount_refunded=False):
    """Column -> the values that count; `not` before those that do not."""
    selection = select_payments(table("payments.csv", *columns), family, (), amount_refunded)
    return {c.column: ("not ", *c.values) if c.excludes else c.values for c in selection.conditions}


@pytest.mark.parametrize(
    ("values", "counting"),
    [
        (["succeeded", "failed", "pending"], ("succeeded",)),
        (["Paid", "Failed", "Refunded"], ("Paid",)),
        (["PAID", "VOID", "OPEN"], ("PAID",)),
        (["paid", "uncollectible", "draft", "void"], ("paid",)),
        (["success", "declined", "chargeback"], ("success",)),
        (["completed", "past_due", "billed", "ready", "canceled"], ("completed",)),
        (["Payment completed", "Payment failed"], ("Payment completed",)),
        (["partially_refunded", "paid", "refunded"], ("paid", "partially_refunded")),
        (["not paid", "paid"], ("paid",)),
        (["authorized", "captured", "requires_payment_method"], ("captured",)),
    ],
)
def test_states_of_payments(values, counting):
    assert set(chosen(column("status", values))["status"]) == set(counting)


def test_states_of_deals_are_won_or_nothing():
    stages = ["Discovery", "6 - Closed Won", "Legal", "Closed Lost"]
    assert chosen(column("Deal Stage", stages), family="deal") == {"Deal Stage": ("6 - Closed Won",)}


def test_a_subscription_that_is_past_due_has_been_paid_and_an_invoice_has_not():
    states = ["active", "trialing", "past_due", "incomplete_expired"]
    assert set(chosen(column("status", states))["status"]) == {"active", "past_due"}
    assert chosen(column("status", ["paid", "past_due"]), family="payment") == {"status": ("paid",)}


def test_subscriptions_that_ended_are_marked_for_a_closer_look():
    selection = select_payments(table("subs.csv", column("status", ["active", "canceled"])), "subscription", (), False)
    assert selection.conditions[0].ended == ("canceled",)


@pytest.mark.parametrize("values", [["paid"], ["gold", "silver"], ["CA", "NY", "TX"], []])
def test_no_condition_where_nothing_speaks_against_a_row(values):
    assert chosen(column("state", values)) == {}


@pytest.mark.parametrize(
    ("name", "values", "counting"),
    [
        ("livemode", ["true", "false"], ("true",)),
        ("paid", ["TRUE", "FALSE"], ("TRUE",)),
        ("is_test", ["0", "1"], ("0",)),
        ("Test", ["No", "Yes"], ("No",)),
        ("IsWon", ["true", "false"], ("true",)),
        ("is_deleted", ["f", "t"], ("f",)),
        ("captured", ["true"], None),
        ("is_test", ["0"], None),
        ("auto_renew", ["true", "false"], None),
        ("cancel_at_period_end", ["true", "false"], None),
    ],
)
def test_flags(name, values, counting):
    assert chosen(column(name, values)).get(name) == counting


def test_rows_without_a_flag_count_unless_the_flag_says_won():
    assert chosen(column("refunded", ["true", "false"], filled=0.4)) == {"refunded": ("not ", "true")}
    assert chosen(column("hs_is_closed_won", ["true"], filled=0.4)) == {"hs_is_closed_won": ("true",)}


def test_the_refunded_amount_says_more_than_its_flag():
    assert chosen(column("refunded", ["true", "false"]), amount_refunded=True) == {}


def test_a_won_flag_makes_the_stage_unnecessary():
    stage, won = column("StageName", ["Closed Won", "Closed Lost"]), column("IsWon", ["true", "false"])
    assert chosen(stage, won) == {"IsWon": ("true",)}


@pytest.mark.parametrize(
    ("name", "values", "counting"),
    [
        ("Mode", ["Live", "Test"], ("Live",)),
        ("environment", ["production", "staging", "development"], ("production",)),
        ("mode", ["subscription", "payment"], None),
    ],
)
def test_test_mode(name, values, counting):
    assert chosen(column(name, values)).get(name) == counting


def test_types_of_transactions():
    assert chosen(column("type", ["payment", "refund", "authorization"])) == {"type": ("payment",)}
    assert chosen(column("type", ["New Business", "Renewal"])) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("card_type", ["credit", "debit", "void"]),
        ("dunning_status", ["in_progress", "success"]),
        ("fulfillment_status", ["fulfilled", "pending"]),
        ("account_status", ["active", "unpaid"]),
        ("Lifecycle Stage", ["lead", "customer"]),
    ],
)
def test_a_state_of_something_else_than_the_row_is_left_alone(name, values):
    assert chosen(column(name, values)) == {}


def test_a_state_that_most_rows_lack_is_left_alone():
    assert chosen(column("status", ["paid", "failed"], filled=0.2)) == {}


def test_an_unknown_state_is_asked_about():
    selection = select_payments(table("pay.csv", column("status", ["paid", "failed", "zurueck"])), None, (), False)
    assert selection.conditions[0].values == ("paid",)
    assert selection.questions == (
        "Is zurueck (66 rows) of `status` in pay.csv a payment? For now it does not count (`where:`).",
    )


def test_failures_beside_unknown_states_leave_the_unknown_ones_and_ask():
    selection = select_payments(table("pay.csv", column("status", ["bezahlt", "failed"])), None, (), False)
    assert selection.conditions[0].values == ("bezahlt",)
    assert "For now it counts" in selection.questions[0]


def test_deal_stages_without_a_won_one_are_asked_about():
    selection = select_payments(table("deals.csv", column("Deal Stage", ["1201", "1202"])), "deal", (), False)
    assert selection.conditions == ()
    assert selection.questions[0].startswith("Which values of `Deal Stage` in deals.csv are won deals?")


def test_the_reason_counts_what_is_left_out():
    selection = select_payments(table("p.csv", column("status", ["paid", "failed"])), None, (), False)
    assert selection.conditions[0].reason == "not counted: failed (100 rows)"


def test_the_family_follows_the_states():
    assert family_of([column("status", ["won", "lost"])]) == "deal"
    assert family_of([column("status", ["active", "canceled"])]) == "subscription"
    assert family_of([column("status", ["paid", "canceled"])]) == "payment"


def test_other_tables_only_leave_out_what_is_not_production():
    log = table(
        "events.csv",
        column("account_id", ids("a", 9)),
        column("status", ["ok", "failed"]),
        column("environment", ["prod", "dev"]),
        column("at", times()),
    )
    assert [(c.column, c.values) for c in select_real(log, ()).conditions] == [("environment", ("prod",))]


def test_a_row_of_a_change_of_state_is_a_payment_only_where_it_changes_to_one():
    states = [column("from_status", ["", "trial"]), column("to_status", ["trial", "active", "canceled"])]
    assert chosen(*states) == {"to_status": ("active",)}


def test_credit_notes_are_no_invoices():
    assert chosen(column("document_type", ["Invoice", "Credit Note"])) == {"document_type": ("Invoice",)}


@pytest.mark.parametrize(
    ("amounts", "counting", "asks"),
    [(["49", "-49"], ("payment", "refund"), False), (["49", "49"], ("payment",), True)],
)
def test_refunds_with_negative_amounts_take_back_payments_and_positive_ones_are_asked_about(amounts, counting, asks):
    kind, value = column("type", ["payment", "refund"]), column("amount", amounts)
    sketch = table("payments.csv", kind, value)
    (condition,) = select_payments(sketch, None, ("amount",), False).conditions
    condition, questions = with_refunds(sketch, condition, value)

    assert condition.values == counting
    assert bool(questions) is asks
