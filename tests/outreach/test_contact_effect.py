"""The two arms compared, and how far they were treated as assigned."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pql_model.outreach.contact_effect import compare, compare_groups, measure_compliance
from pql_model.time import DAY
from tests.outreach.ledgers import HORIZON, T0


def frame_of(alerted, held_out, **columns):
    """(conversions, entities) of each arm."""
    (k1, n1), (k0, n0) = alerted, held_out
    n = n1 + n0
    return pd.DataFrame(
        {
            "entity": [f"e{k}" for k in range(n)],
            "as_of": float(T0),
            "converted": np.r_[np.arange(n1) < k1, np.arange(n0) < k0],
            "held_out": np.r_[np.zeros(n1, bool), np.ones(n0, bool)],
            "probability": 0.3,
            "band": "high",
            "contacted_at": np.nan,
            "sent_at": np.nan,
            **columns,
        }
    )


def compared(frame):
    return compare("all", frame, np.zeros(len(frame), int))


def test_the_difference_is_that_of_newcombe_and_says_who_would_have_paid_anyway():
    result = compared(frame_of((56, 70), (48, 80)))

    assert (round(result.difference.low, 4), round(result.difference.high, 4)) == (0.0524, 0.3339)
    assert result.is_above_zero
    assert not result.is_below_zero
    assert result.paid_anyway.value == pytest.approx(0.6 * 70)
    assert result.alerted.rate.value == pytest.approx(0.8)


def test_without_conversions_there_is_an_interval_that_holds_nothing():
    result = compared(frame_of((0, 40), (0, 40)))

    assert result.difference.value == 0
    assert -0.1 < result.difference.low < 0 < result.difference.high < 0.1
    assert not result.is_above_zero
    assert not result.is_below_zero


@pytest.mark.parametrize("counts", [((5, 60), (3, 9)), ((2, 4), (9, 80)), ((3, 30), (0, 0)), ((0, 0), (0, 0))])
def test_an_arm_that_is_too_small_has_no_difference(counts):
    result = compared(frame_of(*counts))

    assert not result.is_known
    assert math.isnan(result.paid_anyway.value)


def test_groups_are_the_bands_and_the_half_nearest_the_threshold():
    frame = frame_of((40, 100), (20, 100))
    frame["band"] = np.where(np.arange(200) % 2, "high", "medium")
    frame["probability"] = np.where(frame["band"] == "high", 0.4, 0.15)

    groups = compare_groups(frame, np.zeros(200, int), ("high", "medium", "low"))

    assert [group.name for group in groups] == ["high", "medium", "near_threshold"]
    assert groups[1].alerted == groups[2].alerted
    assert sum(group.alerted.entities for group in groups[:2]) == 100


def test_who_was_not_treated_as_assigned_is_counted_and_named():
    frame = frame_of((40, 100), (10, 50))
    frame.loc[range(60), "contacted_at"] = T0 + 2.0 * DAY
    frame.loc[[100, 101], "contacted_at"] = T0 + 3.0 * DAY
    frame.loc[70, "contacted_at"] = T0 + 31.0 * DAY  # after the horizon
    frame.loc[range(90), "sent_at"] = float(T0)
    result = measure_compliance(frame, compared(frame).difference, HORIZON, has_feedback=True)

    assert result.never_contacted == 40
    assert result.contacted_though_held_out == ("e100", "e101")
    assert result.delivered == 90
    assert result.alerted_contacted.value == pytest.approx(0.6)
    assert result.effect_of_contacted.value == pytest.approx(0.2 / (0.6 - 0.04))


def test_everybody_contacted_leaves_the_effect_of_a_contact_unknown():
    frame = frame_of((40, 100), (10, 50), contacted_at=T0 + float(DAY))
    result = measure_compliance(frame, compared(frame).difference, HORIZON, has_feedback=True)

    assert result.never_contacted == 0
    assert len(result.contacted_though_held_out) == 50
    assert math.isnan(result.effect_of_contacted.value)


@pytest.mark.parametrize("has_feedback", [True, False])
def test_without_recorded_contacts_nobody_is_said_to_be_neglected(has_feedback):
    frame = frame_of((40, 100), (10, 50))
    result = measure_compliance(frame, compared(frame).difference, HORIZON, has_feedback)

    assert not result.is_known
    assert result.never_contacted == 0
