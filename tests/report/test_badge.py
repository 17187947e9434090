from dataclasses import replace

import numpy as np
import pytest

from pql_model.config.definition import Definition
from pql_model.criteria.definition_metrics import GroupOutcomes, Outcomes, evaluate_definition
from pql_model.criteria.in_force import InForceVerdict
from pql_model.criteria.results import CriteriaResults, DefinitionResult, InForceResult
from pql_model.report.badge import badge
from pql_model.statistics.estimate import Estimate

RULE = Definition.model_validate({"all": [{"event": "Invited", "at_least": 2}]})
CLEAN = [{"level": "ok", "saw": "Nothing that stands out.", "does": "", "todo": ""}]
RED = [{"level": "red", "saw": "`plan` knows the outcome.", "does": "", "todo": ""}]


def rows(met, converted_of_met, others_of_1000=60, n=1000):
    """So many of 1,000 meet a rule; of these and of the others so many (of 1,000) convert."""
    meets = np.arange(n) < met
    converted = np.where(meets, np.arange(n) < converted_of_met, (np.arange(n) - met) < others_of_1000 * (n - met) / n)
    days = np.zeros(n, np.int64)
    return evaluate_definition(meets, Outcomes(np.arange(n), days, days, converted.astype(bool)))


def found(later, in_force=None):
    definition = DefinitionResult(
        "d1", RULE, later, later, 0.001, ("c1",), True, GroupOutcomes(0, 0, Estimate(0, 0, 0))
    )
    today = None
    if in_force is not None:
        verdict = InForceVerdict("about right", "", in_force, in_force, (), None, None)
        today = InForceResult(RULE, verdict, None, None)
    return CriteriaResults("as of day 14", later, later, (), (definition,), (), 12, 3, today)


def test_a_rule_with_certain_lift_that_beats_the_one_in_force_gets_use():
    payload = badge(found(rows(100, 40), in_force=rows(100, 12)), "ready", CLEAN)
    assert payload["name"] == "use"
    assert payload["sentence"] == (
        "It was found on earlier accounts and confirmed on later ones, where it also beat the rule in force: at least 3.4 times the usual rate."
    )


def test_without_a_rule_in_force_lift_is_enough():
    assert badge(found(rows(100, 40)), "ready", CLEAN)["name"] == "use"


@pytest.mark.parametrize(
    ("later", "today", "health", "missing"),
    [
        (rows(100, 40), rows(100, 36), CLEAN, "a clear lead over the rule in force"),
        (rows(200, 24), None, CLEAN, "certainly at least 1.5"),
        (rows(100, 40), None, RED, "clean data (`plan` knows the outcome)"),
    ],
)
def test_the_badge_names_what_is_missing_for_use(later, today, health, missing):
    payload = badge(found(later, today), "ready", health)
    assert payload["name"] == "use_with_care"
    assert missing in payload["would_change"]


def test_a_lift_by_chance_or_of_too_few_is_do_not_use():
    assert badge(found(rows(100, 7)), "ready", CLEAN)["name"] == "do_not_use"
    assert badge(found(rows(20, 15)), "ready", CLEAN)["name"] == "do_not_use"


def test_without_a_confirmed_rule_the_badge_is_do_not_use():
    nothing = replace(found(rows(100, 40)), definitions=())
    payload = badge(nothing, "no_signal", CLEAN)
    assert payload["name"] == "do_not_use"
    assert (
        payload["sentence"]
        == "No rule can be recommended: 3 rules were tested on later accounts, and none was confirmed. The model behind the scores is not ready (no_signal)."
    )
    assert "no behaviour stood out" in badge(replace(nothing, tested=0), "ready", CLEAN)["sentence"]


def test_the_sentence_says_if_the_model_is_not_ready():
    assert "not ready (no_signal)" in badge(found(rows(100, 40)), "no_signal", CLEAN)["sentence"]


def test_a_suspicious_model_lowers_the_badge_of_its_rule():
    payload = badge(found(rows(100, 40)), "suspicious", CLEAN)
    assert payload["name"] == "use_with_care"
    assert "better than honest data allow" in payload["would_change"]
    assert "not ready (suspicious)" in payload["sentence"]
