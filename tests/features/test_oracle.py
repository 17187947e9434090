"""The oracle against numbers computed by hand. Everything else must equal the oracle."""

from __future__ import annotations

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLAIN_EVENTS, VALUES, every_feature, futures, is_future, worlds

from pql_model.features.oracle import Event, evaluate, share
from pql_model.features.spec import Feature
from pql_model.measures import ANY, ENTITY_MEASURES, EVENT_MEASURES, MEASURES
from pql_model.time import DAY, EVER, HOUR, MINUTE, Duration, Window

FIRST_WEEK, LAST_WEEK, LAST_DAY = Window.parse("first 7d"), Window.parse("last 7d"), Window.parse("last 1d")
SIGNED_UP = 100 * DAY + 6 * HOUR
AS_OF = 110 * DAY + 12 * HOUR


def upload(time, mb=None, user=None, **more):
    return Event("upload", time, user, values={} if mb is None else {"mb": mb}, **more)


def login(time, user=None, **more):
    return Event("login", time, user, **more)


LOG = [
    login(SIGNED_UP, "ann"),
    upload(SIGNED_UP + HOUR, 5.0, "ann"),
    upload(SIGNED_UP + DAY, 2.5, "bob"),
    login(SIGNED_UP + DAY + 10 * MINUTE, "bob"),
    login(SIGNED_UP + 2 * DAY, "ann"),
    upload(AS_OF - 2 * DAY, 5.0, "cid"),
    upload(AS_OF - 2 * DAY, None, "cid"),
    login(AS_OF - 12 * MINUTE, None, n=7.0, users=4.0),
    upload(AS_OF, 99.0, "dan"),
    login(AS_OF + HOUR, "eve"),
]
"""Ten rows, the last two of them in the future. Days 100, 101, 102, 108 and 110 are active."""

EXAMPLES = [
    ("upload", "count", EVER, None, 4.0),
    ("login", "count", EVER, None, 10.0),
    ("login", "count", FIRST_WEEK, None, 3.0),
    ("login", "count", LAST_WEEK, None, 7.0),
    (ANY, "count", EVER, None, 14.0),
    (ANY, "count", LAST_WEEK, None, 9.0),
    ("upload", "active_days", EVER, None, 3.0),
    (ANY, "active_days", EVER, None, 5.0),
    (ANY, "active_days", FIRST_WEEK, None, 3.0),
    ("upload", "distinct_users", EVER, None, 3.0),
    ("login", "distinct_users", EVER, None, 4.0),
    ("login", "distinct_users", FIRST_WEEK, None, 2.0),
    (ANY, "distinct_users", FIRST_WEEK, None, 2.0),
    (ANY, "distinct_users", LAST_WEEK, None, 4.0),
    ("upload", "days_since_last", EVER, None, 2.0),
    ("upload", "days_since_last", LAST_DAY, None, None),
    (ANY, "days_since_last", FIRST_WEEK, None, 8.25),
    ("upload", "days_to_first", EVER, None, 1 / 24),
    ("upload", "days_to_first", LAST_WEEK, None, 8.25),
    (ANY, "days_to_first", FIRST_WEEK, None, 0.0),
    ("upload", "sum", EVER, "mb", 12.5),
    ("upload", "sum", FIRST_WEEK, "mb", 7.5),
    ("login", "sum", EVER, "mb", 0.0),
    ("upload", "max", EVER, "mb", 5.0),
    ("upload", "max", LAST_DAY, "mb", None),
    ("upload", "last", EVER, "mb", 5.0),
    ("upload", "last", FIRST_WEEK, "mb", 2.5),
    ("login", "last", EVER, "mb", None),
    ("upload", "distinct_values", EVER, "mb", 2.0),
    ("upload", "distinct_values", EVER, "score", 0.0),
    (ANY, "current_streak_days", EVER, None, 1.0),
    (ANY, "current_streak_days", FIRST_WEEK, None, 0.0),
    (ANY, "longest_streak_days", EVER, None, 3.0),
    (ANY, "longest_streak_days", LAST_WEEK, None, 1.0),
    (ANY, "breadth", EVER, None, 2.0),
    (ANY, "breadth", LAST_DAY, None, 1.0),
    (ANY, "sessions", EVER, None, 6.0),
    (ANY, "sessions", LAST_WEEK, None, 2.0),
    (ANY, "session_minutes", EVER, None, 10.0),
    (ANY, "session_minutes", LAST_WEEK, None, 0.0),
    (ANY, "trend", LAST_WEEK, None, 2 / 7),  # 9 in the last seven days, 5 in the seven before
    (ANY, "trend", LAST_DAY, None, 5 / 9),  # 7 in the last day, 2 exactly two days ago
    (ANY, "top_user_share", EVER, None, 3 / 7),  # ann did 3 of the 7 that name a user
    (ANY, "top_user_share", LAST_WEEK, None, 1.0),
    (ANY, "top_user_share", LAST_DAY, None, None),
    (ANY, "days_since_signup", EVER, None, 10.25),
    ("upload", "longest_streak_days", EVER, None, 2.0),
    ("upload", "current_streak_days", EVER, None, 0.0),
    ("login", "current_streak_days", EVER, None, 1.0),
    ("login", "sessions", EVER, None, 4.0),
    ("upload", "session_minutes", EVER, None, 0.0),
    ("login", "trend", LAST_WEEK, None, 0.4),
    ("login", "times_before", LAST_WEEK, None, 7 / 3),
    ("upload", "times_before", LAST_DAY, None, 0.0),
    (ANY, "times_before", LAST_WEEK, None, 9 / 5),
    ("upload", "top_user_count", EVER, None, 2.0),
    ("login", "top_user_count", LAST_WEEK, None, 0.0),  # nobody is named
    (ANY, "top_user_count", EVER, None, 3.0),
]


