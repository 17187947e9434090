import json

import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.config.load import load_definition
from pql_model.criteria.candidates import candidate_columns
from pql_model.criteria.definition_metrics import Outcomes
from pql_model.criteria.evaluate import meets
from pql_model.criteria.results import find_criteria, kind_of
from pql_model.model.columns import ModelColumn
from pql_model.time import DAY

BOARDS, INVITES, SEARCH = "Board+Created.count.ever", "Invited.count.ever", "Search.count.ever"


def world(n=6000, seed=3, boards=1.6, invites=1.4, in_force=None, leads_a_week=None):
    """`at least 5 boards` and `at least 3 invitations` decide; searches are only correlated. The second half is later."""
    rng = np.random.default_rng(seed)
    pace = rng.gamma(1.5, 1 / 1.5, n)
    table = pd.DataFrame({BOARDS: rng.poisson(4 * pace), INVITES: rng.poisson(2 * pace), SEARCH: rng.poisson(3 * pace)})
    odds = -3.3 + boards * (table[BOARDS] >= 5) + invites * (table[INVITES] >= 3)
    converted = rng.random(n) < 1 / (1 + np.exp(-odds.to_numpy()))
    begins = np.sort(rng.integers(0, 300, n)) * DAY
    outcomes = Outcomes(np.arange(n), begins + 14 * DAY, begins, converted, 1 / (1 + np.exp(-odds.to_numpy())))
    earlier = np.arange(n) < n // 2
    columns = [ModelColumn(name, "feature") for name in table.columns]
    candidates = candidate_columns(columns, table[earlier], begins[earlier].astype(float), outcomes.as_of[earlier])
    found = find_criteria(
        candidates,
        table,
        outcomes,
        earlier,
        ~earlier,
        {},
        rows="as of day 14 of the trial",
        in_force=in_force,
        leads_a_week=leads_a_week,
        seed=7,
    )
    return found, table, outcomes, ~earlier


@pytest.fixture(scope="module")
def found():
    return world()


def test_the_planted_criteria_are_found_and_their_correlates_are_not(found):
    criteria = found[0].criteria
    assert sorted((c.definition.criteria[0].event, c.definition.criteria[0].threshold) for c in criteria) == [
        ("Board Created", 5.0),
        ("Invited", 3.0),
    ]
    assert all(c.adjusted_p < 0.001 for c in criteria)


def test_every_figure_is_from_later_rows_alone(found):
    result, table, outcomes, later = found
    for rule in (*result.criteria, *result.definitions):
        met = meets(rule.definition, table)
        assert rule.later.qualified == int(met[later].sum())
        assert rule.later.conversions == int(outcomes.converted[met & later].sum())
        assert rule.earlier.qualified == int(met[~later].sum())
    assert result.later.rows == int(later.sum())


def test_later_outcomes_do_not_affect_the_search():
    """The same criteria and definitions are found whatever the outcomes of later rows."""
    first, *_ = world()
    n = 6000
    rng = np.random.default_rng(3)
    pace = rng.gamma(1.5, 1 / 1.5, n)
    table = pd.DataFrame({BOARDS: rng.poisson(4 * pace), INVITES: rng.poisson(2 * pace), SEARCH: rng.poisson(3 * pace)})
    odds = -3.3 + 1.6 * (table[BOARDS] >= 5) + 1.4 * (table[INVITES] >= 3)
    converted = rng.random(n) < 1 / (1 + np.exp(-odds.to_numpy()))
    begins = np.sort(rng.integers(0, 300, n)) * DAY
    earlier = np.arange(n) < n // 2
    upside_down = np.where(earlier, converted, ~converted)
    outcomes = Outcomes(np.arange(n), begins + 14 * DAY, begins, upside_down)
    columns = [ModelColumn(name, "feature") for name in table.columns]
    candidates = candidate_columns(columns, table[earlier], begins[earlier].astype(float), outcomes.as_of[earlier])
    second = find_criteria(
        candidates, table, outcomes, earlier, ~earlier, {}, rows="", in_force=None, leads_a_week=None, seed=7
    )
    first_definitions = [rule.definition for rule in (*first.criteria, *first.definitions, *first.not_confirmed)]
    second_definitions = [rule.definition for rule in (*second.criteria, *second.definitions, *second.not_confirmed)]
    assert sorted(map(str, second_definitions)) == sorted(map(str, first_definitions))
    assert not second.criteria, "criteria that later rows do not confirm are not listed"
    assert second.recommended is None


def test_noise_yields_no_criteria():
    result, *_ = world(boards=0.0, invites=0.0, seed=11)
    assert result.criteria == ()
    assert result.definitions == ()
    assert result.recommended is None
    assert json.dumps(result.to_dict(), allow_nan=False)


