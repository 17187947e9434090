"""Payments and refunds, against a naive stack of charges."""

from __future__ import annotations

import random
from collections import Counter

import pyarrow as pa
import pytest

from pql_model.sources.duckdb_session import open_session
from pql_model.sources.payments import judge_payments

NOW = 1_000
Row = tuple[str, int, float | None]


def judged(rows, refunded=None):
    """Rows of (entity, time, value) -> the same with `unpaid` and `net`."""
    columns = {
        "place": pa.array(range(len(rows))),
        "entity": pa.array([row[0] for row in rows]),
        "time": pa.array([row[1] for row in rows], pa.int64()),
        "value": pa.array([row[2] for row in rows], pa.float64()),
        "refunded": pa.array(refunded or [None] * len(rows), pa.float64()),
    }
    with open_session("1GB") as con:
        table = judge_payments(con.create_table("payments", pa.table(columns)), NOW, refunded is not None)
        return [(r["unpaid"], r["net"]) for r in table.order_by("place").to_pyarrow().to_pylist()]


def of_one(*values, refunded=None):
    """One entity that pays and gets back these amounts, one a day."""
    return judged([("a", day, value) for day, value in enumerate(values)], refunded)


PAID, NOTHING, BACK = None, "no_payment", "refunded"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((49,), [(PAID, 49)]),
        ((0,), [(NOTHING, 0)]),
        ((None,), [(PAID, None)]),
        ((49, -49), [(BACK, 0), (NOTHING, None)]),
        ((49, -20), [(PAID, 29), (NOTHING, None)]),
        ((49, -49, 49), [(BACK, 0), (NOTHING, None), (PAID, 49)]),
        ((49, 99, -99), [(PAID, 49), (BACK, 0), (NOTHING, None)]),
        ((49, 99, -120), [(PAID, 28), (BACK, None), (NOTHING, None)]),  # newest first, the rest from the one before
        ((-49, 49), [(NOTHING, None), (BACK, None)]),  # a credit before the charge: nothing was paid on balance
        ((-49, 99), [(NOTHING, None), (PAID, 50)]),
        ((49, -60, 20), [(BACK, None), (NOTHING, None), (PAID, 9)]),
        ((None, -49), [(PAID, None), (NOTHING, None)]),  # an unknown amount cannot be paid back in full
        ((0.1, 0.2, -0.3), [(BACK, None), (BACK, None), (NOTHING, None)]),  # 5e-17 remains of the sum
    ],
)
def test_refunds_take_back_the_newest_charges_first(values, expected):
    found = of_one(*values)

    assert [reason for reason, _ in found] == [reason for reason, _ in expected]
    for (reason, net), (_, amount) in zip(found, expected, strict=True):
        if reason is PAID:
            assert net == (amount if amount is None else pytest.approx(amount))


def test_a_charge_and_its_refund_at_one_time_are_in_this_order():
    assert [reason for reason, _ in judged([("a", 5, -49.0), ("a", 5, 49.0)])] == [NOTHING, BACK]


def test_the_column_of_refunds_is_the_only_place_they_are_read_from():
    values, refunded = (49, 49, 49, 0, -49, None, 49), (49, 60, 20, 0, 0, 49, -49)
    found = of_one(*values, refunded=refunded)

    assert [reason for reason, _ in found] == [BACK, BACK, PAID, NOTHING, NOTHING, PAID, BACK]
    assert found[2][1] == 29


def test_a_refund_that_is_only_planned_takes_nothing_back():
    assert judged([("a", 1, 49.0), ("a", NOW + 1, -49.0)])[0] == (PAID, 49.0)


def test_refunds_of_others_do_not_count():
    assert judged([("a", 1, 49.0), ("b", 2, -49.0)])[0] == (PAID, 49.0)


