import numpy as np
import pytest

from pql_model.monitoring.counts import Noise, expected_counts, find_shift, noise_of, usual_pause

PAST = np.arange(140) < 98


def of_one_age(values):
    return np.asarray(values, float)[:, None]


def test_the_expectation_follows_the_active_entities():
    active = np.where(np.arange(140) < 98, 50.0, 20.0)
    expected = expected_counts(of_one_age(active * 0.4), of_one_age(active), PAST)

    assert expected[97] == pytest.approx(20, rel=0.02)
    assert expected[120] == pytest.approx(8, rel=0.02)


def test_the_expectation_knows_what_the_young_do():
    active = np.column_stack([np.full(140, 10.0), np.full(140, 30.0)])
    active[98:] = [30, 10]  # a campaign: more young ones
    counts = active * [0.8, 0.1]

    assert expected_counts(counts, active, PAST)[100] == pytest.approx(30 * 0.8 + 10 * 0.1, rel=0.02)


def test_an_event_of_mondays_is_not_expected_on_tuesdays():
    active = np.full(140, 40.0)
    counts = np.where(np.arange(140) % 7 == 0, 20.0, 0.0)
    expected = expected_counts(of_one_age(counts), of_one_age(active), PAST)

    assert expected[105] > 15
    assert expected[106] < 1


def test_weeks_that_differ_make_the_dispersion():
    rng = np.random.default_rng(3)
    due = np.full(700, 10.0)
    everything = np.ones(700, bool)
    poisson = rng.poisson(due)
    wild = rng.poisson(due * np.repeat(rng.gamma(4, 1 / 4, 100), 7))

    assert noise_of(poisson, due, everything).dispersion < 1.5
    assert noise_of(wild, due, everything).dispersion > 8


@pytest.mark.parametrize("dispersion", [1.0, 3.0])
def test_counts_of_the_same_process_are_improbable_as_often_as_stated(dispersion):
    rng = np.random.default_rng(11)
    mean = 30.0
    draws = (
        rng.poisson(mean, 20_000)
        if dispersion == 1
        else rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion, 20_000)
    )
    noise = Noise(dispersion, 0.0)
    chance = {count: noise.at_most(count, mean) for count in np.unique(draws)}
    low = np.array([chance[count] < 0.01 for count in draws])

    assert 0.003 < low.mean() <= 0.01 + 3 * np.sqrt(0.01 / 20_000)


def test_nothing_due_is_never_too_few():
    assert Noise().at_most(0, 0) == 1


def test_a_shift_is_found_on_its_day():
    count = np.r_[np.full(60, 10.0), np.full(20, 4.0)]
    shift = find_shift(count, np.full(80, 10.0), 40, 78)

    assert (shift.start, shift.ratio) == (60, pytest.approx(0.4))


def test_a_series_that_begins_later_is_compared_with_its_own_days():
    count = np.r_[np.zeros(30), np.full(30, 10.0), np.zeros(20)]
    shift = find_shift(count, np.full(80, 10.0), 40, 78, begun=30)

    assert (shift.start, shift.expected) == (60, pytest.approx(200))


def test_without_days_before_there_is_no_shift():
    assert find_shift(np.zeros(10), np.full(10, 2.0), 3, 8) is None


def test_one_long_pause_is_not_the_usual_one():
    count = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1.0])

    assert usual_pause(count, np.full(13, 2.0), 0, 13) == 4.0
    assert usual_pause(count, np.full(13, 2.0), 0, 4) == 0.0  # one pause is no habit
