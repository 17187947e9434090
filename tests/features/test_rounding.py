"""Sums of all sizes are rounded by the same operations in batch and online."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from pql_model.features.aggregates import rounded_sums
from pql_model.features.rounding import POWERS, rounded

DICE = random.Random(3)
SUMS = [
    *(DICE.choice((1, -1)) * 10 ** DICE.uniform(-spread, spread) for spread in (1, 12, 100, 300) for _ in range(1000)),
    *(power for power in POWERS[::7]),
    *(math.nextafter(power, 0.0) for power in POWERS[::7]),
    *(0.0, -0.0, math.inf, -math.inf, 5e-324, 1e23, 1.7e308),
]


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0.1 + 0.2, 0.3),
        (1 / 3, 0.333333333333),
        (-2 / 3, -0.666666666667),
        (123456789012345.0, 123456789012000.0),
        (7.0, 7.0),
        (0.0, 0.0),
        (999999999999.6, 1e12),
        (1e20, 1e20),
    ],
)
def test_a_sum_has_twelve_significant_digits(total, expected):
    assert rounded(total, abs(total)) == expected


def test_amounts_that_cancel_leave_no_rounding_error():
    for amounts in ([0.1, 0.2, -0.3], [-0.3, 0.1, 0.2], [0.2, -0.3, 0.1]):
        assert rounded(sum(amounts), sum(map(abs, amounts))) == 0.0
    assert rounded(1e15 + 76.29 - 1e15, 2e15) == rounded(76.29, 2e15) == 0.0
    assert rounded(19.99 + 0.01 - 19.99, 39.99) == 0.01


def test_gross_at_or_just_below_a_power_of_ten_rounds_to_the_same_digits():
    below = math.nextafter(100.0, 0.0)
    assert rounded(2 / 3, below) == rounded(2 / 3, 100.0) == 0.666666667


def test_batch_rounds_to_the_same_bits():
    gross = [abs(total) * DICE.choice((1, 1, 7, 1e5, 1e14)) for total in SUMS]
    together = rounded_sums(np.array(SUMS), np.array(gross)).tolist()

    assert list(map(rounded, SUMS, gross)) == together


def test_values_that_are_not_finite_are_unchanged():
    assert math.isnan(rounded(math.nan, math.nan))
    assert rounded(-math.inf, math.inf) == -math.inf
