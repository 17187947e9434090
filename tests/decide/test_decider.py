import json

import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.decider import KEY, Decider
from pql_model.decide.policy import PolicyRule
from pql_model.errors import DataError
from pql_model.time import DAY

INVITED = Criterion.model_validate({"event": "Invite", "at_least": 2})
SALES = Criterion.model_validate({"event": "Contact Sales", "at_least": 1})
PARTNER = Criterion.model_validate({"trait": "kind", "in": ["partner"]})
IN_FORCE = BoundDefinition(
    Definition.model_validate({"all": [{"event": "Export", "at_least": 1, "within": "first 3d"}]})
)
RECOMMENDED = BoundDefinition(Definition.model_validate({"all": [INVITED]}), "d1")
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
    RECOMMENDED,
    IN_FORCE,
)


def test_json_round_trip_with_sorted_keys():
    payload = json.loads(json.dumps(FULL.to_dict(), allow_nan=False, sort_keys=True))
    assert Decider.from_dict(payload) == FULL
    assert Decider.of_facts({KEY: payload}) == FULL


def test_sorted_json_does_not_change_the_order_of_a_condition():
    payload = json.loads(json.dumps(FULL.to_dict(), sort_keys=True))
    [condition] = Decider.from_dict(payload).goal.conditions
    assert list(condition.payload) == ["event", "measure", "window", "operator", "threshold"]


def test_sorted_json_does_not_change_the_order_of_bands():
    payload = json.loads(json.dumps(FULL.to_dict(), sort_keys=True))
    assert Decider.from_dict(payload).bands.names == ("hot", "a", "very_low")


def test_the_definition_in_force_precedes_the_recommended_one():
    assert FULL.definition == IN_FORCE
    assert Decider("", FULL.rule, FULL.bands, recommended=RECOMMENDED).definition == RECOMMENDED
    assert Decider("", FULL.rule, FULL.bands).definition is None


@pytest.mark.parametrize(("which", "definition"), [("recommended", RECOMMENDED), ("in_force", IN_FORCE), (None, None)])
def test_the_policy_selects_the_qualifying_definition(which, definition):
    decider = Decider(
        "", PolicyRule(0.2, None, "", definition=which), FULL.bands, recommended=RECOMMENDED, in_force=IN_FORCE
    )
    assert decider.qualifying == definition
    assert decider.goal == (definition or IN_FORCE)


def test_features_of_all_conditions_are_listed_once():
    assert [feature.name for feature in FULL.features] == [
        "Contact+Sales.count.ever",
        "Invite.count.ever",
        "Export.count.first_3d",
    ]


def test_a_model_without_decisions_is_refused():
    with pytest.raises(DataError, match=r"This model has no `decisions` among its facts. Fix: train it"):
        Decider.of_facts({"name": "shop"})