def naive(rows: list[tuple[int, Row]]) -> dict[int, tuple[str | None, float | None]]:
    """A stack of charges: a refund takes from its top, and what exceeds the stack is owed by later charges."""
    result: dict[int, tuple[str | None, float | None]] = {}
    for planned in (False, True):
        stack: list[list[float]] = []
        owed = 0.0
        part = [(place, row) for place, row in rows if (row[1] > NOW) == planned]
        for place, (_, _, value) in sorted(part, key=lambda item: (item[1][1], -(item[1][2] or 0))):
            if value is None:
                result[place] = (PAID, None)
            elif value <= 0:
                result[place], back = (NOTHING, None), -value
                while back and stack:
                    taken = min(back, stack[-1][1])
                    back, stack[-1][1] = back - taken, stack[-1][1] - taken
                    result[int(stack[-1][0])] = (PAID, stack[-1][1]) if stack[-1][1] else (BACK, None)
                    if not stack[-1][1]:
                        stack.pop()
                owed += back
            else:
                taken = min(owed, value)
                owed, left = owed - taken, value - taken
                result[place] = (PAID, left) if left else (BACK, None)
                stack += [[place, left]] if left else []
    return result


def test_any_history_equals_the_naive_stack_and_converts_exactly_if_its_sum_is_positive():
    dice = random.Random(3)
    amounts = (None, 0.0, 49.0, 49.0, 99.0, 10.0, -49.0, -49.0, -99.0, -10.0, -3.0)
    rows: list[Row] = [
        (f"e{entity}", dice.choice((1, 1, 2, 3, 4, 5, 1500, 1600)), dice.choice(amounts))
        for entity in range(2_000)
        for _ in range(dice.randrange(1, 8))
    ]
    by_entity: dict[str, list[tuple[int, Row]]] = {}
    for place, row in enumerate(rows):
        by_entity.setdefault(row[0], []).append((place, row))
    expected = {place: fate for history in by_entity.values() for place, fate in naive(history).items()}
    found = judged(rows)

    # rows of one entity that are equal in time and value are exchangeable
    assert Counter((*row, *fate) for row, fate in zip(rows, map(_rounded, found), strict=True)) == Counter(
        (*rows[place], *_rounded(fate)) for place, fate in expected.items()
    )
    for history in by_entity.values():
        known = [(place, row[2]) for place, row in history if row[1] <= NOW]
        if all(value is not None for _, value in known):
            paid = any(found[place][0] is PAID for place, _ in known)
            assert paid == (sum(value for _, value in known if value is not None) > 0)


def _rounded(fate: tuple[str | None, float | None]) -> tuple[str | None, float | None]:
    reason, net = fate
    return (reason, None if reason or net is None else round(net, 6))


def joined(*refunds, value=49, entity="a", day=1):
    """One payment, once for each of its refunds, as when a table of refunds was joined to it."""
    return [(entity, day, value) for _ in refunds], list(refunds)


@pytest.mark.parametrize(
    ("refunds", "reason"),
    [
        ((49,), BACK),
        ((20, 29), BACK),
        ((-20, -29), BACK),
        ((10, 15, 24), BACK),
        ((16.33, 16.32, 16.35), BACK),  # 49 but for a rounding error
        ((20, 28), PAID),
        ((20, 20), PAID),  # the same row twice, as in overlapping files
        ((0, 49), None),  # two payments, of which one was paid back
        ((30, 40), PAID),  # more than one payment could give back: two payments, each in part
    ],
)
def test_a_payment_with_a_row_per_refund_is_paid_back_by_all_of_them(refunds, reason):
    rows, back = joined(*refunds)
    found = [unpaid for unpaid, _ in judged(rows, back)]

    assert found == ([PAID, BACK] if refunds == (0, 49) else [reason] * len(refunds))


def test_refunds_of_other_entities_instants_and_values_are_not_added():
    parts = [joined(20), joined(29, day=2), joined(29, entity="b"), joined(29, value=50)]
    rows, back = [row for part, _ in parts for row in part], [amount for _, part in parts for amount in part]

    assert [unpaid for unpaid, _ in judged(rows, back)] == [PAID] * 4
