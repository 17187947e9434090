"""The level of each age, and a predictor that holds it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from pql_model.errors import DataError
from pql_model.model.age_level import AGE, AgeLevel, LevelledPredictor, fit_age_level
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.learner import TrainingRows
from pql_model.model.lightgbm_learner import LightGBM

MANIFEST = Manifest((ModelColumn("trait.seats", "number"), ModelColumn(AGE, "feature")))


def rows_of(truth: dict[float, float], each: int = 4000, seed: int = 3):
    """Margins that are right but for an addition per age."""
    rng = np.random.default_rng(seed)
    age = np.repeat(list(truth), each).astype(float)
    margin = rng.normal(-2, 1, len(age))
    y = (rng.random(len(age)) < expit(margin + np.repeat(list(truth.values()), each))).astype(float)
    return margin, y, np.column_stack([rng.normal(size=len(age)), age])


def test_the_planted_level_of_each_age_is_found_up_to_a_constant():
    planted = {3.0: 0.6, 7.0: 0.0, 14.0: -1.0}
    level = fit_age_level(*rows_of(planted), MANIFEST)

    assert level is not None
    assert level.ages == (3.0, 7.0, 14.0)
    difference = np.array(level.additions) - np.array(list(planted.values()))
    assert np.ptp(difference) < 0.25


def test_expected_and_observed_agree_at_every_age():
    margin, y, X = rows_of({2.0: 0.5, 30.0: -1.5})
    level = fit_age_level(margin, y, X, MANIFEST)
    moved = margin + level.at(X)

    for age in (2.0, 30.0):
        here = X[:, 1] == age
        before, after, observed = expit(margin[here]).mean(), expit(moved[here] - 0.5).mean(), y[here].mean()
        assert abs(after - observed) < abs(before - observed)


def test_a_landmark_without_conversions_gets_a_finite_level():
    margin, y, X = rows_of({3.0: 0.0, 7.0: 0.0})
    y[X[:, 1] == 7.0] = 0
    level = fit_age_level(margin, y, X, MANIFEST)

    assert np.isfinite(level.additions).all()
    assert level.additions[1] < level.additions[0]


@pytest.mark.parametrize(
    ("change", "monotone"),
    [
        (lambda m, y, X: (m, y, np.column_stack([X[:, 0], np.full(len(X), 7.0)])), ()),
        (lambda m, y, X: (m, y, np.column_stack([X[:, 0], np.full(len(X), np.nan)])), ()),
        (lambda m, y, X: (m, np.r_[np.ones(5), np.zeros(len(y) - 5)], X), ()),
        (lambda m, y, X: (np.zeros(len(m)), y, X), ()),
        (lambda m, y, X: (-m, y, X), ()),
        (lambda m, y, X: (m, y, X), (0, -1)),
    ],
    ids=["one age", "no age", "few conversions", "equal margins", "a slope below zero", "a constrained age"],
)
def test_there_is_no_level_where_nothing_can_be_learnt(change, monotone):
    assert fit_age_level(*change(*rows_of({3.0: 0.4, 7.0: -0.4})), MANIFEST, monotone) is None


def test_a_table_without_the_age_has_no_level():
    margin, y, X = rows_of({3.0: 0.4, 7.0: -0.4})
    assert fit_age_level(margin, y, X[:, :1], Manifest(MANIFEST.columns[:1])) is None


def test_many_ages_share_a_few_levels():
    rng = np.random.default_rng(0)
    age = rng.uniform(1, 400, 6000)
    margin = rng.normal(-2, 1, 6000)
    y = (rng.random(6000) < expit(margin - age / 200)).astype(float)
    level = fit_age_level(margin, y, np.column_stack([age, age]), MANIFEST)

    assert len(level.ages) <= 10
    assert level.at(np.array([[0.0, 10.0], [0.0, 390.0]])).tolist() == sorted(
        level.at(np.array([[0.0, 390.0], [0.0, 10.0]])), reverse=True
    )


def test_contributions_sum_to_the_margin_and_the_level_counts_for_the_age():
    _margin, y, X = rows_of({3.0: 0.6, 14.0: -1.0}, each=300)
    base = LightGBM().fit(TrainingRows(X, y, MANIFEST))
    levelled = LevelledPredictor(base, AgeLevel(1, (3.0, 14.0), (0.5, -0.5)))

    assert np.allclose(levelled.contributions(X).sum(axis=1), levelled.margin(X), atol=1e-9)
    moved = levelled.contributions(X) - base.contributions(X)
    assert np.allclose(moved[:, 1], np.where(X[:, 1] == 3.0, 0.5, -0.5))
    assert not moved[:, [0, 2]].any()


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"column": 1, "ages": [], "additions": []},
        {"column": 1, "ages": [3, 3], "additions": [0, 0]},
        {"column": 1, "ages": [3], "additions": [float("nan")]},
        {"column": 1, "ages": [3, 4], "additions": [0]},
    ],
)
def test_a_broken_level_is_refused(broken):
    with pytest.raises(DataError, match="not an age level"):
        AgeLevel.from_dict(broken)


def test_a_level_reads_back_bit_for_bit():
    level = AgeLevel(1, (3.0, 14.0), (0.1, -1 / 3))
    assert AgeLevel.from_dict(level.to_dict()) == level
