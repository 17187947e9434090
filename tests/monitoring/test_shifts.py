"""Behaviours that count otherwise than in the test."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from pql_model.monitoring.shifts import Judged, shift_findings, shifted_columns

WORDS = tuple(f"event {k}" for k in range(30))
OLD, NEW = (3, 1.2), (7, 1.5)
"""Column and slope: what counted in training, and what does instead."""


def rows(rng, n, slopes, level=-2.3, per_entity=2) -> Judged:
    """Entities with correlated behaviours, seen twice; the model knows the old slope only."""
    pace = rng.normal(size=n)
    X = np.repeat(rng.poisson(np.exp(0.5 * pace[:, None] + rng.normal(0, 0.7, (n, len(WORDS))))), per_entity, axis=0)
    X = X.astype(float)
    known = np.log1p(X)
    odds = level + sum(slope * (known[:, k] - known[:, k].mean()) for k, slope in slopes)
    y = np.repeat(rng.random(n) < expit(odds[::per_entity]), per_entity).astype(float)
    margin = logit(np.clip(expit(-2.3 + OLD[1] * (known[:, OLD[0]] - known[:, OLD[0]].mean())), 0.01, 0.99))
    return Judged(y, margin, X, np.repeat(np.arange(n), per_entity), np.tile(np.arange(per_entity), n))


def test_quiet_worlds_stay_quiet_also_where_the_level_moves_and_the_model_misses_something():
    rng = np.random.default_rng(1)
    missed = (12, 0.4)  # the model has never used it: no change
    found = [
        shifted_columns(rows(rng, 700, [OLD, missed], level), rows(rng, 500, [OLD, missed]), WORDS)
        for level in np.resize([-2.3, -3.2, -1.8], 60)
    ]
    assert sum(map(bool, found)) <= 6
    assert sum(shifts[0].p_value < 0.01 for shifts in found if shifts) <= 2


def test_what_stopped_to_count_and_what_counts_instead_are_named():
    rng = np.random.default_rng(2)
    named = []
    for _ in range(20):
        shifts = shifted_columns(rows(rng, 1000, [NEW]), rows(rng, 800, [OLD]), WORDS)
        named.append(
            bool(shifts)
            and (shifts[0].words, shifts[0].now > shifts[0].then) in {("event 7", True), ("event 3", False)}
        )
    assert sum(named) >= 18


def test_the_finding_says_what_counts_more_and_what_less():
    rng = np.random.default_rng(3)
    shifts = shifted_columns(rows(rng, 4000, [NEW]), rows(rng, 4000, [OLD]), WORDS)
    (finding,) = shift_findings(shifts, 0, 4000, 500, ranking_fell=True)
    (alone,) = shift_findings(shifts, 0, 4000, 500, ranking_fell=False)

    assert (finding.kind, finding.severity) == ("performance_fell", "act")
    assert alone.severity == "watch", "a model that ranks as well as before needs no training"
    assert finding.subject in {"event 3", "event 7"}
    assert "more counts `event 7`" in finding.words
    assert "less counts `event 3`" in finding.words
    assert shift_findings((), 0, 10, 1, ranking_fell=True) == ()


def test_twice_the_rows_of_the_same_entities_are_no_more_evidence():
    once = [rows(np.random.default_rng(4), 300, slopes, per_entity=1) for slopes in ([NEW], [OLD])]
    twice = [Judged(*(np.repeat(part, 2, axis=0) for part in (r.y, r.margin, r.X, r.entity, r.group))) for r in once]
    first, second = shifted_columns(*once, WORDS), shifted_columns(*twice, WORDS)

    assert [shift.words for shift in first] == [shift.words for shift in second]
    assert np.allclose([s.p_value for s in first], [s.p_value for s in second], rtol=1e-6)


def test_few_conversions_rare_and_missing_values_are_not_judged():
    rng = np.random.default_rng(5)
    few = rows(rng, 60, [NEW], level=-4.5)
    assert shifted_columns(few, rows(rng, 500, [OLD]), WORDS) == ()

    now, then = rows(rng, 800, [NEW]), rows(rng, 800, [OLD])
    for part in (now, then):
        part.X[:, 7] = np.where(np.arange(len(part.y)) % 50 == 0, 1.0, 0.0)  # rare
        part.X[:, 8] = np.nan
    assert not {shift.words for shift in shifted_columns(now, then, WORDS)} & {"event 7", "event 8"}


def test_another_level_of_each_age_is_no_shift_of_a_column_that_says_the_age():
    rng = np.random.default_rng(6)
    now, then = rows(rng, 1500, [OLD]), rows(rng, 1500, [OLD])
    now.y[(now.group == 1) & (rng.random(len(now.y)) < 0.7)] = 0.0
    for part in (now, then):
        part.X[:, 5] = part.group + np.where(rng.random(len(part.y)) < 0.01, 0.5, 0.0)

    assert "event 5" not in {shift.words for shift in shifted_columns(now, then, WORDS)}
