"""`pql effect` on a product whose log, payments and feedback are those of a world with a known effect."""

from __future__ import annotations

import math

import pytest

import pql_model
from pql_model.errors import DataError
from tests.outreach.product import write_product


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """60 % of the alerted are contacted, which gains 40 points each: the effect of an alert is 24."""
    return write_product(tmp_path_factory.mktemp("effect"), contacted=0.6, effect=0.4, per_day=14, days=112)


@pytest.fixture(scope="module")
def result(product):
    return pql_model.effect(product)


def test_the_planted_effect_is_found_in_the_tables_of_the_product(result):
    overall = result.measurement.overall

    assert result.measurement.verdict == "helps"
    assert overall.difference.low < 0.24 < overall.difference.high
    assert result.sentences[0].startswith("Contact makes a difference: ")
    assert result.runs == {"used": 16}
    assert result.measurement.assignment.warnings == ()


def test_contacts_come_from_the_feedback(result):
    compliance = result.measurement.compliance

    assert 0.5 < compliance.alerted_contacted.value < 0.7
    assert compliance.held_out_contacted.value == 0


def test_feedback_of_an_unknown_account_is_said(result):
    assert any("answers.csv" in note for note in result.notes)


def test_the_json_object_has_the_answer_and_the_plan(result):
    payload = result.to_dict()

    assert payload["horizon"] == "30d"
    assert payload["overall"]["difference"]["low"] > 0
    assert payload["cost"]["value_so_far"]["value"] > 0
    assert payload["planning"]["hold_out"] == 0.2


def test_as_of_an_earlier_instant_less_is_known(product, result):
    earlier = pql_model.effect(product, as_of="2026-03-20")

    assert earlier.to_dict()["as_of"] == "2026-03-20"
    assert earlier.measurement.qualified < result.measurement.qualified
    assert earlier.measurement.pending > 0


def test_before_the_first_run_there_are_no_leads(product):
    before = pql_model.effect(product, as_of="2026-01-02")

    assert before.measurement.verdict == "no_leads"
    assert math.isnan(before.measurement.flow)


def test_a_text_that_is_not_a_time_is_refused(product):
    with pytest.raises(DataError, match="not a time"):
        pql_model.effect(product, as_of="soon")


def test_without_feedback_and_hold_out_it_cannot_be_known(tmp_path):
    product = write_product(tmp_path, feedback=False, hold_out=0.0, share=lambda day: 0.0, per_day=5, days=70)
    result = pql_model.effect(product)

    assert result.measurement.verdict == "no_hold_out"
    assert "cannot be known" in result.sentences[0]
