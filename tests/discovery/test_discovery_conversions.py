import datetime as dt

import pytest
from sketches import START, column, ids, table

from pql_model.discovery.conversions import recognise_conversions


def days(*numbers):
    """Times so many days after the start; None where there is none."""
    return [None if n is None else (START + dt.timedelta(days=n)).isoformat(sep=" ") for n in numbers]


def subscriptions(states, starts, trial_ends, cancelled):
    """A table of subscriptions, row by row."""
    columns = {"status": states, "start_date": days(*starts), "trial_end": days(*trial_ends)}
    columns["canceled_at"] = days(*cancelled)
    return table("subs.csv", column("customer", ids("cus_", len(states))), *(cells(n, v) for n, v in columns.items()))


def cells(name, values):
    present = [value for value in values if value is not None]
    made = column(name, present)
    filled = len(present) / len(values)
    return type(made)(
        name, tuple(present), len(set(present)), filled, made.kind, tuple(values), dict.fromkeys(present, 1)
    )


def test_a_trial_converts_at_its_end():
    guess = recognise_conversions(subscriptions(["active", "trialing"], [0, 1], [14, 15], [None, None]))
    assert guess.roles["time"] == "trial_end"
    assert "start" not in guess.roles
    assert [c.values for c in guess.conditions] == [("active",)]


def test_trials_cancelled_at_their_end_were_never_paid():
    guess = recognise_conversions(
        subscriptions(["active", "canceled", "canceled"], [0, 0, 0], [14, 14, 14], [None, 14, 3])
    )
    assert [c.values for c in guess.conditions] == [("active",)]
    assert guess.conditions[0].reason == "not counted: canceled (1 rows), none of them paid before"
    assert "canceled" not in guess.roles


def test_subscriptions_cancelled_after_they_were_paid_have_converted():
    guess = recognise_conversions(
        subscriptions(["active", "canceled", "canceled", "trialing"], [0] * 4, [14] * 4, [None, 80, 14, None])
    )
    assert set(guess.conditions[0].values) == {"active", "canceled"}
    assert guess.roles["canceled"] == "canceled_at"
    assert guess.questions == ()


def test_subscriptions_without_a_trial_convert_at_their_start():
    guess = recognise_conversions(
        subscriptions(["active", "canceled", "incomplete"], [0, 1, 2], [None, 15, None], [None, 60, None])
    )
    assert (guess.roles["time"], guess.roles["start"]) == ("trial_end", "start_date")


def test_without_any_trial_the_start_is_the_time():
    guess = recognise_conversions(subscriptions(["active", "unpaid"], [0, 1], [None, None], [None, None]))
    assert guess.roles["time"] == "start_date"


def test_ended_subscriptions_of_unknown_end_are_asked_about():
    sketch = table(
        "subs.csv",
        column("account_id", ids("a", 2)),
        cells("status", ["active", "canceled"]),
        cells("started_at", days(0, 1)),
    )
    guess = recognise_conversions(sketch)
    assert guess.questions == (
        "Did the subscriptions with `canceled` in `status` of subs.csv ever pay? No column says when they ended; for now "
        "they count.",
    )


@pytest.mark.parametrize("time", ["paid_at", "first_billed_at", "activated_at", "converted_on"])
def test_a_time_of_payment_needs_no_closer_look(time):
    sketch = table(
        "subs.csv",
        column("account_id", ids("a", 2)),
        cells("status", ["active", "canceled"]),
        cells(time, days(14, 14)),
        cells("canceled_at", days(None, 14)),
    )
    guess = recognise_conversions(sketch)
    assert (guess.roles["time"], guess.conditions, guess.questions) == (time, (), ())


def payments(amounts, **columns):
    """A table of payments of these amounts."""
    n = len(amounts)
    made = [column("customer", ids("cus_", n)), cells("paid_at", days(*range(n))), cells("amount", amounts)]
    return table("paid.csv", *made, *(cells(name, values) for name, values in columns.items()))


def test_several_currencies_are_mapped_and_asked_about():
    guess = recognise_conversions(payments(["49", "99", "10"], currency=["usd", "EUR", "USD"]))

    assert (guess.roles["value"], guess.roles["currency"]) == ("amount", "currency")
    assert "USD (2 rows), EUR (1 rows) of `currency` in paid.csv worth in one currency?" in guess.questions[0]


def test_one_currency_needs_no_mapping():
    assert "currency" not in recognise_conversions(payments(["49", "99"], currency=["usd", "USD"])).roles


@pytest.mark.parametrize("refund", ["-49", "(49)", "49-", "\u221249"])
def test_amounts_with_negative_ones_in_any_writing_are_the_value(refund):
    assert recognise_conversions(payments(["49", "99", refund])).roles["value"] == "amount"
