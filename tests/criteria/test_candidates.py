"""Candidates mean what their conditions say, and are told as people would tell them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pql_model.config.definition import Criterion
from pql_model.criteria.candidates import candidates, family_words, neighbours, places, roundest
from pql_model.criteria.evaluate import holds
from pql_model.features.spec import Feature
from pql_model.measures import ANY, MEASURES
from pql_model.model.columns import ModelColumn, trait_name
from pql_model.time import DAY, EVER, Window

ROWS = 800
SIGNED_UP, AS_OF = np.zeros(ROWS), np.full(ROWS, 14 * DAY)


def feature(event, measure, window="ever", value=None):
    return Feature(event, measure, Window.parse(window), value)


def mined(columns, signed_up=SIGNED_UP, as_of=AS_OF, kinds=None):
    """Candidates of columns given as {feature or trait: values}."""
    kinds = kinds or {}
    names = {key: key.name if isinstance(key, Feature) else trait_name(key) for key in columns}
    listed = [
        ModelColumn(name, *(("feature",) if isinstance(key, Feature) else kinds[key])) for key, name in names.items()
    ]
    table = pd.DataFrame({names[key]: values for key, values in columns.items()})
    return candidates(listed, table, signed_up, as_of), table


def every_measure():
    """A column of each measure that exists, with ties, and with missing values where nothing happened."""
    rng = np.random.default_rng(0)
    columns = {}
    for scope, event in (("event", "Export Made"), ("entity", ANY)):
        for measure in MEASURES.values():
            if measure.scope in (scope, "both"):
                window = "last 7d" if measure.window == "last" else "ever"
                values = rng.gamma(1.0, 5.0, ROWS).round(rng.integers(0, 3))
                values = np.where(rng.random(ROWS) < 0.3, np.nan if measure.empty is None else measure.empty, values)
                if measure.name == "trend":
                    values = np.tanh(values - 5)
                columns[feature(event, measure.name, window, "gb" if measure.needs_value else None)] = values
    return columns


def test_a_row_has_a_level_iff_it_meets_the_condition_for_every_measure_and_threshold():
    columns = every_measure()
    offered, table = mined(columns)
    assert {c.column for c in offered} == {f.name for f in columns if f.measure != "days_since_signup"}
    for candidate in offered:
        assert candidate.steps.count == len(candidate.conditions) > 1
        for threshold, condition in enumerate(candidate.conditions):
            assert candidate.steps.met(threshold).tolist() == holds(condition, table).tolist()


def test_thresholds_go_from_the_easiest_to_the_hardest():
    for candidate in mined(every_measure())[0]:
        met = [candidate.steps.met(t).sum() for t in range(candidate.steps.count)]
        assert met == sorted(met, reverse=True)
        assert len(set(met)) == len(met)


@pytest.mark.parametrize("measure", ["days_since_last", "days_to_first", "top_user_share"])
def test_of_some_measures_less_is_more_and_missing_is_not_met(measure):
    values = np.where(np.arange(ROWS) < 100, np.nan, np.arange(ROWS) % 5 / 4)
    [found], _ = mined({feature(ANY, measure): values})
    assert {c.operator for c in found.conditions} == {"<="}
    assert [c.threshold for c in found.conditions] == [1.0, 0.8, 0.5, 0.3, 0.0]
    assert not found.steps.level[:100].any()


def test_a_sum_of_a_value_names_the_value():
    [found], _ = mined({feature("File Uploaded", "sum", "ever", "gb"): np.arange(ROWS) % 4})
    assert found.conditions[1] == Criterion.model_validate(
        {"event": "File Uploaded", "measure": "sum", "value": "gb", "at_least": 2}
    )


def test_a_text_trait_gives_lists_and_a_missing_text_meets_none():
    texts = np.array(["1-10", "11-50", "51-200", "201+", None], object)[np.arange(ROWS) % 5]
    names = ("1-10", "11-50", "51-200", "201+")
    offered, table = mined({"size": texts}, kinds={"size": ("category", names)})
    lists = [candidate.conditions[0].in_ for candidate in offered]
    assert len(lists) == 4 + 6 + 4
    assert ["51-200", "201+"] in lists
    for candidate in offered:
        assert candidate.family == "trait: size"
        assert candidate.steps.met(0).tolist() == holds(candidate.conditions[0], table).tolist()
        assert not candidate.steps.met(0)[4]


def test_a_number_among_the_traits_gives_thresholds():
    offered, table = mined({"seats": np.arange(ROWS) % 3}, kinds={"seats": ("number",)})
    assert [(c.trait, c.operator, c.threshold) for c in offered[0].conditions] == [
        ("seats", ">=", 1.0),
        ("seats", ">=", 2.0),
    ]
    assert offered[0].steps.met(1).tolist() == holds(offered[0].conditions[1], table).tolist()


def test_a_trait_of_too_many_values_is_not_listed_value_by_value():
    names = tuple(f"city {k}" for k in range(31))
    texts = np.array(names, object)[np.arange(ROWS) % 31]
    assert mined({"city": texts}, kinds={"city": ("category", names)})[0] == []


def test_a_threshold_leaves_enough_rows_on_either_side():
    values = np.r_[np.zeros(ROWS - 39), np.ones(20), np.full(19, 2.0)]
    [found], _ = mined({feature("Export Made", "count"): values})
    assert found.thresholds == (1.0,)
    assert mined({feature("Export Made", "count"): np.r_[np.zeros(ROWS - 19), np.ones(19)]})[0] == []


def test_with_many_rows_a_share_of_them_is_asked_for():
    assert places(np.repeat([0.0, 1.0, 2.0], [9950, 45, 55]), 10_050).tolist() == []
    assert places(np.repeat([0.0, 1.0, 2.0], [9950, 45, 56]), 10_050).tolist() == [1.0]


def test_a_first_window_that_is_not_over_somewhere_is_not_mined():
    as_of = np.where(np.arange(ROWS) == 3, 6 * DAY, 14 * DAY)
    week, fortnight = (feature("Export Made", "count", f"first {n}d") for n in (6, 7))
    offered, _ = mined({week: np.arange(ROWS) % 3, fortnight: np.arange(ROWS) % 4}, as_of=as_of)
    assert [candidate.column for candidate in offered] == [week.name]


def test_rows_without_a_sign_up_do_not_keep_a_first_window_from_being_mined():
    signed_up = np.where(np.arange(ROWS) == 3, np.nan, 0.0)
    values = np.where(np.arange(ROWS) == 3, np.nan, np.arange(ROWS) % 3)
    columns = {feature("Export Made", "count", f"{kind} 7d"): values + k for k, kind in enumerate(("first", "last"))}
    offered, _ = mined(columns, signed_up=signed_up)
    assert [c.column for c in offered] == ["Export+Made.count.first_7d"]
    assert not offered[0].steps.met(0)[3]


@pytest.mark.parametrize(("event", "said"), [("Export Made", "Export+Made.count.first_14d"), (ANY, "any.count.ever")])
def test_columns_that_are_the_same_are_told_by_the_window_people_say(event, said):
    windows = ("first 7d", "first 14d", "last 14d", "last 28d", "first 30d", "ever")
    values = {w: np.arange(ROWS) % (3 if w == "first 7d" else 4) for w in windows}
    offered, _ = mined({feature(event, "count", w): v for w, v in values.items() if w != "first 30d"})
    assert [c.column for c in offered if c.column.endswith("first_7d")] == [f"{said.split('.')[0]}.count.first_7d"]
    [merged] = [c for c in offered if not c.column.endswith("first_7d")]
    assert merged.column == said
    assert len(merged.same) == 3


def test_a_window_longer_than_anyone_is_old_is_not_said():
    values = np.arange(ROWS) % 4
    columns = {feature("Export Made", "count", w): values for w in ("last 30d", "last 14d")}
    assert [c.column for c in mined(columns)[0]] == ["Export+Made.count.last_14d"]


def test_a_plain_count_is_said_before_a_measure_that_is_the_same():
    values = np.arange(ROWS) % 3
    columns = {feature("Export Made", "active_days"): values, feature("Export Made", "count"): values}
    [merged], _ = mined(columns)
    assert (merged.column, merged.handicap, merged.same) == (
        "Export+Made.count.ever",
        0.0,
        ("Export+Made.active_days.ever",),
    )


def test_unusual_measures_and_long_lists_carry_a_handicap():
    columns = {
        feature("Export Made", "count"): np.arange(ROWS) % 2,
        feature("Export Made", "active_days"): np.arange(ROWS) % 3,
        feature(ANY, "distinct_users"): np.arange(ROWS) % 4,
        feature(ANY, "count"): np.arange(ROWS) % 5,
        "size": np.array(["a", "b", "c"], object)[np.arange(ROWS) % 3],
    }
    offered, _ = mined(columns, kinds={"size": ("category", ("a", "b", "c"))})
    assert [c.handicap for c in offered if c.family == "Export Made"] == [0.0, 4.0]
    assert {c.family: c.handicap for c in offered if c.family.startswith("any")} == {
        "any: distinct_users": 0.0,
        "any: count": 4.0,
    }
    assert [c.handicap for c in offered if c.family == "trait: size"] == [0.0] * 3 + [4.0] * 3


def test_the_words_of_a_family():
    assert family_words("any: active_days") == "days active"
    assert family_words("trait: company size") == "company size"
    assert family_words("any: parties") == "any: parties"  # an event that is called so


numbers = st.one_of(
    st.integers(-10_000, 10_000).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: float(f"{x:.12g}")),
    st.floats(1e-6, 1.0).map(lambda x: float(f"{x:.12g}")),
)


@given(numbers, numbers)
@settings(max_examples=60, deadline=None)
def test_the_round_number_splits_the_same_rows_as_the_observed_one(a, b):
    low, high = sorted((a, b))
    if low == high:
        return
    chosen = roundest(low, high)
    assert low < chosen <= high
    assert len(f"{chosen:.12g}".strip("-0").replace(".", "")) <= len(f"{high:.12g}".strip("-0").replace(".", "")) + 1
    if float(high).is_integer() and float(low).is_integer():
        assert chosen.is_integer()


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1987, 2014, 2000),
        (79.6, 80.4, 80),
        (4.62, 5.31, 5),
        (4_810_000_000, 5_120_000_000, 5_000_000_000),
        (0.76, 0.83, 0.8),
        (0.1, 0.3, 0.3),
        (16, 17, 17),
        (11, 13, 13),
        (-8.2, -6.9, -7),
        (-0.4, 0.3, 0),
        (-math.inf, 3.7, 3.7),
        (1e-9, 3e-9, 3e-9),
    ],
)
def test_round_numbers_as_people_say_them(low, high, said):
    assert roundest(low, high) == said


@given(st.lists(st.floats(0, 500).map(lambda x: round(x, 1)), min_size=60, max_size=400), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_places_rise_and_leave_enough_rows(known, missing):
    known, rows = np.array(known), len(known) + missing
    found = places(known, rows)
    assert (np.diff(found) > 0).all()
    assert len(found) <= 62
    for place in found:
        assert 20 <= (known >= place).sum() <= rows - 20


def test_a_number_for_every_row_is_split_at_round_numbers_and_the_smallest_is_among_them():
    known = np.r_[np.zeros(3000), np.random.default_rng(0).gamma(1.5, 800, 3000)]
    found = places(known, 6000)
    assert 25 <= len(found) <= 62
    assert (known[known > 0] >= found[0]).all()  # whoever did it at all
    assert {1000.0, 2000.0} <= set(found.tolist())


def test_thresholds_of_a_count_are_whole_numbers_however_many_there_are():
    known = np.random.default_rng(0).negative_binomial(1.2, 0.01, 5000).astype(float)
    found = places(known, 5000)
    assert np.mod(found, 1).max() == 0
    assert (known >= found[0]).sum() > 4900


def test_every_whole_number_of_a_small_count_is_a_place():
    known = np.random.default_rng(0).poisson(9, 5000).astype(float)
    assert places(known, 5000).tolist() == list(range(4, 18))


def test_neighbours_are_clearly_looser_and_stricter():
    [found], _ = mined({feature("Export Made", "count"): np.random.default_rng(0).poisson(6, ROWS)})
    condition = next(c for c in found.conditions if c.threshold == 6)
    near = neighbours([found], found.column, condition)
    assert [c.threshold for c in near] == [4.0, 8.0, 9.0]
    assert neighbours([found], "another", condition) == ()


def test_a_missing_value_counts_as_a_row_that_does_not_meet_it():
    values = np.where(np.arange(ROWS) % 2, np.nan, np.arange(ROWS) // 2 % 4)
    [found], _ = mined({feature("Quota Checked", "last", "ever", "share"): values})
    assert found.thresholds == (0.0, 1.0, 2.0, 3.0)  # whoever has any value at all is a split as well
    assert found.steps.level.max() == 4


def test_windows_have_a_candidate_each():
    windows = ("first 1d", "first 7d", "last 7d", "ever")
    rng = np.random.default_rng(0)
    offered, _ = mined({feature("Export Made", "count", w): rng.poisson(3, ROWS) for w in windows})
    assert [str(c.conditions[0].window) for c in offered] == list(windows)
    assert all(c.conditions[0].window == EVER or c.conditions[0].window.length for c in offered)
