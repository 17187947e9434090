import math

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from pql_model.evaluation.drift import DRIFT, corrected_probability, has_moved, newest_level, rate_change
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY, Duration

HORIZON = Duration.parse("30d")


def final(days, converted, probability=0.1, entity=None):
    n = len(days)
    return pd.DataFrame(
        {
            "entity": np.arange(n) if entity is None else entity,
            "as_of": np.round(np.asarray(days) * DAY).astype(np.int64),
            "converted": converted,
            "probability": probability,
        }
    )


def at(day):
    return np.array([day * DAY])


def moved(frame, day, p=0.1):
    return corrected_probability(frame, HORIZON, at(day), np.array([p]))[0]


# ---------------------------------------------------------------- what is known


@examples(50)
@given(
    days=st.lists(st.integers(0, 200), min_size=1, max_size=40),
    hours=st.integers(0, 23),
    day=st.integers(0, 260),
    seed=st.integers(0, 99),
)
def test_an_outcome_that_was_not_known_then_changes_nothing(days, hours, day, seed):
    rng = np.random.default_rng(seed)
    frame = final(np.array(days) + hours / 24, rng.random(len(days)) < 0.3, rng.uniform(0.01, 0.9, len(days)))
    unknown = frame["as_of"].to_numpy() + HORIZON.us > day * DAY
    other = frame.assign(converted=np.where(unknown, ~frame["converted"], frame["converted"]))
    fewer = frame[~unknown]
    assert moved(frame, day) == moved(other, day) == moved(fewer, day)


def test_an_outcome_counts_from_the_day_its_horizon_ends():
    frame = final([0.0] * 100, [False] * 100)
    assert moved(frame, 29) == 0.1
    assert corrected_probability(frame, HORIZON, np.array([30 * DAY - 1]), np.array([0.1]))[0] == 0.1
    assert moved(frame, 30) == pytest.approx(0.075)  # 10 promised, none came: (0 + 30) / (10 + 30)


def test_outcomes_older_than_90_days_are_forgotten():
    frame = final([0.0] * 100, [False] * 100)
    assert moved(frame, 119) == pytest.approx(0.075)
    assert moved(frame, 120) == 0.1


def test_the_probability_is_unchanged_without_known_outcomes():
    assert moved(final([50.0], [True]), 10, p=0.37) == 0.37


# ---------------------------------------------------------------- by how much


def test_a_calibrated_probability_is_unchanged():
    assert moved(final([0.0] * 10, [True] + [False] * 9), 30, p=0.4) == pytest.approx(0.4)


def test_the_prior_weighs_thirty_conversions():
    # 30 promised and 60 came: (60 + 30) / (30 + 30) = 1.5 times the level of 0.3
    frame = final([0.0] * 100, np.arange(100) < 60, 0.3)
    assert moved(frame, 30, p=0.3) == pytest.approx(0.45)


def test_snapshots_of_one_entity_count_as_one():
    one = final([0.0] * 100, [False] * 100)
    thrice = pd.concat([one, one.assign(as_of=DAY), one.assign(as_of=2 * DAY)])
    assert moved(thrice, 40) == pytest.approx(moved(one, 40))


def test_a_correction_by_extreme_outcomes_stays_a_probability():
    assert 0 < moved(final([0.0] * 500, [True] * 500, 0.999), 30, p=0.999) < 1
    assert 0 < moved(final([0.0] * 500, [False] * 500, 0.999), 30, p=0.001) < 1


def test_an_empty_table_can_be_corrected():
    nobody = np.array([], np.int64)
    assert corrected_probability(final([0.0], [True]), HORIZON, nobody, np.array([])).shape == (0,)


# ---------------------------------------------------------------- in worlds whose rate is known


def world(halves_on_day, seed=3, n=20_000):
    """A year of sign-ups; the model knows who is likelier, and the level of the first half year."""
    rng = np.random.default_rng(seed)
    day = np.sort(rng.uniform(0, 365, n))
    converted = rng.random(n) < np.where(day < halves_on_day, 0.1, 0.05)
    lean = rng.normal(0, 1, n) + converted
    frame = final(day, converted, expit(lean - 0.5 + logit(0.1)))
    test = day >= 240
    raw = frame["probability"].to_numpy()[test]
    return converted[test], raw, corrected_probability(frame, HORIZON, frame["as_of"].to_numpy()[test], raw)


