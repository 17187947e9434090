"""Hysteresis, cool-down, hold-out and places, each alone; together in tests/benchmarks/test_flips.py."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.decide.policy import PolicyRule
from pql_model.decide.select import SelectionInput, select, select_alone
from pql_model.decide.state import Remembered, State
from pql_model.time import DAY, HOUR, WEEK

AT = 100 * DAY
ABOVE = PolicyRule(0.2, None, "probability at least 0.2")


def offered(p, entity="abcdefghijklmnopqrstuvwxyz", **more):
    n = len(p)
    usual = {
        "met": None,
        **dict.fromkeys(("raised", "excluded", "held_out"), np.zeros(n, bool)),
        "tie": np.arange(n) / n,
    }
    given = {name: np.array(values) if values is not None else None for name, values in more.items()}
    return SelectionInput(entity=list(entity[:n]), probability=np.array(p, float), **{**usual, **given})


def run(rule, rows, before=None, as_of=AT, cool_down=14 * DAY, stay=0.8):
    return select(rule, rows, as_of, before if before is not None else State(), cool_down, stay)


def capacity(leads, level=0.2, per=WEEK):
    return PolicyRule(level, leads, "", per)


def flags(array):
    return "".join("x" if value else "." for value in array)


class TestWhoQualifies:
    def test_who_reaches_the_probability_and_all_are_new_at_first(self):
        found = run(ABOVE, offered([0.2, 0.19999, 0.9]))
        assert (flags(found.is_pql), flags(found.newly_qualified)) == ("x.x", "x.x")
        assert found.suppressed.tolist() == [None, None, None]

    def test_a_definition_decides_whatever_the_probability(self):
        rule = PolicyRule(0.5, None, "", definition="in_force")
        assert flags(run(rule, offered([0.01, 0.9], met=[True, False])).is_pql) == "x."

    def test_a_raised_hand_qualifies_whatever_the_probability(self):
        assert flags(run(ABOVE, offered([0.01, 0.01], raised=[True, False])).is_pql) == "x."

    def test_a_rule_that_nobody_keeps_still_hears_a_raised_hand(self):
        rows = offered([1.0, 0.01], raised=[False, True])
        assert flags(run(PolicyRule(1.0, 0, ""), rows).is_pql) == ".x"
        assert flags(select_alone(PolicyRule(1.0, 0, ""), rows)[0]) == ".x"

    def test_who_is_excluded_or_held_out_never_is_one_and_says_why_only_if_it_qualifies(self):
        rows = offered([0.9, 0.9, 0.9, 0.1, 0.1], excluded=[1, 0, 1, 1, 0], held_out=[0, 1, 1, 0, 1])
        rows = offered(rows.probability, excluded=rows.excluded.astype(bool), held_out=rows.held_out.astype(bool))
        for is_pql, suppressed in ((lambda f: (f.is_pql, f.suppressed))(run(ABOVE, rows)), select_alone(ABOVE, rows)):
            assert flags(is_pql) == "....."
            assert suppressed.tolist() == ["excluded", "held_out", "excluded", None, None]

    def test_of_nobody_nobody_qualifies(self):
        for rule in (ABOVE, capacity(3), PolicyRule(0.5, None, "", definition="recommended")):
            assert run(rule, offered([])).is_pql.tolist() == []


class TestCapacity:
    def test_the_best_have_the_places_whatever_the_level(self):
        found = run(capacity(2, level=0.9), offered([0.1, 0.3, 0.2]))
        assert flags(found.is_pql) == ".xx"
        assert found.suppressed.tolist() == [None] * 3  # the third neither reaches the level nor a place

    def test_who_reaches_the_level_and_finds_no_place_says_so(self):
        found = run(capacity(1), offered([0.3, 0.4, 0.1]))
        assert flags(found.is_pql) == ".x."
        assert found.suppressed.tolist() == ["capacity", None, None]

    def test_ties_at_the_edge_go_by_their_own_order_and_never_exceed_it(self):
        rows = offered([0.5, 0.5, 0.5, 0.5], tie=[0.9, 0.1, 0.5, 0.3])
        assert flags(run(capacity(2), rows).is_pql) == ".x.x"

    def test_more_places_than_rows_take_them_all(self):
        assert flags(run(capacity(50), offered([0.001, 0.5])).is_pql) == "xx"

    def test_a_raised_hand_comes_first_but_takes_a_place(self):
        found = run(capacity(2), offered([0.9, 0.8, 0.01], raised=[False, False, True]))
        assert flags(found.is_pql) == "x.x"
        assert found.suppressed.tolist() == [None, "capacity", None]

    def test_who_is_excluded_or_held_out_takes_no_place(self):
        rows = offered([0.9, 0.8, 0.7, 0.6], excluded=[True, False, False, False], held_out=[False, True, False, False])
        assert flags(run(capacity(2), rows).is_pql) == "..xx"

    def test_the_hold_out_is_chosen_where_it_would_have_had_a_place(self):
        """Both sides of the comparison must be cut at the same probability."""
        rows = offered([0.9, 0.8, 0.7, 0.6], held_out=[True, False, False, True])
        assert run(capacity(1), rows).suppressed.tolist() == ["held_out", None, "capacity", "capacity"]

    def test_alerts_of_the_last_days_take_places_also_of_those_who_are_gone(self):
        before = State(
            AT - DAY, {"gone": Remembered(False, None, AT - 3 * DAY), "old": Remembered(False, None, AT - WEEK)}
        )
        assert flags(run(capacity(2), offered([0.9, 0.8, 0.7]), before).newly_qualified) == "x.."

    @pytest.mark.parametrize(("early", "places"), [(6 * HOUR, True), (6 * HOUR + 1, False)])
    def test_a_weekly_run_that_starts_a_little_early_has_its_places(self, early, places):
        before = State(AT - WEEK, {"z": Remembered(False, None, AT - WEEK + early)})
        assert flags(run(capacity(1), offered([0.9]), before).is_pql) == ("x" if places else ".")

    @pytest.mark.parametrize(("days", "chosen"), [(1, 1), (2, 2), (7, 4), (30, 4)])
    def test_who_is_below_the_level_has_the_places_of_the_time_since_the_last_run(self, days, chosen):
        found = run(capacity(4, level=0.5), offered([0.1, 0.2, 0.3, 0.4, 0.09]), State(AT - days * DAY))
        assert int(found.is_pql.sum()) == chosen
        assert found.suppressed.tolist() == [None] * 5

    def test_who_reaches_the_level_need_not_wait_for_that(self):
        found = run(capacity(4, level=0.5), offered([0.6, 0.7, 0.8, 0.4]), State(AT - DAY))
        assert flags(found.is_pql) == "xxx."

    def test_runs_of_every_hour_share_the_places_of_a_day(self):
        state, alerts = State(AT - DAY, {"z": Remembered(False, None, None)}), 0
        for hour in range(12):
            rows = offered([0.4 - k / 100 for k in range(14)])
            found = run(capacity(14, level=0.5), rows, state, AT + hour * HOUR)
            state, alerts = found.state, alerts + int(found.newly_qualified.sum())
        assert alerts == 2
        assert int(run(capacity(14, level=0.5), rows, state, AT + DAY).newly_qualified.sum()) == 2

    def test_a_model_of_an_older_release_has_its_places_in_every_run(self):
        before = State(AT - DAY, {"z": Remembered(False, None, AT - DAY)})
        found = run(PolicyRule(float("nan"), 2, "the 2 best per 7 days"), offered([0.1, 0.3, 0.2]), before)
        assert flags(found.is_pql) == ".xx"

    def test_alone_the_level_decides(self):
        assert flags(select_alone(capacity(1), offered([0.3, 0.4, 0.1]))[0]) == "xx."


class TestFromRunToRun:
    BEFORE = State(AT - DAY, {"a": Remembered(True, AT - 9 * DAY, AT - 9 * DAY)})

    @pytest.mark.parametrize(("p", "stays"), [(0.19, True), (0.161, True), (0.159, False)])
    def test_who_is_a_pql_stays_one_until_well_below_the_threshold(self, p, stays):
        found = run(ABOVE, offered([p]), self.BEFORE)
        assert (flags(found.is_pql), flags(found.newly_qualified)) == ("x" if stays else ".", ".")
        assert found.state.of["a"] == Remembered(stays, AT - 9 * DAY if stays else None, AT - 9 * DAY)

    def test_who_was_none_does_not_profit_from_that(self):
        before = State(AT - DAY, {"a": Remembered(False, None, None)})
        assert flags(run(ABOVE, offered([0.19]), before).is_pql) == "."

    def test_who_stays_needs_no_place_and_is_not_new(self):
        before = State(AT - DAY, {"a": Remembered(True, AT - DAY, AT - DAY)})
        found = run(capacity(1), offered([0.3, 0.9]), before)
        assert (flags(found.is_pql), flags(found.newly_qualified)) == ("x.", "..")
        assert found.suppressed.tolist() == [None, "capacity"]

    def test_in_a_thin_week_the_chosen_stay_though_they_never_reached_the_level(self):
        first = run(capacity(2, level=0.9), offered([0.3, 0.29, 0.1]))
        second = run(capacity(2, level=0.9), offered([0.29, 0.3, 0.1]), first.state, AT + DAY)
        assert (flags(second.is_pql), flags(second.newly_qualified)) == ("xx.", "...")

    @pytest.mark.parametrize(("days", "new", "why"), [(13.9, ".", "cool_down"), (14, "x", None)])
    def test_who_comes_back_within_the_cool_down_is_a_pql_and_no_alert(self, days, new, why):
        before = State(AT - DAY, {"a": Remembered(False, None, int(AT - days * DAY))})
        found = run(ABOVE, offered([0.5]), before)
        assert (flags(found.is_pql), flags(found.newly_qualified), found.suppressed[0]) == ("x", new, why)
        assert found.state.of["a"].alerted_at == (AT if new == "x" else int(AT - days * DAY))

    def test_who_leaves_and_comes_back_is_new_again_after_the_cool_down(self):
        first = run(ABOVE, offered([0.5, 0.5], "ab"))
        away = run(ABOVE, offered([0.5], "b"), first.state, AT + DAY)
        assert away.state.of["a"] == Remembered(False, None, AT)
        soon = run(ABOVE, offered([0.5, 0.5], "ab"), away.state, AT + 2 * DAY)
        assert (flags(soon.is_pql), flags(soon.newly_qualified), soon.suppressed[0]) == ("xx", "..", "cool_down")
        late = run(ABOVE, offered([0.5, 0.5], "ab"), away.state, AT + 20 * DAY)
        assert flags(late.newly_qualified) == "x."

    def test_the_hold_out_stays_by_the_same_rule_and_is_never_alerted(self):
        first = run(ABOVE, offered([0.5], held_out=[True]))
        assert first.state.of["a"] == Remembered(False, AT, None)
        later = [run(ABOVE, offered([p], held_out=[True]), first.state, AT + DAY).suppressed[0] for p in (0.17, 0.1)]
        assert later == ["held_out", None]

    def test_who_leaves_the_hold_out_is_alerted(self):
        before = run(ABOVE, offered([0.5], held_out=[True])).state
        assert flags(run(ABOVE, offered([0.5]), before, AT + DAY).newly_qualified) == "x"

    def test_who_is_excluded_from_now_on_is_no_pql_any_more(self):
        found = run(ABOVE, offered([0.5], excluded=[True]), self.BEFORE)
        assert (flags(found.is_pql), found.suppressed[0]) == (".", "excluded")
        assert found.state.of["a"] == Remembered(False, None, AT - 9 * DAY)

    def test_the_same_run_twice_from_the_same_base_is_the_same(self):
        rows = offered([0.5, 0.3, 0.19, 0.1])
        one, two = run(capacity(2), rows, self.BEFORE), run(capacity(2), rows, self.BEFORE)
        assert (flags(one.is_pql), one.state) == (flags(two.is_pql), two.state)
