"""What is planted comes back, and nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from planted import EVENTS, Planted, criterion, feature, planted, product
from scipy.special import expit

from pql_model.criteria.candidates import Candidate
from pql_model.criteria.likelihood import Steps
from pql_model.criteria.mine import mine


def drawn_rule(rng, values):
    """Three events, a window each, thresholds that 12 to 45 % meet and that tell enough rows from the next ones."""
    rule = []
    for event in rng.permutation(EVENTS)[:3]:
        window = str(rng.choice(["first 7d", "ever", "last 7d"]))
        of = values[feature(str(event), "count", window)]
        sharp = [t for t in range(1, 12) if 0.12 <= (of >= t).mean() <= 0.45 and (of == t).mean() > 0.03]
        rule.append((criterion(event=str(event), at_least=int(rng.choice(sharp)), within=window), 1.6))
    return rule


@cache
def world(seed: int) -> tuple[Planted, set]:
    rng = np.random.default_rng(seed)
    values = product(rng, 6000)
    rule = drawn_rule(rng, values)
    return planted(rng, values, rule), {condition for condition, _ in rule}


@cache
def found(seed: int):
    return world(seed)[0].mine(resamples=25)


@pytest.mark.parametrize("seed", range(4))
def test_planted_steps_come_back_with_their_very_threshold_and_window_and_nothing_else_does(seed):
    assert {m.condition.model_dump_json() for m in found(seed)} == {c.model_dump_json() for c in world(seed)[1]}


@pytest.mark.parametrize("seed", range(4))
def test_a_criterion_says_how_sure_its_threshold_is(seed):
    for m in found(seed):
        assert 0.9 < m.effect < 2.4
        assert m.gain > m.by_luck > 2
        assert m.threshold_interval[0] <= m.condition.threshold <= m.threshold_interval[1]
        assert m.threshold_agreement >= 0.3
        assert m.window_agreement >= 0.5


def test_the_strongest_comes_first():
    gains = [m.gain for m in found(0)]
    assert gains == sorted(gains, reverse=True)


def test_a_behaviour_that_only_goes_along_earns_no_place():
    rng = np.random.default_rng(4)
    values = product(rng, 6000)
    boards = criterion(event="Board Created", at_least=5)
    shadow = values[feature("Board Created")] + rng.integers(0, 3, 6000)  # of no say, but nearly the same
    drawn = planted(rng, {**values, feature("Board Opened"): shadow}, [(boards, 1.8)])
    alone = planted(rng, {feature("Board Opened"): shadow, feature("Export Made"): values[feature("Export Made")]}, [])
    alone = Planted(alone.table, alone.columns, alone.offered, drawn.y)
    assert [m.condition.event for m in alone.mine()][:1] == ["Board Opened"]  # which would be taken without the other
    assert [m.condition for m in drawn.mine()] == [boards]


def test_noise_gives_nothing():
    rng = np.random.default_rng(11)
    values = product(rng, 3000)
    assert [planted(rng, values, []).mine() for _ in range(15)] == [[]] * 15


def test_where_two_windows_cannot_be_told_apart_both_are_named():
    rng = np.random.default_rng(2)
    first = rng.poisson(2.0, 4000)
    later = (rng.random(4000) < 0.04).astype(int)  # hardly anybody does it after the first week
    values = {feature("Export Made", "count", "first 7d"): first, feature("Export Made"): first + later}
    [m] = planted(rng, values, [(criterion(event="Export Made", at_least=3, within="first 7d"), 1.5)]).mine(60)
    assert m.condition.threshold == 3
    assert [a.condition.threshold for a in m.also] == [3]
    assert {str(m.condition.window), *(str(a.condition.window) for a in m.also)} == {"first 7d", "ever"}
    assert m.also[0].share >= 0.15
    assert m.window_agreement + m.also[0].share == pytest.approx(1)


def test_a_window_that_is_clearly_the_right_one_has_no_other():
    assert [m.also for m in found(0) if m.window_agreement > 0.9] != []
    assert all(m.also == () for m in found(0) if m.window_agreement > 0.9)


def test_windows_that_are_the_same_on_these_rows_are_named_as_the_same():
    rng = np.random.default_rng(2)
    made = rng.poisson(2.0, 4000)
    values = {feature("Export Made", "count", w): made for w in ("first 14d", "last 14d", "ever")}
    [m] = planted(rng, values, [(criterion(event="Export Made", at_least=3), 1.5)]).mine()
    assert str(m.condition.window) == "first 14d"
    assert m.same == ("Export+Made.count.last_14d", "Export+Made.count.ever")


def test_the_same_seed_gives_the_same_and_another_seed_only_other_resamples():
    drawn = world(1)[0]
    first, again, other = drawn.mine(8), drawn.mine(8), drawn.mine(8, seed=1)
    assert first == again
    assert [m.condition for m in first] == [m.condition for m in other]
    assert first != other


def test_the_order_of_the_rows_does_not_count():
    drawn = world(1)[0]
    order = np.random.default_rng(0).permutation(len(drawn.y))
    turned = [
        Candidate(c.family, c.column, c.conditions, Steps(c.steps.level[order], c.steps.count), c.handicap, c.same)
        for c in drawn.offered
    ]
    again = mine(turned, drawn.y[order], np.arange(len(order)), {}, 7, resamples=1)
    assert [m.condition for m in again] == [m.condition for m in found(1)]


def test_progress_is_told_to_the_end():
    payload = []
    drawn = world(0)[0]
    mine(drawn.offered, drawn.y, np.arange(len(drawn.y)), {}, 7, payload.append, resamples=4)
    assert payload == [0.25, 0.5, 0.75, 1.0]


def test_entities_are_resampled_whole():
    rng = np.random.default_rng(0)
    made = np.tile(rng.poisson(4.0, 600), 4)  # each entity four times over: no more is known than of one row each
    drawn = planted(rng, {feature("Export Made"): made}, [(criterion(event="Export Made", at_least=5), 1.0)])
    y = np.tile(drawn.y[:600], 4)
    [whole] = mine(drawn.offered, y, np.tile(np.arange(600), 4), {}, 7, resamples=80)
    [apart] = mine(drawn.offered, y, np.arange(2400), {}, 7, resamples=80)
    assert whole.condition == apart.condition
    assert whole.threshold_agreement < apart.threshold_agreement - 0.1


def with_size(seed=0, effect=1.0):
    """A planted size, a planted behaviour, and the size's SHAP values as a model would give them."""
    rng = np.random.default_rng(seed)
    values = product(rng, 6000)
    size = rng.choice(["1-10", "11-50", "51-200"], 6000, p=[0.5, 0.3, 0.2])
    rule = [(criterion(trait="size", **{"in": ["51-200"]}), effect), (criterion(event="Export Made", at_least=4), 1.5)]
    kinds = {"size": ("category", ("1-10", "11-50", "51-200"))}
    drawn = planted(rng, {**values, "size": size}, rule, trait_kinds=kinds)
    return drawn, {"trait: size": np.where(size == "51-200", effect, 0.0) - 0.2 * effect}, rule


