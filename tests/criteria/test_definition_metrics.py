import json
import math

import numpy as np
import pytest
from scipy.stats import fisher_exact

from pql_model.criteria.definition_metrics import (
    DefinitionMetrics,
    Outcomes,
    compare_definitions,
    evaluate_definition,
    lift_of,
    p_above,
)
from pql_model.statistics.estimate import wilson
from pql_model.time import DAY, parse_instant

MONDAY = parse_instant("2026-01-05")


def outcomes(converted, days=None, entity=None, probability=None):
    n = len(converted)
    as_of = MONDAY + (np.zeros(n, int) if days is None else np.asarray(days)) * DAY
    return Outcomes(
        np.arange(n) if entity is None else np.asarray(entity), as_of, as_of, np.asarray(converted, bool), probability
    )


def first(n, of):
    return np.arange(of) < n


def test_the_figures_of_a_definition_are_counts_and_shares():
    converted = first(30, 400) | (np.arange(400) >= 380)  # 30 of those who meet it, 20 of the others
    metrics = evaluate_definition(first(100, 400), outcomes(converted))
    assert (metrics.rows, metrics.entities, metrics.qualified, metrics.conversions, metrics.share) == (
        400,
        400,
        100,
        30,
        0.25,
    )
    assert (metrics.base.value, metrics.rate.value, metrics.lift.value, metrics.recall.value) == (0.125, 0.3, 2.4, 0.6)
    assert (metrics.rate.low, metrics.rate.high) == pytest.approx((0.2189, 0.3958), abs=1e-4)
    assert (metrics.recall.low, metrics.recall.high) == pytest.approx((0.4618, 0.7239), abs=1e-4)
    assert metrics.note is None
    assert metrics.fidelity is None


def test_the_variance_of_the_lift_follows_the_delta_method():
    a, n1, k, rows = 30, 100, 50, 400
    pa, p1, pk = a / rows, n1 / rows, k / rows
    gradient = np.array([1 / pa, -1 / p1, -1 / pk])
    both = [[pa, pa, pa], [pa, p1, pa], [pa, pa, pk]]  # share of rows in both of two groups
    covariance = (np.array(both) - np.outer([pa, p1, pk], [pa, p1, pk])) / rows
    half = 1.959964 * math.sqrt(gradient @ covariance @ gradient)
    lift = lift_of(a, n1, k, rows)
    assert (lift.low, lift.high) == pytest.approx((2.4 * math.exp(-half), 2.4 * math.exp(half)), rel=1e-6)


@pytest.mark.parametrize(
    ("rows", "share", "rate", "others"),
    [(300, 0.1, 0.3, 0.1), (1000, 0.05, 0.3, 0.05), (3000, 0.02, 0.1, 0.1), (1000, 0.5, 0.15, 0.01)],
)
def test_the_intervals_contain_the_truth_nineteen_times_in_twenty(rows, share, rate, others):
    rng = np.random.default_rng(11)
    base = share * rate + (1 - share) * others
    truth = {"rate": rate, "base": base, "lift": rate / base, "recall": share * rate / base}
    held = dict.fromkeys(truth, 0)
    for _ in range(1000):
        qualified = rng.binomial(rows, share)
        caught = rng.binomial(qualified, rate)
        everyone = caught + rng.binomial(rows - qualified, others)
        result = {"rate": wilson(caught, qualified), "base": wilson(everyone, rows), "recall": wilson(caught, everyone)}
        result["lift"] = lift_of(caught, qualified, everyone, rows)
        for name, estimate in result.items():
            held[name] += estimate.low <= truth[name] <= estimate.high
    assert all(930 <= count <= 980 for count in held.values()), held


def test_a_lift_without_conversions_still_has_an_upper_end():
    metrics = evaluate_definition(first(50, 500), outcomes(np.arange(500) >= 450))
    assert (metrics.rate.value, metrics.lift.value, metrics.lift.low) == (0.0, 0.0, 0.0)
    assert metrics.lift.high == pytest.approx(metrics.rate.high / 0.1) == pytest.approx(0.7135, abs=1e-4)


def test_a_definition_that_everybody_meets_has_a_lift_of_exactly_one():
    metrics = evaluate_definition(np.ones(200, bool), outcomes(first(40, 200)))
    assert (metrics.lift.value, metrics.lift.low, metrics.lift.high) == (1.0, 1.0, 1.0)
    assert (metrics.note, metrics.recall.value) == ("everybody meets it", 1.0)


def test_a_definition_that_nobody_meets_has_no_rate():
    metrics = evaluate_definition(np.zeros(200, bool), outcomes(first(40, 200)))
    assert metrics.note == "nobody meets it"
    assert math.isnan(metrics.rate.value)
    assert math.isnan(metrics.lift.value)
    assert metrics.recall.value == 0.0


@pytest.mark.parametrize(
    ("qualified", "conversions", "note"),
    [
        (29, 20, "too few to judge"),
        (30, 5, None),
        (30, 4, "too few to judge"),
        (100, 4, "too few to judge"),
        (100, 50, None),
    ],
)
def test_fewer_than_30_qualified_or_5_conversions_are_too_few(qualified, conversions, note):
    converted = first(conversions, 400) | (np.arange(400) >= 390)
    assert evaluate_definition(first(qualified, 400), outcomes(converted)).note == note


