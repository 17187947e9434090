import numpy as np
import pytest

from pql_model.config.policy_settings import Policy
from pql_model.decide.policy import Period, PolicyRule, capacity_level, expected_conversions, make_rule
from pql_model.time import DAY, WEEK

P = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
Y = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], float)


def policy(**raw):
    return Policy.model_validate(raw)


def period(probability=P, converted=Y, days=None, entity=None, **overrides):
    """One entity per row over ten days by default."""
    rows = np.arange(len(probability))
    as_of = np.asarray(rows if days is None else days) * DAY
    return Period(rows if entity is None else np.array(entity), as_of, converted, probability, **overrides)


def rule_of(y=Y, p=P, **raw):
    return make_rule(policy(**raw), period(p, y))


def test_without_a_policy_the_top_tenth_of_the_test_period_is_the_threshold():
    rule = make_rule(None, period())
    assert rule.probability == pytest.approx(0.81)
    assert (rule.leads, rule.per, rule.definition) == (None, None, None)
    assert "no policy given" in rule.text


def test_a_capacity_is_a_number_of_leads_per_period():
    rule = rule_of(capacity={"leads": 3, "per": "7d"})
    assert (rule.text, rule.leads, rule.per) == ("the 3 best per 7 days", 3, WEEK)


def test_a_probability_is_the_threshold_itself():
    rule = rule_of(probability=0.6)
    assert (rule.probability, rule.text) == (0.6, "probability at least 0.6")


def test_a_precision_takes_the_lowest_threshold_that_reached_it():
    assert rule_of(precision=0.75).probability == 0.6
    assert rule_of(precision=0.95).probability == 0.8
    assert rule_of(precision=0.75).text.endswith("test period: 3 of 4 rows converted")


def test_a_precision_threshold_never_splits_a_tie():
    rule = rule_of(np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5]), precision=0.6)
    assert (rule.probability, rule.leads) == (1.0, 0)


def test_a_precision_that_no_threshold_reached_qualifies_nobody():
    rule = rule_of(np.zeros(10), precision=0.5)
    assert "no threshold reached a precision of 0.5 in the test period" in rule.text
    assert rule.leads == 0


def test_the_threshold_of_a_definition_is_the_probability_that_as_many_rows_reached():
    met = np.array([0, 1, 0, 1, 0, 1, 0, 0, 0, 0], bool)  # three, whatever their probabilities
    rule = make_rule(policy(definition="in_force"), period(met=met))
    assert (rule.probability, rule.leads, rule.definition) == (0.7, None, "in_force")
    assert rule.text == "the definition in force is met"


def test_a_missing_recommended_definition_qualifies_nobody():
    rule = make_rule(policy(definition="recommended"), period())
    assert rule.leads == 0
    assert rule.text == "no recommended definition was confirmed on later rows: nobody qualifies"


class TestTheLevelOfACapacity:
    CAPACITY = policy(capacity={"leads": 2, "per": "7d"}).capacity

    def test_the_level_is_the_lowest_probability_within_the_capacity_of_a_week(self):
        days = [0, 14, 3, 6, 9, 11, 1, 2, 4, 5]  # two weeks, so four leads
        assert capacity_level(self.CAPACITY, period(days=days)) == 0.6

    def test_the_hold_out_takes_no_places(self):
        days = [0, 14, 3, 6, 9, 11, 1, 2, 4, 5]  # of eight that reach it half are held out
        assert capacity_level(self.CAPACITY, period(days=days), hold_out=0.5) == 0.2

    def test_an_entity_counts_as_a_lead_once(self):
        entity = [0, 0, 0, 3, 4, 5, 6, 7, 8, 9]  # 0.9, 0.8 and 0.7 are looks at the same
        assert capacity_level(self.CAPACITY, period(days=[0, 7, 14, 3, 3, 3, 3, 3, 3, 3], entity=entity)) == 0.4

    def test_a_tie_that_would_exceed_the_capacity_is_left_out(self):
        p = np.array([0.9, 0.5, 0.5, 0.5])
        assert capacity_level(self.CAPACITY, period(p, np.zeros(4), days=[0, 1, 2, 7])) == 0.9

    def test_the_level_is_the_lowest_probability_where_the_capacity_exceeds_all_rows(self):
        assert capacity_level(self.CAPACITY, period(P[:2], Y[:2], days=[0, 7])) == 0.8

    def test_earlier_leads_of_a_freemium_product_take_no_places(self):
        # Ten are high all the time; each of four weeks two others come up to 0.3, and a third to 0.2.
        stock, weeks = np.repeat(np.arange(10), 5), np.tile(np.arange(5) * 7, 10)
        new = np.arange(10, 22)
        p = np.concatenate([np.full(50, 0.8), np.tile([0.3, 0.3, 0.2], 4)])
        days = np.concatenate([weeks, np.repeat([8, 15, 22, 28], 3)])
        rows = period(p, np.zeros(62), days=days, entity=[*stock, *new], repeated=True)
        assert capacity_level(self.CAPACITY, rows) == 0.3
        assert capacity_level(self.CAPACITY, period(p, np.zeros(62), days=days, entity=[*stock, *new])) == 0.8


def test_json_round_trip_of_a_rule():
    for rule in (PolicyRule(0.2, 50, "the 50 best", WEEK), PolicyRule(0.3, None, "x", definition="recommended")):
        assert PolicyRule.from_dict(rule.to_dict()) == rule


def test_expected_conversions_have_an_interval_for_chance():
    expected = expected_conversions(np.full(100, 0.3))
    assert expected.value == pytest.approx(30)
    assert (expected.low, expected.high) == (21, 39)


def test_an_uncertain_level_widens_the_interval():
    p = np.full(1000, 0.3)
    known, learnt = expected_conversions(p), expected_conversions(p, level_error=0.1)
    assert (known.low, known.high) == (272, 329)  # 300 and 1.96 sqrt(1,000 x 0.3 x 0.7) to either side
    assert (learnt.low, learnt.high) == (235, 366)  # and the 10 % of 300 by which 100 conversions may mislead


def test_the_interval_stays_between_zero_and_the_number_of_rows():
    expected = expected_conversions(np.full(3, 0.9), level_error=1)
    assert (expected.low, expected.high) == (0, 3)


@pytest.mark.parametrize("rows", [1, 64, 1000, 1001, 50_000])
def test_any_number_of_rows_has_an_interval(rows):
    expected = expected_conversions(np.full(rows, 0.5))
    assert expected.value == rows / 2
    assert 0 <= expected.low <= expected.value <= expected.high <= rows


def test_exact_and_normal_quantiles_agree_where_they_meet():
    exact, normal = expected_conversions(np.full(1000, 0.1)), expected_conversions(np.full(1001, 0.1))
    assert (exact.low, exact.high) == (82, 119)
    assert (normal.low, normal.high) == (81, 119)


def test_no_rows_have_no_expected_conversions():
    assert expected_conversions(np.array([])).to_dict() == {"value": 0.0, "low": 0.0, "high": 0.0}
