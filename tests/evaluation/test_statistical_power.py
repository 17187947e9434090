import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from pql_model.evaluation.statistical_power import StatisticalPower, conversions_to_narrow
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY


def evidence(**given):
    return StatisticalPower(**{"train": 55, "test": 35, "test_others": 315, "everyone": 100, "months": 10.0, **given})


def test_an_entity_that_converts_in_four_snapshots_is_one_conversion():
    frame = pd.DataFrame(
        {
            "entity": list("aaaabbcd"),
            "as_of": np.array([0, 7, 14, 21, 0, 61, 60, 60]) * DAY,
            "converted": [True] * 4 + [False, True, False, True],
        }
    )
    train = np.array([True] * 5 + [False] * 3)
    power = StatisticalPower.of(frame, train, ~train)
    assert (power.train, power.test, power.test_others, power.everyone) == (1, 2, 1, 3)
    assert power.months == pytest.approx(2.0, abs=0.01)


def test_the_wait_uses_the_current_pace_and_the_shares():
    assert evidence().wait(train=50, test=20) == "within a month"  # there already
    assert evidence().wait(train=110, test=20) == "in about 10 months"  # 100 more at 10 a month
    assert evidence().wait(train=50, test=70) == "in about 10 months"
    assert evidence().wait(train=500, test=20) == "in more than 24 months"


def test_shares_are_shrunk_to_typical_ones_with_few_conversions():
    lopsided = evidence(train=7, test=1, everyone=8, months=8.0)
    assert lopsided.months_until(50, 20) == pytest.approx(72.9, abs=0.1)  # its own share of 1 in 8 would say 152
    assert evidence(train=0, test=0, everyone=0).wait(50, 20) == "in more than 24 months"


def test_a_slow_pace_has_a_decimal():
    assert evidence().pace == "10 a month"
    assert evidence(everyone=8).pace == "0.8 a month"
    assert evidence(everyone=8, months=0.1).pace == "8 a month"  # less than a month counts as one


def test_the_detectable_auc_has_80_percent_power():
    known = evidence(test=60, test_others=540)
    shift = math.sqrt(2) * 0.2793  # two normals this far apart have the ROC-AUC 0.61
    rng, seen = np.random.default_rng(5), 0
    for _ in range(400):
        ranks = rankdata(np.concatenate([rng.normal(shift, 1, 60), rng.normal(0, 1, 540)]))
        auc = (ranks[:60].sum() - 60 * 61 / 2) / (60 * 540)
        seen += auc - 1.96 * math.sqrt(601 / (12 * 60 * 540)) > 0.5
    assert known.detectable_auc() == pytest.approx(0.61, abs=0.001)
    assert seen / 400 == pytest.approx(0.8, abs=0.06)


def test_the_conversions_needed_make_an_auc_detectable():
    needed = evidence(test=60, test_others=540).conversions_to_detect(0.60)
    again = evidence(test=needed, test_others=9 * needed)
    assert again.detectable_auc() == pytest.approx(0.60, abs=0.001)


def test_an_interval_half_as_wide_takes_four_times_as_many():
    assert conversions_to_narrow(Estimate(0.70, 0.50, 0.9), 0.60, 30) == 120
    assert conversions_to_narrow(Estimate(0.70, 0.65, 0.75), 0.60, 30) == 30
    assert conversions_to_narrow(Estimate(0.60, 0.5, 0.7), 0.60, 30) == math.inf
    assert conversions_to_narrow(Estimate(math.nan, math.nan, math.nan), 0.60, 30) == math.inf
