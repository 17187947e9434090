"""The definition in force on worlds whose true threshold is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted import criterion, feature

from pql_model.config.definition import Definition
from pql_model.criteria.definition_metrics import Outcomes
from pql_model.criteria.evaluate import meets
from pql_model.criteria.in_force import judge_in_force
from pql_model.time import DAY

ROWS = 4000
BOARDS, INVITED = feature("Board Created"), feature("Teammate Invited")
LATER = np.arange(ROWS) >= 2400


def boards(threshold=5, operator=">="):
    return {"event": "Board Created", "operator": operator, "threshold": threshold}


def invited(threshold=2):
    return {"event": "Teammate Invited", "at_least": threshold}


def people(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({BOARDS.name: rng.poisson(5.0, rows), INVITED.name: rng.poisson(1.5, rows)})


def rates(table, boards_at=5, invited_at=None, low=0.05, high=0.3):
    """Rows that meet the true definition convert at a high rate."""
    met = table[BOARDS.name] >= boards_at
    if invited_at is not None:
        met &= table[INVITED.name] >= invited_at
    return np.where(met, high, low)


def judged(rule, table, rng, chance, later=None):
    rows = len(table)
    begins = np.arange(rows) * (365 * DAY // rows)
    outcomes = Outcomes(np.arange(rows), begins + 14 * DAY, begins, rng.random(rows) < chance)
    later = LATER[:rows] if later is None else later
    return judge_in_force(Definition.model_validate(rule), table, outcomes, later, 7), outcomes


def verdict(rule, chance_of=rates, seed=0, **how):
    rng, table = people(seed)
    return judged(rule, table, rng, chance_of(table, **how))[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("threshold", "word"), [(2, "too lax"), (5, "about right"), (9, "too strict")])
def test_a_threshold_is_judged_by_the_outcomes(threshold, word, seed):
    judgement = verdict({"all": [boards(threshold)]}, seed=seed)
    assert judgement.verdict == word
    assert judgement.thresholds[0].threshold == threshold
    assert judgement.thresholds[0].best == 5


def test_the_verdict_is_a_sentence_with_the_better_threshold():
    assert verdict({"all": [boards(2)]}).sentence == (
        "It lets through accounts that seldom pay: for at least 2 `Board Created` so far, the data put the threshold at 5 "
        "(95 % interval 5 to 5)."
    )
    assert verdict({"all": [boards(9)]}).sentence.startswith("It turns away accounts that pay as often: for at least 9")
    right = verdict({"all": [boards(5)]}).sentence
    assert right.startswith("Its thresholds are where the data put them, and it still separates payers: ")
    assert "of the accounts that meet it " in right


def test_a_lax_definition_wastes_leads_and_a_strict_one_misses_them():
    rng, table = people()
    lax, outcomes = judged({"all": [boards(2)]}, table, rng, rates(table))
    made = table[BOARDS.name].to_numpy()
    between = LATER & (made >= 2) & (made < 5)
    assert (lax.wastes.entities, lax.wastes.conversions) == (between.sum(), outcomes.converted[between].sum())
    assert lax.misses.entities == 0
    assert lax.wastes.rate.value < 0.1
    rng, table = people()
    strict, outcomes = judged({"all": [boards(9)]}, table, rng, rates(table))
    between = LATER & (made >= 5) & (made < 9)
    assert (strict.misses.entities, strict.misses.conversions) == (between.sum(), outcomes.converted[between].sum())
    assert strict.wastes.entities == 0
    assert strict.misses.rate.value > 0.2


def test_a_correct_definition_misses_and_wastes_nothing():
    judgement = verdict({"all": [boards(5)]})
    assert (judgement.misses, judgement.wastes) == (None, None)
    assert judgement.to_dict()["misses"] is None
    assert judgement.to_dict()["thresholds"][0]["says"] == "about right"


@pytest.mark.parametrize(
    ("operator", "threshold", "word", "best"),
    [(">", 4, "about right", 4), (">", 4.5, "about right", 4.5), (">", 1, "too lax", 4), (">", 8, "too strict", 4)],
)
def test_the_best_threshold_keeps_the_operator_more_than(operator, threshold, word, best):
    judgement = verdict({"all": [boards(threshold, operator)]})
    assert (judgement.verdict, judgement.thresholds[0].best) == (word, best)


@pytest.mark.parametrize(
    ("operator", "threshold", "word", "best"),
    [
        ("<=", 4, "about right", 4),
        ("<=", 8, "too lax", 4),
        ("<=", 2, "too strict", 4),
        ("<", 5, "about right", 5),
        ("<", 8, "too lax", 5),
        ("<", 2, "too strict", 5),
    ],
)
def test_a_larger_upper_limit_is_laxer(operator, threshold, word, best):
    judgement = verdict({"all": [boards(threshold, operator)]}, low=0.3, high=0.05)
    assert (judgement.verdict, judgement.thresholds[0].best) == (word, best)


def test_a_threshold_that_splits_the_same_rows_is_right():
    # 103 lies between the observed 100 and 120 and is no round number
    rng = np.random.default_rng(0)
    table = pd.DataFrame({BOARDS.name: 20.0 * rng.poisson(5.0, ROWS), INVITED.name: 0})
    chance = np.where(table[BOARDS.name] >= 120, 0.3, 0.05)
    assert judged({"all": [boards(103)]}, table, rng, chance)[0].verdict == "about right"


def test_a_threshold_between_round_numbers_is_about_right():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({BOARDS.name: np.floor(rng.gamma(1.5, 900, ROWS)), INVITED.name: 0})
    chance = np.where(table[BOARDS.name] >= 1987, 0.3, 0.05)
    assert judged({"all": [boards(1987)]}, table, rng, chance)[0].verdict == "about right"
    assert judged({"all": [boards(500)]}, table, rng, chance)[0].verdict == "too lax"


def test_a_threshold_of_one_can_be_right():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({BOARDS.name: rng.integers(0, 2, ROWS), INVITED.name: 0})
    judgement, _ = judged({"all": [boards(1)]}, table, rng, rates(table, 1))
    assert (judgement.verdict, judgement.thresholds[0].best, judgement.thresholds[0].interval) == (
        "about right",
        1,
        (1, 1),
    )


def test_a_definition_that_no_longer_separates_is_stale():
    rng, table = people()
    chance = np.where(LATER, 0.15, rates(table))
    judgement, _ = judged({"all": [boards(5)]}, table, rng, chance)
    assert judgement.verdict == "stale"
    assert judgement.earlier.lift.low > 1.3
    assert "15 of 100 that meet it pay now (15 overall)" in judgement.sentence or "no longer does" in judgement.sentence


def test_a_definition_that_never_separated_is_stale():
    judgement = verdict({"all": [boards(5)]}, lambda table: np.full(len(table), 0.2))
    assert judgement.verdict == "stale"
    assert judgement.sentence.startswith("It does not separate payers from non-payers: ")


def test_a_lower_base_rate_alone_does_not_make_a_definition_stale():
    rng, table = people()
    chance = rates(table) * np.where(LATER, 0.6, 1.0)
    assert judged({"all": [boards(5)]}, table, rng, chance)[0].verdict == "about right"


def test_few_rows_give_no_verdict():
    rng, table = people(rows=90)
    judgement, _ = judged({"all": [boards(5)]}, table, rng, rates(table), np.arange(90) >= 54)
    assert (judgement.verdict, judgement.thresholds) == ("cannot tell", ())
    assert judgement.sentence == "There is not enough data to judge it: too few to judge."


def test_few_conversions_on_either_side_give_no_verdict():
    rng, table = people(rows=900)
    judgement, _ = judged({"all": [boards(5)]}, table, rng, rates(table, low=0.02, high=0.03), np.arange(900) >= 300)
    assert judgement.verdict == "cannot tell"


def test_a_definition_that_nobody_meets_gives_no_verdict():
    rng, table = people()
    judgement, _ = judged({"all": [boards(40)]}, table, rng, np.full(ROWS, 0.004))
    assert judgement.verdict == "cannot tell"
    assert judgement.sentence == "There is not enough data to judge it: nobody meets it."


def test_a_threshold_that_nobody_reaches_can_be_too_strict():
    judgement = verdict({"all": [boards(40)]})
    assert (judgement.verdict, judgement.thresholds[0].best) == ("too strict", 5)
    assert judgement.misses.conversions > 100


def test_a_definition_without_thresholds_gives_no_verdict():
    rng = np.random.default_rng(0)
    size = rng.choice(["small", "large"], ROWS)
    table = pd.DataFrame({"trait.size": size})
    judgement, _ = judged(
        {"all": [{"trait": "size", "in": ["large"]}]}, table, rng, np.where(size == "large", 0.3, 0.1)
    )
    assert judgement.verdict == "cannot tell"
    assert judgement.sentence.startswith("It has no threshold that could be too lax or too strict: ")


@pytest.mark.parametrize(("threshold", "at", "word"), [(5, 2, "about right"), (5, 4, "too strict"), (2, 2, "too lax")])
def test_with_all_each_criterion_is_judged_where_the_others_hold(threshold, at, word):
    judgement = verdict({"all": [boards(threshold), invited(at)]}, invited_at=2)
    assert judgement.verdict == word
    assert {each.condition.event: each.best for each in judgement.thresholds}["Board Created"] == 5
    if word == "too strict":
        assert "Teammate Invited" in judgement.sentence


def test_with_any_each_criterion_is_judged_where_no_other_holds():
    rng, table = people()
    either = (table[BOARDS.name] >= 7) | (table[INVITED.name] >= 4)
    judgement, _ = judged({"any": [boards(3), invited(4)]}, table, rng, np.where(either, 0.3, 0.04))
    assert judgement.verdict == "too lax"
    assert {each.condition.event: each.best for each in judgement.thresholds} == {
        "Board Created": 7,
        "Teammate Invited": 4,
    }
    assert judgement.thresholds[0].rows == int((table[INVITED.name] < 4).sum())


def test_with_at_least_two_each_criterion_is_judged_where_exactly_one_other_holds():
    rng, table = people()
    table[feature("Export Made").name] = rng.poisson(1.0, ROWS)
    held = [table[BOARDS.name] >= 5, table[INVITED.name] >= 2, table["Export+Made.count.ever"] >= 1]
    exported = {"event": "Export Made", "at_least": 1}
    chance = np.where(np.sum(held, axis=0) >= 2, 0.35, 0.04)
    for threshold, word in ((5, "about right"), (2, "too lax"), (8, "too strict")):
        rule = {"at_least_k": 2, "of": [boards(threshold), invited(2), exported]}
        judgement, _ = judged(rule, table, np.random.default_rng(1), chance)
        assert judgement.verdict == word
        assert judgement.thresholds[0].rows == int((held[1] ^ held[2]).sum())


def test_listed_texts_are_applied_and_not_judged():
    rng, table = people()
    table["trait.size"] = rng.choice(["small", "large"], ROWS)
    large = (table["trait.size"] == "large").to_numpy()
    chance = np.where(large, rates(table), 0.03)
    judgement, _ = judged({"all": [boards(2), {"trait": "size", "in": ["large"]}]}, table, rng, chance)
    assert judgement.verdict == "too lax"
    assert [each.condition for each in judgement.thresholds] == [criterion(**boards(2))]
    assert judgement.thresholds[0].rows == int(large.sum())


def test_a_missing_number_never_passes():
    rng, table = people()
    table[BOARDS.name] = np.where(rng.random(ROWS) < 0.3, np.nan, table[BOARDS.name])
    judgement, _ = judged({"all": [boards(5)]}, table, rng, rates(table))
    assert (judgement.verdict, judgement.thresholds[0].rows) == ("about right", ROWS)


def test_the_figures_are_those_of_earlier_and_later_rows():
    rng, table = people()
    judgement, outcomes = judged({"all": [boards(5), invited(2)]}, table, rng, rates(table))
    met = meets(Definition.model_validate({"all": [boards(5), invited(2)]}), table)
    assert judgement.later.qualified == int((met & LATER).sum())
    assert judgement.earlier.conversions == int((met & ~LATER & outcomes.converted).sum())


def test_the_same_seed_gives_the_same_verdict():
    assert verdict({"all": [boards(6)]}).to_dict() == verdict({"all": [boards(6)]}).to_dict()


def test_in_a_nested_definition_each_criterion_is_judged_where_it_decides():
    rng, table = people()
    table[feature("Export Made").name] = rng.poisson(1.0, ROWS)
    boards_, invited_, exported_ = (
        table[BOARDS.name] >= 5,
        table[INVITED.name] >= 2,
        table["Export+Made.count.ever"] >= 2,
    )
    chance = np.where(exported_ | (boards_ & invited_), 0.35, 0.04)
    exported = {"event": "Export Made", "at_least": 2}
    for threshold, word in ((5, "about right"), (2, "too lax"), (8, "too strict")):
        rule = {"any": [exported, {"all": [boards(threshold), invited(2)]}]}
        judgement, _ = judged(rule, table, np.random.default_rng(1), chance)
        assert judgement.verdict == word
        of_boards = next(each for each in judgement.thresholds if each.condition.event == "Board Created")
        assert (of_boards.best, of_boards.rows) == (5, int((~exported_ & invited_).sum()))
