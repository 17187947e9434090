"""The columns and running counts that the online measures read."""

from __future__ import annotations

import pytest

from pql_model.features.timeline import Amounts, EventRow, Timeline, visible
from pql_model.time import DAY, HOUR, MINUTE, SESSION_GAP

LOG = Timeline(
    [
        EventRow("login", 5 * DAY - 1, "ann"),
        EventRow("upload", 5 * DAY, "ann", {"mb": 2.0}),
        EventRow("upload", 5 * DAY + SESSION_GAP, None, {"mb": 1.0, "score": 4.0}),
        EventRow("login", 5 * DAY + 2 * SESSION_GAP + 1, "bob"),
        EventRow("upload", 8 * DAY, "bob", {}),
    ]
)


def test_events_at_or_known_at_as_of_are_not_visible():
    rows = [
        EventRow("late", DAY, known_at=DAY + HOUR),
        EventRow("then", DAY + HOUR),
        EventRow("just before", DAY + HOUR - 1),
        EventRow("in time", DAY, known_at=DAY + HOUR - 1),
        EventRow("known before it happens", DAY + HOUR, known_at=DAY),
    ]
    assert [row.event for row in visible(rows, DAY + HOUR)] == ["in time", "just before"]


def test_rows_at_the_same_time_keep_their_order():
    rows = [EventRow(name, time) for name, time in (("b", 2), ("z", 1), ("a", 2), ("a", 1))]
    assert [row.event for row in visible(rows, 9)] == ["z", "a", "b", "a"]


def test_a_day_starts_at_midnight():
    assert LOG.days == [4, 5, 5, 5, 8]
    assert Timeline([EventRow("login", -1), EventRow("login", 0)]).days == [-1, 0]


def test_gap_of_exactly_thirty_minutes_is_not_a_break():
    assert LOG.breaks == [3, 4]
    assert LOG.pauses == [0, SESSION_GAP + 1, 3 * DAY - SESSION_GAP]


def test_the_rows_of_one_event_are_a_timeline_too():
    uploads = LOG.subset(LOG.positions["upload"])
    assert uploads.times == [5 * DAY, 5 * DAY + 30 * MINUTE, 8 * DAY]
    assert uploads.users == ["ann", None, "bob"]
    assert uploads.days == [5, 5, 8]
    assert uploads.plain


def test_pre_counted_rows_are_not_plain():
    assert not Timeline([EventRow("login", 1, n=2.0)]).plain
    assert not Timeline([EventRow("login", 1, users=1.0)]).plain


def test_larger_value_comes_later_at_equal_times_and_missing_ones_are_left_out():
    rows = [EventRow("x", 1, values={"mb": 5.0}), EventRow("x", 1, values={"mb": 3.0}), EventRow("x", 2)]
    amounts = Amounts(Timeline(rows), "mb")
    assert (amounts.times, amounts.amounts) == ([1, 1], [3.0, 5.0])


def test_timeline_can_be_empty():
    nothing = Timeline([])
    assert (nothing.times, nothing.days, nothing.breaks, nothing.pauses) == ((), [], [], [0])


def test_a_column_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colour"):
        _ = LOG.colour
