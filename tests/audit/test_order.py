import numpy as np
import pandas as pd
import pytest

from pql_model.audit.order import (
    counts_up,
    judge_identifier,
    judge_key,
    judge_row_order,
    natural_order,
    order_auc,
)

N = 2000
SIGNED_UP = np.arange(N, dtype=float)


def drifting(rng=None):
    """The rate falls from 20 % to 2 %."""
    rng = rng or np.random.default_rng(1)
    return rng.random(N) < np.linspace(0.2, 0.02, N)


def test_an_identifier_that_counts_up_while_the_rate_drifts_is_honest():
    y = drifting()
    assert order_auc(SIGNED_UP, y).auc > 0.65  # it does predict
    assert judge_identifier(("trait.id", "id"), SIGNED_UP, y, SIGNED_UP, 10, ()) is None


def test_an_identifier_assigned_at_conversion_is_guilty():
    y = drifting()
    order = np.where(y, N + SIGNED_UP, SIGNED_UP)
    found = judge_identifier(("trait.id", "id"), order, y, SIGNED_UP, 10, ())
    assert (found.column, found.kind, found.action) == ("trait.id", "identifier", "quarantined")
    assert found.auc > 0.99
    assert "among those who signed up at about the same time" in found.reason
    assert judge_identifier(("trait.id", "id"), order, y, SIGNED_UP, 10, {"id"}).action == "allowed"


def test_rows_sorted_by_the_outcome_are_named():
    y = np.arange(N) < 160
    found = judge_row_order(SIGNED_UP, y, None, 10)
    assert (found.column, found.kind, found.auc, found.action) == ("(row order)", "row_order", 1.0, "named")


@pytest.mark.parametrize("conversions", [8, 60, 500])
def test_rows_in_another_order_are_not_named(conversions):
    rng = np.random.default_rng(conversions)
    for _ in range(20):
        y = rng.permutation(np.arange(N) < conversions)
        assert judge_row_order(SIGNED_UP, y, None, 10) is None


def test_without_times_a_weak_drift_is_spared():
    y = np.random.default_rng(2).random(N) < np.linspace(0.12, 0.08, N)
    assert judge_row_order(SIGNED_UP, y, None, 10) is None


def test_a_missing_identifier_has_no_order():
    order = np.where(np.arange(N) % 2 == 0, SIGNED_UP, np.nan)
    y = np.arange(N) < 160
    assert order_auc(order, y).auc == 1.0
    assert order_auc(np.full(N, np.nan), y).auc == 0.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], [3, 1, 2]),
        (["C-10", "C-9", "C-100"], [10, 9, 100]),
        (["b", "a", "b"], [2, 1, 2]),
        (["12", None, "7"], [12, np.nan, 7]),
    ],
)
def test_values_have_a_natural_order(values, expected):
    assert natural_order(pd.Series(values, dtype=object)).tolist() == pytest.approx(expected, nan_ok=True)


def test_numbers_that_are_whole_dense_and_unique_identify():
    assert counts_up(np.arange(100.0) + 5000, None)


def test_amounts_do_not_identify():
    rng = np.random.default_rng(3)
    assert not counts_up(rng.permutation(5_000_000)[:100].astype(float), np.arange(100.0))  # revenue, all different
    assert not counts_up(np.arange(100.0) / 2, None)
    assert not counts_up(rng.integers(0, 50, 100).astype(float), None)


def test_sparse_numbers_in_the_order_of_the_rows_identify():
    snowflakes = np.cumsum(np.random.default_rng(4).integers(1, 10**9, 100)).astype(float)
    assert counts_up(snowflakes, np.arange(100.0))
    assert not counts_up(snowflakes, None)


def test_ids_of_entities_that_follow_the_outcome_are_named():
    ids = pd.Series([f"u{number}" for number in range(N)])
    found = judge_key("ID", ids, np.arange(N) < 160, None, 10)
    assert (found.column, found.kind, found.auc, found.action) == ("ID", "identifier", 1.0, "named")
    assert judge_key("ID", ids, drifting(), SIGNED_UP, 10) is None
