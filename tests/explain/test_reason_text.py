import re

import pytest

from pql_model.explain.reason_text import AGE, format_number, value_text
from pql_model.features.spec import Feature, parse_feature
from pql_model.measures import ANY, MEASURES
from pql_model.model.columns import OTHER, ModelColumn
from pql_model.time import EVER, Window

INVITED = "Teammate+Invited"
CASES = [
    # column, value, age, words
    (f"{INVITED}.count.first_7d", 4.0, None, "4 `Teammate Invited` in the first 7 days"),
    (f"{INVITED}.count.first_7d", 4.0, 7.0, "4 `Teammate Invited` in the first 7 days"),
    (f"{INVITED}.count.first_7d", 1.0, 6.9999, "1 `Teammate Invited` so far, of the first 7 days"),
    (f"{INVITED}.count.last_14d", 0.0, 3.0, "no `Teammate Invited` in the last 14 days"),
    (f"{INVITED}.count.ever", 12345.0, None, "12,345 `Teammate Invited` so far"),
    (f"{INVITED}.count.first_7d", None, None, "number of `Teammate Invited` in the first 7 days: unknown"),
    ("any.count.last_1d", 1.0, None, "1 event in the last day"),
    ("any.count.last_1d", 0.0, None, "no events in the last day"),
    ("x.count.ever", 2.345, None, "2.35 `x` so far"),  # a table of weighted counts
    ("any.active_days.ever", 5.0, 13.2, "active on 5 of 14 days so far"),
    ("any.active_days.ever", 5.0, None, "active on 5 days so far"),
    ("any.active_days.ever", 2.0, 0.8, "active on 2 of 2 days so far"),  # 20 hours can touch two UTC days
    ("any.active_days.last_7d", 8.0, 30.0, "active on 7 of the last 7 days"),  # and 7 x 24 hours eight
    ("any.active_days.first_14d", 2.0, 3.2, "active on 2 of 4 days so far, of the first 14 days"),
    ("any.active_days.last_1d", 1.0, None, "active in the last day"),
    ("any.active_days.last_36h", 1.0, None, "active on 1 day in the last 36 hours"),
    ("any.active_days.first_7d", 0.0, 9.0, "not active in the first 7 days"),
    ("x.active_days.last_14d", 3.0, None, "`x` on 3 of the last 14 days"),
    ("x.active_days.last_14d", 0.0, None, "no `x` in the last 14 days"),
    ("x.active_days.first_7d", None, None, "days with `x` in the first 7 days: unknown"),
    ("any.distinct_users.ever", 4.0, None, "4 users active so far"),
    ("x.distinct_users.last_7d", 1.0, None, "1 user did `x` in the last 7 days"),
    ("x.distinct_users.last_7d", 0.0, None, "nobody did `x` in the last 7 days"),
    ("any.days_since_last.ever", 3.2, None, "last seen 3 days ago"),
    ("any.days_since_last.ever", None, None, "not active so far"),
    ("any.days_since_last.ever", 0.01, None, "last seen less than an hour ago"),
    ("x.days_since_last.ever", 1 / 24, None, "last `x` 1 hour ago"),
    ("x.days_since_last.ever", 1.25, None, "last `x` 30 hours ago"),
    ("x.days_since_last.ever", 1500.0, None, "last `x` 1,500 days ago"),
    ("x.days_since_last.last_7d", None, None, "no `x` in the last 7 days"),
    ("x.days_since_last.first_7d", 10.0, 15.0, "last `x` of the first 7 days 10 days ago"),
    ("any.days_to_first.ever", 0.1, 5.0, "first seen 2 hours after sign-up"),
    ("x.days_to_first.ever", 2.0, None, "first `x` 2 days after sign-up"),
    ("x.days_to_first.ever", None, 5.0, "no `x` so far"),
    ("x.days_to_first.ever", None, None, "days from sign-up to the first `x`: unknown"),  # or never: nobody can tell
    ("x.sum.megabytes.ever", 2400.0, None, "2.4 GB of `x` so far"),
    ("x.sum.KB.ever", 1.0, None, "1 kB of `x` so far"),
    ("x.sum.bytes.ever", 20.0, None, "20 bytes of `x` so far"),
    ("x.sum.gb.ever", 5_000_000.0, None, "5,000 TB of `x` so far"),
    ("x.sum.megabytes.last_7d", 0.0, None, "no megabytes of `x` in the last 7 days"),
    ("x.sum.minutes.ever", 1.0, None, "1 minute of `x` so far"),
    ("x.sum.minutes.ever", 125.5, None, "126 minutes of `x` so far"),
    ("x.sum.status.ever", 1.0, None, "1 status of `x` so far"),
    ("x.max.megabytes.ever", 6.4712, None, "up to 6.47 MB in one `x` so far"),
    ("x.max.megabytes.ever", None, None, "no megabytes of `x` so far"),
    ("x.last.seats.ever", 12.0, None, "12 seats in the latest `x`"),
    ("x.last.seats.first_7d", -3.0, 8.0, "-3 seats in the latest `x` in the first 7 days"),
    ("x.last.seats.first_7d", None, 8.0, "no seats of `x` in the first 7 days"),
    ("x.distinct_values.plan.ever", 3.0, None, "3 different values of plan in `x` so far"),
    ("x.distinct_values.plan.ever", 1.0, None, "1 value of plan in `x` so far"),
    ("x.distinct_values.plan.ever", 0.0, None, "no value of plan in `x` so far"),
    ("any.current_streak_days.ever", 3.0, None, "active 3 days in a row until now"),
    ("any.current_streak_days.ever", 0.0, None, "no active day today or yesterday"),
    ("any.longest_streak_days.ever", 1.0, None, "longest streak 1 active day"),
    ("any.longest_streak_days.last_7d", 4.0, None, "longest streak 4 active days in the last 7 days"),
    ("any.longest_streak_days.ever", 0.0, None, "not active so far"),
    ("any.breadth.first_7d", 6.0, 8.0, "6 kinds of events in the first 7 days"),
    ("any.breadth.first_7d", 0.0, 8.0, "no events in the first 7 days"),
    ("any.sessions.ever", 1.0, None, "1 session so far"),
    ("any.sessions.ever", 0.0, None, "no sessions so far"),
    ("any.session_minutes.ever", 95.4, None, "95 minutes in sessions so far"),
    ("any.session_minutes.ever", 190.0, None, "3.2 hours in sessions so far"),
    ("any.session_minutes.ever", 0.2, None, "less than a minute in sessions so far"),
    ("any.session_minutes.ever", 0.0, None, "no minutes in sessions so far"),
    ("any.trend.last_14d", 0.5, None, "3 times as active in the last 14 days as in the 14 days before"),
    ("any.trend.last_14d", -0.5, None, "33% as active in the last 14 days as in the 14 days before"),
    ("any.trend.last_14d", 0.0, None, "about as active in the last 14 days as in the 14 days before"),
    ("any.trend.last_1d", 1.0, None, "active in the last day, not in the day before"),
    ("any.trend.last_1d", -1.0, None, "not active in the last day, but in the day before"),
    ("any.trend.last_1d", None, None, "not active in the last day, nor in the day before"),
    ("any.top_user_share.ever", 0.8, None, "the most active user did 80% of the events so far"),
    ("any.top_user_share.ever", 1.0, None, "the most active user did all events so far"),
    ("any.top_user_share.ever", None, None, "no event that names a user so far"),
    ("x.current_streak_days.ever", 3.0, None, "`x` 3 days in a row until now"),
    ("x.current_streak_days.ever", 0.0, None, "no `x` today or yesterday"),
    ("x.longest_streak_days.last_7d", 4.0, None, "`x` on 4 days in a row in the last 7 days"),
    ("x.longest_streak_days.ever", 0.0, None, "no `x` so far"),
    ("x.sessions.ever", 2.0, None, "2 sessions of `x` so far"),
    ("x.session_minutes.ever", 95.4, None, "95 minutes in sessions of `x` so far"),
    ("x.trend.last_14d", 0.5, None, "3 times as many `x` in the last 14 days as in the 14 days before"),
    ("x.trend.last_1d", 1.0, None, "`x` in the last day, not in the day before"),
    ("x.trend.last_1d", None, None, "no `x` in the last day, nor in the day before"),
    ("any.times_before.last_7d", 2.0, None, "2 times as active in the last 7 days as in the 7 days before"),
    ("x.times_before.last_7d", 1.0, None, "about as many `x` in the last 7 days as in the 7 days before"),
    ("x.times_before.last_7d", 0.0, None, "no `x` in the last 7 days, but in the 7 days before"),
    ("x.times_before.last_7d", None, None, "no `x` in the 7 days before"),
    ("x.top_user_count.ever", 10.0, None, "10 `x` by one user so far"),
    ("any.top_user_count.last_7d", 1.0, None, "1 event by one user in the last 7 days"),
    ("any.top_user_count.ever", 0.0, None, "no event that names a user so far"),
    ("x.count.ever.or+y", 3.0, None, "3 `x` or `y` so far"),
    ("x.count.first_7d.after+y.gap+3d", 0.0, 8.0, "no `x` within 3 days after `y` in the first 7 days"),
    ("x.sum.mb.ever.of+quota", 0.8, None, "80 % of `quota`: total mb of `x` so far"),
    ("x.sum.mb.ever.of+quota", None, None, "total mb of `x` so far as a share of `quota`: unknown"),
    (AGE.name, 7.0, 7.0, "signed up 7 days ago"),
    (AGE.name, 0.0, 0.0, "signed up less than an hour ago"),
    (AGE.name, None, None, "days since sign-up: unknown"),
]


