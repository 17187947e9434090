"""The parts of a step that `test_nearest.py` and `test_next_step.py` see only together."""

import numpy as np
import pytest

from pql_model.config.definition import Criterion
from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.decide.steps import Predictions, Step
from pql_model.model.age_level import AGE
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.statistics.estimate import Estimate

MANIFEST = Manifest(tuple(ModelColumn(name, "feature") for name in ("Invite.count.ever", AGE)))


def step(slopes=None, **raw):
    return Step.of(BoundCriterion(Criterion.model_validate(raw)), MANIFEST, slopes)


def columns(*invited):
    return Columns(len(invited), {"Invite.count.ever": np.array(invited, float), AGE: np.full(len(invited), 3.0)})


def test_the_gap_is_open_where_the_criterion_is_missing():
    gap = step(event="Invite", at_least=4).gap(columns(0, 1, 3, 4), None)
    assert gap.open.tolist() == [True, True, True, False]
    assert gap.distance[:3].tolist() == [1.0, 0.75, 0.25]
    assert gap[np.array([1])].value.tolist() == [1.0]


def test_no_step_leads_to_a_trait_or_an_upper_limit():
    assert step(trait="seats", at_least=4) is None
    assert step(event="Invite", at_most=4) is None


@pytest.mark.parametrize(("slope", "share"), [(None, 1.0), (Estimate(0.4, 0, 1), 0.4), (Estimate(-0.4, -1, 0), 0.0)])
def test_the_share_that_comes_true_is_never_negative(slope, share):
    assert step({"Invite": slope} if slope else None, event="Invite", at_least=4).share == share


def test_the_predicted_probability_moves_by_the_share():
    to_three, X = step({"Invite": Estimate(0.5, 0, 1)}, event="Invite", at_least=3), np.array([[1.0, 3.0]])
    gap = to_three.gap(columns(1), None)
    linear = Predictions(lambda moved: moved[:, 0], lambda margins: margins)
    assert to_three.probability(X, gap, columns(1), linear).tolist() == [2.0]
    assert to_three.probability(X[:0], gap[np.array([], int)], columns(), linear) is None


def test_other_columns_of_the_event_move_as_far_as_the_new_events_make_them():
    names = ["Invite.count.ever", "Invite.active_days.ever", "Invite.days_since_last.ever", "Invite.days_to_first.ever"]
    names += ["Invite.distinct_users.ever", "Invite.sum.mb.ever", "Invite.count.first_1d", "Export.count.ever", AGE]
    manifest = Manifest(tuple(ModelColumn(name, "feature") for name in names))
    X, seen = np.array([[1, 1, 9, 2, 1, 5, 1, 0, 3], [0, 0, np.nan, np.nan, 0, 0, 0, 0, 3]], float), []

    def margin(both):
        seen.append(both[2:].tolist())
        return both[:, 0]

    for raw in ({"measure": "count"}, {"measure": "active_days"}):
        criterion = BoundCriterion(Criterion.model_validate({"event": "Invite", "at_least": 4, **raw}))
        of = Columns(2, {criterion.column: X[:, names.index(criterion.column)], AGE: X[:, -1]})
        Step.of(criterion, manifest).margins(
            X, Step.of(criterion, manifest).gap(of, None), of, Predictions(margin, margin)
        )
    by_count, by_days = seen
    assert by_count == [[4, 1, 0, 2, 1, 5, 1, 0, 3], [4, 1, 0, 3, 1, 0, 0, 0, 3]]  # the first day is over
    assert by_days == [[4, 4, 0, 2, 1, 5, 1, 0, 3], [4, 4, 0, 3, 1, 0, 0, 0, 3]]
