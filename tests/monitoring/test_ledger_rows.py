"""What the monitor reads of a ledger: one row an entity and age, and sums over entities."""

from __future__ import annotations

import pandas as pd
import pytest
from said import START, entities, ledger_table, said

from pql_model.config.schema import Config
from pql_model.monitoring.ledger_rows import due_rows, outcome_sums, qualified_counts
from pql_model.time import DAY

BASE = {
    "name": "boards",
    "entity": "account",
    "events": [{"table": "e.csv", "columns": {"entity": "a", "event": "e", "time": "t"}}],
    "entities": {"table": "a.csv", "columns": {"entity": "a", "signed_up": "s"}},
    "conversions": {"table": "c.csv", "columns": {"entity": "a", "time": "t"}},
    "horizon": "30d",
}
TRIAL = Config.model_validate({**BASE, "motion": "trial", "snapshots": {"at_days": [7, 14]}})
FREEMIUM = Config.model_validate({**BASE, "motion": "freemium", "snapshots": {"every": "7d", "active_within": "28d"}})


def test_a_score_a_day_weighs_as_much_as_a_single_one():
    rows = said(["a"] * 10 + ["b"], [*range(10), 0], [0.3] * 10 + [0.1], [True] * 10 + [False])
    with ledger_table(rows) as (_, table):
        [total] = outcome_sums(table).to_dict("records")

    assert (total["rows"], total["entities"], total["converting"]) == (11, 2, 1)
    assert total["weight"] == pytest.approx(2)
    assert total["expected"] == pytest.approx(0.4)
    assert total["observed"] == pytest.approx(1)


def test_months_are_utc_months_and_each_counts_an_entity_once():
    rows = said(["a", "a", "a"], [30, 31, 32], [0.2, 0.4, 0.6], [False, True, True])
    with ledger_table(rows) as (_, table):
        months = outcome_sums(table, "month").set_index("month")

    assert months["weight"].tolist() == pytest.approx([1, 1])
    assert months["expected"].tolist() == pytest.approx([0.2, 0.5])
    assert months.index.tolist() == ["2026-01", "2026-02"]


def test_bands_share_the_weight_of_an_entity_that_was_in_several():
    rows = said(["a"] * 4, range(4), [0.3, 0.3, 0.3, 0.05], [False] * 4, band=["high"] * 3 + ["low"])
    with ledger_table(rows) as (_, table):
        bands = outcome_sums(table, "band").set_index("band")

    assert bands["weight"].to_dict() == pytest.approx({"high": 0.75, "low": 0.25})


def test_the_outcome_of_a_pql_is_that_of_its_first_row_as_one():
    rows = said(
        ["a", "a", "b", "c"],
        [0, 5, 0, 0],
        [0.1, 0.4, 0.1, 0.4],
        [False, True, False, False],
        is_pql=[False, True, False, True],
    )
    with ledger_table(rows) as (_, table):
        counts = qualified_counts(table).set_index("qualified")

    assert counts.loc[True].tolist() == [2, 1]
    assert counts.loc[False].tolist() == [1, 0]


def test_a_trial_gives_the_first_row_of_each_age():
    rows = said(
        ["a"] * 5, [3, 8, 9, 14, 15], [0.1, 0.2, 0.3, 0.4, 0.5], [None, None, False, False, None],
        final=[True] * 5, meets_in_force=[None, None, True, True, None],
    )  # fmt: skip
    with ledger_table(rows) as (con, table):
        due = due_rows(table, entities(con, {"a": 0}), TRIAL, None, START)

    assert due["probability"].tolist() == [0.2, 0.4]
    assert due["group"].tolist() == [0, 1]
    assert due["as_of"].tolist() == [START + 8 * DAY, START + 14 * DAY]
    assert pd.isna(due["converted"][0])  # the first row has no outcome: not that of the second
    assert pd.isna(due["meets_in_force"][0])


def test_freemium_gives_one_row_a_horizon():
    rows = said(["a"] * 70, range(70), [0.1] * 70, [False] * 70)
    with ledger_table(rows) as (con, table):
        due = due_rows(table, entities(con, {}), FREEMIUM, None, START)

    assert len(due) in (3, 4)
    assert due["signed_up"].isna().all()


def test_versions_and_the_past_are_left_out():
    rows = said(["a", "a", "b"], [8, 8, 8], [0.1, 0.2, 0.3], [False] * 3, model_version=["1", "2", "2"])
    with ledger_table(rows) as (con, table):
        listed = entities(con, {"a": 0, "b": 0})
        assert due_rows(table, listed, TRIAL, ["2"], START)["probability"].tolist() == [0.2, 0.3]
        assert due_rows(table, listed, TRIAL, None, START + 9 * DAY).empty


def test_of_too_many_rows_whole_entities_are_drawn():
    names = [f"a{i}" for i in range(400)]
    rows = said(names * 2, [8] * 400 + [14] * 400, [0.1] * 800, [False] * 800)
    with ledger_table(rows) as (con, table):
        due = due_rows(table, entities(con, dict.fromkeys(names, 0)), TRIAL, None, START, most=200)

    assert 100 < len(due) < 300
    assert set(due.groupby("entity").size()) == {2}
