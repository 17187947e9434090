"""Metrics agree with scikit-learn, draws with resampling by hand; intervals are about entities."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from pql_model.errors import DataError
from pql_model.statistics import metrics
from pql_model.statistics.count_metrics import RATES
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.intervals import SampleSize
from pql_model.statistics.metrics import (
    METRICS,
    evaluate,
    paired_difference,
    reliability_table,
)

NAMES = [
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_error",
    "observed_over_expected",
    "lift_at_5pct",
    "lift_at_10pct",
    "lift_at_20pct",
    "precision_at_5pct",
    "precision_at_10pct",
    "precision_at_20pct",
    "base_rate",
]
SKLEARN = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
    "brier": brier_score_loss,
    "log_loss": log_loss,
}


def world(n=400, entities=150, digits=2, seed=0):
    """Outcomes, probabilities with many ties and entities with several rows each."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 6, n).round(digits)
    return (rng.random(n) < p).astype(int), p, rng.integers(0, entities, n).astype(str)


def values(y, p, entities=None, **options):
    metrics = evaluate(y, p, np.arange(len(y)) if entities is None else entities, resamples=20, **options)
    return {name: estimate.value for name, estimate in metrics.items()}


# Values


def test_the_registry_has_the_documented_names():
    assert list(METRICS) == NAMES
    assert list(evaluate(*world(), resamples=2)) == NAMES


@pytest.mark.parametrize("digits", [1, 2, 15])
@pytest.mark.parametrize("name", SKLEARN)
def test_a_metric_equals_that_of_scikit_learn_with_ties_or_without(name, digits):
    y, p, entities = world(digits=digits)
    assert values(y, p, entities)[name] == pytest.approx(SKLEARN[name](y, np.clip(p, 1e-15, 1 - 1e-15)), rel=1e-12)


def test_equal_scores_count_half_in_the_auc():
    assert values([0, 1], [0.3, 0.3])["roc_auc"] == 0.5
    assert values([0, 0, 1], [0.1, 0.3, 0.3])["roc_auc"] == 0.75


def test_log_loss_of_a_certain_mistake_is_that_of_1e_15():
    assert values([1, 0], [0.0, 0.0])["log_loss"] == pytest.approx(-np.log(1e-15) / 2, rel=1e-12)


def test_precision_and_lift_take_the_best_share_of_the_rows():
    y = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    result = values(y, np.linspace(0.9, 0.1, 20))
    assert [result[f"precision_at_{k}pct"] for k in (5, 10, 20)] == [1.0, 1.0, 0.75]
    assert [result[f"lift_at_{k}pct"] for k in (5, 10, 20)] == pytest.approx([5.0, 5.0, 3.75])
    assert result["base_rate"] == 0.2


def test_a_tie_at_the_cut_counts_as_random_order_would_on_average():
    y, p, _ = world(n=40, digits=1)
    rng = np.random.default_rng(1)
    shuffled = [y[np.lexsort((rng.random(40), -p))[:8]].mean() for _ in range(4000)]
    assert len(set(shuffled)) > 1
    assert values(y, p)["precision_at_20pct"] == pytest.approx(np.mean(shuffled), abs=0.01)


def test_the_tied_group_counts_pro_rata():
    # two rows of ten: the one above the tie and a quarter of the four tied rows, two of which convert
    y, p = [0, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert values(y, p)["precision_at_20pct"] == 0.25


def test_a_fractional_row_counts_in_part():
    y, p = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], np.linspace(0.9, 0.1, 15)
    assert values(y, p)["precision_at_10pct"] == pytest.approx(1 / 1.5)
    assert values(y, p)["precision_at_5pct"] == pytest.approx(1.0)


def test_ranking_metrics_accept_any_score():
    metrics = evaluate([0, 1, 1], [3, 12, 40], ["a", "b", "c"], names=["roc_auc", "lift_at_20pct"], resamples=50)
    assert metrics["roc_auc"].value == 1.0
    assert list(metrics) == ["roc_auc", "lift_at_20pct"]


# The bootstrap


def by_hand(name, y, p, entities, resamples, seed):
    """The draws of the same bootstrap, with the rows of the drawn entities written out."""
    rng = np.random.default_rng(seed)
    known = np.unique(entities)
    rows_of = [np.flatnonzero(entities == entity) for entity in known]
    items = []
    for _ in range(resamples):
        rows = np.concatenate([rows_of[i] for i in rng.integers(0, len(known), len(known))])
        if 0 < y[rows].sum() < len(rows):
            items.append(evaluate(y[rows], p[rows], np.arange(len(rows)), names=[name], resamples=0)[name].value)
    return np.array(items)


