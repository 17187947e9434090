"""Name, English text and declaration of a feature are three views of one object."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import ODD_EVENTS, VALUES, every_feature

from pql_model.errors import FeatureMismatchError
from pql_model.features.spec import Feature, check_columns, feature_set_hash, parse_feature
from pql_model.measures import ANY, ENTITY_MEASURES, EVENT_MEASURES, MEASURES
from pql_model.time import DAY, EVER, SECOND, Duration, Window

FIRST_WEEK, LAST_WEEK = Window.parse("first 7d"), Window.parse("last 7d")
SAFE = re.compile(r"[A-Za-z0-9_\-+%.]+")
"""Characters allowed in a column: LightGBM refuses `" , : [ ] { }` and blanks."""

lengths = st.integers(1, 3 * 366 * DAY // SECOND).map(lambda seconds: Duration(seconds * SECOND))
awkward = st.text(alphabet=".,_-+%~ :;[]{}\"'\\/&=<>#\n\t0aAé🎉", max_size=8)
texts = st.one_of(st.text(max_size=12), awkward, st.sampled_from(ODD_EVENTS))


@st.composite
def features(draw):
    """Any feature that may be declared, of any event, value and window."""
    rule = MEASURES[draw(st.sampled_from(list(MEASURES)))]
    event = ANY if rule.scope == "entity" else draw(texts)
    if rule.scope == "event" and event == ANY:
        event = "some other"
    kinds = {"any": ["first", "last", "ever"], "last": ["last"], "ever": ["ever"]}[rule.window]
    kind = draw(st.sampled_from(kinds))
    window = EVER if kind == "ever" else Window(kind, draw(lengths))
    return Feature(event, rule.name, window, draw(texts) if rule.needs_value else None)


@settings(max_examples=300, deadline=None)
@given(features())
def test_a_feature_is_read_back_from_its_name(feature):
    assert parse_feature(feature.name) == feature


@settings(max_examples=300, deadline=None)
@given(features())
def test_name_has_only_characters_allowed_in_a_column(feature):
    assert SAFE.fullmatch(feature.name)


@settings(max_examples=200, deadline=None)
@given(features(), features())
def test_equal_names_mean_equal_features(first, second):
    assert (first.name == second.name) == (first == second)


def test_all_features_of_all_odd_event_names_have_different_names():
    declared = every_feature(ODD_EVENTS, VALUES)
    assert len({feature.name for feature in declared}) == len(declared) == len(set(declared))


@pytest.mark.parametrize(
    ("feature", "name", "words"),
    [
        (
            Feature("Teammate Invited", "count", FIRST_WEEK),
            "Teammate+Invited.count.first_7d",
            "number of `Teammate Invited` in the first 7 days",
        ),
        (
            Feature("upload", "sum", Window.parse("last 1d"), "size mb"),
            "upload.sum.size+mb.last_1d",
            "total size mb of `upload` in the last day",
        ),
        (Feature("upload", "last", EVER, "mb"), "upload.last.mb.ever", "latest mb of `upload` so far"),
        (Feature("v1.2_x", "active_days"), "v1%2E2_x.active_days.ever", "days with `v1.2_x` so far"),
        (Feature("{event}", "count"), "%7Bevent%7D.count.ever", "number of `{event}` so far"),
        (Feature(ANY, "sessions", Window.parse("last 36h")), "any.sessions.last_36h", "sessions in the last 36 hours"),
        (Feature(ANY, "days_since_signup"), "any.days_since_signup.ever", "days since sign-up"),
        (
            Feature("Guide Read", "count", Window.parse("first 7d"), also=("Help: v1.2", "any of these")),
            "Guide+Read.count.first_7d.or+Help%3A+v1%2E2.or+any+of+these",
            "number of `Guide Read` or `Help: v1.2` or `any of these` in the first 7 days",
        ),
        (
            Feature("Shared", "active_days", after="Report Made", gap=Duration.parse("3d")),
            "Shared.active_days.ever.after+Report+Made.gap+3d",
            "days with `Shared` within 3 days after `Report Made` so far",
        ),
        (
            Feature("upload", "sum", EVER, "mb", share_of="storage quota"),
            "upload.sum.mb.ever.of+storage+quota",
            "total mb of `upload` so far as a share of `storage quota`",
        ),
    ],
)
def test_feature_has_a_name_and_an_english_text(feature, name, words):
    assert feature.name == name
    assert feature.text == words


def test_windows_of_the_same_length_give_the_same_feature():
    assert Feature("login", "count", Window.parse("last 168h")) == Feature("login", "count", LAST_WEEK)
    assert parse_feature("login.count.last_1w").name == "login.count.last_7d"


# ---------------------------------------------------------------- what may not be declared


def test_an_unknown_measure_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"`counts` is not a measure of one event, did you mean `count`\?.*Allowed: "):
        Feature("login", "counts")


@pytest.mark.parametrize("measure", [m for m in ENTITY_MEASURES if m not in EVENT_MEASURES])
def test_a_measure_of_the_entity_is_refused_for_one_event(measure):
    with pytest.raises(ValueError, match=f"`{measure}` is not a measure of one event"):
        Feature("login", measure, LAST_WEEK)


@pytest.mark.parametrize("measure", [m for m in EVENT_MEASURES if m not in ENTITY_MEASURES])
def test_a_measure_of_one_event_is_refused_for_the_entity(measure):
    with pytest.raises(ValueError, match=f"`{measure}` is not a measure of all events together"):
        Feature(ANY, measure, LAST_WEEK, "mb")


def test_a_measure_of_a_value_needs_the_value():
    with pytest.raises(ValueError, match="measure `sum` needs `value:`"):
        Feature("upload", "sum")


def test_measure_without_a_value_refuses_one():
    with pytest.raises(ValueError, match="measure `count` takes no `value:`"):
        Feature("upload", "count", EVER, "mb")


@pytest.mark.parametrize("window", [EVER, FIRST_WEEK])
def test_a_trend_needs_a_last_window(window):
    with pytest.raises(ValueError, match=f"measure `trend` needs a `last` window. Received: {window}"):
        Feature(ANY, "trend", window)


@pytest.mark.parametrize("window", [FIRST_WEEK, LAST_WEEK])
def test_days_since_signup_has_no_window(window):
    with pytest.raises(ValueError, match=f"measure `days_since_signup` needs a `ever` window. Received: {window}"):
        Feature(ANY, "days_since_signup", window)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "`` is not a feature name. Allowed: event.measure.window or event.measure.value.window"),
        ("login.count", "`login.count` is not a feature name"),
        ("login.sum.mb.x.ever", "`login.sum.mb.x.ever` is not a feature name"),
        (
            "login.sum.mb.ever.x",
            "`login.sum.mb.ever.x` is not a feature name. Allowed after the window: or, after, gap",
        ),
        ("login.count.ever.after+upload", "`after: Report Created` and `gap: 3d` belong together"),
        ("login.count.ever.or+login", "the same event is listed twice: login"),
        ("login.active_days.ever.of+seats", "`share_of` divides an amount, not `active_days`"),
        ("login.counts.ever", "`counts` is not a measure of one event, did you mean `count`"),
        ("login.count.mb.ever", "`login.count.mb.ever` is not a feature name"),
        ("login.sum.ever", "measure `sum` needs `value:`"),
        ("login.count.middle_7d", "`middle_7d` is not a window. Allowed: `first 7d`"),
        ("login.count.last_0d", "`0d` is not a duration"),
        ("any.trend.ever", "measure `trend` needs a `last` window"),
    ],
)
def test_invalid_feature_name_is_refused(name, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_feature(name)


# ---------------------------------------------------------------- tables of features


def test_missing_columns_are_named():
    with pytest.raises(FeatureMismatchError, match=r"lacks 2 of 3 columns: b, c\. Received: 2 columns\. Fix: compute"):
        check_columns(["a", "d"], ["a", "b", "c"])


def test_additional_columns_and_another_order_are_accepted():
    assert check_columns(["extra", "b", "a"], ["a", "b"]) is None


def test_long_list_of_missing_columns_stays_readable():
    with pytest.raises(FeatureMismatchError, match=r"lacks 2000 of 2000 columns: c0, .*, c11 and 1,988 more"):
        check_columns([], [f"c{i}" for i in range(2000)])


def test_the_hash_of_a_feature_set_depends_on_names_and_order():
    assert feature_set_hash(["a", "b"]) == feature_set_hash(("a", "b"))
    assert len({feature_set_hash(names) for names in (["a", "b"], ["b", "a"], ["a"], ["ab"], ['a", "b'])}) == 5
