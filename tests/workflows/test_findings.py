import json

import numpy as np
import pytest

from pql_model.audit.audit import quarantined
from pql_model.criteria.evaluate import meets


@pytest.fixture
def findings(trained):
    return trained.findings


def test_earlier_and_later_rows_share_no_entity_and_no_row_is_both(trained, findings):
    assert not (findings.earlier & findings.later).any()
    names = findings.outcomes.entity
    assert not set(names[findings.earlier]) & set(names[findings.later])
    assert findings.outcomes.begins[findings.earlier].max() < findings.outcomes.begins[findings.later].min()


def test_each_account_is_one_row_at_one_age(findings):
    age = findings.outcomes.as_of - findings.outcomes.begins
    assert len(np.unique(age)) == 1
    assert len(np.unique(findings.outcomes.entity)) == len(findings.outcomes)
    assert findings.text == "as of day 14 of the trial"


def test_the_rows_have_the_probability_of_the_model(trained, findings):
    model = trained.registered.model.held_back
    assert findings.outcomes.probability == pytest.approx(model.probability(findings.table), abs=1e-12)


def test_no_quarantined_column_becomes_a_criterion(trained, findings):
    guilty = set(quarantined(trained.prepared.findings))
    assert guilty, "the demo has planted leaks"
    read = {c.mined.column for c in findings.results.criteria} | {b.column.name for b in findings.behaviours}
    assert not read & guilty


def test_the_rule_in_force_is_judged_on_the_later_rows(trained, findings):
    met = meets(findings.results.in_force.definition, findings.table)
    assert findings.results.in_force.verdict.later.qualified == int(met[findings.later].sum())
    assert findings.results.in_force.verdict.verdict in {"too lax", "too strict", "about right", "stale", "cannot tell"}


def test_the_behaviours_of_the_model_have_shares_that_add_up(findings):
    assert sum(b.share.value for b in findings.behaviours) == pytest.approx(1)
    assert {"Teammate Invited", "Automation Run"} <= {b.name for b in findings.behaviours}


def test_the_findings_are_plain_json(findings):
    payload = json.loads(json.dumps(findings.to_dict(), allow_nan=False))
    assert {"base_rate", "behaviours", "criteria", "definitions", "in_force"} <= set(payload)
    assert {"behaviour", "share", "direction", "shape", "features"} <= set(payload["behaviours"][0])
