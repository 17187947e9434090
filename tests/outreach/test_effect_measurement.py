"""From a ledger to all that is known of the effect: in worlds with a known effect, and where nothing can be known."""

from __future__ import annotations

import math

import pytest

from pql_model.outreach.effect_measurement import measure_effect
from pql_model.outreach.logged_runs import logged_runs
from pql_model.outreach.qualifications import first_qualifications
from pql_model.time import DAY
from tests.outreach.ledgers import HORIZON, PRODUCT, T0, effect_worlds, ledger, row, session_table

BANDS = ("high", "medium", "low", "very_low")


def measured(table, hold_out=0.2, has_feedback=True):
    return measure_effect(
        first_qualifications(table, logged_runs(table, HORIZON)), PRODUCT, HORIZON, BANDS, hold_out, has_feedback
    )


def rows_of(*rows, **keys):
    with ledger(*rows) as table:
        return measured(table, **keys)


@pytest.fixture(scope="module")
def world():
    """60 % of the alerted are contacted, which gains 25 points each: the effect of an alert is 15."""
    made = effect_worlds.EffectWorld(every=7, late=30, days=140, effect=0.25, contacted=0.6)
    with session_table(effect_worlds.ledger_of(made, 3)) as table:
        yield measured(table)


def test_a_planted_effect_lies_in_the_interval_and_is_seen(world):
    assert world.verdict == "helps"
    assert world.overall.difference.low < 0.15 < world.overall.difference.high
    assert world.overall.adjusted.low < 0.15 < world.overall.adjusted.high
    assert world.compliance.effect_of_contacted.low < 0.25 < world.compliance.effect_of_contacted.high


def test_the_hold_out_qualifies_by_the_same_rule_and_takes_no_place(world):
    share = world.overall.held_out.entities / (world.overall.held_out.entities + world.overall.alerted.entities)

    assert abs(share - 0.2) < 0.05
    assert world.assignment.warnings == ()
    assert world.assignment.periods[0]["share_at_least"] < 0.2 <= world.assignment.periods[0]["share_at_most"]


def test_the_cost_of_the_hold_out_is_the_difference_times_its_size(world):
    expected = world.overall.difference.value * world.overall.held_out.entities

    assert world.cost.so_far.value == pytest.approx(expected)
    assert world.cost.value_so_far.value == pytest.approx(100 * expected)
    assert world.cost.per_month.value == pytest.approx(
        world.overall.difference.value * world.flow * 0.2 * 365.25 / 12 / 7
    )


def test_larger_effects_are_seen_sooner_and_a_larger_hold_out_sees_them_sooner(world):
    assert [wait.entities for wait in world.waits] == sorted((wait.entities for wait in world.waits), reverse=True)
    assert world.waits_of_shares[0].entities > world.waits_of_shares[2].entities
    assert 0 < world.detectable < 0.2


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], "no_leads"),
        ([row("a", 0, "quiet")], "no_leads"),
        ([row("a", 0, source="service")], "no_leads"),
        ([row("a", 0, scored_at=T0 + 99 * DAY)], "no_leads"),
        ([row(f"a{k}", 0) for k in range(40)], "no_hold_out"),
        ([row("a", 0, final=False, converted=None), row("h", 0, "held_out", final=False)], "no_final_outcomes"),
        ([*(row(f"a{k}", 0) for k in range(40)), *(row(f"h{k}", 0, "held_out") for k in range(9))], "too_few"),
        ([*(row(f"a{k}", 0) for k in range(40)), *(row(f"h{k}", 0, "held_out") for k in range(12))], "unclear"),
        ([row(f"h{k}", 0, "held_out") for k in range(12)], "too_few"),
    ],
)
def test_what_cannot_be_known_is_said_to_be_unknown(rows, verdict):
    result = rows_of(*rows)

    assert result.verdict == verdict
    assert result.overall.is_known is (verdict == "unclear")


def test_without_leads_there_is_nothing_to_plan_with():
    result = rows_of()

    assert result.waits == ()
    assert math.isnan(result.base_rate)
    assert result.to_dict()["planning"]["base_rate"] is None


def test_a_harmful_contact_is_named():
    rows = [row(f"a{k}", 0, converted=k < 10) for k in range(200)]
    rows += [row(f"h{k}", 0, "held_out", converted=k < 40) for k in range(100)]

    assert rows_of(*rows).verdict == "harms"


def test_a_year_without_a_conversion_has_an_interval_around_no_difference():
    rows = [row(f"a{k}", k % 300) for k in range(300)] + [row(f"h{k}", k % 300, "held_out") for k in range(60)]
    result = rows_of(*rows)

    assert result.verdict == "unclear"
    assert result.cost.value_so_far is None
    assert result.overall.paid_anyway.value == 0


def test_the_json_object_has_no_numbers_that_json_lacks():
    payload = rows_of(row("a", 0), row("h", 0, "held_out")).to_dict()

    assert payload["overall"]["difference"] == {"value": None, "low": None, "high": None}
    assert payload["verdict"] == "too_few"
    assert payload["pending"] == 0
