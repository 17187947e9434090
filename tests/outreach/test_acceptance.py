"""Acceptance by group, with intervals that know that alerts of one account are not independent."""

from __future__ import annotations

import math
from functools import partial

import pytest

from pql_model.outreach.acceptance import LeadGroup, contact_delay, lead_groups, rejection_reasons, untouched
from pql_model.statistics.estimate import wilson
from pql_model.time import DAY
from tests.outreach import ledgers
from tests.outreach.ledgers import T0, row

NOW = T0 + 60 * DAY


leads_of = partial(ledgers.leads_of, until=NOW)


def at(day):
    return T0 + day * DAY


def accepted(entity, day=0, **keys):
    return row(entity, day, accepted_at=at(day + 1), owner="kim", **keys)


def rejected(entity, day=0, **keys):
    return row(entity, day, rejected_at=at(day + 1), owner="lee", **keys)


def test_acceptance_is_the_share_of_the_decided_alerts():
    leads = leads_of(*(accepted(f"a{k}") for k in range(6)), *(rejected(f"r{k}") for k in range(2)), row("open", 0))
    group = LeadGroup.of("all", leads)

    assert (group.leads, group.touched, group.accepted, group.rejected) == (9, 8, 6, 2)
    assert group.acceptance == wilson(6, 8)
    assert group.contacted_rate == wilson(0, 9)


def test_alerts_of_one_account_are_fewer_than_so_many_trials():
    once = LeadGroup.of("all", leads_of(*(accepted(f"a{k}") for k in range(6)), *(rejected(f"r{k}") for k in range(6))))
    twice = LeadGroup.of(
        "all",
        leads_of(
            *(accepted(f"a{k}", day) for k in range(6) for day in (0, 20)),
            *(rejected(f"r{k}", day) for k in range(6) for day in (0, 20)),
        ),
    )

    assert (once.leads, twice.leads, twice.entities) == (12, 24, 12)
    width = twice.acceptance.high - twice.acceptance.low
    assert width == pytest.approx(once.acceptance.high - once.acceptance.low, rel=0.06)


def test_groups_are_by_band_definition_owner_and_month():
    leads = leads_of(
        accepted("a", meets_definition=True, band="medium"),
        rejected("b", 35, meets_definition=False, band="high"),
        row("c", 35, band="high"),
    )
    groups = lead_groups(leads, ("high", "medium", "low"))

    assert {kind: [group.group for group in of] for kind, of in groups.items()} == {
        "band": ["high", "medium"],
        "definition": ["met", "not met"],
        "definition_in_force": [],
        "owner": ["kim", "lee"],
        "month": ["2026-03", "2026-04"],
    }


def test_reasons_of_rejections_are_counted_with_those_that_have_none():
    leads = leads_of(*(rejected(f"r{k}", rejected_reason="too small") for k in range(3)), rejected("r9"), accepted("a"))

    assert [(reason.reason, reason.leads) for reason in rejection_reasons(leads)] == [("too small", 3), (None, 1)]


def test_the_delay_counts_only_alerts_that_are_old_enough():
    leads = leads_of(row("a", 0, contacted_at=at(2)), row("b", 0), row("c", 58, contacted_at=at(58.5)))
    delay = contact_delay(leads, NOW)

    assert delay.within[3].value == pytest.approx(1 / 2)
    assert delay.within[1].value == pytest.approx(1 / 3)
    assert delay.median_days == pytest.approx(1.25)
    assert math.isnan(contact_delay(leads.iloc[:0], NOW).median_days)


def test_alerts_that_nobody_touched_are_named_after_a_week():
    result = untouched(leads_of(row("old", 0), row("older", 1, contacted_at=at(3)), row("fresh", 58)), NOW)

    assert result.leads == 1
    assert result.last == ({"entity": "old", "as_of": "2026-03-02", "band": "high"},)
    assert result.share == wilson(1, 2)