def log_loss(y, p):
    return -np.where(y, np.log(p), np.log1p(-p)).mean()


def test_the_correction_costs_little_if_the_rate_is_constant():
    y, raw, corrected = world(halves_on_day=math.inf)
    assert y.sum() / corrected.sum() == pytest.approx(1, abs=0.06)
    assert log_loss(y, corrected) - log_loss(y, raw) < 0.0005


def test_the_correction_follows_a_halved_rate():
    y, raw, corrected = world(halves_on_day=120)
    assert y.sum() / raw.sum() < 0.62
    assert 0.85 < y.sum() / corrected.sum() < 1.1
    assert log_loss(y, corrected) < log_loss(y, raw) - 0.005


# ---------------------------------------------------------------- has the base rate moved?


def test_a_change_of_rate_has_the_interval_of_two_independent_shares():
    entity, before = np.arange(2000), np.arange(2000) < 1000
    converted = np.concatenate([np.arange(1000) < 100, np.arange(1000) < 60])
    change = rate_change(entity, converted, before, ~before)
    half = 1.959964 * math.sqrt(0.1 * 0.9 / 1000 + 0.06 * 0.94 / 1000)
    assert (change.value, change.low, change.high) == pytest.approx((-0.04, -0.04 - half, -0.04 + half))


def test_repeated_snapshots_do_not_narrow_the_interval_of_a_change():
    before = np.arange(200) < 100
    converted = np.concatenate([np.arange(100) < 30, np.arange(100) < 20])
    once = rate_change(np.arange(200), converted, before, ~before)
    five = rate_change(*(np.repeat(part, 5) for part in (np.arange(200), converted, before, ~before)))
    assert (five.low, five.high) == pytest.approx((once.low, once.high))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((-0.02, -0.03, -0.01), True),
        ((0.02, 0.01, 0.03), True),
        ((-0.02, -0.05, 0.01), False),  # may be chance
        ((-0.009, -0.012, -0.006), False),  # is no chance, and small
    ],
)
def test_a_rate_of_a_tenth_has_moved_beyond_chance_and_by_more_than_a_tenth(change, expected):
    assert has_moved(0.1, Estimate(*change)) is expected


# ---------------------------------------------------------------- the error of the level


def year(rate_of_month, rows=3000, seed=0):
    """A year of accounts whose odds of paying are those of their month, for which 10 % was promised throughout."""
    rng = np.random.default_rng(seed)
    day = np.sort(rng.uniform(0, 365, rows))
    return final(day, rng.random(rows) < np.array([rate_of_month(int(each // 30)) for each in day]))


def test_a_level_that_never_moved_has_the_least_drift():
    drifts = [newest_level(year(lambda month: 0.1, seed=seed), HORIZON, 395 * DAY).drift for seed in range(20)]

    assert np.mean(np.array(drifts) == DRIFT) >= 0.8
    assert max(drifts) < 0.25


def test_a_level_that_moved_in_the_past_has_a_wider_error():
    steady, restless = (
        newest_level(year(rate), HORIZON, 395 * DAY)
        for rate in (lambda _: 0.1, lambda month: 0.05 + 0.1 * (month // 3 % 2))
    )

    assert restless.drift > 2 * steady.drift
    assert restless.relative_error > 2 * steady.relative_error


def test_what_comes_after_the_instant_does_not_change_the_drift():
    frame, at_day = year(lambda month: 0.05 + 0.1 * (month // 3 % 2)), 300
    known = frame[frame["as_of"] <= (at_day - 30) * DAY]

    assert newest_level(frame, HORIZON, at_day * DAY) == newest_level(known, HORIZON, at_day * DAY)


def test_a_short_past_says_nothing_about_drift():
    frame = year(lambda month: 0.3).head(300)

    assert (
        newest_level(frame, HORIZON, 395 * DAY).drift == newest_level(frame.head(0), HORIZON, 395 * DAY).drift == DRIFT
    )
