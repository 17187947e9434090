from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pql_model.criteria.rows import criteria_rows, criteria_split
from pql_model.model.split import out_of_time
from pql_model.time import DAY, Duration

HORIZON = Duration.parse("30d")


def trial(paid_days, landmarks=(3, 7, 14), signed_up=0):
    """One entity per item: the day it pays, or None. There are no rows after a conversion."""
    rows = [
        {
            "entity": f"a{i}",
            "signed_up": signed_up,
            "as_of": signed_up + day * DAY,
            "converted": paid is not None and paid < day + 30,
        }
        for i, paid in enumerate(paid_days)
        for day in landmarks
        if paid is None or paid >= day
    ]
    frame = pd.DataFrame(rows)
    frame["signed_up"] = frame["signed_up"].astype("Int64")
    return frame


def chosen(frame, train=None):
    rows = criteria_rows(frame, np.ones(len(frame), bool) if train is None else train, "trial", HORIZON)
    ages = set((frame["as_of"] - frame["signed_up"])[rows.keep] // DAY)
    assert ages == {rows.landmark_days}
    return rows.landmark_days


def test_a_trial_uses_one_row_at_the_last_landmark():
    frame = trial([20, 30, 18, None, None])
    rows = criteria_rows(frame, np.ones(len(frame), bool), "trial", HORIZON)
    assert (rows.text, rows.landmark_days) == ("as of day 14 of the trial", 14)
    assert frame["entity"][rows.keep].tolist() == ["a0", "a1", "a2", "a3", "a4"]


def test_up_to_a_third_of_the_conversions_may_precede_the_landmark():
    assert chosen(trial([8, 20, 20, None])) == 14
    assert chosen(trial([8, 9, 20, 20, 20, None])) == 7


def test_the_landmark_moves_back_as_far_as_needed():
    assert chosen(trial([4, 5, 8, 20, None])) == 3
    assert chosen(trial([4, 8, 9, 20, 20, None])) == 7


def test_conversions_before_the_first_landmark_do_not_count():
    assert chosen(trial([1, 1, 2, 2, 20, None])) == 14


def test_a_conversion_seen_only_from_the_last_landmark_counts():
    assert chosen(trial([8, 40, 40, None])) == 14  # day 40 lies beyond the horizon of day 3


def test_only_training_rows_choose_the_landmark():
    earlier, later = trial([20, 20, 20, None]), trial([4, 4, 4, 4, 4, 20], signed_up=200 * DAY)
    frame = pd.concat([earlier, later.assign(entity="later " + later["entity"])], ignore_index=True)
    train = (frame["as_of"] < 100 * DAY).to_numpy()
    assert chosen(frame, train) == 14
    assert chosen(frame) == 3


def test_an_account_too_new_for_the_last_landmark_is_not_an_early_conversion():
    old, new = trial([20, 20, None]), trial([20, 20, 20, 20], landmarks=(3,), signed_up=6 * DAY)
    frame = pd.concat([old, new.assign(entity="new " + new["entity"])], ignore_index=True)
    assert chosen(frame) == 14


def test_without_conversions_the_last_landmark_is_used():
    assert chosen(trial([None, None])) == 14
    assert chosen(trial([5, None], landmarks=(3,))) == 3


def test_in_freemium_no_two_snapshots_share_a_conversion():
    frame = pd.DataFrame(
        {"entity": "a", "signed_up": pd.array([None] * 6, "Int64"), "as_of": np.arange(6) * 7 * DAY, "converted": False}
    )
    rows = criteria_rows(frame, np.ones(6, bool), "freemium", HORIZON)
    assert rows.keep.tolist() == [True, False, False, False, False, True]
    assert (rows.text, rows.landmark_days) == ("snapshots at least 30 days apart", None)


@pytest.mark.parametrize("change", ["delete", "flip"])
def test_later_outcomes_do_not_affect_the_choice(change):
    frame = pd.concat(
        [
            trial([8, 20, 20, None]),
            trial([8, 8, 20], signed_up=200 * DAY).assign(entity=["l0", "l0", "l1", "l1", "l2", "l2", "l2"]),
        ],
        ignore_index=True,
    )
    train = (frame["as_of"] < 100 * DAY).to_numpy()
    if change == "flip":
        frame.loc[~train, "converted"] = ~frame.loc[~train, "converted"]
    else:
        frame, train = frame[train], train[train]
    assert chosen(frame, train) == 14


def year(accounts, share, motion="trial", seed=0):
    """Sign-ups over a year with snapshots on day 14 (or a year of monthly snapshots), and the model's split."""
    rng = np.random.default_rng(seed)
    signed_up = np.sort(rng.integers(0, 365 * DAY, accounts))
    frame = pd.DataFrame({"entity": [f"a{k}" for k in range(accounts)], "signed_up": signed_up})
    frame["signed_up"] = frame["signed_up"].astype("Int64")
    frame["as_of"] = signed_up + 14 * DAY
    frame["converted"] = rng.random(accounts) < share
    return frame, out_of_time(frame, HORIZON, motion)


@pytest.mark.parametrize(("motion", "searched"), [("trial", 0.68), ("freemium", 0.72)])
def test_a_fifth_of_the_rows_is_later_if_it_has_enough_conversions(motion, searched):
    frame, split = year(3000, 0.1, motion)
    keep = np.ones(3000, bool)
    result = criteria_split(frame, keep, split, motion, HORIZON)
    assert split.test.mean() == pytest.approx(0.35, abs=0.01)
    assert result.test.mean() == pytest.approx(0.20, abs=0.01)
    assert result.train.mean() == pytest.approx(searched, abs=0.015)
    assert (frame["as_of"][result.train].max() + HORIZON.us) <= result.test_start
    assert result.left_out == {"gap": int((~result.train & ~result.test).sum())}


def test_with_fewer_conversions_more_rows_are_later():
    shares = {}
    for share in (0.1, 0.075, 0.059, 0.04):
        frame, split = year(3000, share)
        result = criteria_split(frame, np.ones(3000, bool), split, "trial", HORIZON)
        shares[share] = round(result.test.mean(), 2)
        assert frame["converted"][result.test].sum() >= 50 or result is split
    assert list(shares.values()) == [0.2, 0.25, 0.3, 0.35]


def test_later_rows_never_precede_the_test_period_of_the_model():
    frame, split = year(6000, 0.2)
    result = criteria_split(frame, np.ones(6000, bool), split, "trial", HORIZON)
    assert not (result.test & split.train).any()
    assert split.test[result.test].all()


def test_a_model_with_a_smaller_test_period_keeps_its_split():
    frame, split = year(6000, 0.2)
    late = split.test & (frame["signed_up"] > 330 * DAY).to_numpy(bool)
    short = replace(split, test=late, test_start=int(frame["signed_up"][late].min()))
    assert criteria_split(frame, np.ones(6000, bool), short, "trial", HORIZON) is short


def test_only_criteria_rows_decide_the_split():
    frame, split = year(6000, 0.1)
    keep = np.arange(6000) % 2 == 0
    frame.loc[~keep, "converted"] = True
    assert frame["converted"][keep & criteria_split(frame, keep, split, "trial", HORIZON).test].sum() >= 50
