import json

import numpy as np
import pytest
from small_model import small_model, small_table

from pql_model.errors import FeatureMismatchError
from pql_model.explain.entity import explain_row
from pql_model.explain.scored import scored_rows


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def rows():
    return small_table(rows=60, seed=11)[0]


def test_the_explanation_agrees_with_the_scored_row(model, rows):
    scored = scored_rows(model, rows)
    for i in (0, 7, 42):
        explained = explain_row(model, rows[i : i + 1].reset_index(drop=True))
        assert (explained.probability, explained.score) == (scored["probability"][i], scored["score"][i])
        assert [reason.to_dict() for reason in explained.reasons] == json.loads(scored["reasons"][i])
        parts = {step.part: step.log_odds for step in explained.steps}
        assert [parts[part] for part in ("usage", "fit", "timing")] == scored.loc[
            i, ["usage", "fit", "timing"]
        ].tolist()


def test_the_steps_lead_from_the_base_through_fit_timing_and_usage_to_the_probability(model, rows):
    explained = explain_row(model, rows[:1])
    assert [step.part for step in explained.steps] == ["base", "fit", "timing", "usage"]
    assert explained.steps[-1].probability == explained.probability
    assert sum(step.effect for step in explained.steps) == pytest.approx(100 * explained.probability)
    margins = np.cumsum([step.log_odds for step in explained.steps])
    assert [step.probability for step in explained.steps] == pytest.approx(model.calibration.apply(margins).tolist())


def test_every_behaviour_is_listed_with_the_strongest_first(model, rows):
    explained = explain_row(model, rows[3:4].reset_index(drop=True))
    strengths = [abs(reason.log_odds) for reason in explained.behaviours]
    assert {r.behaviour for r in explained.behaviours} == {"Teammate Invited", "time since sign-up", "seats", "size"}
    assert strengths == sorted(strengths, reverse=True)
    assert sum(r.log_odds for r in explained.behaviours) + explained.steps[0].log_odds == pytest.approx(
        model.margin(rows[3:4])[0], abs=1e-6
    )


def test_the_base_rate_and_mean_probability_of_the_test_period_are_included(model, rows):
    explained = explain_row(model, rows[:1])
    assert explained.base_rate == 0.4  # 40 of 100 in the facts of the model
    assert explained.average == pytest.approx(np.mean(model.reference))


def test_a_missing_column_is_named(model, rows):
    with pytest.raises(FeatureMismatchError, match=r"lacks 1 of 5 columns: trait.size"):
        explain_row(model, rows[:1].drop(columns="trait.size"))