def test_leads_per_week_use_whole_weeks():
    days = [0, 1, 2, 6, 7, 21, 27, 28]  # four weeks and the Monday of a fifth, which is cut off; the third has none
    metrics = evaluate_definition(np.ones(8, bool), outcomes(np.zeros(8), days)).leads_per_week
    assert (metrics.value, metrics.low, metrics.high) == (7 / 4, 0, 4)
    one = evaluate_definition(first(3, 8), outcomes(np.zeros(8), days)).leads_per_week
    assert (one.value, one.low, one.high) == (3 / 4, 0, 3)
    assert math.isnan(evaluate_definition(np.ones(2, bool), outcomes(np.zeros(2), [1, 5])).leads_per_week.value)


def test_months_follow_as_of_and_count_an_entity_once_each():
    days = [0, 1, 26, 27, 28]  # 2026-01-05, 06, 31, 02-01, 02-02
    metrics = evaluate_definition(first(4, 5), outcomes([1, 0, 0, 1, 1], days, ["a", "b", "a", "a", "b"]))
    assert metrics.entities == 2
    payload = [(m.month, m.entities, m.qualified, m.conversions, m.rate.value) for m in metrics.months]
    assert payload == [("2026-01", 2, 3, 1, 1 / 3), ("2026-02", 2, 1, 1, 1.0)]


def test_fidelity_is_one_for_the_top_of_the_model_and_zero_at_random():
    rng = np.random.default_rng(2)
    probability = rng.permutation(1000) / 1000
    blank = outcomes(np.zeros(1000), probability=probability)
    assert evaluate_definition(probability >= 0.8, blank).fidelity == pytest.approx(1.0)
    assert evaluate_definition(probability < 0.2, blank).fidelity == pytest.approx(-0.25)
    assert evaluate_definition(rng.random(1000) < 0.2, blank).fidelity == pytest.approx(0.0, abs=0.08)
    assert evaluate_definition(np.ones(1000, bool), blank).fidelity is None


def test_equal_probabilities_give_a_fidelity_of_zero():
    for order in (first(20, 100), ~first(80, 100)):
        assert evaluate_definition(
            order, outcomes(np.zeros(100), probability=np.full(100, 0.3))
        ).fidelity == pytest.approx(0.0)


def test_the_p_value_is_one_sided():
    met, converted = first(50, 200), first(20, 200) | (np.arange(200) >= 180)
    assert p_above(met, converted) == pytest.approx(float(fisher_exact([[20, 30], [20, 130]], "greater").pvalue))
    assert p_above(~met, converted) > 0.99
    assert p_above(np.zeros(200, bool), converted) == 1.0


def test_two_definitions_split_the_rows_into_four_groups():
    a, b = first(60, 100), np.arange(100) >= 40
    compared = compare_definitions(a, b, outcomes(first(50, 100)))
    cells = [
        (c.entities, c.conversions, c.rate.value)
        for c in (compared.both, compared.only_a, compared.only_b, compared.neither)
    ]
    assert cells[:3] == [(20, 10, 0.5), (40, 40, 1.0), (40, 0, 0.0)]
    assert cells[3][:2] == (0, 0)
    assert (compared.agreement, compared.overlap) == (0.2, 0.2)
    assert math.isnan(compare_definitions(a & ~a, a & ~a, outcomes(first(50, 100))).overlap)


def test_a_subset_of_outcomes_keeps_its_columns_aligned():
    part = outcomes([1, 0, 1], [0, 1, 2], ["a", "b", "c"], np.array([0.1, 0.2, 0.3]))[np.array([True, False, True])]
    assert (part.entity.tolist(), part.converted.tolist(), part.probability.tolist()) == (
        ["a", "c"],
        [True, True],
        [0.1, 0.3],
    )
    assert len(part) == 2


@pytest.mark.parametrize("met", [np.zeros(10, bool), np.ones(10, bool), first(3, 10)])
@pytest.mark.parametrize("converted", [np.zeros(10, bool), first(2, 10)])
def test_the_json_has_every_field_and_null_where_a_figure_is_undefined(met, converted):
    payload = json.loads(json.dumps(evaluate_definition(met, outcomes(converted)).to_dict(), allow_nan=False))
    assert set(payload) == {
        "entities",
        "rows",
        "qualified",
        "share",
        "conversions",
        "base_rate",
        "rate",
        "lift",
        "recall",
        "leads_per_week",
        "months",
        "fidelity",
        "note",
    }
    assert set(payload["months"][0]) == {"month", "entities", "qualified", "conversions", "rate"}
    assert set(payload["rate"]) == {"value", "low", "high"}


def test_without_rows_there_are_no_figures():
    payload = json.loads(
        json.dumps(evaluate_definition(np.zeros(0, bool), outcomes(np.zeros(0, bool))).to_dict(), allow_nan=False)
    )
    assert (payload["rows"], payload["share"], payload["months"], payload["rate"]["value"]) == (0, None, [], None)
    assert payload["note"] == "nobody meets it"


def test_metrics_read_back_are_those_written_without_their_months():
    outcomes = Outcomes(np.arange(200), np.zeros(200, int), np.zeros(200, int), np.arange(200) % 5 == 0)
    metrics = evaluate_definition(np.arange(200) < 80, outcomes)
    again = DefinitionMetrics.from_dict(metrics.to_dict())

    assert {**again.to_dict(), "months": None} == {**metrics.to_dict(), "months": None}
    assert again.months == ()
