"""One alert is one lead, with the answers that came before the next."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.outreach.alerts import alerted_leads
from pql_model.outreach.logged_runs import logged_runs
from pql_model.time import DAY
from tests.outreach.ledgers import HORIZON, T0, ledger, row

NOW = T0 + 60 * DAY


def leads_of(*rows, until=NOW):
    with ledger(*rows) as table:
        return alerted_leads(table, logged_runs(table, HORIZON), until)


def at(day):
    return T0 + day * DAY


def test_daily_rows_of_a_pql_are_one_lead():
    leads = leads_of(row("a", 0), row("a", 1, "pql"), row("a", 2, "pql"), row("b", 1), row("h", 1, "held_out"))

    assert leads["entity"].tolist() == ["a", "b"]


def test_an_answer_belongs_to_the_last_alert_before_it():
    leads = leads_of(
        row("a", 0, contacted_at=at(1), rejected_at=at(22), rejected_reason="too small", owner="kim"),
        row("a", 20, rejected_at=at(22), rejected_reason="too small", owner="kim"),
    )

    assert leads["status"].tolist() == [None, "rejected"]
    assert leads["contacted_at"].notna().tolist() == [True, False]
    assert leads["rejected_reason"].fillna("").tolist() == ["", "too small"]
    assert leads["next_alert"].tolist()[0] == at(20)


@pytest.mark.parametrize(
    ("answers", "status", "contradictory"),
    [
        ({"accepted_at": at(2)}, "accepted", False),
        ({"won_at": at(9)}, "accepted", False),
        ({"rejected_at": at(2)}, "rejected", False),
        ({"accepted_at": at(2), "rejected_at": at(5)}, "rejected", True),
        ({"rejected_at": at(2), "accepted_at": at(5)}, "accepted", True),
        ({"rejected_at": at(5), "accepted_at": at(5)}, "rejected", True),
        ({"rejected_at": at(2), "accepted_at": at(1), "won_at": at(9)}, "accepted", True),
        ({"contacted_at": at(2)}, None, False),
        ({}, None, False),
    ],
)
def test_the_later_of_contradictory_answers_counts(answers, status, contradictory):
    (lead,) = leads_of(row("a", 0, **answers)).to_dict("records")

    assert lead["status"] == status
    assert lead["contradictory"] is contradictory
    assert lead["touched"] is bool(answers)


def test_what_came_later_than_the_instant_is_not_known():
    (lead,) = leads_of(row("a", 0, accepted_at=at(8), owner="kim"), until=at(8)).to_dict("records")

    assert lead["status"] is None
    assert lead["owner"] is None or lead["owner"] != lead["owner"]
    assert np.isnan(lead["accepted_at"])


def test_no_alerts_are_no_leads():
    assert leads_of(row("h", 0, "held_out")).empty