def test_a_trait_becomes_a_criterion_of_its_own_beside_the_behaviour():
    drawn, shap, rule = with_size()
    found = drawn.mine(traits=shap)
    assert {m.condition.model_dump_json() for m in found} == {c.model_dump_json() for c, _ in rule}
    assert [m.threshold_interval is None for m in found] == [m.condition.in_ is not None for m in found]


def test_a_trait_that_is_held_fixed_does_not_hide_a_behaviour():
    drawn, shap, rule = with_size(effect=2.5)
    offered = [c for c in drawn.offered if not c.family.startswith("trait")]
    found = mine(offered, drawn.y, np.arange(6000), shap, 7, resamples=1)
    assert [m.condition for m in found] == [rule[1][0]]


def test_an_unusual_measure_gives_way_to_the_two_plain_ones_that_it_stands_for():
    rng = np.random.default_rng(4)
    busy = rng.gamma(1.6, 1 / 1.6, 6000)
    people = 1 + rng.poisson(2 * busy)
    did = rng.poisson(1.5 * busy)
    by = np.minimum(did, 1 + rng.binomial(np.maximum(people - 1, 0), 0.7))  # users who did it: both in one number
    values = {
        feature("Export Made"): did,
        feature("any", "distinct_users"): people,
        feature("Export Made", "distinct_users"): np.where(did > 0, by, 0),
    }
    rule = [
        (criterion(event="Export Made", at_least=2), 1.3),
        (criterion(event="any", measure="distinct_users", at_least=4), 1.3),
    ]
    assert {m.column for m in planted(rng, values, rule).mine()} == {
        "Export+Made.count.ever",
        "any.distinct_users.ever",
    }


def test_an_unusual_measure_that_is_really_the_one_is_found():
    rng = np.random.default_rng(4)
    values = product(rng, 6000)
    rule = [(criterion(event="Export Made", measure="active_days", at_least=3), 1.8)]
    assert [m.condition for m in planted(rng, values, rule).mine()] == [rule[0][0]]


def test_a_step_down_is_no_criterion():
    rng = np.random.default_rng(4)
    values = {feature("Ticket Opened"): rng.poisson(2, 4000), feature("Export Made"): rng.poisson(2, 4000)}
    rule = [(criterion(event="Ticket Opened", at_least=3), -1.5), (criterion(event="Export Made", at_least=3), 1.5)]
    assert [m.condition.event for m in planted(rng, values, rule).mine()] == ["Export Made"]


def test_a_chosen_behaviour_that_turns_out_to_work_downwards_leaves_without_an_error():
    # alone it goes along with the other; beside it, every one of its thresholds has a negative effect
    rng = np.random.default_rng(6)
    made = rng.poisson(2.5, 6000)
    shadow = np.minimum(made, 4) + (rng.random(6000) < 0.3)
    y = (rng.random(6000) < expit(-3 + 2.5 * (made >= 3) - 0.8 * (shadow >= 4))).astype(float)
    drawn = planted(rng, {feature("Export Made"): made, feature("Draft Saved"): shadow}, [])
    found = Planted(drawn.table, drawn.columns, drawn.offered, y).mine(5)
    assert [m.condition.event for m in found] == ["Export Made"]


def test_nothing_on_offer_or_nobody_who_paid_gives_nothing():
    drawn = world(0)[0]
    assert mine([], drawn.y, np.arange(len(drawn.y)), {}, 7) == []
    assert mine(drawn.offered, np.zeros(len(drawn.y)), np.arange(len(drawn.y)), {}, 7, resamples=1) == []
    assert mine(drawn.offered, np.ones(len(drawn.y)), np.arange(len(drawn.y)), {}, 7, resamples=1) == []
