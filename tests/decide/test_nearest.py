"""Which condition is nearest, which can still be met, and what the model would say then."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.config.definition import Definition
from pql_model.criteria.evaluate import BoundDefinition, Columns
from pql_model.decide.nearest import NearestMissing
from pql_model.decide.steps import Predictions
from pql_model.model.age_level import AGE
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.time import DAY, HOUR

NAMES = [
    "Invite.count.first_7d",
    "Invite.count.first_14d",
    "Invite.count.last_7d",
    "Invite.count.ever",
    "Invite.active_days.ever",
    "Export.days_since_last.ever",
    "Export.days_to_first.ever",
    "File.max.mb.ever",
    "File.last.mb.ever",
    AGE,
    "trait.seats",
]
MANIFEST = Manifest(tuple(ModelColumn(name, "number" if name.startswith("trait") else "feature") for name in NAMES))
USUAL = {name: 0.0 for name in NAMES} | {
    AGE: 3.0,
    "Export.days_since_last.ever": np.nan,
    "Export.days_to_first.ever": np.nan,
    "File.max.mb.ever": np.nan,
    "File.last.mb.ever": np.nan,
}
NO_SIGNUP = {AGE: np.nan}


class Seen:
    """A model that only looks at the rows once they meet the criterion, which come after the rows as they are."""

    def __init__(self):
        self.X = []

    def __call__(self, X):
        then = X[len(X) // 2 :].tolist()
        self.X += then
        return np.tile(np.arange(len(then)) / 100, 2)


def predictions(margin):
    return Predictions(margin, lambda margins: margins)


def tell(join, *rows, as_of=None):
    """What each row lacks, and the rows that the model was asked about."""
    book = BoundDefinition(Definition.model_validate(join))
    full = [{**USUAL, **row} for row in rows]
    names = list(dict.fromkeys(name for row in full for name in row))
    columns = Columns(len(rows), {name: np.array([row[name] for row in full], float) for name in names})
    X, seen = np.array([[row[name] for name in NAMES] for row in full], float), Seen()
    instants = None if as_of is None else np.full(len(rows), as_of)
    return NearestMissing(book, MANIFEST).find(columns, X, predictions(seen), instants), [
        dict(zip(NAMES, x, strict=True)) for x in seen.X
    ]


def one(condition, row=None, as_of=None):
    payload, seen = tell({"all": [condition]}, row or {}, as_of=as_of)
    return payload[0], (seen[0] if seen else None)


INVITED = {"event": "Invite", "at_least": 3, "within": "first 7d"}


def test_the_result_has_the_criterion_its_value_its_target_and_the_new_probability():
    result, _ = one(INVITED, {"Invite.count.first_7d": 1.0})
    assert result.to_dict() == {
        "criterion": "at least 3 `Invite` in the first 7 days",
        "condition": {"event": "Invite", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3},
        "value": 1.0,
        "needed": 3.0,
        "lacking": 1,
        "probability": 0.0,
    }


def test_the_number_of_criteria_that_are_missing_is_counted():
    both = {"all": [INVITED, {"event": "Invite", "measure": "active_days", "at_least": 2}]}
    rows = [{"Invite.count.first_7d": 1.0, "Invite.active_days.ever": days} for days in (1.0, 2.0)]
    two, one_only = tell(both, *rows)[0]
    assert (two.lacking, one_only.lacking) == (2, 1)


def test_a_missing_amount_is_added_to_every_window_that_includes_the_present():
    row = {
        "Invite.count.first_7d": 1.0,
        "Invite.count.first_14d": 1.0,
        "Invite.count.last_7d": 1.0,
        "Invite.count.ever": 1.0,
    }
    _, changed = one(INVITED, row)
    assert [changed[name] for name in NAMES[:5]] == [3, 3, 3, 3, 1]  # it happened on some day at least


def test_a_first_window_that_is_over_stays_unchanged():
    _, changed = one(
        {"event": "Invite", "at_least": 3}, {AGE: 10.0, "Invite.count.first_7d": 1.0, "Invite.count.ever": 1.0}
    )
    assert [changed[name] for name in NAMES[:4]] == [1, 2, 2, 3]


@pytest.mark.parametrize(("age", "open_"), [(6.999, True), (7.0, False), (np.nan, False)])
def test_a_first_window_can_be_met_until_it_is_over(age, open_):
    assert (one(INVITED, {AGE: age})[0] is not None) == open_


def test_the_nearest_criterion_lacks_the_smallest_share_of_its_target():
    both = {"all": [INVITED, {"event": "Invite", "measure": "active_days", "at_least": 10}]}
    payload, _ = tell(
        both, {"Invite.count.first_7d": 1.0, "Invite.active_days.ever": 9.0}, {"Invite.count.first_7d": 2.0}
    )
    assert [result.condition.criterion.measure for result in payload] == ["active_days", "count"]


ACTIVE = {"event": "Invite", "measure": "active_days", "at_least": 10}


def test_a_criterion_that_is_met_or_over_is_never_the_nearest():
    [met], _ = tell({"all": [INVITED, ACTIVE]}, {"Invite.count.first_7d": 5.0})
    [over], _ = tell({"any": [INVITED, ACTIVE]}, {"Invite.count.first_7d": 2.0, AGE: 8.0})
    assert (met.condition.criterion.measure, over.condition.criterion.measure) == ("active_days", "active_days")


def test_no_criterion_is_given_if_the_definition_can_no_longer_be_met():
    seats = {"trait": "seats", "operator": ">=", "threshold": 5}  # may change by itself
    rows = [{AGE: age, "trait.seats": 1.0} for age in (3.0, 8.0)]
    assert [result is not None for result in tell({"all": [INVITED, ACTIVE, seats]}, *rows)[0]] == [True, False]
    assert [result is not None for result in tell({"at_least_k": 2, "of": [INVITED, ACTIVE, seats]}, *rows)[0]] == [
        True,
        True,
    ]


def test_an_entity_that_meets_the_definition_lacks_nothing():
    any_of = {"any": [INVITED, {"event": "Invite", "measure": "active_days", "at_least": 10}]}
    assert tell(any_of, {"Invite.count.first_7d": 3.0})[0] == [None]


def test_traits_elapsed_time_upper_limits_and_trends_are_out_of_reach():
    for condition in (
        {"trait": "seats", "operator": ">=", "threshold": 5},
        {"event": "any", "measure": "days_since_signup", "at_least": 9},
        {"event": "Invite", "at_most": 0},
        {"event": "any", "measure": "trend", "window": "last 7d", "at_least": 0.2},
    ):
        assert one(condition)[0] is None


def test_a_criterion_on_an_absent_column_is_never_the_nearest():
    assert one({"event": "Board", "at_least": 3})[0] is None


def test_an_event_that_the_model_does_not_read_gives_no_probability():
    book = BoundDefinition(Definition.model_validate({"all": [{"event": "Board", "at_least": 3}]}))
    missing = NearestMissing(book, MANIFEST).find(
        Columns(1, {"Board.count.ever": np.array([1.0])}), np.zeros((1, len(NAMES))), predictions(Seen())
    )
    assert (missing[0].value, missing[0].probability) == (1.0, None)


def test_more_than_requires_the_next_whole_number():
    assert one({"event": "Invite", "more_than": 2})[0].needed == 3
    assert one({"event": "Invite", "more_than": 2.5})[0].needed == 3
    assert one({"event": "Invite", "at_least": 2.5})[0].needed == 3  # nobody invites half a teammate


def test_exactly_can_be_reached_from_below_only():
    exactly = {"event": "Invite", "operator": "==", "threshold": 2}
    assert one(exactly, {"Invite.count.ever": 1.0})[0].needed == 2
    assert one(exactly, {"Invite.count.ever": 3.0})[0] is None


def test_days_since_the_last_event_become_zero():
    recent = {"event": "Export", "measure": "days_since_last", "at_most": 2}
    result, changed = one(recent, {"Export.days_since_last.ever": 5.0})
    assert (result.value, result.needed, changed["Export.days_since_last.ever"]) == (5, 2, 0)
    assert one(recent)[0].value is None  # never done


@pytest.mark.parametrize(("age", "done", "open_"), [(3.0, np.nan, True), (5.1, np.nan, False), (3.0, 6.0, False)])
def test_a_first_event_can_be_too_late(age, done, open_):
    soon = {"event": "Export", "measure": "days_to_first", "at_most": 5}
    result, changed = one(soon, {AGE: age, "Export.days_to_first.ever": done})
    assert (result is not None) == open_
    if open_:
        assert changed["Export.days_to_first.ever"] == age


@pytest.mark.parametrize("measure", ["max", "last"])
def test_one_event_of_the_required_size_is_enough(measure):
    big = {"event": "File", "measure": measure, "value": "mb", "at_least": 50}
    result, changed = one(big, {f"File.{measure}.mb.ever": 10.0})
    assert (result.value, result.needed, changed[f"File.{measure}.mb.ever"]) == (10, 50, 50)


@pytest.mark.parametrize(("left", "open_"), [(30 * HOUR, True), (24 * HOUR, False)])
def test_active_days_beyond_the_end_of_the_window_are_out_of_reach(left, open_):
    """At 12:00, 30 hours hold a part of two UTC days and 24 hours a part of two: but three are needed."""
    days = {"event": "Invite", "measure": "active_days", "at_least": 3, "within": "first 7d"}
    row = {"Invite.active_days.first_7d": 1.0 if open_ else 0.0, AGE: 7 - left / DAY}
    assert (one(days, row, as_of=100 * DAY + 12 * HOUR)[0] is not None) == open_


def test_many_rows_give_the_same_results_as_each_row_alone():
    rng = np.random.default_rng(3)
    rows = [
        {
            "Invite.count.first_7d": float(rng.integers(0, 5)),
            AGE: float(rng.uniform(1, 12)),
            "Invite.active_days.ever": float(rng.integers(0, 5)),
        }
        for _ in range(60)
    ]
    join = {"at_least_k": 2, "of": [INVITED, {"event": "Invite", "measure": "active_days", "at_least": 4}]}
    together, _ = tell(join, *rows)
    alone = [tell(join, row)[0][0] for row in rows]
    assert [result and (result.condition, result.value) for result in together] == [
        result and (result.condition, result.value) for result in alone
    ]
    assert 5 < sum(result is None for result in together) < 55


def test_an_empty_table_gives_no_missing_criteria():
    assert tell({"all": [INVITED]}, {})[0] != []
    assert (
        NearestMissing(BoundDefinition(Definition.model_validate({"all": [INVITED]})), MANIFEST).find(
            Columns(0), np.zeros((0, len(NAMES))), predictions(Seen())
        )
        == []
    )


def test_in_a_nested_definition_the_nearest_criterion_of_a_part_that_can_still_be_met_is_given():
    slow = {"event": "Invite", "measure": "active_days", "at_least": 20}
    nested = {"any": [slow, {"all": [INVITED, ACTIVE]}]}
    rows = [{AGE: 3.0, "Invite.count.first_7d": 2.0}, {AGE: 8.0, "Invite.count.first_7d": 2.0}]
    early, late = tell(nested, *rows)[0]
    assert early.condition.text == "at least 3 `Invite` in the first 7 days"
    assert late.condition.text == "`Invite` on at least 20 days so far"  # ten days lead nowhere any more


def test_a_condition_that_no_activity_changes_counts_as_it_is_while_activity_alone_is_enough():
    large = {"trait": "seats", "operator": ">=", "threshold": 5}
    nested = {"any": [ACTIVE, {"all": [INVITED, large]}]}
    small, big = tell(nested, {"Invite.count.first_7d": 2.0}, {"Invite.count.first_7d": 2.0, "trait.seats": 9.0})[0]
    assert (small.condition.criterion.measure, big.condition.criterion.measure) == ("active_days", "count")
    [alone], _ = tell({"all": [large, {"any": [INVITED, ACTIVE]}]}, {"Invite.count.first_7d": 2.0})
    assert alone.condition.criterion.measure == "count"  # the trait may change by itself


def test_where_no_part_of_a_nested_definition_can_be_met_nothing_is_given():
    over = {"event": "Invite", "at_least": 9, "within": "first 7d"}
    nested = {"all": [ACTIVE, {"any": [INVITED, over]}]}
    [result], _ = tell(nested, {AGE: 8.0, "Invite.count.first_7d": 1.0})
    assert result is None


def test_of_two_thresholds_of_which_nothing_is_done_the_lower_is_nearer():
    high, low = ({"event": "Invite", "at_least": n, "within": "first 7d"} for n in (12, 3))
    for rule in ({"any": [high, low]}, {"any": [low, high]}):
        [missing], _ = tell(rule, {})
        assert missing.needed == 3
