"""The arms follow the hash of the hold-out; where they do not, it is said."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.decide.holdout import unit_hash
from pql_model.outreach.assignment import check_assignment
from pql_model.time import DAY
from tests.outreach.ledgers import HORIZON, PRODUCT, T0


def frame_of(n, share, seed=1, per_day=10, **columns):
    """Entities in order of time; `share` of a row number."""
    names = [f"e{k}" for k in range(n)]
    hashes = np.array([unit_hash(PRODUCT, name) for name in names])
    held = hashes < np.array([share(k) for k in range(n)])
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "entity": names,
            "as_of": T0 + (np.arange(n) // per_day) * float(DAY),
            "probability": rng.beta(2, 5, n),
            "held_out": held,
            "alerted_at": np.nan,
            **columns,
        }
    )


def test_a_constant_share_is_one_period_whose_bounds_hold_the_share():
    result = check_assignment(PRODUCT, frame_of(800, lambda k: 0.2), HORIZON)

    (period,) = result.periods
    assert period["share_at_least"] < 0.2 <= period["share_at_most"]
    assert period["share_at_most"] - period["share_at_least"] < 0.02
    assert result.follows_hash
    assert result.warnings == ()


def test_a_larger_share_from_some_day_on_makes_two_periods():
    result = check_assignment(PRODUCT, frame_of(1000, lambda k: 0.1 if k < 500 else 0.3), HORIZON)

    assert len(result.periods) == 2
    assert [round(period["share_at_least"], 1) for period in result.periods] == [0.1, 0.3]
    assert abs(int(np.argmax(result.period == 1)) - 500) < 40
    assert any("changed 1 time:" in warning for warning in result.warnings)
    assert not result.released.any()


def test_entities_released_within_their_horizon_belong_to_neither_arm_whatever_became_of_them():
    frame = frame_of(1000, lambda k: 0.3 if k < 500 else 0.1)
    hashes = np.array([unit_hash(PRODUCT, name) for name in frame["entity"]])
    in_band = frame["held_out"].to_numpy() & (hashes >= 0.1)
    change = T0 + 50 * DAY
    still_there = in_band & (np.arange(1000) % 2 == 0)  # the others have paid or left by then
    frame["alerted_at"] = np.where(still_there, change, np.nan)

    released = check_assignment(PRODUCT, frame, HORIZON).released

    recent = frame["as_of"].to_numpy() + HORIZON > change
    band = in_band & recent
    assert released[band & still_there].all()
    assert released[band].mean() > 0.9
    assert not released[~in_band].any()
    assert not released[in_band & ~recent].any()


def test_a_few_merged_entities_do_not_make_new_periods():
    frame = frame_of(1000, lambda k: 0.2)
    frame.loc[[100, 400, 800], "held_out"] = ~frame.loc[[100, 400, 800], "held_out"]

    result = check_assignment(PRODUCT, frame, HORIZON)

    assert len(result.periods) == 1
    assert result.warnings == ()


def test_arms_that_do_not_follow_the_hash_are_named():
    frame = frame_of(800, lambda k: 0.2)
    frame["held_out"] = np.random.default_rng(3).random(800) < 0.2

    result = check_assignment(PRODUCT, frame, HORIZON)

    assert not result.follows_hash
    assert "do not follow the hash" in result.warnings[0]
    assert set(result.period) == {0}


def test_a_hold_out_that_somebody_chose_by_score_is_named():
    frame = frame_of(800, lambda k: 0.2)
    frame["held_out"] = frame["probability"].rank(pct=True) < 0.2

    assert any("more than chance allows" in warning for warning in check_assignment(PRODUCT, frame, HORIZON).warnings)


def test_an_arm_with_missing_rows_is_named():
    frame = frame_of(1500, lambda k: 0.3)
    frame = frame[~frame["held_out"] | (np.arange(1500) % 3 == 0)].reset_index(drop=True)

    (warning,) = check_assignment(PRODUCT, frame, HORIZON).warnings
    assert "rows of one arm are missing" in warning


def test_no_entities_at_all_are_no_period():
    result = check_assignment(PRODUCT, frame_of(0, lambda k: 0.1), HORIZON)

    assert (result.periods, result.warnings) == ((), ())
