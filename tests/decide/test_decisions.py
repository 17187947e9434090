import json

import numpy as np
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns
from pql_model.decide.bands import Bands
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import decide, summarise
from pql_model.decide.policy import PolicyRule
from pql_model.decide.state import State
from pql_model.time import DAY, WEEK

BANDS = Bands.of({"high": 0.25, "medium": 0.1, "low": 0.03})
INVITED = BoundCriterion(Criterion.model_validate({"event": "Invite", "at_least": 2}), "c1")
EXPORTED = BoundCriterion(Criterion.model_validate({"event": "Export", "at_least": 1}), "c2")
PARTNER = BoundCriterion(Criterion.model_validate({"trait": "kind", "in": ["partner"]}))
RULEBOOK = BoundDefinition(Definition.model_validate({"all": [{"event": "Invite", "at_least": 2}]}), "d1")
ABOVE = PolicyRule(0.2, None, "")
COLUMNS = Columns(
    4,
    {"Invite.count.ever": np.array([3.0, 0, 2, 0]), "Export.count.ever": np.array([0.0, 0, 1, 1])},
    {"trait.kind": np.array(["partner", None, "x", "x"], object)},
)
P = np.array([0.5, 0.3, 0.01, 0.005])


def decider(rule=ABOVE, **more):
    return Decider("shop", rule, BANDS, criteria=(INVITED, EXPORTED), recommended=RULEBOOK, **more)


def test_a_batch_has_band_criteria_definition_and_who_is_new():
    found = decide(decider(), "abcd", P, COLUMNS, as_of=DAY, before=State())
    assert found.band.tolist() == ["high", "high", "very_low", "very_low"]
    assert found.is_pql.tolist() == found.newly_qualified.tolist() == [True, True, False, False]
    assert found.criteria_met.tolist() == [[True, False], [False, False], [True, True], [False, True]]
    assert found.meets_definition.tolist() == [True, False, True, False]
    assert found.state.as_of == DAY


def test_exclusion_and_raised_hand_read_conditions():
    found = decide(decider(exclude=(PARTNER,), hand_raise=(EXPORTED,)), "abcd", P, COLUMNS, as_of=DAY, before=State())
    assert found.is_pql.tolist() == [False, True, True, True]
    assert found.suppressed.tolist() == ["excluded", None, None, None]


def test_the_rule_may_be_the_definition():
    found = decide(decider(PolicyRule(0.2, None, "", definition="recommended")), "abcd", P, COLUMNS)
    assert found.is_pql.tolist() == [True, False, True, False]


def test_alone_there_is_no_memory_and_a_capacity_is_its_level():
    found = decide(decider(PolicyRule(0.4, 1, "", WEEK)), "abcd", P, COLUMNS)
    assert (found.is_pql.tolist(), found.newly_qualified, found.state) == ([True, False, False, False], None, None)


@pytest.mark.parametrize("row", range(4))
def test_each_row_alone_is_decided_as_among_others(row):
    own = decider(exclude=(PARTNER,), hold_out=0.5)
    together = decide(own, "abcd", P, COLUMNS)
    alone = decide(own, ["abcd"[row]], P[[row]], COLUMNS[np.array([row])])
    for name in ("band", "is_pql", "suppressed", "meets_definition", "held_out"):
        assert getattr(alone, name)[0] == getattr(together, name)[row]


def test_what_the_columns_do_not_tell_is_none():
    found = decide(decider(PolicyRule(0.2, None, "", definition="recommended")), "abcd", P, Columns(4))
    assert (found.is_pql, found.meets_definition, found.criteria_met) == (None, None, None)
    assert found.band[0] == "high"


def test_a_capacity_of_an_older_release_cannot_be_told_alone():
    assert decide(decider(PolicyRule(float("nan"), 50, "")), "abcd", P, COLUMNS).is_pql is None


def test_the_hold_out_of_a_batch_is_counted_and_never_expected_to_convert_as_a_pql():
    p = np.full(200, 0.5)
    own = decider(hold_out=0.3)
    found = decide(own, map(str, range(200)), p, Columns(200), as_of=DAY, before=State())
    payload = summarise(own, found, p, None)
    assert payload.suppressed == {"held_out": payload.held_out}
    assert 40 < payload.held_out < 80
    assert payload.selected.value == 0.5 * (200 - payload.held_out)


def test_who_is_beyond_the_capacity_is_not_expected_to_convert_as_a_pql():
    own = decider(PolicyRule(0.2, 1, "", WEEK))
    found = decide(own, "abcd", P, COLUMNS, as_of=DAY, before=State())
    payload = summarise(own, found, P, None)
    assert (payload.selected.value, payload.suppressed) == (0.5, {"capacity": 1})


def test_who_need_not_be_called_is_the_lowest_band_without_the_pqls_in_it():
    own = decider(hand_raise=(EXPORTED,))
    p = np.array([0.5, 0.01, 0.01, 0.005])  # the last two have exported
    found = decide(own, "abcd", p, COLUMNS, as_of=DAY, before=State())
    payload = json.loads(json.dumps(summarise(own, found, p, 100).to_dict(), allow_nan=False))
    assert payload["not_to_call"] == {
        "bands": ["very_low"],
        "rows": 1,
        "share": 0.25,
        "expected_conversions": {"value": 0.01, "low": 0.0, "high": 0.0},
        "of": {"value": pytest.approx(0.525), "low": 0.0, "high": 1.0},
    }
    assert {name: band["rows"] for name, band in payload["bands"].items()} == {
        "high": 1,
        "medium": 0,
        "low": 0,
        "very_low": 3,
    }
    assert (payload["suppressed"], payload["held_out"]) == ({}, 0)


def test_where_nobody_is_in_the_lowest_band_the_next_one_is_told():
    p = np.array([0.5, 0.15, 0.05, 0.04])
    found = decide(decider(), "abcd", p, COLUMNS, as_of=DAY, before=State())
    assert summarise(decider(), found, p, None).not_to_call[:3] == ("low", 2, 0.5)


def test_the_highest_band_is_never_not_to_be_called():
    p = np.array([0.5, 0.5])
    own = decider(PolicyRule(0.6, None, ""))
    found = decide(own, "ab", p, Columns(2), as_of=DAY, before=State())
    assert summarise(own, found, p, None).not_to_call[:3] == ("very_low", 0, 0.0)


def test_the_bands_hold_everybody_and_all_that_is_expected():
    p = np.random.default_rng(1).beta(1, 9, 500)
    found = decide(decider(), map(str, range(500)), p, Columns(500), as_of=DAY, before=State())
    payload = summarise(decider(), found, p, 200)
    assert sum(rows for rows, _ in payload.bands.values()) == 500
    assert sum(e.value for _, e in payload.bands.values()) == pytest.approx(payload.everybody.value)
    cost = payload.not_to_call[3]
    assert cost.low <= cost.value <= cost.high


def test_of_nobody_nothing_is_expected():
    found = decide(
        decider(), [], np.array([]), Columns(0, {"Invite.count.ever": np.array([])}), as_of=DAY, before=State()
    )
    payload = summarise(decider(), found, np.array([]), 10).to_dict()
    assert (payload["not_to_call"]["rows"], payload["not_to_call"]["share"], payload["held_out"]) == (0, 0.0, 0)
