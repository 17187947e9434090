import numpy as np

from pql_model.monitoring.counts import Noise
from pql_model.monitoring.gaps import (
    ALL,
    Silence,
    expected_activity,
    incomplete_days,
    silence_findings,
    silences,
)
from pql_model.time import iso

WEEKDAYS = np.array([30, 32, 31, 30, 28, 6, 5.0])
NOISE = Noise(2.0)


def activity(seed=1, weeks=20):
    return np.random.default_rng(seed).poisson(np.tile(WEEKDAYS, weeks)).astype(float)


def runs_of(active, first=90):
    return silences(active, expected_activity(active), NOISE, first)


def test_a_quiet_log_has_no_silence():
    assert [run for seed in range(50) for run in runs_of(activity(seed))] == []


def test_a_small_product_without_weekends_has_no_silence():
    for seed in range(20):
        active = np.random.default_rng(seed).poisson(np.tile([2, 2, 2, 2, 1, 0, 0], 20)).astype(float)
        assert runs_of(active) == []


def test_a_week_without_rows_is_a_gap_with_its_days():
    active = activity()
    active[112:119] = 0
    [run] = runs_of(active)
    [finding] = silence_findings([run], ALL, 0)

    assert (run.start, run.end, run.ended) == (112, 119, True)
    assert (finding.kind, finding.subject, finding.figure, finding.severity) == ("tracking_gap", ALL, 7, "act")
    assert iso(finding.since) == "1970-04-23"


def test_a_holiday_with_a_third_of_the_activity_is_no_gap():
    active = activity()
    active[112:126] = np.round(active[112:126] * 0.33)

    assert runs_of(active) == []


def test_a_long_weekend_is_not_worth_an_act():
    active = activity()
    active[116:120] = 0  # Friday to Monday

    assert [f.severity for f in silence_findings(runs_of(active), ALL, 0)] == ["watch"]


def test_three_days_missing_at_the_end_are_late():
    active = activity()
    active[-3:] = 0
    active = active[:-2]  # ends on a Friday
    active[-3:] = 0
    [finding] = silence_findings(runs_of(active), ALL, 0)

    assert (finding.kind, finding.figure) == ("late_data", 3)


def test_a_week_missing_at_the_end_is_a_gap():
    active = activity()
    active[-7:] = 0
    [finding] = silence_findings(runs_of(active), ALL, 0)

    assert (finding.kind, finding.figure, finding.severity) == ("tracking_gap", 7, "act")


def test_silence_before_the_days_looked_at_is_history():
    active = activity()
    active[70:77] = 0

    assert runs_of(active) == []


def test_a_table_that_is_due_later_is_not_silent():
    count = np.r_[np.full(100, 20.0), np.zeros(7)]

    assert silences(count, np.full(107, 20.0), NOISE, 60, end=100) == []


def test_newest_days_that_fill_up_slowly_are_incomplete():
    active = activity()[:-2]
    active[-2:] = [6, 3]
    [finding] = incomplete_days(active, expected_activity(active), NOISE, 0)

    assert (finding.kind, finding.figure, finding.severity) == ("late_data", 2, "watch")


def test_whole_newest_days_are_complete():
    for seed in range(50):
        active = activity(seed)
        assert incomplete_days(active, expected_activity(active), NOISE, 0) == []


def test_runs_shorter_than_asked_are_left_out():
    run = Silence(5, 6, 0, 30.0, 1.0, True)

    assert list(silence_findings([run], ALL, 0)) == []


def test_a_holiday_until_the_end_is_not_incomplete():
    active = activity()
    active[-6:] = np.round(active[-6:] * 0.25)

    assert incomplete_days(active, expected_activity(active), NOISE, 0) == []
