"""When a model should not be used at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from said import START

from pql_model.monitoring.ranking import Ranking, Rival
from pql_model.monitoring.rivals import hopeless
from pql_model.statistics.estimate import Estimate

FELL = Ranking(
    START, 900, 600, 70, Estimate(0.58, 0.52, 0.64), Estimate(0.76, 0.71, 0.81), 0.75, Estimate(-0.17, -0.25, -0.09), True
)  # fmt: skip
TRIED = "version 3, not promoted: the verdict is weak"
BETTER = {"activity": Rival(Estimate(-0.08, -0.14, -0.02), True)}
WORSE = {"activity": Rival(Estimate(0.05, -0.01, 0.1), False)}


@pytest.mark.parametrize(
    ("ranking", "rivals", "retrained", "says"),
    [
        (FELL, BETTER, TRIED, "The number of events ranks better"),
        (replace(FELL, roc_auc=Estimate(0.51, 0.44, 0.58)), WORSE, TRIED, "cannot be told from chance"),
        (FELL, WORSE, TRIED, None),
        (FELL, BETTER, None, None),  # a new training comes first
        (replace(FELL, fell=False), BETTER, TRIED, None),
        (None, {}, TRIED, None),
    ],
)
def test_scores_are_stopped_only_where_a_new_training_has_not_helped(ranking, rivals, retrained, says):
    answer = hopeless(ranking, rivals, retrained)
    assert answer is None if says is None else says in answer
    assert answer is None or TRIED in answer
