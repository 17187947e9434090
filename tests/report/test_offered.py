import itertools
from dataclasses import replace

import numpy as np
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.report.explorer import explorer_data
from pql_model.report.offered import MOST_LEVELS, MOST_SLIDERS, explorer_bits, offered_criteria


def condition(event, threshold, window="first 7d"):
    return {"event": event, "measure": "count", "window": window, "operator": ">=", "threshold": threshold}


@pytest.fixture(scope="module")
def offered(trained):
    return offered_criteria(trained.findings)


def of(offered, kind):
    groups = {}
    for each in offered:
        if each["control"] == kind:
            groups.setdefault(each["group"], []).append(each)
    return groups


def test_each_condition_is_offered_once_and_those_of_the_rule_in_force_are_among_them(trained, offered):
    conditions = [str(each["conditions"]) for each in offered]

    assert len(set(conditions)) == len(conditions)
    assert len({each["id"] for each in offered}) == len(offered)
    force = trained.findings.results.in_force.definition.criteria
    assert {(c.event, c.threshold) for c in force} <= {
        (each["conditions"][0].get("event"), each["conditions"][0].get("threshold")) for each in offered
    }
    assert set(explorer_bits(trained.findings).columns) >= {each["id"] for each in offered}


def test_a_behaviour_is_one_slider_from_the_loosest_to_the_strictest_step(trained, offered):
    bits, sliders = explorer_bits(trained.findings), of(offered, "slider")

    assert 2 <= len(sliders) <= MOST_SLIDERS
    for steps in sliders.values():
        assert len(steps) <= MOST_LEVELS
        rows = [bits[step["id"]].to_numpy() for step in steps]
        assert all((stricter <= looser).all() for looser, stricter in itertools.pairwise(rows))
    assert max(map(len, sliders.values())) > 2


def test_every_criterion_that_was_found_keeps_its_step(trained, offered):
    names = {each["id"].split(".")[0] for each in offered}

    assert {criterion.id for criterion in trained.findings.results.criteria} <= names


def test_a_trait_is_a_row_of_chips_of_which_a_row_has_one(trained, offered):
    bits, chips = explorer_bits(trained.findings), of(offered, "chips")

    assert "company_size" in chips
    for values in chips.values():
        assert (bits[[value["id"] for value in values]].to_numpy().sum(axis=1) <= 1).all()
        assert "not known" not in [value["short"] for value in values]
    size = next(each for each in chips["company_size"] if each["short"] == "11-50")
    rows = trained.findings.earlier | trained.findings.later
    expected = trained.findings.table["trait.company_size"][rows].to_numpy() == "11-50"
    assert np.array_equal(bits[size["id"]].to_numpy(), expected)


@pytest.mark.parametrize("mode", ["counts", "rows"])
def test_values_that_were_found_together_come_apart_also_as_a_behaviour(trained, mode):
    findings = trained.findings
    sizes = Criterion.model_validate({"trait": "company_size", "in": ["11-50", "201+"]})
    first, *others = findings.results.criteria
    found = replace(
        first,
        definition=Definition.joining([sizes], 1),
        mined=replace(first.mined, condition=sizes, family="trait: company_size", column="trait.company_size"),
    )
    findings = replace(findings, results=replace(findings.results, criteria=(found, *others)))
    offered = offered_criteria(findings)

    assert all(len(each["conditions"][0].get("in", ["one"])) == 1 for each in offered)
    explorer_data(explorer_bits(findings), offered, mode)


def test_the_thresholds_of_a_rule_by_segment_are_steps_of_the_slider(trained):
    findings = trained.findings
    rule = findings.results.definitions[0]
    high, low = ({"event": "Board Created", "at_least": n, "within": "first 14d"} for n in (31, 17))
    by_segment = Definition.model_validate({"any": [high, {"all": [low, {"trait": "company_size", "in": ["11-50"]}]}]})
    definitions = (replace(rule, definition=by_segment), *findings.results.definitions[1:])
    offered = offered_criteria(replace(findings, results=replace(findings.results, definitions=definitions)))

    assert {17, 31} <= {each["conditions"][0].get("threshold") for each in offered}


@pytest.mark.parametrize("mode", ["counts", "rows"])
def test_the_offer_fits_the_explorer(trained, offered, mode):
    data = explorer_data(explorer_bits(trained.findings), offered, mode)

    assert [control["kind"] for control in data["controls"]].count("slider") == len(of(offered, "slider"))
