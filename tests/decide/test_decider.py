import json

import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.decider import KEY, Decider
from pql_model.decide.policy import PolicyRule
from pql_model.time import DAY

INVITED = Criterion.model_validate({"event": "Invite", "at_least": 2})
SALES = Criterion.model_validate({"event": "Contact Sales", "at_least": 1})
PARTNER = Criterion.model_validate({"trait": "kind", "in": ["partner"]})
OURS = BoundDefinition(Definition.model_validate({"all": [{"event": "Export", "at_least": 1, "within": "first 3d"}]}))
FOUND = BoundDefinition(Definition.model_validate({"all": [INVITED]}), "d1")
FULL = Decider(
    "shop",
    PolicyRule(0.2, 50, "the 50 best", 7 * DAY),
    Bands.of({"hot": 0.4, "a": 0.1}),
    ({"name": "hot", "rows": 3},),
    5 * DAY,
    0.7,
    0.1,
    (BoundCriterion(PARTNER),),
    (BoundCriterion(SALES),),
    (BoundCriterion(INVITED, "c1"),),
    FOUND,
    OURS,
)


def test_it_reads_back_from_json_whose_keys_were_sorted():
    payload = json.loads(json.dumps(FULL.to_dict(), allow_nan=False, sort_keys=True))
    assert Decider.from_dict(payload) == FULL
    assert Decider.of_facts({KEY: payload}, []) == FULL


def test_a_condition_is_told_in_the_same_order_though_keys_are_sorted():
    payload = json.loads(json.dumps(FULL.to_dict(), sort_keys=True))
    [condition] = Decider.from_dict(payload).goal.conditions
    assert list(condition.payload) == ["event", "measure", "window", "operator", "threshold"]


def test_bands_keep_their_order_though_keys_are_sorted():
    payload = json.loads(json.dumps(FULL.to_dict(), sort_keys=True))
    assert Decider.from_dict(payload).bands.names == ("hot", "a", "very_low")


def test_the_rule_in_force_comes_before_the_recommended_one():
    assert FULL.definition == OURS
    assert Decider("", FULL.rule, FULL.bands, recommended=FOUND).definition == FOUND
    assert Decider("", FULL.rule, FULL.bands).definition is None


@pytest.mark.parametrize(("which", "book"), [("recommended", FOUND), ("in_force", OURS), (None, None)])
def test_the_policy_says_which_definition_qualifies(which, book):
    decider = Decider("", PolicyRule(0.2, None, "", definition=which), FULL.bands, recommended=FOUND, in_force=OURS)
    assert decider.qualifying == book
    assert decider.goal == (book or OURS)


def test_it_names_every_feature_that_decisions_read_once():
    assert [feature.name for feature in FULL.features] == [
        "Contact+Sales.count.ever",
        "Invite.count.ever",
        "Export.count.first_3d",
    ]


def test_a_model_of_an_older_release_has_its_rule_and_the_usual_rest():
    decider = Decider.of_facts({"name": "shop", "rule": {"probability": 0.3, "leads": None, "words": "x"}}, [0.1])
    assert (decider.name, decider.rule.probability, decider.definition, decider.criteria) == ("shop", 0.3, None, ())
    assert (decider.bands.names, decider.cool_down, decider.stay, decider.hold_out) == (
        ("high", "medium", "low", "very_low"),
        14 * DAY,
        0.8,
        0.0,
    )


def test_a_model_without_a_rule_qualifies_the_top_tenth():
    rule = Decider.of_facts({}, [k / 100 for k in range(101)]).rule
    assert (rule.probability, rule.text) == (0.9, "probability at least 0.900, the top tenth")
