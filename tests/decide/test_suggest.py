"""Both suggestions come from one decider; each is None without its part."""

from dataclasses import replace

import numpy as np
import pytest
from small_model import small_model, small_table

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns
from pql_model.decide.bands import Bands
from pql_model.decide.decider import Decider
from pql_model.decide.policy import PolicyRule
from pql_model.decide.suggest import Suggester, count_next_steps
from pql_model.model.age_level import AGE
from pql_model.statistics.estimate import Estimate

INVITED = {"event": "Teammate Invited", "at_least": 9, "within": "first 7d"}
FULL = Decider(
    "tiny",
    PolicyRule(0.5, None, ""),
    Bands.of({"high": 0.25}),
    criteria=(BoundCriterion(Criterion.model_validate(INVITED), "c1"),),
    recommended=BoundDefinition(Definition.model_validate({"all": [INVITED]}), "d1"),
    slopes={"Teammate Invited": Estimate(0.8, 0.4, 1.2)},
)


@pytest.fixture(scope="module")
def suggest():
    model = small_model()
    table, _ = small_table(rows=20, seed=3)
    table = table.assign(**{AGE: 3.0, "Teammate+Invited.count.first_7d": 1.0})

    def of(decider):
        columns = Columns.of_table(table, decider.conditions, [AGE])
        return Suggester(decider, model).suggest(columns, model.manifest.matrix(table))

    return of


def test_a_criterion_has_one_probability_in_both_suggestions(suggest):
    both = [s for s in suggest(FULL) if s.next_step is not None]
    assert both
    assert {s.nearest_missing.condition.text for s in both} == {s.next_step.condition.text for s in both}
    assert [s.nearest_missing.probability for s in both] == [s.next_step.probability for s in both]


def test_next_steps_are_counted_by_criterion(suggest):
    suggestions = suggest(FULL)
    worth = sum(s.next_step is not None for s in suggestions)
    assert count_next_steps(suggestions) == {"at least 9 `Teammate Invited` in the first 7 days": worth}
    assert count_next_steps([]) == {}


def test_without_slopes_the_model_alone_predicts_and_nothing_is_worth_a_nudge(suggest):
    scaled, plain = suggest(FULL), suggest(replace(FULL, slopes={}))
    assert all(s.next_step is None for s in plain)
    moved = [(a.nearest_missing.probability, b.nearest_missing.probability) for a, b in zip(scaled, plain, strict=True)]
    assert np.mean([after < before for after, before in moved]) > 0.5  # 0.8 of what the model predicts


def test_without_definition_and_criteria_there_is_nothing_to_suggest(suggest):
    assert set(suggest(Decider("", FULL.rule, FULL.bands))) == {(None, None)}