def measured(log, measure, event=ANY, window=EVER, value=None, signed_up=SIGNED_UP, as_of=AS_OF):
    return evaluate(Feature(event, measure, window, value), log, signed_up, as_of)


@pytest.mark.parametrize(("event", "measure", "window", "value", "expected"), EXAMPLES)
def test_the_measure_of_the_example_log_is_the_number_counted_by_hand(event, measure, window, value, expected):
    assert measured(LOG, measure, event, window, value) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("event", "measure", "window", "value", "expected"), EXAMPLES)
def test_order_of_rows_does_not_matter(event, measure, window, value, expected):
    assert measured(LOG[::-1], measure, event, window, value) == measured(LOG, measure, event, window, value)


def test_every_measure_has_an_example():
    shown = {(measure, event == ANY) for event, measure, *_ in EXAMPLES}
    assert shown == {(m, False) for m in EVENT_MEASURES} | {(m, True) for m in ENTITY_MEASURES}
    assert {measure for _, measure, *_ in EXAMPLES} == set(MEASURES)


@pytest.mark.parametrize("name", MEASURES)
def test_no_events_give_the_empty_value_of_the_registry(name):
    rule = MEASURES[name]
    window = LAST_WEEK if rule.window == "last" else EVER
    event = "upload" if rule.scope == "event" else ANY
    expected = 10.25 if name == "days_since_signup" else rule.empty
    assert measured([], name, event, window, "mb" if rule.needs_value else None) == expected


# ---------------------------------------------------------------- groups, order, shares


def group(measure, *events, **more):
    return Feature(events[0], measure, more.pop("window", EVER), also=events[1:], **more)


def test_the_events_of_a_group_count_as_one():
    assert evaluate(group("count", "login", "upload"), LOG, SIGNED_UP, AS_OF) == measured(LOG, "count")
    assert evaluate(group("sessions", "login", "upload"), LOG, SIGNED_UP, AS_OF) == measured(LOG, "sessions")
    assert evaluate(group("sum", "login", "upload", value="mb"), LOG, SIGNED_UP, AS_OF) == 12.5
    assert evaluate(group("count", "login", "nobody did this"), LOG, SIGNED_UP, AS_OF) == 10.0