def with_conversion(y, entities):
    return len(set(entities[y == 1])), len(set(entities[y == 0]))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "calibration_error"])
def test_the_interval_comes_from_the_draws_of_rows_written_out_by_hand(name):
    y, p, entities = world(n=120, entities=40)
    metrics = evaluate(y, p, entities, names=[name], resamples=100, seed=3)[name]
    draws, n = by_hand(name, y, p, entities, 100, 3), min(with_conversion(y, entities))
    wider = np.sqrt(n / (n - 1))
    if name not in RATES:
        tail = 100 * norm.cdf(-wider * student.ppf(0.975, n - 1))
        expected = np.percentile(draws, [tail, 100 - tail])
    else:
        base = y.mean()
        share = 0.05 * (1 + name.count("10")) * (4 if "20" in name else 1)
        highest = {"b": 1.0, "p": 1.0, "o": 1 / p.mean(), "l": 1 / max(share, base)}[name[0]]
        q, error = metrics.value / highest, wider * draws.std(ddof=1) / highest
        trials = q * (1 - q) / error**2
        z = norm.ppf(0.975)
        middle, half = q + z**2 / (2 * trials), z * np.sqrt(q * (1 - q) / trials + z**2 / (4 * trials**2))
        expected = np.array([middle - half, middle + half]) / (1 + z**2 / trials) * highest
    assert [metrics.low, metrics.high] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", SKLEARN)
def test_the_interval_equals_that_of_scikit_learn_on_rows_written_out(name):
    y, p, entities = world(n=120, entities=40)
    rng = np.random.default_rng(3)
    known = np.unique(entities)
    items = []
    for _ in range(60):
        drawn = known[rng.integers(0, len(known), len(known))]
        rows = np.concatenate([np.flatnonzero(entities == entity) for entity in drawn])
        items.append(SKLEARN[name](y[rows], p[rows]))
    estimate = evaluate(y, p, entities, names=[name], resamples=60, seed=3)[name]
    tail = 100 * norm.cdf(-SampleSize(40, min(with_conversion(y, entities))).half_width_in_sd)
    assert [estimate.low, estimate.high] == pytest.approx(np.percentile(items, [tail, 100 - tail]), rel=1e-9)


def test_further_snapshots_of_the_same_entities_do_not_narrow_the_interval():
    y, p, _ = world(n=300, digits=15)
    entities = np.arange(300)
    once = evaluate(y, p, entities, resamples=300)
    four = evaluate(np.tile(y, 4), np.tile(p, 4), np.tile(entities, 4), resamples=300)
    for name in NAMES:
        assert four[name].value == pytest.approx(once[name].value, rel=1e-9), name
        assert four[name].high - four[name].low == pytest.approx(once[name].high - once[name].low, rel=1e-9), name
    rows = evaluate(np.tile(y, 4), np.tile(p, 4), np.arange(1200), resamples=300, names=["roc_auc"])["roc_auc"]
    assert rows.high - rows.low < 0.6 * (once["roc_auc"].high - once["roc_auc"].low)


def test_the_interval_covers_the_true_auc_in_most_worlds():
    rng = np.random.default_rng(11)
    truth = norm.cdf(1 / np.sqrt(2))
    covered = 0
    for _ in range(60):
        y = np.repeat(rng.random(120) < 0.3, 3)
        entity = np.repeat(np.arange(120), 3)
        # the three snapshots of an entity share most of their noise, so they are nearly one observation
        noise = np.sqrt(0.8) * np.repeat(rng.normal(size=120), 3) + np.sqrt(0.2) * rng.normal(size=360)
        metrics = evaluate(y, y + noise, entity, names=["roc_auc"], resamples=300)["roc_auc"]
        covered += metrics.low <= truth <= metrics.high
    assert 50 <= covered <= 60


def test_the_order_of_the_rows_changes_nothing():
    y, p, entities = world()
    mixed = np.random.default_rng(5).permutation(len(y))
    assert evaluate(y, p, entities, resamples=50) == evaluate(y[mixed], p[mixed], entities[mixed], resamples=50)


