"""The first qualification of each entity, in the arm it had then."""

from __future__ import annotations

import math

import pytest

from pql_model.outreach.logged_runs import logged_runs
from pql_model.outreach.qualifications import first_qualifications, flow_per_week
from pql_model.time import DAY, WEEK
from tests.outreach.ledgers import HORIZON, T0, ledger, row


def qualified(*rows):
    with ledger(*rows) as table:
        return first_qualifications(table, logged_runs(table, HORIZON))


def test_each_entity_counts_once_with_the_outcome_of_its_first_qualification():
    result = qualified(
        row("a", 0, converted=None, final=False, probability=0.2),
        row("a", 20, converted=True, probability=0.6),  # alerted again
        row("b", 0, "quiet"),
        row("b", 1, "held_out", converted=True),
        row("b", 2, "held_out"),
    )

    frame = result.frame.set_index("entity")
    assert frame.index.tolist() == ["a", "b"]
    assert frame["held_out"].tolist() == [False, True]
    assert frame["final"].tolist() == [False, True]
    assert frame["converted"].tolist() == [False, True]
    assert frame.loc["a", "probability"] == pytest.approx(0.2)
    assert result.pending == 1


def test_an_entity_alerted_first_and_held_out_later_stays_in_the_arm_of_its_first_qualification():
    frame = qualified(row("a", 0), row("a", 5, "held_out"), row("b", 0, "held_out"), row("b", 5)).frame

    assert frame["held_out"].tolist() == [False, True]
    assert ((frame["alerted_at"] - T0) / DAY).tolist() == [0, 5]


def test_a_run_that_follows_runs_which_were_not_logged_is_left_out_in_both_arms():
    result = qualified(
        row("old", 0, "pql"),  # alerted before the log began
        row("new", 0),
        row("held", 0, "held_out"),  # nobody can say since when
        row("later", 1),
        row("held later", 1, "held_out"),
        row("held", 1, "held_out"),
    )

    assert result.frame["entity"].tolist() == ["held later", "later"]
    assert result.set_aside == {"qualified_before_the_log": 3}


def test_entities_that_todays_data_do_not_have_are_counted_and_left_out():
    result = qualified(row("a", 0), row("gone", 0, known=False, final=False, converted=None))

    assert result.frame["entity"].tolist() == ["a"]
    assert result.set_aside == {"not_in_todays_data": 1}


def test_an_empty_ledger_has_no_qualifications():
    result = qualified()

    assert result.frame.empty
    assert result.set_aside == {}
    assert math.isnan(flow_per_week(result.frame, WEEK))


def test_the_flow_leaves_out_the_stock_of_the_first_run():
    rows = [row(f"s{k}", 0) for k in range(50)] + [row(f"n{k}", 1 + k) for k in range(28)]

    assert flow_per_week(qualified(*rows).frame, WEEK) == pytest.approx(7.0)


def test_the_flow_of_less_than_a_week_is_not_known():
    assert math.isnan(flow_per_week(qualified(row("a", 0), row("b", 3)).frame, WEEK))
