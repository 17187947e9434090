import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pql_model.statistics.metrics import evaluate
from pql_model.statistics.stratified import stratified_auc, stratified_metrics


def sample(n=600, seed=1):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 3, n)
    usage = rng.normal(0, 1, n)
    y = rng.random(n) < 1 / (1 + np.exp(2 - age - 0.8 * usage))
    return y.astype(float), usage, age, np.array([f"a{i // 2}" for i in range(n)])


def naive(y, score, strata):
    won = pairs = 0.0
    for stratum in set(strata):
        yes, no = score[(strata == stratum) & (y == 1)], score[(strata == stratum) & (y == 0)]
        for one in yes:
            won += (one > no).sum() + (one == no).sum() / 2
            pairs += len(no)
    return won / pairs


def test_only_pairs_of_one_stratum_are_compared():
    y, usage, age, entities = sample()
    result = stratified_auc(y, {"usage": usage, "coarse": np.round(usage)}, entities, age)
    assert result.values["usage"] == pytest.approx(naive(y, usage, age))
    assert result.values["coarse"] == pytest.approx(naive(y, np.round(usage), age))


def test_one_stratum_is_the_ordinary_roc_auc():
    y, usage, _, entities = sample()
    result = stratified_auc(y, {"usage": usage}, entities, np.zeros(len(y)))
    assert result.values["usage"] == pytest.approx(roc_auc_score(y, usage))


def test_what_only_tells_the_strata_apart_is_chance():
    y, _, age, entities = sample()
    result = stratified_auc(y, {"age": age}, entities, age)
    assert roc_auc_score(y, age) > 0.6
    assert vars(result.estimate("age")) == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_the_interval_covers_the_value_and_resamples_entities():
    y, usage, age, entities = sample()
    single = stratified_auc(y, {"usage": usage}, entities, age).estimate("usage")
    twice = stratified_auc(*(np.r_[y, y], {"usage": np.r_[usage, usage]}, np.r_[entities, entities], np.r_[age, age]))
    assert single.low < single.value < single.high
    assert twice.estimate("usage").high - twice.estimate("usage").low == pytest.approx(
        single.high - single.low, abs=1e-6
    )


def test_differences_are_paired():
    y, usage, age, entities = sample()
    noisy = usage + np.random.default_rng(2).normal(0, 1, len(y))
    result = stratified_auc(y, {"good": usage, "noisy": noisy, "same": usage * 2}, entities, age)
    assert vars(result.difference("good", "same")) == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert result.difference("good", "noisy").low > 0
    assert result.p_worse("noisy", "good") < 0.025 < result.p_worse("good", "noisy")


def test_a_stratum_of_one_class_has_no_pairs():
    y, usage, age, entities = sample()
    y = np.where(age == 0, 0.0, y)
    result = stratified_auc(y, {"usage": usage}, entities, age)
    assert result.values["usage"] == pytest.approx(naive(y, usage, age))


NAMES = ("average_precision", "precision_at_10pct", "lift_at_10pct")


def test_precision_is_that_of_the_best_of_every_stratum():
    y, usage, age, entities = sample(n=3_000)
    found = stratified_metrics(y, usage, entities, age, NAMES, resamples=20)
    sizes, hits, expected, precise = [], 0.0, 0.0, 0.0
    for one in range(3):
        here = age == one
        best = y[here][np.argsort(-usage[here])]
        k = 0.1 * here.sum()
        whole = int(k)
        top = best[:whole].sum() + (k - whole) * best[whole]
        hits, expected = hits + top, expected + y[here].sum() * top / k / y[here].mean()
        precise += y[here].sum() * average_precision_score(y[here], usage[here])
        sizes.append(k)
    assert found["precision_at_10pct"].value == pytest.approx(hits / sum(sizes))
    assert found["lift_at_10pct"].value == pytest.approx(expected / y.sum())
    assert found["average_precision"].value == pytest.approx(precise / y.sum())


def test_what_only_tells_the_strata_apart_has_no_lift_within_them():
    y, _, age, entities = sample()
    found = stratified_metrics(y, age, entities, age, NAMES, resamples=20)
    assert found["lift_at_10pct"].value == pytest.approx(1.0)
    assert found["precision_at_10pct"].value == pytest.approx(y.mean())


def test_a_stratum_without_conversions_counts_in_precision_alone():
    y, usage, strata = np.array([1.0, 0, 0, 0]), np.array([2.0, 1, 2, 1]), np.array([0, 0, 1, 1])
    names = ("average_precision", "precision_at_20pct", "lift_at_20pct")
    found = stratified_metrics(y, usage, list("abcd"), strata, names, resamples=20)
    assert [found[name].value for name in names] == [1.0, 0.5, 2.0]


def test_metrics_of_one_stratum_are_the_ordinary_ones():
    y, usage, _, entities = sample()
    found = stratified_metrics(y, usage, entities, np.zeros(len(y)), NAMES, resamples=200)
    ordinary = evaluate(y, usage, entities, names=NAMES, resamples=200)
    for name in NAMES:
        assert found[name].to_dict() == pytest.approx(ordinary[name].to_dict(), rel=1e-9)
