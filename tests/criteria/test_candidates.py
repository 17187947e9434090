"""Candidates agree with their conditions, and use the windows and numbers that people would use."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pql_model.config.definition import Criterion
from pql_model.criteria.candidates import candidate_columns, family_text, neighbours, roundest, threshold_candidates
from pql_model.criteria.evaluate import holds
from pql_model.features.spec import Feature
from pql_model.features.trait_columns import trait_name
from pql_model.measures import ANY, MEASURES
from pql_model.model.columns import ModelColumn
from pql_model.time import DAY, EVER, Window

ROWS = 800
SIGNED_UP, AS_OF = np.zeros(ROWS), np.full(ROWS, 14 * DAY)


def feature(event, measure, window="ever", value=None):
    return Feature(event, measure, Window.parse(window), value)


def mined(columns, signed_up=SIGNED_UP, as_of=AS_OF, kinds=None):
    """The candidates of {feature or trait: values}, and the table."""
    kinds = kinds or {}
    names = {key: key.name if isinstance(key, Feature) else trait_name(key) for key in columns}
    listed = [
        ModelColumn(name, *(("feature",) if isinstance(key, Feature) else kinds[key])) for key, name in names.items()
    ]
    table = pd.DataFrame({names[key]: values for key, values in columns.items()})
    return candidate_columns(listed, table, signed_up, as_of), table


def every_measure():
    """A column of every measure, with ties, and with missing values where nothing happened."""
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


def test_levels_and_conditions_agree_for_every_measure_and_threshold():
    columns = every_measure()
    candidates, table = mined(columns)
    assert {c.column for c in candidates} == {f.name for f in columns if f.measure != "days_since_signup"}
    for candidate in candidates:
        assert candidate.levels.count == len(candidate.conditions) > 1
        for threshold, condition in enumerate(candidate.conditions):
            assert candidate.levels.met(threshold).tolist() == holds(condition, table).tolist()


def test_thresholds_go_from_the_easiest_to_the_hardest():
    for candidate in mined(every_measure())[0]:
        met = [candidate.levels.met(t).sum() for t in range(candidate.levels.count)]
        assert met == sorted(met, reverse=True)
        assert len(set(met)) == len(met)


@pytest.mark.parametrize("measure", ["days_since_last", "days_to_first", "top_user_share"])
def test_measures_where_less_is_more_use_at_most_and_missing_never_passes(measure):
    values = np.where(np.arange(ROWS) < 100, np.nan, np.arange(ROWS) % 5 / 4)
    [result], _ = mined({feature(ANY, measure): values})
    assert {c.operator for c in result.conditions} == {"<="}
    assert [c.threshold for c in result.conditions] == [1.0, 0.8, 0.5, 0.3, 0.0]
    assert not result.levels.level[:100].any()


def test_the_condition_of_a_sum_names_its_value():
    [result], _ = mined({feature("File Uploaded", "sum", "ever", "gb"): np.arange(ROWS) % 4})
    assert result.conditions[1] == Criterion.model_validate(
        {"event": "File Uploaded", "measure": "sum", "value": "gb", "at_least": 2}
    )


def test_a_text_trait_yields_lists_and_a_missing_text_never_passes():
    texts = np.array(["1-10", "11-50", "51-200", "201+", None], object)[np.arange(ROWS) % 5]
    names = ("1-10", "11-50", "51-200", "201+")
    candidates, table = mined({"size": texts}, kinds={"size": ("category", names)})
    lists = [candidate.conditions[0].in_ for candidate in candidates]
    assert len(lists) == 4 + 6 + 4
    assert ["51-200", "201+"] in lists
    for candidate in candidates:
        assert candidate.family == "trait: size"
        assert candidate.levels.met(0).tolist() == holds(candidate.conditions[0], table).tolist()
        assert not candidate.levels.met(0)[4]


def test_a_numeric_trait_yields_thresholds():
    candidates, table = mined({"seats": np.arange(ROWS) % 3}, kinds={"seats": ("number",)})
    assert [(c.trait, c.operator, c.threshold) for c in candidates[0].conditions] == [
        ("seats", ">=", 1.0),
        ("seats", ">=", 2.0),
    ]
    assert candidates[0].levels.met(1).tolist() == holds(candidates[0].conditions[1], table).tolist()


def test_a_trait_with_too_many_values_yields_no_candidates():
    names = tuple(f"city {k}" for k in range(31))
    texts = np.array(names, object)[np.arange(ROWS) % 31]
    assert mined({"city": texts}, kinds={"city": ("category", names)})[0] == []


def test_a_threshold_leaves_enough_rows_on_either_side():
    values = np.r_[np.zeros(ROWS - 39), np.ones(20), np.full(19, 2.0)]
    [result], _ = mined({feature("Export Made", "count"): values})
    assert result.thresholds == (1.0,)
    assert mined({feature("Export Made", "count"): np.r_[np.zeros(ROWS - 19), np.ones(19)]})[0] == []


def test_with_many_rows_a_share_of_them_is_required():
    assert threshold_candidates(np.repeat([0.0, 1.0, 2.0], [9950, 45, 55]), 10_050).tolist() == []
    assert threshold_candidates(np.repeat([0.0, 1.0, 2.0], [9950, 45, 56]), 10_050).tolist() == [1.0]


def test_a_first_window_that_is_open_at_some_row_is_left_out():
    as_of = np.where(np.arange(ROWS) == 3, 6 * DAY, 14 * DAY)
    week, fortnight = (feature("Export Made", "count", f"first {n}d") for n in (6, 7))
    candidates, _ = mined({week: np.arange(ROWS) % 3, fortnight: np.arange(ROWS) % 4}, as_of=as_of)
    assert [candidate.column for candidate in candidates] == [week.name]


def test_rows_without_a_sign_up_do_not_exclude_a_first_window():
    signed_up = np.where(np.arange(ROWS) == 3, np.nan, 0.0)
    values = np.where(np.arange(ROWS) == 3, np.nan, np.arange(ROWS) % 3)
    columns = {feature("Export Made", "count", f"{kind} 7d"): values + k for k, kind in enumerate(("first", "last"))}
    candidates, _ = mined(columns, signed_up=signed_up)
    assert [c.column for c in candidates] == ["Export+Made.count.first_7d"]
    assert not candidates[0].levels.met(0)[3]


@pytest.mark.parametrize(("event", "said"), [("Export Made", "Export+Made.count.first_14d"), (ANY, "any.count.ever")])
def test_identical_columns_use_the_most_natural_window(event, said):
    windows = ("first 7d", "first 14d", "last 14d", "last 28d", "first 30d", "ever")
    values = {w: np.arange(ROWS) % (3 if w == "first 7d" else 4) for w in windows}
    candidates, _ = mined({feature(event, "count", w): v for w, v in values.items() if w != "first 30d"})
    assert [c.column for c in candidates if c.column.endswith("first_7d")] == [f"{said.split('.')[0]}.count.first_7d"]
    [merged] = [c for c in candidates if not c.column.endswith("first_7d")]
    assert merged.column == said
    assert len(merged.identical) == 3


def test_a_window_longer_than_the_oldest_account_is_not_used():
    values = np.arange(ROWS) % 4
    columns = {feature("Export Made", "count", w): values for w in ("last 30d", "last 14d")}
    assert [c.column for c in mined(columns)[0]] == ["Export+Made.count.last_14d"]


def test_a_plain_count_is_preferred_to_an_identical_measure():
    values = np.arange(ROWS) % 3
    columns = {feature("Export Made", "active_days"): values, feature("Export Made", "count"): values}
    [merged], _ = mined(columns)
    assert (merged.column, merged.handicap, merged.identical) == (
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
    candidates, _ = mined(columns, kinds={"size": ("category", ("a", "b", "c"))})
    assert [c.handicap for c in candidates if c.family == "Export Made"] == [0.0, 4.0]
    assert {c.family: c.handicap for c in candidates if c.family.startswith("any")} == {
        "any: distinct_users": 0.0,
        "any: count": 4.0,
    }
    assert [c.handicap for c in candidates if c.family == "trait: size"] == [0.0] * 3 + [4.0] * 3


def test_the_text_of_a_family():
    assert family_text("any: active_days") == "days active"
    assert family_text("trait: company size") == "company size"
    assert family_text("any: parties") == "any: parties"  # an event that is called so


numbers = st.one_of(
    st.integers(-10_000, 10_000).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: float(f"{x:.12g}")),
    st.floats(1e-6, 1.0).map(lambda x: float(f"{x:.12g}")),
)


@given(numbers, numbers)
@examples(60)
def test_the_round_number_splits_the_same_rows_as_the_observed_number(a, b):
    low, high = sorted((a, b))
    if low == high:
        return
    chosen = roundest(low, high)
    assert low < chosen <= high
    assert len(f"{chosen:.12g}".strip("-0").replace(".", "")) <= len(f"{high:.12g}".strip("-0").replace(".", "")) + 1
    if float(high).is_integer() and float(low).is_integer():
        assert chosen.is_integer()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
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
def test_round_numbers_are_the_ones_people_use(low, high, expected):
    assert roundest(low, high) == expected


@given(st.lists(st.floats(0, 500).map(lambda x: round(x, 1)), min_size=60, max_size=400), st.integers(0, 100))
@examples(40)
def test_thresholds_rise_and_leave_enough_rows(values, missing):
    values, rows = np.array(values), len(values) + missing
    thresholds = threshold_candidates(values, rows)
    assert (np.diff(thresholds) > 0).all()
    assert len(thresholds) <= 62
    for place in thresholds:
        assert 20 <= (values >= place).sum() <= rows - 20


def test_continuous_numbers_are_split_at_round_numbers_including_the_smallest():
    values = np.r_[np.zeros(3000), np.random.default_rng(0).gamma(1.5, 800, 3000)]
    thresholds = threshold_candidates(values, 6000)
    assert 25 <= len(thresholds) <= 62
    assert (values[values > 0] >= thresholds[0]).all()  # whoever did it at all
    assert {1000.0, 2000.0} <= set(thresholds.tolist())


def test_thresholds_of_a_count_are_whole_numbers():
    values = np.random.default_rng(0).negative_binomial(1.2, 0.01, 5000).astype(float)
    thresholds = threshold_candidates(values, 5000)
    assert np.mod(thresholds, 1).max() == 0
    assert (values >= thresholds[0]).sum() > 4900


def test_every_whole_number_of_a_small_count_is_a_threshold():
    values = np.random.default_rng(0).poisson(9, 5000).astype(float)
    assert threshold_candidates(values, 5000).tolist() == list(range(4, 18))


def test_neighbours_are_clearly_looser_and_stricter():
    [result], _ = mined({feature("Export Made", "count"): np.random.default_rng(0).poisson(6, ROWS)})
    condition = next(c for c in result.conditions if c.threshold == 6)
    near = neighbours([result], result.column, condition)
    assert [c.threshold for c in near] == [4.0, 8.0, 9.0]
    assert neighbours([result], "another", condition) == ()


def test_a_missing_value_does_not_meet_any_threshold():
    values = np.where(np.arange(ROWS) % 2, np.nan, np.arange(ROWS) // 2 % 4)
    [result], _ = mined({feature("Quota Checked", "last", "ever", "share"): values})
    assert result.thresholds == (0.0, 1.0, 2.0, 3.0)  # whoever has any value at all is a split as well
    assert result.levels.level.max() == 4


def test_each_window_has_its_own_candidate():
    windows = ("first 1d", "first 7d", "last 7d", "ever")
    rng = np.random.default_rng(0)
    candidates, _ = mined({feature("Export Made", "count", w): rng.poisson(3, ROWS) for w in windows})
    assert [str(c.conditions[0].window) for c in candidates] == list(windows)
    assert all(c.conditions[0].window == EVER or c.conditions[0].window.length for c in candidates)
