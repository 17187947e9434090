"""The slope of a behaviour on later rows: right where it came true, 0 where it did not."""

import numpy as np
import pytest
from scipy.special import expit

from pql_model.config.definition import Criterion
from pql_model.decide.step_evidence import behaviour_slopes
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest, ModelColumn

MANIFEST = Manifest(
    (
        ModelColumn("Invite.count.ever", "feature"),
        ModelColumn("Invite.active_days.ever", "feature"),
        ModelColumn("any.count.ever", "feature"),
        ModelColumn("trait.size", "category", ("large", "small")),
    )
)
AS_IS = Calibration("platt", slope=1.0)
INVITE = Criterion.model_validate({"event": "Invite", "at_least": 2})
ACTIVE = Criterion.model_validate({"event": "any", "at_least": 20})
LARGE = Criterion.model_validate({"trait": "size", "in": ["large"]})


def slopes(share, criteria=(INVITE,), rows=6000, calibration=AS_IS, seed=4):
    """Contributions of a model, and outcomes in which `share` of what it says of `Invite` comes true."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows)
    contributions = np.column_stack(
        [*(0.5 * rng.normal(size=(2, rows)) + 0.4 * size), np.zeros(rows), size, np.full(rows, -1.0)]
    )
    truth = share * contributions[:, :2].sum(axis=1) + size - 1
    entity = np.arange(rows) // 2
    y = rng.random(rows) < expit(truth)
    return behaviour_slopes(criteria, contributions, MANIFEST, calibration, y, entity)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 1.5])
def test_the_slope_is_the_share_that_came_true(share):
    slope = slopes(share)["Invite"]
    assert slope.value == pytest.approx(share, abs=0.15)
    assert slope.low < share < slope.high


def test_a_behaviour_that_stands_for_a_trait_has_no_slope_of_its_own():
    """The contributions go along with the size, which alone matters."""
    assert slopes(0.0)["Invite"].low < 0


def test_an_interval_is_wider_with_fewer_rows():
    few, many = slopes(1.0, rows=600)["Invite"], slopes(1.0, rows=6000)["Invite"]
    assert few.high - few.low > 2 * (many.high - many.low)


def test_the_slope_is_in_calibrated_log_odds():
    halved = slopes(1.0, calibration=Calibration("platt", slope=0.5))["Invite"]
    assert halved.value == pytest.approx(2.0, abs=0.3)


def test_behaviours_without_criterion_or_contribution_are_left_out():
    assert list(slopes(1.0, [INVITE, ACTIVE, LARGE])) == ["Invite"]
    assert slopes(1.0, [LARGE]) == {}


def test_one_class_only_gives_no_slope():
    contributions = np.random.default_rng(1).normal(size=(50, 5))
    assert behaviour_slopes([INVITE], contributions, MANIFEST, AS_IS, np.zeros(50, bool), np.arange(50)) == {}