def test_minutes_of_one_event_are_those_between_its_own_rows():
    log = [login(SIGNED_UP + minutes * MINUTE) for minutes in (0, 20, 50, 81)] + [upload(SIGNED_UP + 100 * MINUTE)]
    assert measured(log, "session_minutes", "login") == 50.0
    assert measured(log, "sessions", "login") == 2.0


@pytest.mark.parametrize(
    ("after_the_report", "counts"),
    [(-1, False), (0, False), (1, True), (3 * DAY, True), (3 * DAY + 1, False)],
)
def test_an_order_counts_what_follows_within_the_gap_and_not_at_the_same_instant(after_the_report, counts):
    shared = Feature("shared", "count", after="report", gap=Duration(3 * DAY))
    log = [Event("report", SIGNED_UP + DAY), Event("shared", SIGNED_UP + DAY + after_the_report)]
    assert evaluate(shared, log, SIGNED_UP, AS_OF) == float(counts)


def test_what_is_followed_must_be_known_and_may_lie_before_the_window():
    shared = Feature("shared", "count", Window.parse("last 1d"), after="report", gap=Duration(3 * DAY))
    before, late = Event("report", AS_OF - 2 * DAY), Event("report", AS_OF - 2 * DAY, known_at=AS_OF)
    assert evaluate(shared, [before, Event("shared", AS_OF - HOUR)], SIGNED_UP, AS_OF) == 1.0
    assert evaluate(shared, [late, Event("shared", AS_OF - HOUR)], SIGNED_UP, AS_OF) == 0.0


@pytest.mark.parametrize(
    ("amount", "trait", "expected"),
    [
        (4.0, 5.0, 0.8),
        (2.4, 3.0, 0.8),
        (0.3, 3.0, 0.1),
        (None, 5.0, None),
        (4.0, None, None),
        (4.0, 0.0, None),
        (4.0, -5.0, None),
        (0.0, 5.0, 0.0),
    ],
)
def test_a_share_needs_an_amount_and_a_positive_trait(amount, trait, expected):
    assert share(amount, trait) == expected


# ---------------------------------------------------------------- what is visible


def test_an_event_at_as_of_is_not_visible_and_one_a_microsecond_before_is():
    assert measured([login(AS_OF)], "count") == 0.0
    assert measured([login(AS_OF - 1)], "count") == 1.0


def test_an_event_known_at_as_of_is_not_visible_and_one_known_a_microsecond_before_is():
    assert measured([login(SIGNED_UP, known_at=AS_OF)], "count") == 0.0
    assert measured([login(SIGNED_UP, known_at=AS_OF - 1)], "count") == 1.0


def test_an_event_known_in_time_that_happens_later_is_not_visible():
    assert measured([login(AS_OF, known_at=SIGNED_UP)], "count") == 0.0


# ---------------------------------------------------------------- the edges of windows


@pytest.mark.parametrize(
    ("time", "inside"), [(AS_OF - 7 * DAY - 1, 0.0), (AS_OF - 7 * DAY, 1.0), (AS_OF - 1, 1.0), (AS_OF, 0.0)]
)
def test_last_window_includes_its_start_and_not_its_end(time, inside):
    assert measured([login(time)], "count", window=LAST_WEEK) == inside


@pytest.mark.parametrize(
    ("time", "inside"),
    [(SIGNED_UP - 1, 0.0), (SIGNED_UP, 1.0), (SIGNED_UP + 7 * DAY - 1, 1.0), (SIGNED_UP + 7 * DAY, 0.0)],
)
def test_first_window_includes_its_start_and_not_its_end(time, inside):
    assert measured([login(time)], "count", window=FIRST_WEEK) == inside


def test_a_first_window_that_has_not_elapsed_ends_at_as_of():
    early = SIGNED_UP + DAY
    assert measured([login(early - 1), login(early)], "count", window=FIRST_WEEK, as_of=early) == 1.0


