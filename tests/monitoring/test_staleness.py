"""Definitions over time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.criteria.definition_metrics import Outcomes, evaluate_definition
from pql_model.monitoring.staleness import definitions_over_time, stale_findings
from pql_model.time import DAY

TEXTS = {"recommended": "at least 3 `Invite`", "in_force": "at least 2 `Board`"}


def metrics(n=800, share=0.25, rate=0.3, other=0.05):
    mask = np.arange(n) < n * share
    converted = np.where(mask, np.arange(n) % round(1 / rate) == 0, np.arange(n) % round(1 / other) == 0)
    return evaluate_definition(mask, Outcomes(np.arange(n), np.zeros(n, int), np.zeros(n, int), converted))


def realised(n=800, rate=0.1, other=0.1, ages=1) -> pd.DataFrame:
    mask = np.arange(n) < n // 4
    converted = np.where(mask, np.arange(n) % round(1 / rate) == 0, np.arange(n) % round(1 / other) == 0)
    one = pd.DataFrame(
        {
            "entity": np.arange(n),
            "as_of": (100 + np.arange(n) % 60) * DAY,
            "converted": pd.array(converted, dtype="boolean"),
            "meets_definition": pd.array(mask, dtype="boolean"),
            "meets_in_force": pd.array([None] * n, dtype="boolean"),
        }
    )
    return pd.concat([one.assign(as_of=one["as_of"] + 7 * DAY * k) for k in range(ages)], ignore_index=True)


def over_time(rows, before=None):
    return definitions_over_time(rows, TEXTS, before or {name: metrics() for name in TEXTS}, "trial")


def test_a_definition_that_no_longer_separates_is_stale():
    found = over_time(realised())

    assert [definition.name for definition in found] == ["recommended"]  # the other column holds nothing
    [finding] = stale_findings(found, None)
    assert (finding.kind, finding.subject, finding.severity) == ("criterion_stale", "recommended", "watch")
    assert "no longer" in finding.words or "does not separate" in finding.words
    assert finding.figure < finding.expected


def test_a_stale_definition_that_qualifies_leads_is_to_be_acted_on():
    [finding] = stale_findings(over_time(realised()), "recommended")
    assert finding.severity == "act"


def test_a_definition_that_still_separates_is_not_stale():
    assert stale_findings(over_time(realised(rate=0.33, other=0.05)), None) == ()


def test_few_conversions_do_not_make_a_definition_stale():
    assert stale_findings(over_time(realised(n=80)), None) == ()


def test_a_definition_that_was_stale_before_is_no_news():
    stale = {name: metrics(rate=0.1, other=0.1) for name in TEXTS}
    assert stale_findings(over_time(realised(), stale), None) == ()


def test_several_ages_of_an_entity_count_once():
    [once], [twice] = over_time(realised()), over_time(realised(ages=2))
    assert once.now.rows == twice.now.rows == 800


def test_a_definition_without_a_test_is_not_judged():
    assert definitions_over_time(realised(), TEXTS, {}, "trial") == ()
