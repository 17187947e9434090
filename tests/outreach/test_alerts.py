"""One alert is one lead, with the answers that came before the next."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pql_model.time import DAY
from tests.outreach import ledgers
from tests.outreach.ledgers import T0, row

NOW = T0 + 60 * DAY


leads_of = partial(ledgers.leads_of, until=NOW)


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


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (["accepted", "rejected", "accepted"], "accepted", "reason 2"),
        (["rejected", "accepted", "rejected"], "rejected", "reason 3"),
        (["rejected", "accepted", "accepted", "rejected", "won"], "accepted", "reason 4"),
        (["contacted", "rejected", "contacted"], "rejected", "reason 2"),
    ],
)
def test_what_was_said_last_counts_however_often_it_changed(said, status, reason):
    """The ledger holds the first of each meaning, which cannot tell what was said last."""
    answers = [
        {"entity": "a", "time": at(k), "meaning": meaning, "reason": f"reason {k}" if meaning == "rejected" else None}
        for k, meaning in enumerate(said, 1)
    ]
    (lead,) = leads_of(row("a", 0), answers=answers).to_dict("records")

    assert (lead["status"], lead["rejected_reason"]) == (status, reason)
    assert lead["contradictory"] is (len({"accepted", "rejected"} & set(said)) > 1)


def test_what_came_later_than_the_instant_is_not_known():
    (lead,) = leads_of(row("a", 0, accepted_at=at(8), owner="kim"), until=at(8)).to_dict("records")

    assert lead["status"] is None
    assert lead["owner"] is None or lead["owner"] != lead["owner"]
    assert np.isnan(lead["accepted_at"])


def test_no_alerts_are_no_leads():
    assert leads_of(row("h", 0, "held_out")).empty
