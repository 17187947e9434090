"""The search of definitions against trying everything by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from pql_model.criteria.definitions import CLOSE, MOST_KEPT, CandidateDefinition, _frontier, search
from pql_model.statistics.estimate import wilson


def people(seed=0, rows=3000, criteria=4):
    rng = np.random.default_rng(seed)
    pace = rng.random(rows)
    met = rng.random((rows, criteria)) < pace[:, None] * rng.uniform(0.3, 0.9, criteria)
    converted = rng.random(rows) < 0.04 + 0.1 * met.sum(axis=1)
    return met, converted


def everything(met, converted):
    """(members, least, qualified, conversions) of every definition of up to three criteria."""
    found = []
    for many in (1, 2, 3):
        for members in combinations(range(met.shape[1]), many):
            for least in range(1, many + 1):
                rows = [sum(row[k] for k in members) >= least for row in met.tolist()]
                paid = sum(a and b for a, b in zip(rows, converted.tolist(), strict=True))
                found.append((members, least, sum(rows), paid))
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_every_definition_of_up_to_three_criteria_is_tried_and_counted(seed):
    met, converted = people(seed)
    found, byhand = search(met, converted), everything(met, converted)
    assert found.tried == len(byhand) == 4 * 1 + 6 * 2 + 4 * 3
    for one in found.kept:
        assert (one.members, one.least, one.qualified, one.conversions) in byhand


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_kept_is_beaten_or_nearly_matched_by_something_simpler_that_is(seed):
    met, converted = people(seed)
    every = [CandidateDefinition(*d) for d in everything(met, converted) if d[2] >= 30 and d[3] >= 5]
    kept = _frontier(every)
    for one in every:
        rate = wilson(one.conversions, one.qualified).low
        assert any(k.qualified >= CLOSE * one.qualified and k.sure_rate >= CLOSE * rate for k in kept)
    for a, b in combinations(kept, 2):  # nobody who is kept is beaten by another as simple
        for better, worse in ((a, b), (b, a)):
            if len(better.members) <= len(worse.members):
                assert better.qualified < worse.qualified or better.sure_rate < worse.sure_rate


def test_a_simple_definition_and_a_slightly_better_one_do_not_push_each_other_out():
    simple, better = CandidateDefinition((0,), 1, 1000, 300), CandidateDefinition((0, 1), 1, 1010, 306)
    assert _frontier([simple, better]) == [simple]
    assert _frontier([better, simple]) == [simple]


def test_a_chain_of_slightly_better_ones_does_not_push_all_out():
    chain = [
        CandidateDefinition((0,), 1, 1000, 300),
        CandidateDefinition((0, 1), 1, 1025, 316),
        CandidateDefinition((0, 1, 2), 1, 1050, 332),
    ]
    assert chain[0] in _frontier(chain) or chain[1] in _frontier(chain)


def test_a_clearly_better_definition_is_kept_though_it_is_less_simple():
    simple, better = CandidateDefinition((0,), 1, 1000, 300), CandidateDefinition((0, 1), 2, 500, 250)
    assert set(_frontier([simple, better])) == {simple, better}


def test_a_small_definition_does_not_win_by_luck():
    met = np.zeros((2000, 2), bool)
    met[:30, 0] = met[:400, 1] = True
    converted = np.zeros(2000, bool)
    converted[:18] = True  # 60 of 100, but of 30 only
    converted[30:240] = True
    assert search(met, converted).kept[0].members == (1,)


def test_too_few_to_judge_and_everybody_are_not_kept():
    met = np.zeros((1000, 3), bool)
    met[:29, 0] = met[:, 1] = met[:200, 2] = True
    converted = np.arange(1000) % 4 == 0
    assert {d.members for d in search(met, converted).kept} == {(2,)}


def test_the_recommended_one_catches_most_conversions_beyond_its_share_of_the_others():
    met, converted = people(3)
    found = search(met, converted)

    def beyond(one):
        return one.conversions / converted.sum() - (one.qualified - one.conversions) / (~converted).sum()

    assert beyond(found.kept[found.recommended]) == max(map(beyond, found.kept))


def test_the_recommended_one_keeps_to_what_can_be_worked():
    met, converted = people(3)
    free, held = search(met, converted), search(met, converted, at_most=0.1)
    assert free.kept[free.recommended].qualified > 300
    assert held.kept[held.recommended].qualified <= 300
    least = search(met, converted, at_most=1e-6)
    assert least.kept[least.recommended].qualified == min(d.qualified for d in least.kept)


def test_at_most_eight_are_kept_from_the_strictest_to_the_laxest():
    met, converted = people(1, rows=6000, criteria=8)
    found = search(met, converted)
    assert found.tried == 8 + 28 * 2 + 56 * 3
    assert 4 <= len(found.kept) <= MOST_KEPT
    rates = [d.sure_rate for d in found.kept]
    assert rates == sorted(rates, reverse=True)


def test_nothing_to_join_or_nobody_who_paid_gives_nothing():
    met, converted = people()
    for found in (search(met[:, :0], converted), search(met, np.zeros(len(met), bool))):
        assert found.kept == ()
        assert found.recommended is None


def test_a_world_in_which_everybody_paid_is_no_error():
    met, _ = people()
    assert search(met, np.ones(len(met), bool)).recommended is not None


def test_the_names_of_the_joins():
    assert CandidateDefinition((0,), 1, 1, 1).join == "all"
    assert [CandidateDefinition((0, 1, 2), k, 1, 1).join for k in (1, 2, 3)] == ["any", "at_least_k", "all"]
