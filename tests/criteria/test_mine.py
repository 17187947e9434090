"""Planted criteria are found, and nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from planted import EVENTS, Planted, criterion, feature, planted, product
from scipy.special import expit

from pql_model.criteria.candidates import CandidateColumn
from pql_model.criteria.likelihood import ThresholdLevels
from pql_model.criteria.mine import mine_criteria


def drawn_rule(rng, values):
    """Three events, a window each, thresholds that 12 to 45 % meet and that differ in enough rows from the next ones."""
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
def test_planted_conditions_are_found_with_their_threshold_and_window_and_no_others(seed):
    assert {m.condition.model_dump_json() for m in found(seed)} == {c.model_dump_json() for c in world(seed)[1]}


@pytest.mark.parametrize("seed", range(4))
def test_a_criterion_has_an_interval_for_its_threshold(seed):
    for m in found(seed):
        assert 0.9 < m.effect < 2.4
        assert m.gain > m.null_gain > 2
        assert m.threshold_interval[0] <= m.condition.threshold <= m.threshold_interval[1]
        assert m.threshold_agreement >= 0.3
        assert m.window_agreement >= 0.5


def test_the_strongest_criterion_comes_first():
    gains = [m.gain for m in found(0)]
    assert gains == sorted(gains, reverse=True)


def test_a_merely_correlated_behaviour_is_not_selected():
    rng = np.random.default_rng(4)
    values = product(rng, 6000)
    boards = criterion(event="Board Created", at_least=5)
    shadow = values[feature("Board Created")] + rng.integers(0, 3, 6000)  # without an effect, but strongly correlated
    world = planted(rng, {**values, feature("Board Opened"): shadow}, [(boards, 1.8)])
    alone = planted(rng, {feature("Board Opened"): shadow, feature("Export Made"): values[feature("Export Made")]}, [])
    alone = Planted(alone.table, alone.columns, alone.candidates, world.y)
    assert [m.condition.event for m in alone.mine()][:1] == ["Board Opened"]  # selected if the other is absent
    assert [m.condition for m in world.mine()] == [boards]


def test_noise_yields_no_criteria():
    rng = np.random.default_rng(11)
    values = product(rng, 3000)
    assert [planted(rng, values, []).mine() for _ in range(15)] == [[]] * 15


def test_windows_that_cannot_be_told_apart_are_listed_as_alternatives():
    rng = np.random.default_rng(2)
    first = rng.poisson(2.0, 4000)
    later = (rng.random(4000) < 0.04).astype(int)  # rare after the first week
    values = {feature("Export Made", "count", "first 7d"): first, feature("Export Made"): first + later}
    [m] = planted(rng, values, [(criterion(event="Export Made", at_least=3, within="first 7d"), 1.5)]).mine(60)
    assert m.condition.threshold == 3
    assert [a.condition.threshold for a in m.alternatives] == [3]
    assert {str(m.condition.window), *(str(a.condition.window) for a in m.alternatives)} == {"first 7d", "ever"}
    assert m.alternatives[0].share >= 0.15
    assert m.window_agreement + m.alternatives[0].share == pytest.approx(1)


def test_a_clearly_best_window_has_no_alternatives():
    assert [m.alternatives for m in found(0) if m.window_agreement > 0.9] != []
    assert all(m.alternatives == () for m in found(0) if m.window_agreement > 0.9)


def test_windows_with_the_same_values_are_listed_as_identical():
    rng = np.random.default_rng(2)
    made = rng.poisson(2.0, 4000)
    values = {feature("Export Made", "count", w): made for w in ("first 14d", "last 14d", "ever")}
    [m] = planted(rng, values, [(criterion(event="Export Made", at_least=3), 1.5)]).mine()
    assert str(m.condition.window) == "first 14d"
    assert m.identical == ("Export+Made.count.last_14d", "Export+Made.count.ever")


def test_another_seed_changes_only_the_resamples():
    sample = world(1)[0]
    first, again, other = sample.mine(8), sample.mine(8), sample.mine(8, seed=1)
    assert first == again
    assert [m.condition for m in first] == [m.condition for m in other]
    assert first != other


def test_the_order_of_the_rows_does_not_matter():
    sample = world(1)[0]
    order = np.random.default_rng(0).permutation(len(sample.y))
    turned = [
        CandidateColumn(
            c.family,
            c.column,
            c.conditions,
            ThresholdLevels(c.levels.level[order], c.levels.count),
            c.handicap,
            c.identical,
        )
        for c in sample.candidates
    ]
    again = mine_criteria(turned, sample.y[order], np.arange(len(order)), {}, 7, resamples=1)
    assert [m.condition for m in again] == [m.condition for m in found(1)]


def test_progress_is_reported_to_the_end():
    payload = []
    sample = world(0)[0]
    mine_criteria(sample.candidates, sample.y, np.arange(len(sample.y)), {}, 7, payload.append, resamples=4)
    assert payload == [0.25, 0.5, 0.75, 1.0]


def test_whole_entities_are_resampled():
    rng = np.random.default_rng(0)
    made = np.tile(rng.poisson(4.0, 600), 4)  # each entity four times adds no information
    world = planted(rng, {feature("Export Made"): made}, [(criterion(event="Export Made", at_least=5), 1.0)])
    y = np.tile(world.y[:600], 4)
    [whole] = mine_criteria(world.candidates, y, np.tile(np.arange(600), 4), {}, 7, resamples=80)
    [apart] = mine_criteria(world.candidates, y, np.arange(2400), {}, 7, resamples=80)
    assert whole.condition == apart.condition
    assert whole.threshold_agreement < apart.threshold_agreement - 0.1


def with_size(seed=0, effect=1.0):
    """A planted size, a planted behaviour, and the size's SHAP values as a model would give them."""
    rng = np.random.default_rng(seed)
    values = product(rng, 6000)
    size = rng.choice(["1-10", "11-50", "51-200"], 6000, p=[0.5, 0.3, 0.2])
    rule = [(criterion(trait="size", **{"in": ["51-200"]}), effect), (criterion(event="Export Made", at_least=4), 1.5)]
    kinds = {"size": ("category", ("1-10", "11-50", "51-200"))}
    world = planted(rng, {**values, "size": size}, rule, trait_kinds=kinds)
    return world, {"trait: size": np.where(size == "51-200", effect, 0.0) - 0.2 * effect}, rule


