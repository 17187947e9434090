"""Which runs count: those whose leads could be acted on."""

from __future__ import annotations

import pytest

from pql_model.outreach.logged_runs import fetch_rows, lead_rows, logged_runs
from pql_model.time import DAY
from tests.outreach.ledgers import HORIZON, T0, ledger, row


def runs_of(*rows, **keys):
    with ledger(*rows) as table:
        runs = logged_runs(table, HORIZON, **keys)
        leads = fetch_rows(lead_rows(table, runs))
        return runs, leads


def test_runs_of_pql_score_count_and_answers_of_the_service_do_not():
    runs, leads = runs_of(row("a", 0), row("b", 1), row("c", 1, source="service"), row("d", 2, source="replayed"))

    assert ((runs.used["as_of"] - T0) / DAY).tolist() == [0, 1]
    assert leads["entity"].tolist() == ["a", "b"]


def test_a_run_made_after_its_horizon_is_set_aside_nobody_could_be_contacted():
    runs, leads = runs_of(row("a", 0, scored_at=T0 + HORIZON), row("b", 1, scored_at=T0 + DAY + HORIZON - 1))

    assert runs.set_aside == {"scored_after_horizon": 1}
    assert leads["entity"].tolist() == ["b"]


def test_a_run_of_an_earlier_instant_than_a_run_before_it_is_set_aside():
    runs, leads = runs_of(row("a", 5), row("b", 2, scored_at=T0 + 6 * DAY), row("c", 7))

    assert runs.set_aside == {"run_out_of_order": 1}
    assert leads["entity"].tolist() == ["a", "c"]


@pytest.mark.parametrize(("first", "kept"), [("1", ["a", "b"]), ("2", ["a", "c"])])
def test_of_two_models_at_one_instant_the_one_of_the_run_before_decides(first, kept):
    rows = [row("a", 0, model_version=first), row("b", 1, model_version="1"), row("c", 1, model_version="2")]
    runs, leads = runs_of(*rows)

    assert runs.set_aside == {"another_model": 1}
    assert leads["entity"].tolist() == kept


def test_without_a_run_before_the_newer_version_decides_and_10_is_newer_than_9():
    _, leads = runs_of(row("a", 0, model_version="9"), row("b", 0, model_version="10"))

    assert leads["entity"].tolist() == ["b"]


def test_only_qualifying_rows_are_leads():
    _, leads = runs_of(
        row("a", 0), row("b", 0, "held_out"), row("c", 0, "quiet"), row("d", 0, "quiet", suppressed="capacity")
    )

    assert leads["entity"].tolist() == ["a", "b"]


def test_runs_from_an_instant_on_are_left_out():
    runs, _ = runs_of(row("a", 0), row("b", 3), until=T0 + 3 * DAY)

    assert len(runs.used) == 1


def test_a_ledger_without_rows_has_no_runs():
    runs, leads = runs_of()

    assert (len(runs.used), runs.set_aside, len(leads)) == (0, {}, 0)
