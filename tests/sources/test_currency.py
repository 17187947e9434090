"""Payments of several currencies: refused unless mapped, of which one is used without rates and all with them."""

from __future__ import annotations

import pytest
from staging import read_shop

from pql_model.config.load import parse_config
from pql_model.errors import ConfigError, DataError

PAID = "account,paid_at,mrr,currency\na,2026-01-20,100,usd\nb,2026-01-21,50,EUR\nc,2026-01-22,80,USD\n"
MAPPED = {"entity": "account", "time": "paid_at", "value": "mrr", "currency": "currency"}


def values(home, paid=PAID, **keys):
    read = read_shop(home, paid=paid, buys=keys)
    return {row["entity"]: row["value"] for row in read.conversions}, [
        text for text in read.sources.warnings if "rates" in text or "currency" in text
    ]


def test_values_of_several_currencies_are_refused_with_the_keys_to_set(tmp_path):
    expected = (
        r"The values `mrr` of paid\.csv are of several currencies\. Received: USD \(2 rows\), EUR \(1 rows\) in `currency`\."
        r".*`conversions\.columns\.currency: currency`, and `conversions\.rates`"
    )
    with pytest.raises(DataError, match=expected):
        values(tmp_path)


def test_one_currency_in_any_spelling_needs_no_key(tmp_path):
    assert values(tmp_path, PAID.replace("EUR", "Usd")) == ({"a": 100, "b": 50, "c": 80}, [])


def test_without_a_value_the_currency_does_not_matter(tmp_path):
    found, _ = values(tmp_path, columns={"entity": "account", "time": "paid_at"})

    assert found == {"a": None, "b": None, "c": None}


def test_rates_convert_values_and_refunds(tmp_path):
    paid = PAID + "b,2026-01-23,-20,EUR\n"

    assert values(tmp_path, paid, columns=MAPPED, rates={"usd": 1, "EUR": 1.5}) == ({"a": 100, "b": 45, "c": 80}, [])


def test_without_rates_only_the_most_common_currency_has_known_values(tmp_path):
    found, said = values(tmp_path, columns=MAPPED)

    assert found == {"a": 100, "b": None, "c": 80}
    assert said == [
        "1 of 3 payments of paid.csv are not in USD: what they are worth is not used. Set `conversions.rates` to use it."
    ]


def test_a_currency_without_a_rate_is_refused_and_a_payment_without_a_currency_is_said(tmp_path):
    with pytest.raises(
        DataError, match=r"`conversions\.rates` lacks currencies of paid\.csv\. Received: EUR \(1 rows\)"
    ):
        values(tmp_path, columns=MAPPED, rates={"USD": 1})
    found, said = values(tmp_path, PAID.replace("EUR", ""), columns=MAPPED, rates={"USD": 2})
    assert found == {"a": 200, "b": None, "c": 160}
    assert said[0] == "1 payments of paid.csv have no currency and count as payments of unknown amount."


def test_of_two_columns_the_one_of_the_value_counts(tmp_path):
    paid = PAID.replace("mrr,currency", "Amount,Currency,Converted Amount,Converted Currency")
    paid = "".join(f"{line},9,eur\n" if "2026" in line else f"{line}\n" for line in paid.splitlines())
    columns = {"entity": "account", "time": "paid_at"}

    assert values(tmp_path, paid, columns={**columns, "value": "Converted Amount"})[0] == {"a": 9, "b": 9, "c": 9}
    with pytest.raises(DataError, match="in `Currency`"):
        values(tmp_path, paid, columns={**columns, "value": "Amount"})


@pytest.mark.parametrize(
    ("conversions", "message"),
    [
        ("columns: {entity: a, time: t, currency: c}", "`currency` needs `value`"),
        ("columns: {entity: a, time: t, value: v}, rates: {EUR: 1}", r"`rates` need `columns\.currency`"),
        ("columns: {entity: a, time: t, value: v, currency: c}, rates: {EUR: 0}", "greater than 0"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(conversions, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(
            "name: x\nevents: [{table: e.csv, event: y, columns: {entity: a, time: t}}]\n"
            "entities: {table: a.csv, columns: {entity: a, signed_up: s}}\n"
            f"conversions: {{table: c.csv, {conversions}}}\nmotion: trial\n"
        )
