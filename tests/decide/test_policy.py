import numpy as np
import pytest

from pql_model.config.schema import Policy
from pql_model.decide.policy import Rule, expected_conversions, make_rule

P = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
Y = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], float)


def policy(**raw):
    return Policy.model_validate(raw)


def test_without_a_policy_the_top_tenth_of_the_test_period_is_the_threshold():
    rule = make_rule(None, Y, P)
    assert rule.probability == pytest.approx(0.81)
    assert rule.leads is None
    assert "no policy given" in rule.words
    assert rule.qualify(P).sum() == 1


def test_a_capacity_takes_so_many_of_the_best():
    rule = make_rule(policy(capacity={"leads": 3, "per": "7d"}), Y, P)
    assert rule.words == "the 3 best per 7 days"
    assert rule.qualify(P[::-1]).tolist() == [False] * 7 + [True] * 3


def test_ties_at_the_edge_of_the_capacity_do_not_exceed_it():
    assert Rule(0.0, 2, "").qualify(np.array([0.5, 0.5, 0.5, 0.1])).tolist() == [True, True, False, False]


def test_a_capacity_larger_than_the_rows_takes_them_all():
    assert Rule(0.0, 50, "").qualify(P).all()


def test_a_probability_is_the_threshold_itself():
    rule = make_rule(policy(probability=0.6), Y, P)
    assert rule.qualify(P).sum() == 4
    assert rule.words == "probability at least 0.6"


def test_a_precision_takes_the_lowest_threshold_that_kept_it():
    assert make_rule(policy(precision=0.75), Y, P).probability == 0.6
    assert make_rule(policy(precision=0.95), Y, P).probability == 0.8


def test_a_precision_never_cuts_through_a_tie():
    rule = make_rule(policy(precision=0.6), np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5]))
    assert (rule.probability, rule.leads) == (1.0, 0)


def test_a_precision_that_nothing_kept_qualifies_nobody():
    rule = make_rule(policy(precision=0.5), np.zeros(10), P)
    assert "no threshold of the test period kept a precision of 0.5" in rule.words
    assert not rule.qualify(np.ones(3)).any()


def test_nobody_at_risk_nobody_qualifies():
    assert Rule(0.0, 3, "").qualify(np.array([])).shape == (0,)


def test_expected_conversions_are_the_sum_with_the_luck_of_the_draw():
    found = expected_conversions(np.full(100, 0.3))
    assert found.value == pytest.approx(30)
    assert (found.low, found.high) == (21, 39)


def test_a_level_learnt_from_few_conversions_widens_the_range():
    p = np.full(1000, 0.3)
    known, learnt = expected_conversions(p), expected_conversions(p, learnt_from=100)
    assert (known.low, known.high) == (272, 329)  # 300 and 1.96 sqrt(1,000 x 0.3 x 0.7) to either side
    assert (learnt.low, learnt.high) == (235, 366)  # and the 10 % of 300 by which 100 conversions may mislead
    assert expected_conversions(p, learnt_from=0).high == 889  # as from one


def test_what_is_expected_stays_between_nobody_and_everybody():
    found = expected_conversions(np.full(3, 0.9), learnt_from=1)
    assert (found.low, found.high) == (0, 3)


@pytest.mark.parametrize("rows", [1, 64, 1000, 1001, 50_000])
def test_any_number_of_selected_has_an_interval(rows):
    found = expected_conversions(np.full(rows, 0.5))
    assert found.value == rows / 2
    assert 0 <= found.low <= found.value <= found.high <= rows


def test_exact_and_normal_agree_where_they_meet():
    exact, normal = expected_conversions(np.full(1000, 0.1)), expected_conversions(np.full(1001, 0.1))
    assert (exact.low, exact.high) == (82, 119)
    assert (normal.low, normal.high) == (81, 119)


def test_of_nobody_nothing_is_expected():
    assert expected_conversions(np.array([])).as_json() == {"value": 0.0, "low": 0.0, "high": 0.0}
