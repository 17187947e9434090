"""`where:` of a table in `pql.yaml`."""

from __future__ import annotations

import pytest
from configs import SMALL, fault

from pql_model.config.load import dump_config, parse_config

FILTERS = """{status: [Paid, 1, true], live: true, paid_on: {at_least: 2025-01-01, below: 2026-01-01T12:00:00Z},
    amount: {above: 0}, kind: {not: [test]}, note: {missing: false}}"""


def with_where(filters):
    return SMALL.replace("columns: {entity: a, time: t}}", f"columns: {{entity: a, time: t}}, where: {filters}}}")


def test_filters_are_read_in_all_their_forms_and_written_back():
    config = parse_config(with_where(FILTERS))
    where = config.conversions.where

    assert {column: row_filter.text for column, row_filter in where.items()} == {
        "status": "[Paid, 1, true]",
        "live": "[true]",
        "paid_on": "{at_least: 2025-01-01, below: 2026-01-01T12:00:00Z}",
        "amount": "{above: 0}",
        "kind": "{not: [test]}",
        "note": "{missing: false}",
    }
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    "table",
    [
        "events: [{table: e.csv, columns: {entity: a, event: b, time: c}, where: {env: [prod]}}]",
        "entities: {table: w.csv, columns: {entity: a, signed_up: s}, where: {env: [prod]}}",
        "entities: {table: w.csv, columns: {entity: a, signed_up: s}, earlier: {table: o.csv, where: {env: [prod]}}}",
        "features: [{table: f.csv, columns: {entity: a, time: t}, values: [x], where: {env: [prod]}}]",
    ],
)
def test_every_table_takes_it(table):
    key = table.split(":")[0]
    others = "".join(line + "\n" for line in SMALL.splitlines() if not line.startswith(key))

    assert "env" in dump_config(parse_config(others + table))


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ("{s: {at_last: 3}}", "unknown key `at_last`, did you mean `at_least`? Allowed: in, not, at_least"),
        ("{s: }", "a missing value is written `{missing: true}`, not as an empty value or `null`"),
        ("{s: [a, null]}", "a missing value is written `{missing: true}`"),
        ("{s: {}}", "needs values `[a, b]`, or one of `at_least`, `at_most`, `above`, `below`, `not`, `missing`"),
        ("{s: []}", "value should have at least 1 item"),
        ("{s: {at_least: 5, at_most: 3}}", "no value is above 5 and below 3"),
        ("{s: {above: 2025-06-01, below: 2025-01-01}}", "no value is above 2025-06-01 and below 2025-01-01"),
        ("{s: {at_least: 5, at_most: 2025-01-01}}", "the bounds of a column are all numbers or all times"),
        ("{s: {in: [a], not: [b]}}", "`in` and `not` exclude each other: list the values that count"),
        ("{s: {at_least: soon}}", "`soon` is not a time. Allowed: a date"),
        ("{s: {at_least: true}}", "a bound is a number, or a date 2026-06-30 or a time"),
        ("{s: {at_least: .inf}}", "`inf` is not a time"),
        ("[a]", "should be a valid dictionary"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(filters, message):
    assert message in fault(with_where(filters))


def test_what_was_refunded_is_a_part_of_the_value():
    text = SMALL.replace("columns: {entity: a, time: t}}", "columns: {entity: a, time: t, refunded: r}}")

    assert fault(text) == "`refunded` needs `value`, the amount of which it is a part"


def test_only_a_table_of_dated_columns_can_be_filtered():
    text = SMALL + "features: [{event: x, where: {env: [prod]}}]\n"

    assert fault(text) == "`where` belongs to a `table` of dated columns, not to an `event`"
