"""Ranking on realised rows, beside the test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from pql_model.monitoring.ranking import TestRanking as Tested
from pql_model.monitoring.ranking import claimed_auc, compare_with_rivals, rank_realised, ranking_findings
from pql_model.statistics.metrics import evaluate
from pql_model.time import DAY


def world(rng, n, slope=1.0, spread=1.0, base=-2.3, days=70) -> pd.DataFrame:
    """Odds that the model knows, times a slope that it does not know of."""
    x = rng.normal(0, spread, n)
    day = np.sort(rng.integers(0, days, n))
    return pd.DataFrame(
        {
            "entity": np.arange(n),
            "as_of": day * DAY,
            "signed_up": pd.array((day - 7) * DAY, dtype="Int64"),
            "probability": expit(base + x),
            "converted": rng.random(n) < expit(base + slope * x),
            "x": x,
        }
    )


def tested(rng) -> Tested:
    frame = world(rng, 1500)
    auc = evaluate(frame["converted"], frame["probability"], frame["entity"], names=["roc_auc"], resamples=200)
    return Tested(auc["roc_auc"], frame)


def test_quiet_worlds_stay_quiet_and_a_ranking_that_is_lost_is_found():
    rng = np.random.default_rng(1)
    test = tested(rng)
    quiet = [rank_realised(world(rng, 600), test, 7) for _ in range(15)]
    lost = [rank_realised(world(rng, 600, slope=0.0), test, 7) for _ in range(8)]

    assert sum(look.fell for look in quiet) <= 1
    assert sum(look.fell for look in lost) == 8


def test_accounts_that_are_more_alike_are_harder_to_rank_and_that_is_no_fault():
    rng = np.random.default_rng(2)
    test = tested(rng)
    looks = [rank_realised(world(rng, 1500, spread=0.45), test, 7) for _ in range(8)]

    assert all(look.roc_auc.value < test.roc_auc.value - 0.05 for look in looks)
    assert all(look.expected < test.roc_auc.value - 0.05 for look in looks)
    assert sum(look.fell for look in looks) <= 1  # they share one test, and its error


def test_the_claimed_ranking_is_what_right_probabilities_reach():
    rng = np.random.default_rng(3)
    frame = world(rng, 200_000)
    reached = roc_auc_score(frame["converted"], frame["probability"])

    assert claimed_auc(frame["probability"].to_numpy(), np.zeros(len(frame))) == pytest.approx(reached, abs=0.005)
    assert np.isnan(claimed_auc(np.zeros(5), np.zeros(5)))


def test_too_few_conversions_are_not_judged():
    rng = np.random.default_rng(4)
    few = world(rng, 100, base=-4)
    assert rank_realised(few, tested(rng), 7) is None
    assert rank_realised(few.head(0), tested(rng), 7) is None
    assert rank_realised(few.assign(converted=True), tested(rng), 7) is None
    assert ranking_findings(None) == ()


def test_the_finding_has_both_figures_and_its_sample():
    rng = np.random.default_rng(5)
    look = rank_realised(world(rng, 600, slope=0.0), tested(rng), 7)
    [finding] = ranking_findings(look)

    assert finding.kind == "performance_fell"
    assert finding.severity == "act"
    assert finding.figure == round(look.roc_auc.value, 4)
    assert f"{look.conversions} conversions" in finding.words
    assert f"{look.entities} entities" in finding.words


def test_a_better_baseline_is_named_and_a_worse_one_is_not():
    rng = np.random.default_rng(6)
    frame = world(rng, 1500, slope=0.0)
    knows = frame["converted"].to_numpy(float) + rng.normal(0, 1, len(frame))
    found = compare_with_rivals(frame, {"activity": rng.normal(size=len(frame)), "definition": knows}, 7)

    assert found["definition"].better
    assert found["definition"].difference.high < 0
    assert not found["activity"].better