@pytest.mark.parametrize(("name", "value", "age", "words"), CASES)
def test_a_value_is_written_in_plain_english(name, value, age, words):
    assert value_text(ModelColumn(name, "feature"), value, age) == words


def test_every_measure_has_its_cases():
    assert {parse_feature(name).measure for name, *_ in CASES} == set(MEASURES)


def test_an_unknown_age_is_none():
    column = ModelColumn(f"{INVITED}.count.first_7d", "feature")
    assert value_text(column, 2.0, float("nan")) == value_text(column, 2.0, None)


@pytest.mark.parametrize("event", ["🎉 party", "{x}[0]", "50% `off`", "[red]", ""])
def test_any_event_name_is_written_unchanged(event):
    for rule in MEASURES.values():
        for window in [EVER, Window.parse("first 7d"), Window.parse("last 1d")]:
            if rule.window not in ("any", window.kind):
                continue
            feature = Feature(
                event if rule.scope != "entity" else ANY, rule.name, window, "mb" if rule.needs_value else None
            )
            for value in (None, 0.0, 0.3, 1.0, 2.5, 1e6, 1e18):
                for age in (None, 0.5, 30.0):
                    words = value_text(ModelColumn(feature.name, "feature"), value, age)
                    assert rule.scope == "entity" or f"`{event}`" in words
                    assert not re.search(r"nan|None|\b1 (days|users|hours|events|sessions|minutes)\b", words), words


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (ModelColumn("trait.company_size", "category", ("1-50", "51-200")), "51-200", "company_size is 51-200"),
        (ModelColumn("trait.company_size", "category", ("1-50",)), None, "company_size is unknown"),
        (ModelColumn("trait.region", "category", ("EU", OTHER)), "Mars", "region is Mars, a rare value"),
        (ModelColumn("trait.region", "category", ("EU", "US")), "Mars", "region is Mars, new to the model"),
        (ModelColumn("trait.seats", "number"), 12.0, "seats is 12"),
        (ModelColumn("trait.founded", "number"), 2012.0, "founded is 2012"),
        (ModelColumn("trait.revenue", "number"), 1234567.0, "revenue is 1,234,567"),
        (ModelColumn("trait.share", "number"), 0.123456, "share is 0.123"),
        (ModelColumn("trait.seats", "number"), None, "seats is unknown"),
    ],
)
def test_a_trait_is_written_with_its_value(column, value, words):
    assert value_text(column, value) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.0, "0"),
        (1e6, "1,000,000"),
        (999.6, "1,000"),
        (99.96, "100"),
        (0.00012, "0.00012"),
        (-2.5, "-2.5"),
        (2e20, "2e+20"),
    ],
)
def test_numbers_are_rounded_for_reading(number, words):
    assert format_number(number) == words