def test_a_first_window_of_an_entity_that_signs_up_after_as_of_is_empty():
    assert measured([login(SIGNED_UP - 2)], "count", window=FIRST_WEEK, as_of=SIGNED_UP - 1) == 0.0
    assert measured([], "days_since_signup", as_of=SIGNED_UP - DAY) == -1.0


def test_ever_includes_events_before_sign_up():
    assert measured([login(SIGNED_UP - DAY)], "days_to_first") == -1.0


def test_features_that_need_a_sign_up_are_undefined_without_one():
    assert measured(LOG, "count", window=FIRST_WEEK, signed_up=None) is None
    assert measured(LOG, "days_to_first", signed_up=None) is None
    assert measured(LOG, "days_since_signup", signed_up=None) is None
    assert measured(LOG, "count", window=LAST_WEEK, signed_up=None) == 9.0
    assert measured(LOG, "days_since_last", signed_up=None) == 12 / (24 * 60)


def test_window_before_the_last_one_includes_its_start_and_not_its_end():
    log = [login(AS_OF - 2 * DAY - 1), login(AS_OF - 2 * DAY), login(AS_OF - DAY - 1, n=2.0), login(AS_OF - DAY)]
    assert measured(log, "trend", window=LAST_DAY) == -0.5


def test_trend_of_two_empty_windows_is_undefined():
    assert measured([login(AS_OF - 2 * DAY - 1)], "trend", window=LAST_DAY) is None
    assert measured([login(AS_OF - 2 * DAY)], "trend", window=LAST_DAY) == -1.0


# ---------------------------------------------------------------- names and values


def test_event_names_that_differ_in_case_are_two_events():
    log = [Event("Login", SIGNED_UP), Event("login", SIGNED_UP)]
    assert measured(log, "count", event="Login") == 1.0
    assert measured(log, "breadth") == 2.0


def test_of_several_latest_values_the_largest_counts_as_the_last():
    log = [upload(AS_OF - 1, 3.0), upload(AS_OF - 1, 8.0), upload(AS_OF - 1, 4.0), upload(AS_OF - 2, 9.0)]
    assert measured(log, "last", "upload", value="mb") == 8.0


def test_a_later_row_without_the_value_does_not_hide_the_last_one():
    assert measured([upload(AS_OF - 2, 3.0), upload(AS_OF - 1)], "last", "upload", value="mb") == 3.0


def test_values_may_be_negative_and_zero_is_a_value():
    log = [upload(AS_OF - 3, -2.0), upload(AS_OF - 2, 0.0), upload(AS_OF - 1, -2.0)]
    assert measured(log[::2], "max", "upload", value="mb") == -2.0
    assert measured(log, "sum", "upload", value="mb") == -4.0
    assert measured(log, "distinct_values", "upload", value="mb") == 2.0


def test_a_pre_counted_row_counts_for_its_n_in_count_trend_and_share_only():
    log = [upload(AS_OF - 1, 5.0, "ann", n=3.0), upload(AS_OF - 1, 5.0, "bob")]
    assert measured(log, "count") == 4.0
    assert measured(log, "top_user_share") == 0.75
    assert measured(log, "sum", "upload", value="mb") == 10.0


def test_distinct_users_is_the_larger_of_the_users_named_and_the_users_counted():
    named = [login(SIGNED_UP, "ann"), login(SIGNED_UP, "bob"), login(SIGNED_UP, "ann"), login(SIGNED_UP)]
    assert measured(named, "distinct_users") == 2.0
    assert measured([*named, login(SIGNED_UP, users=1.0)], "distinct_users") == 2.0
    assert measured([*named, login(SIGNED_UP, users=5.0)], "distinct_users") == 5.0
    assert measured([login(SIGNED_UP)], "distinct_users") == 0.0


# ---------------------------------------------------------------- streaks


