import json

import numpy as np
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns
from pql_model.decide.bands import Bands
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import decide, summarise
from pql_model.decide.policy import PolicyRule
from pql_model.decide.state import RunState
from pql_model.time import DAY, WEEK

BANDS = Bands.of({"high": 0.25, "medium": 0.1, "low": 0.03})
INVITED = BoundCriterion(Criterion.model_validate({"event": "Invite", "at_least": 2}), "c1")
EXPORTED = BoundCriterion(Criterion.model_validate({"event": "Export", "at_least": 1}), "c2")
PARTNER = BoundCriterion(Criterion.model_validate({"trait": "kind", "in": ["partner"]}))
DEFINITION = BoundDefinition(Definition.model_validate({"all": [{"event": "Invite", "at_least": 2}]}), "d1")
ABOVE = PolicyRule(0.2, None, "")
COLUMNS = Columns(
    4,
    {"Invite.count.ever": np.array([3.0, 0, 2, 0]), "Export.count.ever": np.array([0.0, 0, 1, 1])},
    {"trait.kind": np.array(["partner", None, "x", "x"], object)},
)
P = np.array([0.5, 0.3, 0.01, 0.005])


def decider(rule=ABOVE, **overrides):
    return Decider("shop", rule, BANDS, criteria=(INVITED, EXPORTED), recommended=DEFINITION, **overrides)


def test_a_batch_has_bands_criteria_definition_and_new_pqls():
    decisions = decide(decider(), "abcd", P, COLUMNS, as_of=DAY, before=RunState())
    assert decisions.band.tolist() == ["high", "high", "very_low", "very_low"]
    assert decisions.is_pql.tolist() == decisions.newly_qualified.tolist() == [True, True, False, False]
    assert decisions.criteria_met.tolist() == [[True, False], [False, False], [True, True], [False, True]]
    assert decisions.meets_definition.tolist() == [True, False, True, False]
    assert decisions.state.as_of == DAY


def test_exclusion_and_raised_hand_are_conditions():
    decisions = decide(
        decider(exclude=(PARTNER,), hand_raise=(EXPORTED,)), "abcd", P, COLUMNS, as_of=DAY, before=RunState()
    )
    assert decisions.is_pql.tolist() == [False, True, True, True]
    assert decisions.suppressed.tolist() == ["excluded", None, None, None]


def test_a_definition_may_be_the_rule():
    decisions = decide(decider(PolicyRule(0.2, None, "", definition="recommended")), "abcd", P, COLUMNS)
    assert decisions.is_pql.tolist() == [True, False, True, False]


def test_without_state_the_level_of_a_capacity_decides():
    decisions = decide(decider(PolicyRule(0.4, 1, "", WEEK)), "abcd", P, COLUMNS)
    assert (decisions.is_pql.tolist(), decisions.newly_qualified, decisions.state) == (
        [True, False, False, False],
        None,
        None,
    )


@pytest.mark.parametrize("row", range(4))
def test_each_row_alone_is_decided_as_among_others(row):
    own = decider(exclude=(PARTNER,), hold_out=0.5)
    together = decide(own, "abcd", P, COLUMNS)
    alone = decide(own, ["abcd"[row]], P[[row]], COLUMNS[np.array([row])])
    for name in ("band", "is_pql", "suppressed", "meets_definition", "held_out"):
        assert getattr(alone, name)[0] == getattr(together, name)[row]


def test_decisions_without_their_columns_are_none():
    decisions = decide(decider(PolicyRule(0.2, None, "", definition="recommended")), "abcd", P, Columns(4))
    assert (decisions.is_pql, decisions.meets_definition, decisions.criteria_met) == (None, None, None)
    assert decisions.band[0] == "high"


def test_the_hold_out_is_counted_and_left_out_of_the_expected_conversions_of_pqls():
    p = np.full(200, 0.5)
    own = decider(hold_out=0.3)
    decisions = decide(own, map(str, range(200)), p, Columns(200), as_of=DAY, before=RunState())
    summary = summarise(own, decisions, p, 0.0)
    assert summary.suppressed == {"held_out": summary.held_out}
    assert 40 < summary.held_out < 80
    assert summary.selected.value == 0.5 * (200 - summary.held_out)


def test_rows_beyond_the_capacity_are_left_out_of_the_expected_conversions_of_pqls():
    own = decider(PolicyRule(0.2, 1, "", WEEK))
    decisions = decide(own, "abcd", P, COLUMNS, as_of=DAY, before=RunState())
    summary = summarise(own, decisions, P, 0.0)
    assert (summary.selected.value, summary.suppressed) == (0.5, {"capacity": 1})


def test_not_to_call_is_the_lowest_band_without_its_pqls():
    own = decider(hand_raise=(EXPORTED,))
    p = np.array([0.5, 0.01, 0.01, 0.005])  # the last two have exported
    decisions = decide(own, "abcd", p, COLUMNS, as_of=DAY, before=RunState())
    summary = json.loads(json.dumps(summarise(own, decisions, p, 0.1).to_dict(), allow_nan=False))
    assert summary["not_to_call"] == {
        "bands": ["very_low"],
        "rows": 1,
        "share": 0.25,
        "expected_conversions": {"value": 0.01, "low": 0.0, "high": 0.0},
        "of": {"value": pytest.approx(0.525), "low": 0.0, "high": 1.0},
    }
    assert {name: band["rows"] for name, band in summary["bands"].items()} == {
        "high": 1,
        "medium": 0,
        "low": 0,
        "very_low": 3,
    }
    assert (summary["suppressed"], summary["held_out"]) == ({}, 0)


def test_not_to_call_is_the_next_band_where_the_lowest_is_empty():
    p = np.array([0.5, 0.15, 0.05, 0.04])
    decisions = decide(decider(), "abcd", p, COLUMNS, as_of=DAY, before=RunState())
    assert summarise(decider(), decisions, p, 0.0).not_to_call[:3] == ("low", 2, 0.5)


def test_not_to_call_is_never_the_highest_band():
    p = np.array([0.5, 0.5])
    own = decider(PolicyRule(0.6, None, ""))
    decisions = decide(own, "ab", p, Columns(2), as_of=DAY, before=RunState())
    assert summarise(own, decisions, p, 0.0).not_to_call[:3] == ("very_low", 0, 0.0)


def test_bands_add_up_to_all_rows_and_expected_conversions():
    p = np.random.default_rng(1).beta(1, 9, 500)
    decisions = decide(decider(), map(str, range(500)), p, Columns(500), as_of=DAY, before=RunState())
    summary = summarise(decider(), decisions, p, 200**-0.5)
    assert sum(rows for rows, _ in summary.bands.values()) == 500
    assert sum(e.value for _, e in summary.bands.values()) == pytest.approx(summary.everybody.value)
    cost = summary.not_to_call[3]
    assert cost.low <= cost.value <= cost.high


def test_an_empty_batch_has_a_summary():
    decisions = decide(
        decider(), [], np.array([]), Columns(0, {"Invite.count.ever": np.array([])}), as_of=DAY, before=RunState()
    )
    summary = summarise(decider(), decisions, np.array([]), 0.1).to_dict()
    assert (summary["not_to_call"]["rows"], summary["not_to_call"]["share"], summary["held_out"]) == (0, 0.0, 0)
