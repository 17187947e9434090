import json

import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.decider import KEY, Decider, InForceStatus
from pql_model.decide.policy import PolicyRule
from pql_model.errors import DataError
from pql_model.statistics.estimate import Estimate
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
    InForceStatus("stale", "It does not separate payers.", stale=True),
    {"Invite": Estimate(0.9, 0.2, 1.6)},
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


def test_the_recommended_definition_precedes_the_one_in_force():
    assert FULL.definition == FULL.goal == RECOMMENDED
    assert Decider("", FULL.rule, FULL.bands, in_force=IN_FORCE).definition == IN_FORCE
    assert Decider("", FULL.rule, FULL.bands).definition is None


@pytest.mark.parametrize(("stale", "goal"), [(False, IN_FORCE), (True, None)])
def test_a_stale_definition_is_no_goal(stale, goal):
    decider = Decider(
        "", FULL.rule, FULL.bands, in_force=IN_FORCE, in_force_verdict=InForceStatus("stale", "It is old.", stale)
    )
    assert decider.goal == goal
    assert decider.definition == IN_FORCE  # what it says of a row stays visible


def test_a_model_of_an_earlier_release_has_no_verdict_and_no_slopes():
    payload = {key: value for key, value in FULL.to_dict().items() if key not in ("in_force_verdict", "slopes")}
    decider = Decider.from_dict(payload)
    assert (decider.in_force_verdict, decider.slopes, decider.recommended) == (None, {}, RECOMMENDED)


@pytest.mark.parametrize(("which", "definition"), [("recommended", RECOMMENDED), ("in_force", IN_FORCE), (None, None)])
def test_the_policy_selects_the_qualifying_definition(which, definition):
    decider = Decider(
        "", PolicyRule(0.2, None, "", definition=which), FULL.bands, recommended=RECOMMENDED, in_force=IN_FORCE
    )
    assert decider.qualifying == definition
    assert decider.goal == RECOMMENDED  # whatever qualifies


def test_features_of_all_conditions_are_listed_once():
    assert [feature.name for feature in FULL.features] == [
        "Contact+Sales.count.ever",
        "Invite.count.ever",
        "Export.count.first_3d",
    ]


def test_a_model_without_decisions_is_refused():
    with pytest.raises(DataError, match=r"This model has no `decisions` among its facts. Fix: train it"):
        Decider.of_facts({"name": "shop"})
