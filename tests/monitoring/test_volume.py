import numpy as np
import pytest
from simulated import DAYS, OFTEN, RECENT, SHARES, from_day, past, simulated

from pql_model.monitoring.volume import EventChange, change_finding, event_changes, event_series

CHANGED = 170


def changes_of(counts):
    return event_changes(event_series(counts, past(), {}), counts.active.sum(axis=1), RECENT)


def test_the_same_process_is_never_called_a_change():
    """The stated rate is one in a thousand products; these are 120, of any size."""
    found = [
        change
        for seed in range(40)
        for size in (15.0, 60.0, 400.0)
        for change in changes_of(simulated([seed, int(size)], active=size))
    ]

    assert found == []


def test_holidays_and_a_fall_of_all_activity_are_no_change_of_events():
    present = np.ones(DAYS)
    present[150:164] = 0.3

    assert changes_of(simulated(5, present=present)) == []


@pytest.mark.parametrize("event", [0, 3, 4])
def test_an_event_that_stops_is_found_with_its_day(event):
    [change] = changes_of(simulated(7, level=from_day(CHANGED, 0.0, event)))

    assert (change.name, change.what, change.after) == (f"event {event}", "stopped", 0)
    assert abs(change.start - CHANGED) <= 2


def test_an_event_that_old_versions_still_send_has_stopped():
    [change] = changes_of(simulated(8, level=from_day(CHANGED, 0.02, 0)))

    assert change.what == "stopped"
    assert change.after > 0


def test_an_event_too_rare_to_tell_is_not_called_stopped():
    counts = simulated(9, active=20, level=from_day(DAYS - 7, 0.0, 7))

    assert changes_of(counts) == []


def test_an_event_in_bursts_is_not_called_stopped_between_them():
    level = np.ones((len(SHARES), DAYS))
    level[4] = 0
    for start in (10, 50, 95, 128):
        level[4, start : start + 7] = 4

    assert [change for change in changes_of(simulated(10, level=level)) if change.what == "stopped"] == []


def test_a_new_event_is_found_with_its_first_day():
    level = np.ones((len(SHARES), DAYS))
    level[2, :CHANGED] = 0
    [change] = changes_of(simulated(11, level=level))

    assert (change.name, change.what) == ("event 2", "started")
    assert abs(change.start - CHANGED) <= 1


def test_an_event_sent_twice_is_found_although_as_many_entities_do_it():
    [change] = changes_of(simulated(12, often=from_day(CHANGED, 2.0, 1)))

    assert (change.name, change.what, change.abrupt) == ("event 1", "repeated", True)
    assert abs(change.start - CHANGED) <= 2
    assert change.ratio == pytest.approx(2, rel=0.1)


def test_an_event_lost_on_a_platform_is_found():
    [change] = changes_of(simulated(13, active=200, level=from_day(CHANGED, 0.3, 1)))

    assert (change.what, change.abrupt) == ("fell", True)
    assert change_finding(change, 0).severity == "act"


def test_what_loses_its_users_slowly_is_at_most_watched():
    level = np.ones((len(SHARES), DAYS))
    level[1, 130:] = np.linspace(1, 0.2, DAYS - 130)
    found = [change_finding(change, 0) for change in changes_of(simulated(14, active=200, level=level))]

    assert {finding.severity for finding in found} <= {"watch"}


def test_days_of_a_known_gap_do_not_count():
    level = np.ones((len(SHARES), DAYS))
    level[0, 180:] = 0
    hidden = {"event 0": np.arange(DAYS) >= 180}
    counts = simulated(15, level=level)

    assert event_changes(event_series(counts, past(), hidden), counts.active.sum(axis=1), RECENT) == []


def test_figures_are_a_day():
    change = EventChange("login", "stopped", 100, 0, 60.0, 20, True)

    finding = change_finding(change, 0)

    assert (finding.kind, finding.figure, finding.expected, finding.severity) == ("event_stopped", 0, 3, "act")
    assert finding.words == (
        "`login` stopped on 1970-01-01: None came since, where 60 entities with it were due by their activity."
    )


def test_a_factor_of_occurrences_is_that_of_rows():
    counts = simulated(16, often=from_day(CHANGED, 2.0, 0))
    [change] = changes_of(counts)
    finding = change_finding(change, 0)

    assert finding.kind == "volume_changed"
    assert finding.figure / finding.expected == pytest.approx(2, rel=0.1)
    assert finding.figure == pytest.approx(counts.rows[0, change.start :].mean(), rel=0.01)
    assert OFTEN * 1.1 * counts.entities[0, :CHANGED].sum(axis=1).mean() < finding.figure
