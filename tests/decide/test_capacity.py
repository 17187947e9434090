"""The price of a place, and what it keeps: the cap over any period, the best first, no idle week."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pql_model.decide.capacity import LEVELS, Flow, Places, early, reached
from pql_model.decide.policy import PolicyRule
from pql_model.decide.select import CAPACITY, select
from pql_model.decide.state import RunState
from pql_model.time import DAY, HOUR, WEEK
from tests.decide.test_select import rows_of

AT = 20_000 * DAY


def places(leads=7, free=7, freed=(), next_run=DAY, rate=None, day_price=np.inf):
    """`freed` in days, `rate` as (probability, leads a day) pairs: so many reach at least that probability."""
    of_level = None
    if rate is not None:
        of_level = np.sum([(p >= LEVELS) * a_day / DAY for p, a_day in rate], axis=0)
    return Places(leads, WEEK, free, np.sort(np.array(freed, float) * DAY), next_run, of_level, day_price)


def admitted(places, *probability):
    return int(places.admits(np.array(probability, float), np.arange(1, len(probability) + 1)).sum())


class TestPlaces:
    def test_no_place_is_given_that_is_not_free(self):
        assert admitted(places(free=2, next_run=WEEK), 0.9, 0.8, 0.7) == 2
        assert admitted(places(free=0, day_price=0.1), 0.9) == 0

    def test_a_run_of_every_period_gives_all_places(self):
        assert admitted(places(next_run=WEEK, rate=[(0.9, 50)]), *np.linspace(0.5, 0.1, 7)) == 7

    def test_places_are_kept_for_better_leads_that_are_expected_before_others_are_free(self):
        """Two a day above 0.5 need twelve places up to the last run of the week; of twenty, eight are left for lesser ones."""
        expected = places(leads=20, free=20, rate=[(0.5, 2)])
        assert admitted(expected, *np.full(20, 0.3)) == 8
        assert admitted(expected, *np.full(20, 0.9)) == 20

    def test_no_more_is_kept_than_an_even_pace_uses(self):
        """A hundred better leads a day cannot all be served: keeping every place for them would leave the rest idle."""
        assert admitted(places(leads=21, free=21, rate=[(0.5, 100)]), *np.full(21, 0.3)) == 3

    def test_places_that_become_free_in_time_need_not_be_kept(self):
        assert admitted(places(leads=7, free=1, freed=[1, 2, 3, 4, 5, 6], rate=[(0.5, 1)]), 0.3, 0.3) == 1
        assert admitted(places(leads=10, free=6, freed=[6, 6, 6, 6], rate=[(0.5, 1)]), 0.3, 0.3, 0.3) == 1

    def test_a_single_place_is_given(self):
        assert admitted(places(leads=1, free=1), 0.01) == 1

    def test_a_better_row_is_never_refused_where_a_lesser_one_is_admitted(self):
        rng = np.random.default_rng(3)
        for _ in range(200):
            leads = int(rng.integers(1, 40))
            freed = np.sort(rng.uniform(0, 7, rng.integers(0, leads + 1)))
            rate = [(float(p), float(n)) for p, n in zip(rng.random(4), rng.random(4) * leads, strict=True)]
            price = float(rng.choice([np.inf, 0.3]))
            now = places(leads, leads - len(freed), freed, int(rng.integers(HOUR, WEEK)), rate, price)
            given_place = now.admits(np.sort(rng.random(50))[::-1], np.arange(1, 51))
            assert not (np.diff(given_place.astype(int)) > 0).any()


class TestFlow:
    def test_reached_counts_each_level_up_to_the_probability(self):
        counts = reached(np.array([LEVELS[2], LEVELS[0], 0.0]))
        assert counts[:4].tolist() == [2, 1, 1, 0]

    def test_whoever_was_there_at_first_is_not_counted_and_whoever_rises_is_counted_once(self):
        low, high = LEVELS[10], LEVELS[20]
        first = Flow().after(AT, np.zeros(1), np.array([low]), WEEK)
        assert (first.days, first.since) == ((), AT)
        second = first.after(AT + DAY, np.array([low, 0.0]), np.array([high, low]), WEEK)
        third = second.after(AT + 2 * DAY, np.array([high, low]), np.array([low, low]), WEEK)
        [(_, second_day), (_, third_day)] = third.days
        assert second_day[:22] == (*[1] * 11, *[1] * 10, 0)  # the newcomer up to 10, the old one from 11 to 20
        assert sum(third_day) == 0

    def test_the_rate_is_what_was_seen_beside_one_period_of_what_training_knew(self):
        flow = Flow().after(AT, np.zeros(0), np.zeros(0), WEEK).after(AT + WEEK, np.zeros(4), np.full(4, 0.5), WEEK)
        rate = flow.rate(AT + WEEK, np.full(len(LEVELS), 10.0), WEEK)
        assert rate[0] * WEEK == pytest.approx((4 + 10) / 2)
        assert rate[-1] * WEEK == pytest.approx((0 + 10) / 2)
        assert Flow().rate(AT, (), WEEK) is None

    def test_only_the_last_periods_are_remembered(self):
        flow = Flow()
        for day in range(200):
            flow = flow.after(AT + day * DAY, np.zeros(1), np.full(1, 0.5 if day < 100 else 1e-6), WEEK)
        assert len(flow.days) <= 4 * 7 + 1
        assert flow.rate(AT + 199 * DAY, (), WEEK)[0] == 0

    @pytest.mark.parametrize("step", [HOUR, DAY, WEEK])
    def test_the_next_run_is_expected_after_the_usual_time(self, step):
        flow = Flow()
        for run in range(20):
            flow = flow.after(AT + run * step, np.zeros(0), np.zeros(0), WEEK)
        assert flow.time_to_next_run(AT + 20 * step) == step
        assert Flow().time_to_next_run(AT) == DAY


RUNS = st.lists(
    st.tuples(st.sampled_from([HOUR, 5 * HOUR, DAY, 2 * DAY, WEEK, 16 * DAY]), st.integers(0, 2**32 - 1)),
    min_size=2,
    max_size=40,
)


@pytest.mark.hypothesis
@settings(max_examples=60)
@given(RUNS, st.integers(1, 12), st.floats(0.01, 0.6), st.booleans())
def test_whatever_the_runs_the_capacity_and_the_order_hold(runs, leads, level, known):
    """Runs of every hour, day and week, missed ones, the same one again; whatever comes in them."""
    flow = tuple((leads * np.clip(1.5 - LEVELS / (level + 1e-9) / 2, 0, None)).tolist()) if known else ()
    rule = PolicyRule(level, leads, "", WEEK, flow=flow)
    state, at, alerts = RunState(), AT, []
    for step, seed in runs:
        at += step
        rng = np.random.default_rng(seed)
        names = rng.choice(120, size=rng.integers(0, 60), replace=False)
        rows = rows_of(
            rng.beta(1, 6, len(names)),
            entity=[f"e{n}" for n in names],
            raised=rng.random(len(names)) < 0.02,
            held_out=rng.random(len(names)) < 0.1,
            excluded=rng.random(len(names)) < 0.1,
        )
        selection = select(rule, rows, at, state, 14 * DAY, 0.8)
        assert select(rule, rows, at, state, 14 * DAY, 0.8).state == selection.state
        waiting, new = selection.suppressed == CAPACITY, selection.newly_qualified & ~rows.raised
        if waiting.any() and new.any():
            assert rows.probability[waiting & ~rows.raised].max(initial=0) <= rows.probability[new].min()
        tolerance = early(WEEK, at - state.as_of) if state.as_of is not None else 0
        alerts += [(at, tolerance)] * int(selection.newly_qualified.sum())
        assert sum(then > at - WEEK + tolerance for then, _ in alerts) <= leads
        state = selection.state