def test_the_seed_decides_and_the_size_of_the_chunks_does_not(monkeypatch):
    y, p, entities = world()
    first = evaluate(y, p, entities, resamples=50, names=["roc_auc"])
    assert evaluate(y, p, entities, resamples=50, names=["roc_auc"], seed=8) != first
    monkeypatch.setattr(metrics, "_CELLS", 1100)
    assert evaluate(y, p, entities, resamples=50, names=["roc_auc"]) == first


def test_an_interval_contains_its_value():
    for seed in range(5):
        for name, result in evaluate(*world(seed=seed), resamples=100).items():
            assert result.low <= result.value <= result.high, name


# Degenerate samples


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_class_has_no_rank_metric_and_certainly_not_one_half(outcome):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = evaluate([outcome] * 20, np.linspace(0.1, 0.9, 20), range(20), resamples=50)
    for name in ("roc_auc", "average_precision", "lift_at_5pct", "lift_at_10pct", "lift_at_20pct"):
        assert metrics[name].to_dict() == {"value": None, "low": None, "high": None}
    assert metrics["base_rate"].value == metrics["precision_at_10pct"].value == outcome
    assert metrics["brier"].high > metrics["brier"].low


def test_resamples_with_one_class_are_skipped():
    y, p = [1, 1] + [0] * 8, [0.9, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    metrics = evaluate(y, p, range(10), names=["roc_auc"], resamples=200)["roc_auc"]
    assert (metrics.value, metrics.low, metrics.high) == (0.5, 0.0, 1.0)


def test_one_conversion_has_no_interval_of_its_rank():
    metrics = evaluate([1] + [0] * 9, np.linspace(0.9, 0.1, 10), range(10), resamples=200)
    assert metrics["roc_auc"].to_dict() == {"value": 1.0, "low": None, "high": None}
    assert metrics["average_precision"].low != metrics["average_precision"].low
    assert metrics["base_rate"].low < 0.1 < metrics["base_rate"].high


def test_a_perfect_ranking_of_few_rows_has_a_wide_interval():
    metrics = evaluate([1] * 8 + [0] * 40, np.linspace(0.9, 0.1, 48), range(48), resamples=100)["roc_auc"]
    assert metrics == wilson(8, 8)
    assert metrics.low == pytest.approx(0.676, abs=1e-3)


def test_no_conversion_among_the_best_has_a_lift_interval_above_zero():
    metrics = evaluate([0] * 40 + [1] * 8, np.linspace(0.9, 0.1, 48), range(48), resamples=100)["lift_at_10pct"]
    assert (metrics.value, metrics.low) == (0.0, 0.0)
    assert metrics.high == pytest.approx(wilson(0, 4).high * 6)  # of 4.8 rows, and six times the base rate is the most


@pytest.mark.parametrize("seed", range(4))
def test_no_interval_leaves_the_range_of_its_metric(seed):
    y, p, entities = world(n=60, entities=25, digits=1, seed=seed)
    metrics = evaluate(y, p, entities, resamples=100)
    for name, estimate in metrics.items():
        highest = {"lift": 1 / y.mean(), "log_": 34.6, "obse": 1 / p.mean()}.get(name[:4], 1.0)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= highest + 1e-9, name


def test_no_conversion_among_20_has_an_interval_above_zero():
    metrics = evaluate([0] * 20, np.linspace(0.1, 0.9, 20), range(20), resamples=50)
    assert metrics["base_rate"] == wilson(0, 20)
    assert metrics["precision_at_20pct"] == wilson(0, 4)
    assert metrics["precision_at_5pct"] == wilson(0, 1)
    assert evaluate([1] * 20, np.linspace(0.1, 0.9, 20), range(20), resamples=50)["base_rate"] == wilson(20, 20)


def test_snapshots_of_two_entities_that_never_convert_count_as_two():
    metrics = evaluate([0] * 20, np.linspace(0.1, 0.9, 20), ["a", "b"] * 10, names=["base_rate"], resamples=50)
    assert metrics["base_rate"] == wilson(0, 2)


def test_one_entity_has_values_and_no_interval():
    metrics = evaluate([0, 1, 1], [0.1, 0.2, 0.3], ["a", "a", "a"], resamples=50)
    assert metrics["roc_auc"].to_dict() == {"value": 1.0, "low": None, "high": None}
    assert metrics["base_rate"].to_dict() == {"value": 2 / 3, "low": None, "high": None}


def test_no_rows_have_no_values():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = evaluate([], [], [], resamples=50)
        assert len(reliability_table([], [], [])) == 0
    assert all(estimate.to_dict() == {"value": None, "low": None, "high": None} for estimate in metrics.values())


@pytest.mark.parametrize(
    ("y", "p", "entities", "message"),
    [
        ([0, 1], [0.5], ["a", "b"], "differ in length"),
        ([0, 1], [0.5, 0.5], ["a"], "differ in length"),
        ([0, 2], [0.5, 0.5], ["a", "b"], "Outcomes must be 0 or 1. Received: 1 rows"),
        ([0, np.nan], [0.5, 0.5], ["a", "b"], "Outcomes must be 0 or 1"),
        ([0, 1], [0.5, np.nan], ["a", "b"], "Predictions must be finite"),
        ([0, 1], [0.5, 1.5], ["a", "b"], "must lie in 0 to 1 for brier, calibration_error, log_loss"),
        ([0, 1], [0.5, 0.5], ["a", None], "Every row must have an entity"),
        (["no", "yes"], [0.5, 0.5], ["a", "b"], "Outcomes must be numbers"),
    ],
)
def test_rows_that_cannot_be_measured_are_refused(y, p, entities, message):
    with pytest.raises(DataError, match=message):
        evaluate(y, p, entities)


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(DataError, match=r"`roc_auk` is not a metric.+use `roc_auc`"):
        evaluate([0, 1], [0.1, 0.9], ["a", "b"], names=["roc_auk"])


# Pairs, shares and reliability


def test_a_paired_difference_uses_the_same_resamples_for_both():
    y, p, entities = world(digits=15)
    other = np.clip(p + np.random.default_rng(6).normal(0, 0.02, len(p)), 0, 1)
    difference = paired_difference(y, p, other, entities, resamples=200)
    alone = evaluate(y, p, entities, names=["roc_auc"], resamples=200)["roc_auc"]
    assert difference.value == pytest.approx(roc_auc_score(y, p) - roc_auc_score(y, other), abs=1e-12)
    assert difference.high - difference.low < 0.5 * (alone.high - alone.low)
    back = paired_difference(y, other, p, entities, resamples=200)
    assert (back.low, back.high) == pytest.approx((-difference.high, -difference.low), abs=1e-12)


def test_a_model_does_not_differ_from_itself_nor_from_its_own_ranks():
    y, p, entities = world(digits=15)
    assert paired_difference(y, p, p, entities, "log_loss", resamples=50) == Estimate(0.0, 0.0, 0.0)
    assert paired_difference(y, p, p**3, entities, resamples=50) == Estimate(0.0, 0.0, 0.0)


def test_a_difference_in_a_metric_of_probabilities_needs_probabilities_from_both():
    with pytest.raises(DataError, match="must lie in 0 to 1 for brier"):
        paired_difference([0, 1], [0.1, 0.9], [3, 4], ["a", "b"], "brier")


def test_the_reliability_table_puts_equally_many_rows_in_a_bin():
    y, p, entities = world(digits=15)
    table = reliability_table(y, p, entities, bins=4, resamples=100)
    assert list(table.columns) == ["bin", "predicted", "observed", "low", "high", "n", "conversions"]
    assert table["bin"].tolist() == [1, 2, 3, 4]
    assert table["n"].tolist() == [100, 100, 100, 100]
    lowest = np.argsort(p)[:100]
    first = table.iloc[0]
    assert (first["predicted"], first["observed"]) == pytest.approx((p[lowest].mean(), y[lowest].mean()))
    assert table["conversions"].sum() == y.sum()
    assert table["predicted"].is_monotonic_increasing
    assert ((table["low"] <= table["observed"]) & (table["observed"] <= table["high"])).all()


def test_the_reliability_table_keeps_a_tie_in_one_bin():
    table = reliability_table([0, 1] * 10, [0.2] * 14 + [0.8] * 6, range(20), bins=5, resamples=50)
    assert table["n"].tolist() == [14, 6]
    assert table["predicted"].tolist() == pytest.approx([0.2, 0.8])


def test_a_bin_without_conversions_has_an_interval_above_zero():
    table = reliability_table([0] * 10 + [1] * 10, [0.1] * 10 + [0.9] * 10, range(20), bins=2, resamples=50)
    assert table["observed"].tolist() == [0.0, 1.0]
    assert table["high"][0] == pytest.approx(wilson(0, 10).high)
    assert table["low"][1] == pytest.approx(wilson(10, 10).low)