def test_p_values_are_corrected_for_every_tested_definition(found):
    result = found[0]
    assert result.tested == len(result.criteria) + len(result.definitions) + len(result.not_confirmed)
    assert "Holm" in result.to_dict()["tried"]["correction"]


def test_the_capacity_of_the_team_limits_the_recommendation():
    result = world(leads_a_week=35)[0]
    few = result.recommended
    assert few.earlier.leads_per_week.value <= 35
    smallest = min(result.definitions, key=lambda d: d.earlier.qualified)
    assert world(leads_a_week=1)[0].recommended.definition == smallest.definition


def test_the_definition_in_force_is_compared_on_the_same_rows():
    in_force = Definition.model_validate({"all": [{"event": "Board Created", "at_least": 2}]})
    result, _, outcomes, later = world(in_force=in_force)
    payload = result.to_dict()["in_force"]
    assert payload["verdict"] == "too lax"
    cells = [payload["against"][name]["entities"] for name in ("both", "only_new", "only_today", "neither")]
    assert sum(cells) == int(later.sum())
    assert sum(payload["against"][n]["conversions"] for n in ("both", "only_new", "only_today", "neither")) == int(
        outcomes.converted[later].sum()
    )


def test_near_misses_lack_exactly_one_criterion(found):
    result, table, _, later = found
    both = next(d for d in result.definitions if d.definition.all_ is not None and len(d.members) == 2)
    held = (table[BOARDS] >= 5).astype(int) + (table[INVITES] >= 3)
    assert both.near_miss.entities == int((held[later] == 1).sum())


def test_the_json_has_the_documented_fields(found):
    payload = found[0].to_dict()
    assert {"base_rate", "criteria", "definitions", "in_force"} <= set(payload)
    criterion = payload["criteria"][0]
    assert {"id", "text", "conditions", "threshold_interval", "threshold_agreement", "tested"} <= set(criterion)
    assert {"event", "measure", "window", "operator", "threshold"} <= set(criterion["conditions"][0])
    assert {"entities", "qualified", "conversions", "rate", "lift", "recall"} <= set(criterion["tested"])
    assert {"join", "k"} <= set(payload["definitions"][0])


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Pricing Viewed", "intent"),
        ("checkout_started", "intent"),
        ("Teammate Invited", "value"),
        ("Plan Compared", "intent"),
        ("Payload Sent", "value"),
        ("Explanation Read", "value"),
        ("requestDemo", "intent"),
        ("Cartoon Drawn", "value"),
        ("any", "activity"),
    ],
)
def test_the_name_of_an_event_decides_between_intent_and_value(event, kind):
    assert kind_of(Criterion.model_validate({"event": event, "at_least": 1})) == kind


def test_a_criterion_about_a_trait_is_fit():
    assert kind_of(Criterion.model_validate({"trait": "size", "in": ["51-200"]})) == "fit"


def test_the_yaml_loads_back_as_the_recommended_definition(found, tmp_path):
    from pql_model.criteria.export import criteria_yaml

    (tmp_path / "criteria.yaml").write_text(criteria_yaml(found[0].to_dict(), "boards"), encoding="utf-8")
    assert load_definition(tmp_path / "criteria.yaml") == found[0].recommended.definition


def test_a_rule_by_segment_is_recommended_and_tested_like_any_other():
    rng = np.random.default_rng(5)
    n = 8000
    sizes = np.array(["small", "large"], object)[(rng.random(n) < 0.4).astype(int)]
    table = pd.DataFrame({BOARDS: rng.poisson(5 * rng.gamma(1.5, 1 / 1.5, n)), "trait.size": sizes})
    met = (table[BOARDS] >= 9) | ((table[BOARDS] >= 4) & (sizes == "large"))
    converted = rng.random(n) < np.where(met, 0.3, 0.04)
    begins = np.sort(rng.integers(0, 300, n)) * DAY
    outcomes = Outcomes(np.arange(n), begins + 14 * DAY, begins, converted, met.to_numpy(float))
    earlier = np.arange(n) < n // 2
    columns = [ModelColumn(BOARDS, "feature"), ModelColumn("trait.size", "category", ("large", "small"))]
    candidates = candidate_columns(columns, table[earlier], begins[earlier].astype(float), outcomes.as_of[earlier])
    shap = {"trait: size": np.zeros(n // 2)}
    found = find_criteria(
        candidates, table, outcomes, earlier, ~earlier, shap, rows="", in_force=None, leads_a_week=None, seed=7
    )
    best = found.recommended
    assert best is not None
    assert best.definition.nested
    assert best.confirmed
    assert (meets(best.definition, table) == met).mean() > 0.99
    assert best.members == tuple(c.id for c in found.criteria if c.criterion.event is not None)[:1]
    assert best.later.rate.value == pytest.approx(converted[(~earlier) & met].mean(), abs=0.01)
