"""Which open criterion is offered, and when none is."""

import numpy as np
import pytest
from scipy.special import expit, logit

from pql_model.config.definition import Criterion
from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.decide.next_step import NextSteps
from pql_model.decide.steps import Predictions
from pql_model.model.age_level import AGE
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.statistics.estimate import Estimate

NAMES = ["Invite.count.first_7d", "Export.count.ever", AGE]
MANIFEST = Manifest(tuple(ModelColumn(name, "feature") for name in NAMES))
INVITE = BoundCriterion(Criterion.model_validate({"event": "Invite", "at_least": 3, "within": "first 7d"}), "c1")
EXPORT = BoundCriterion(Criterion.model_validate({"event": "Export", "at_least": 2}), "c2")
BOARD = BoundCriterion(Criterion.model_validate({"event": "Board", "at_least": 2}), "c3")
SURE = Estimate(1.0, 0.5, 1.5)


def find(rows, slopes, criteria=(INVITE, EXPORT, BOARD), weights=(0.5, 0.3, 0.0)):
    """Next steps under a model whose log-odds are linear; a row is invitations, exports, age."""
    X = np.array(rows, float)
    columns = Columns(len(X), {**dict(zip(NAMES, X.T, strict=True)), BOARD.column: np.zeros(len(X))})
    predictions = Predictions(lambda moved: moved @ np.array(weights) - 2, expit)
    return NextSteps(criteria, MANIFEST, slopes).find(columns, X, predictions)


BOTH = {"Invite": SURE, "Export": SURE, "Board": SURE}


def test_the_step_with_the_largest_gain_is_offered_with_its_interval():
    [step] = find([[1, 0, 3]], BOTH)
    now = logit(expit(-1.5))
    assert step.to_dict() == {
        "criterion": "at least 3 `Invite` in the first 7 days",
        "condition": {"event": "Invite", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3},
        "value": 1.0,
        "needed": 3.0,
        "words": "1 of 3 `Invite` in the first 7 days",
        "probability": pytest.approx(expit(now + 1.0)),
        "gain": {
            "value": pytest.approx(expit(now + 1.0) - expit(now)),
            "low": pytest.approx(expit(now + 0.5) - expit(now)),
            "high": pytest.approx(expit(now + 1.5) - expit(now)),
        },
    }


def test_what_came_true_decides_which_gain_is_larger():
    [step] = find([[1, 0, 3]], {**BOTH, "Invite": Estimate(0.3, 0.1, 0.5)})
    assert step.condition is EXPORT


@pytest.mark.parametrize("slopes", [{}, {"Invite": Estimate(1.0, 0.0, 2.0)}, {"Invite": Estimate(-1.0, -2.0, -0.1)}])
def test_a_gain_within_noise_is_never_offered(slopes):
    assert find([[1, 0, 3]], slopes) == [None]


def test_a_criterion_that_is_met_or_over_or_that_the_model_does_not_read_is_never_offered():
    steps = find([[3, 0, 3], [1, 0, 8], [3, 2, 3], [1, 2, 8]], BOTH)
    assert [step and step.condition for step in steps] == [EXPORT, EXPORT, None, None]


def test_a_step_that_lowers_the_prediction_is_never_offered():
    assert find([[1, 2, 3]], BOTH, weights=(-0.5, 0.3, 0.0)) == [None]


def test_many_rows_give_the_same_steps_as_each_row_alone():
    rng = np.random.default_rng(2)
    rows = np.column_stack([rng.integers(0, 5, 50), rng.integers(0, 4, 50), rng.uniform(1, 12, 50)]).tolist()
    together = find(rows, BOTH)
    assert together == [find([row], BOTH)[0] for row in rows]
    assert 5 < sum(step is None for step in together) < 45


def test_no_criteria_and_no_rows_give_no_steps():
    assert find([[1, 0, 3]], BOTH, criteria=()) == [None]
    assert NextSteps([INVITE], MANIFEST, BOTH).find(Columns(0), np.zeros((0, 3)), Predictions(len, expit)) == []