def streaks(days, as_of, window=EVER):
    log = [login(day * DAY + 9 * HOUR) for day in days]
    return tuple(measured(log, f"{which}_streak_days", window=window, as_of=as_of) for which in ("current", "longest"))


def test_unfinished_day_does_not_end_the_streak():
    assert streaks([100, 104, 105, 106], as_of=107 * DAY + 8 * HOUR) == (3.0, 3.0)


def test_finished_day_without_an_event_ends_the_streak():
    assert streaks([100, 104, 105, 106], as_of=108 * DAY + 1) == (0.0, 3.0)


def test_at_midnight_the_day_that_just_ended_is_today():
    assert streaks([104, 105, 106], as_of=108 * DAY) == (3.0, 3.0)
    assert streaks([104, 105, 106], as_of=109 * DAY) == (0.0, 3.0)


def test_an_event_of_today_extends_the_streak():
    assert streaks([104, 105, 106], as_of=106 * DAY + 10 * HOUR) == (3.0, 3.0)


def test_the_current_streak_may_be_shorter_than_the_longest():
    assert streaks([90, 91, 92, 105, 106], as_of=107 * DAY) == (2.0, 3.0)


def test_streak_does_not_extend_beyond_its_window():
    assert streaks([103, 104, 105, 106], as_of=107 * DAY, window=Window.parse("last 2d")) == (2.0, 2.0)
    noon = 107 * DAY + 12 * HOUR  # the window starts on day 105 at noon, after that day's event
    assert streaks([103, 104, 105, 106], as_of=noon, window=Window.parse("last 2d")) == (1.0, 1.0)


def test_the_last_and_the_first_microsecond_of_two_days_make_a_streak_of_two():
    log = [login(106 * DAY - 1), login(106 * DAY)]
    assert measured(log, "longest_streak_days", as_of=107 * DAY) == 2.0
    assert measured(log, "active_days", as_of=107 * DAY) == 2.0


def test_days_before_1970_are_whole_days_too():
    log = [login(-1), login(0), login(DAY - 1)]
    assert measured(log, "active_days", as_of=DAY) == 2.0
    assert measured(log, "current_streak_days", as_of=DAY) == 2.0


# ---------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    ("gap", "sessions", "minutes"), [(0, 1.0, 0.0), (30 * MINUTE, 1.0, 30.0), (30 * MINUTE + 1, 2.0, 0.0)]
)
def test_a_gap_of_exactly_thirty_minutes_is_inside_a_session(gap, sessions, minutes):
    log = [login(SIGNED_UP), upload(SIGNED_UP + gap)]
    assert measured(log, "sessions") == sessions
    assert measured(log, "session_minutes") == minutes


def test_a_session_may_be_long_if_its_gaps_are_short():
    log = [login(SIGNED_UP + quarter * 15 * MINUTE) for quarter in range(9)]
    assert measured(log, "sessions") == 1.0
    assert measured(log, "session_minutes") == 120.0


def test_a_session_across_the_edge_of_a_window_is_cut_there():
    log = [login(AS_OF - DAY - 10 * MINUTE), login(AS_OF - DAY), login(AS_OF - DAY + 5 * MINUTE)]
    assert measured(log, "session_minutes", window=LAST_DAY) == 5.0
    assert measured(log, "sessions", window=LAST_DAY) == 1.0


# ---------------------------------------------------------------- the law of time


@examples(40)
@given(st.data())
def test_future_events_do_not_change_the_past(data):
    world = data.draw(worlds())
    seen = data.draw(st.sampled_from(world.snapshots))
    log = world.log(seen.entity)
    past = [event for event in log if not is_future(event, seen.as_of)]
    other = past + [row.event for row in data.draw(futures(seen.as_of))]
    for feature in every_feature(PLAIN_EVENTS, VALUES):
        assert evaluate(feature, other, *_when(seen)) == evaluate(feature, log, *_when(seen)), feature.name


def _when(snapshot):
    return snapshot.signed_up, snapshot.as_of
