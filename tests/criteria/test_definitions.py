"""The search for definitions, compared with trying every one by hand."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.definitions import (
    CLOSE,
    CLOSE_TO_NESTED,
    MOST_DEFINITIONS,
    CandidateDefinition,
    _frontier,
    search_definitions,
)
from pql_model.criteria.evaluate import met_by, near_miss
from pql_model.statistics.estimate import wilson


def people(seed=0, rows=3000, criteria=4):
    rng = np.random.default_rng(seed)
    pace = rng.random(rows)
    masks = rng.random((rows, criteria)) < pace[:, None] * rng.uniform(0.3, 0.9, criteria)
    converted = rng.random(rows) < 0.04 + 0.1 * masks.sum(axis=1)
    return masks, converted


def everything(masks, converted):
    """(members, least, qualified, conversions, alone) of every definition of up to three criteria."""
    definitions = []
    for many in (1, 2, 3):
        for members in combinations(range(masks.shape[1]), many):
            for least in range(1, many + 1):
                rows = [sum(row[k] for k in members) >= least for row in masks.tolist()]
                paid = sum(a and b for a, b in zip(rows, converted.tolist(), strict=True))
                definitions.append((members, least, sum(rows), paid, None))
    for a, b, c in permutations(range(masks.shape[1]), 3):
        if b < c:
            for least, rows in (
                (2, [row[a] and (row[b] or row[c]) for row in masks.tolist()]),
                (1, [row[a] or (row[b] and row[c]) for row in masks.tolist()]),
            ):
                paid = sum(x and y for x, y in zip(rows, converted.tolist(), strict=True))
                definitions.append(((a, b, c), least, sum(rows), paid, a))
    return definitions


@pytest.mark.parametrize("seed", [0, 1])
def test_every_definition_of_up_to_three_criteria_is_tried_and_counted(seed):
    masks, converted = people(seed)
    frontier, byhand = search_definitions(masks, converted), everything(masks, converted)
    assert frontier.tried == len(byhand) == 4 * 1 + 6 * 2 + 4 * 3 + 4 * 6
    for one in frontier.definitions:
        assert (one.members, one.least, one.qualified, one.conversions, one.alone) in byhand


@pytest.mark.parametrize("seed", range(6))
def test_every_definition_is_dominated_or_nearly_matched_by_a_simpler_one_on_the_frontier(seed):
    masks, converted = people(seed)
    every = [CandidateDefinition(*d) for d in everything(masks, converted) if d[2] >= 30 and d[3] >= 5]
    kept = _frontier(every)
    for one in every:
        rate = wilson(one.conversions, one.qualified).low
        near = CLOSE if one.alone is None else CLOSE_TO_NESTED
        assert any(k.qualified >= near * one.qualified and k.rate_low >= near * rate for k in kept)
    for a, b in combinations(kept, 2):  # none on the frontier is dominated by another that is as simple
        for better, worse in ((a, b), (b, a)):
            if len(better.members) <= len(worse.members) and (better.alone is None or worse.alone is not None):
                assert better.qualified < worse.qualified or better.rate_low < worse.rate_low


def test_a_simple_definition_and_a_slightly_better_one_do_not_displace_each_other():
    simple, better = CandidateDefinition((0,), 1, 1000, 300), CandidateDefinition((0, 1), 1, 1010, 306)
    assert _frontier([simple, better]) == [simple]
    assert _frontier([better, simple]) == [simple]


def test_a_chain_of_slightly_better_definitions_does_not_displace_all():
    chain = [
        CandidateDefinition((0,), 1, 1000, 300),
        CandidateDefinition((0, 1), 1, 1025, 316),
        CandidateDefinition((0, 1, 2), 1, 1050, 332),
    ]
    assert chain[0] in _frontier(chain) or chain[1] in _frontier(chain)


def test_a_clearly_better_definition_stays_although_it_is_less_simple():
    simple, better = CandidateDefinition((0,), 1, 1000, 300), CandidateDefinition((0, 1), 2, 500, 250)
    assert set(_frontier([simple, better])) == {simple, better}


def planted(rule, seed=0, rows=6000):
    rng = np.random.default_rng(seed)
    masks = rng.random((rows, 4)) < (0.4, 0.35, 0.3, 0.3)
    return masks, rng.random(rows) < np.where(rule(*masks.T), 0.4, 0.03)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("rule", "least"), [(lambda a, b, c, d: a & (b | c), 2), (lambda a, b, c, d: a | (b & c), 1)], ids=["all", "any"]
)
def test_one_criterion_beside_two_is_found_where_it_decides(rule, least, seed):
    frontier = search_definitions(*planted(rule, seed))
    best = frontier.definitions[frontier.recommended]
    assert (best.members, best.least, best.alone) == ((0, 1, 2), least, 0)
    assert best.joined([Criterion.model_validate({"trait": t, "at_least": 1}) for t in "abcd"]).nested


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "rule",
    [
        lambda a, b, c, d: a & b,
        lambda a, b, c, d: a | b,
        lambda a, b, c, d: a & b & c,
        lambda a, b, c, d: a + b + c > 1,
    ],
    ids=["both", "either", "three", "two of three"],
)
def test_no_definition_is_nested_where_a_plain_one_decides(rule, seed):
    def counted(*masks):
        return rule(*(mask.astype(int) for mask in masks)).astype(bool)

    frontier = search_definitions(*planted(counted, seed))
    assert frontier.definitions[frontier.recommended].alone is None


@pytest.mark.parametrize("alone", [None, 0, 1, 2])
@pytest.mark.parametrize("least", [1, 2])
def test_a_near_miss_lacks_one_criterion_and_meets_another(alone, least):
    masks = np.array(list(np.ndindex(2, 2, 2)), bool)
    candidate = CandidateDefinition((0, 1, 2), least, alone=alone)
    definition = candidate.joined([Criterion.model_validate({"trait": t, "at_least": 1}) for t in "abc"])
    in_its_order = masks if alone is None else masks[:, [alone, *candidate.others]]
    met, near = candidate.met(masks), near_miss(definition, in_its_order)
    assert met.tolist() == met_by(definition, in_its_order).tolist()
    for row, is_near in enumerate(near.tolist()):
        flips = [
            k
            for k in range(3)
            if not masks[row, k] and met[masks.tolist().index([*masks[row][:k], True, *masks[row][k + 1 :]])]
        ]
        assert is_near == bool(not met[row] and flips and masks[row].any())


def test_a_small_definition_does_not_win_by_chance():
    masks = np.zeros((2000, 2), bool)
    masks[:30, 0] = masks[:400, 1] = True
    converted = np.zeros(2000, bool)
    converted[:18] = True  # 60 of 100, but of 30 only
    converted[30:240] = True
    assert search_definitions(masks, converted).definitions[0].members == (1,)


def test_definitions_met_by_too_few_or_by_everybody_are_dropped():
    masks = np.zeros((1000, 3), bool)
    masks[:29, 0] = masks[:, 1] = masks[:200, 2] = True
    converted = np.arange(1000) % 4 == 0
    assert {d.members for d in search_definitions(masks, converted).definitions} == {(2,)}


def test_the_recommended_definition_has_the_largest_youden_index():
    masks, converted = people(3)
    frontier = search_definitions(masks, converted)

    def youden(one):
        return one.conversions / converted.sum() - (one.qualified - one.conversions) / (~converted).sum()

    assert youden(frontier.definitions[frontier.recommended]) == max(map(youden, frontier.definitions))


def test_the_recommended_definition_stays_within_the_workable_share():
    masks, converted = people(3)
    free, held = search_definitions(masks, converted), search_definitions(masks, converted, most_share=0.1)
    assert free.definitions[free.recommended].qualified > 300
    assert held.definitions[held.recommended].qualified <= 300
    least = search_definitions(masks, converted, most_share=1e-6)
    assert least.definitions[least.recommended].qualified == min(d.qualified for d in least.definitions)


def test_at_most_eight_definitions_remain_from_strict_to_lax():
    masks, converted = people(1, rows=6000, criteria=8)
    frontier = search_definitions(masks, converted)
    assert frontier.tried == 8 + 28 * 2 + 56 * (3 + 6)
    assert 4 <= len(frontier.definitions) <= MOST_DEFINITIONS
    rates = [d.rate_low for d in frontier.definitions]
    assert rates == sorted(rates, reverse=True)


def test_without_criteria_or_conversions_there_are_no_definitions():
    masks, converted = people()
    for frontier in (
        search_definitions(masks[:, :0], converted),
        search_definitions(masks, np.zeros(len(masks), bool)),
    ):
        assert frontier.definitions == ()
        assert frontier.recommended is None


def test_a_world_in_which_everybody_converts_is_accepted():
    masks, _ = people()
    assert search_definitions(masks, np.ones(len(masks), bool)).recommended is not None


def test_the_number_that_must_hold_decides_how_criteria_are_joined():
    criteria = [Criterion.model_validate({"event": name, "at_least": 1}) for name in "abc"]
    assert Definition.joining(criteria[:1], 1).join == "all"
    assert [Definition.joining(criteria, k).join for k in (1, 2, 3)] == ["any", "at_least_k", "all"]


def test_a_criterion_by_segment_stands_in_place_of_its_criterion_and_never_beside_it():
    rng = np.random.default_rng(4)
    plain = rng.random((3000, 2)) < 0.3
    variant = plain[:, 0] | (rng.random(3000) < 0.15)
    converted = rng.random(3000) < np.where(variant, 0.3, 0.02)
    frontier = search_definitions(np.column_stack([plain, variant]), converted, variant_of=[0])
    assert (
        frontier.tried == 3 * 1 + 2 * 2
    )  # alone, and with the other criterion: the pair with its own criterion is left out
    assert {d.by_segment for d in frontier.definitions if 2 in d.members} == {1}
    best = frontier.definitions[frontier.recommended]
    assert (best.members, best.size) == ((2,), 3)
    exports, large = (
        Criterion.model_validate(raw) for raw in ({"event": "Export", "at_least": 9}, {"trait": "size", "in": ["L"]})
    )
    by_segment = Definition.joining([exports, Definition.joining([exports, large], 2)], 1)
    assert best.joined([exports, exports, by_segment]) == by_segment