def test_a_trait_and_a_behaviour_each_become_a_criterion():
    world, shap, rule = with_size()
    found = world.mine(traits=shap)
    assert {m.condition.model_dump_json() for m in found} == {c.model_dump_json() for c, _ in rule}
    assert [m.threshold_interval is None for m in found] == [m.condition.in_ is not None for m in found]


def test_a_fixed_trait_does_not_hide_a_behaviour():
    world, shap, rule = with_size(effect=2.5)
    candidates = [c for c in world.candidates if not c.family.startswith("trait")]
    found = mine_criteria(candidates, world.y, np.arange(6000), shap, 7, resamples=1)
    assert [m.condition for m in found] == [rule[1][0]]


def test_an_unusual_measure_is_replaced_by_the_two_plain_ones_it_stands_for():
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


def test_a_planted_unusual_measure_is_found():
    rng = np.random.default_rng(4)
    values = product(rng, 6000)
    rule = [(criterion(event="Export Made", measure="active_days", at_least=3), 1.8)]
    assert [m.condition for m in planted(rng, values, rule).mine()] == [rule[0][0]]


def test_a_threshold_with_a_negative_effect_is_not_a_criterion():
    rng = np.random.default_rng(4)
    values = {feature("Ticket Opened"): rng.poisson(2, 4000), feature("Export Made"): rng.poisson(2, 4000)}
    rule = [(criterion(event="Ticket Opened", at_least=3), -1.5), (criterion(event="Export Made", at_least=3), 1.5)]
    assert [m.condition.event for m in planted(rng, values, rule).mine()] == ["Export Made"]


def test_a_selected_behaviour_whose_effect_turns_negative_is_dropped():
    # alone it is correlated with the other; beside it, each of its thresholds has a negative effect
    rng = np.random.default_rng(6)
    made = rng.poisson(2.5, 6000)
    shadow = np.minimum(made, 4) + (rng.random(6000) < 0.3)
    y = (rng.random(6000) < expit(-3 + 2.5 * (made >= 3) - 0.8 * (shadow >= 4))).astype(float)
    world = planted(rng, {feature("Export Made"): made, feature("Draft Saved"): shadow}, [])
    found = Planted(world.table, world.columns, world.candidates, y).mine(5)
    assert [m.condition.event for m in found] == ["Export Made"]


def test_without_candidates_or_without_both_outcomes_nothing_is_found():
    sample = world(0)[0]
    assert mine_criteria([], sample.y, np.arange(len(sample.y)), {}, 7) == []
    assert mine_criteria(sample.candidates, np.zeros(len(sample.y)), np.arange(len(sample.y)), {}, 7, resamples=1) == []
    assert mine_criteria(sample.candidates, np.ones(len(sample.y)), np.arange(len(sample.y)), {}, 7, resamples=1) == []
