"""Hysteresis, cool-down, hold-out and places, each alone; together in tests/benchmarks/test_flips.py."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.decide.capacity import Flow
from pql_model.decide.policy import PolicyRule
from pql_model.decide.select import SelectionInput, select, select_alone
from pql_model.decide.state import EntityState, RunState
from pql_model.time import DAY, HOUR, WEEK

AT = 100 * DAY
ABOVE = PolicyRule(0.2, None, "probability at least 0.2")


def rows_of(p, entity="abcdefghijklmnopqrstuvwxyz", **overrides):
    n = len(p)
    usual = {
        "met": None,
        **dict.fromkeys(("raised", "excluded", "held_out"), np.zeros(n, bool)),
        "tie": np.arange(n) / n,
    }
    arrays = {name: np.array(values) if values is not None else None for name, values in overrides.items()}
    return SelectionInput(entity=list(entity[:n]), probability=np.array(p, float), **{**usual, **arrays})


def run(rule, rows, before=None, as_of=AT, cool_down=14 * DAY, stay=0.8):
    return select(rule, rows, as_of, before if before is not None else RunState(), cool_down, stay)


def capacity(leads, level=0.2, per=DAY):
    """By default of a day: no later run of the period could need the places."""
    return PolicyRule(level, leads, "", per)


def decision(state):
    return state.is_pql, state.qualified_since, state.alerted_at


def flags(array):
    return "".join("x" if value else "." for value in array)


class TestWhoQualifies:
    def test_a_probability_at_the_threshold_qualifies_and_is_new_in_the_first_run(self):
        selection = run(ABOVE, rows_of([0.2, 0.19999, 0.9]))
        assert (flags(selection.is_pql), flags(selection.newly_qualified)) == ("x.x", "x.x")
        assert selection.suppressed.tolist() == [None, None, None]

    def test_a_definition_decides_whatever_the_probability(self):
        rule = PolicyRule(0.5, None, "", definition="in_force")
        assert flags(run(rule, rows_of([0.01, 0.9], met=[True, False])).is_pql) == "x."

    def test_a_raised_hand_qualifies_whatever_the_probability(self):
        assert flags(run(ABOVE, rows_of([0.01, 0.01], raised=[True, False])).is_pql) == "x."

    def test_a_raised_hand_qualifies_under_a_rule_that_nobody_meets(self):
        rows = rows_of([1.0, 0.01], raised=[False, True])
        assert flags(run(PolicyRule(1.0, 0, ""), rows).is_pql) == ".x"
        assert flags(select_alone(PolicyRule(1.0, 0, ""), rows)[0]) == ".x"

    def test_excluded_and_held_out_rows_are_suppressed_only_if_they_qualify(self):
        rows = rows_of([0.9, 0.9, 0.9, 0.1, 0.1], excluded=[1, 0, 1, 1, 0], held_out=[0, 1, 1, 0, 1])
        rows = rows_of(rows.probability, excluded=rows.excluded.astype(bool), held_out=rows.held_out.astype(bool))
        for is_pql, suppressed in ((lambda f: (f.is_pql, f.suppressed))(run(ABOVE, rows)), select_alone(ABOVE, rows)):
            assert flags(is_pql) == "....."
            assert suppressed.tolist() == ["excluded", "held_out", "excluded", None, None]

    def test_no_rows_give_no_pqls(self):
        for rule in (ABOVE, capacity(3), PolicyRule(0.5, None, "", definition="recommended")):
            assert run(rule, rows_of([])).is_pql.tolist() == []


class TestCapacity:
    def test_the_best_rows_take_the_places_whatever_the_level(self):
        selection = run(capacity(2, level=0.9), rows_of([0.1, 0.3, 0.2]))
        assert flags(selection.is_pql) == ".xx"
        assert selection.suppressed.tolist() == [None] * 3  # the third neither reaches the level nor a place

    def test_a_row_at_the_level_without_a_place_is_suppressed(self):
        selection = run(capacity(1), rows_of([0.3, 0.4, 0.1]))
        assert flags(selection.is_pql) == ".x."
        assert selection.suppressed.tolist() == ["capacity", None, None]

    def test_ties_are_broken_by_their_order_and_never_exceed_the_capacity(self):
        rows = rows_of([0.5, 0.5, 0.5, 0.5], tie=[0.9, 0.1, 0.5, 0.3])
        assert flags(run(capacity(2), rows).is_pql) == ".x.x"

    def test_more_places_than_rows_take_them_all(self):
        assert flags(run(capacity(50), rows_of([0.001, 0.5])).is_pql) == "xx"

    def test_a_raised_hand_comes_first_but_takes_a_place(self):
        selection = run(capacity(2), rows_of([0.9, 0.8, 0.01], raised=[False, False, True]))
        assert flags(selection.is_pql) == "x.x"
        assert selection.suppressed.tolist() == [None, "capacity", None]

    def test_excluded_and_held_out_rows_take_no_places(self):
        rows = rows_of([0.9, 0.8, 0.7, 0.6], excluded=[True, False, False, False], held_out=[False, True, False, False])
        assert flags(run(capacity(2), rows).is_pql) == "..xx"

    def test_the_hold_out_is_selected_where_it_would_have_had_a_place(self):
        """Both sides of the comparison must be cut at the same probability."""
        rows = rows_of([0.9, 0.8, 0.7, 0.6], held_out=[True, False, False, True])
        assert run(capacity(1), rows).suppressed.tolist() == ["held_out", None, "capacity", "capacity"]

    def test_recent_alerts_take_places_even_if_their_entities_have_left(self):
        before = RunState(
            AT - WEEK, {"gone": EntityState(False, None, AT - 3 * DAY), "old": EntityState(False, None, AT - WEEK)}
        )
        assert flags(run(capacity(2, per=WEEK), rows_of([0.9, 0.8, 0.7]), before).newly_qualified) == "x.."

    @pytest.mark.parametrize(
        ("since_last", "early", "places"),
        [
            (WEEK - HOUR, HOUR, True),
            (WEEK - HOUR - 1, HOUR + 1, False),
            (DAY, HOUR, True),
            (2 * HOUR, HOUR // 2, True),
            (2 * HOUR, HOUR // 2 + 1, False),
            (HOUR, HOUR, False),
        ],
    )
    def test_a_run_may_start_a_little_early(self, since_last, early, places):
        """A daily scheduler jitters; runs of every hour must keep the capacity to the hour."""
        before = RunState(AT - since_last, {"z": EntityState(False, None, AT - WEEK + early)})
        assert flags(run(capacity(1, per=WEEK), rows_of([0.9]), before).is_pql) == ("x" if places else ".")

    def test_rows_below_the_level_fill_what_is_left(self):
        selection = run(capacity(4, level=0.5), rows_of([0.6, 0.2, 0.3, 0.4, 0.09]))
        assert flags(selection.is_pql) == "xxxx."
        assert selection.suppressed.tolist() == [None] * 5

    def test_a_later_run_of_a_day_asks_no_higher_price(self):
        """A row without a place would otherwise stand above one that was alerted on the same day."""
        rows, morning = rows_of([0.3, 0.29]), AT
        none_before = RunState(morning - DAY, {}, Flow((morning - DAY,)))
        spread = run(capacity(7, per=WEEK), rows, none_before, morning + 9 * HOUR)
        assert flags(spread.newly_qualified) == "xx"
        dear = RunState(morning + 8 * HOUR, spread.state.entities, spread.state.flow)
        cheap = RunState(morning + 8 * HOUR, spread.state.entities, spread.state.flow, day_price=0.25)
        later = rows_of([0.3, 0.29, 0.28, 0.27, 0.24])
        at = morning + 10 * HOUR
        assert flags(run(capacity(7, per=WEEK), later, dear, at).newly_qualified) == "....."
        assert flags(run(capacity(7, per=WEEK), later, cheap, at).newly_qualified) == "..xx."


class TestFromRunToRun:
    BEFORE = RunState(AT - DAY, {"a": EntityState(True, AT - 9 * DAY, AT - 9 * DAY)})

    @pytest.mark.parametrize(("p", "stays"), [(0.19, True), (0.161, True), (0.159, False)])
    def test_a_pql_stays_a_pql_until_well_below_the_threshold(self, p, stays):
        selection = run(ABOVE, rows_of([p]), self.BEFORE)
        assert (flags(selection.is_pql), flags(selection.newly_qualified)) == ("x" if stays else ".", ".")
        assert decision(selection.state.entities["a"]) == (stays, AT - 9 * DAY if stays else None, AT - 9 * DAY)

    def test_a_pql_is_measured_by_the_threshold_at_which_it_became_one(self):
        """A lead that a quiet week admitted below the level does not fall out the next day."""
        before = RunState(AT - DAY, {"a": EntityState(True, AT - DAY, AT - DAY, AT - DAY, threshold=0.1)})
        assert flags(run(capacity(1, level=0.5), rows_of([0.081]), before).is_pql) == "x"
        assert flags(run(capacity(1, level=0.5), rows_of([0.079]), before).is_pql) == "."

    def test_hysteresis_does_not_apply_to_others(self):
        before = RunState(AT - DAY, {"a": EntityState(False, None, None)})
        assert flags(run(ABOVE, rows_of([0.19]), before).is_pql) == "."

    def test_a_staying_pql_needs_no_place_and_is_not_new(self):
        before = RunState(AT - DAY, {"a": EntityState(True, AT - DAY, AT - DAY)})
        selection = run(capacity(1, per=WEEK), rows_of([0.3, 0.9]), before)
        assert (flags(selection.is_pql), flags(selection.newly_qualified)) == ("x.", "..")
        assert selection.suppressed.tolist() == [None, "capacity"]

    def test_selected_rows_below_the_level_stay_selected(self):
        first = run(capacity(2, level=0.9), rows_of([0.3, 0.29, 0.1]))
        second = run(capacity(2, level=0.9), rows_of([0.29, 0.3, 0.1]), first.state, AT + HOUR)
        assert (flags(second.is_pql), flags(second.newly_qualified)) == ("xx.", "...")

    @pytest.mark.parametrize(("days", "new", "why"), [(13.9, ".", "cool_down"), (14, "x", None)])
    def test_an_entity_that_returns_within_the_cool_down_is_a_pql_without_an_alert(self, days, new, why):
        before = RunState(AT - DAY, {"a": EntityState(False, None, int(AT - days * DAY))})
        selection = run(ABOVE, rows_of([0.5]), before)
        assert (flags(selection.is_pql), flags(selection.newly_qualified), selection.suppressed[0]) == ("x", new, why)
        assert selection.state.entities["a"].alerted_at == (AT if new == "x" else int(AT - days * DAY))

    def test_an_entity_that_returns_after_the_cool_down_is_new_again(self):
        first = run(ABOVE, rows_of([0.5, 0.5], "ab"))
        away = run(ABOVE, rows_of([0.5], "b"), first.state, AT + DAY)
        assert decision(away.state.entities["a"]) == (False, None, AT)
        soon = run(ABOVE, rows_of([0.5, 0.5], "ab"), away.state, AT + 2 * DAY)
        assert (flags(soon.is_pql), flags(soon.newly_qualified), soon.suppressed[0]) == ("xx", "..", "cool_down")
        late = run(ABOVE, rows_of([0.5, 0.5], "ab"), away.state, AT + 20 * DAY)
        assert flags(late.newly_qualified) == "x."

    def test_the_hold_out_follows_the_same_hysteresis_and_is_never_alerted(self):
        first = run(ABOVE, rows_of([0.5], held_out=[True]))
        assert decision(first.state.entities["a"]) == (False, AT, None)
        later = [run(ABOVE, rows_of([p], held_out=[True]), first.state, AT + DAY).suppressed[0] for p in (0.17, 0.1)]
        assert later == ["held_out", None]

    def test_an_entity_that_leaves_the_hold_out_is_alerted(self):
        before = run(ABOVE, rows_of([0.5], held_out=[True])).state
        assert flags(run(ABOVE, rows_of([0.5]), before, AT + DAY).newly_qualified) == "x"

    def test_a_newly_excluded_pql_is_not_a_pql_any_more(self):
        selection = run(ABOVE, rows_of([0.5], excluded=[True]), self.BEFORE)
        assert (flags(selection.is_pql), selection.suppressed[0]) == (".", "excluded")
        assert decision(selection.state.entities["a"]) == (False, None, AT - 9 * DAY)

    @pytest.mark.parametrize("was_pql", [True, False])
    def test_whoever_was_alerted_is_a_pql_while_another_is_alerted_with_less(self, was_pql):
        before = RunState(AT - DAY, {"a": EntityState(was_pql, AT - DAY, AT - 2 * DAY, AT - DAY, threshold=0.5)})
        selection = run(capacity(1, level=0.5), rows_of([0.2, 0.19]), before)
        assert (flags(selection.is_pql), flags(selection.newly_qualified)) == ("xx", ".x")
        assert selection.suppressed.tolist() == [None if was_pql else "cool_down", None]
        worse = run(capacity(1, level=0.5), rows_of([0.18, 0.19]), before)
        assert flags(worse.is_pql) == ".x"

    def test_entities_are_forgotten_when_they_can_matter_no_more(self):
        """Otherwise the memory of a product would grow with everybody who ever tried it."""
        before = RunState(
            AT - DAY,
            {
                "seen": EntityState(False, None, None, AT - 3 * WEEK),
                "left": EntityState(False, None, None, AT - 5 * WEEK),
                "alerted": EntityState(False, None, AT - 3 * WEEK, AT - 3 * WEEK),
                "long ago": EntityState(False, None, AT - 5 * WEEK, AT - 5 * WEEK),
            },
        )
        assert list(run(capacity(1, per=WEEK), rows_of([]), before).state.entities) == ["seen", "alerted"]

    def test_the_same_run_twice_from_the_same_base_is_the_same(self):
        rows = rows_of([0.5, 0.3, 0.19, 0.1])
        one, two = run(capacity(2), rows, self.BEFORE), run(capacity(2), rows, self.BEFORE)
        assert (flags(one.is_pql), one.state) == (flags(two.is_pql), two.state)
