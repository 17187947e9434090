"""Realised results of past scores."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from said import ledger_table, said

from pql_model.monitoring.ledger_rows import outcome_sums, qualified_counts
from pql_model.monitoring.realised import realised_results
from pql_model.statistics.estimate import wilson


def results(rows):
    with ledger_table(rows) as (_, table):
        return realised_results(lambda by: outcome_sums(table, by), qualified_counts(table))


def test_nothing_final_gives_no_results():
    assert results(said([], [], [], [])) is None


def test_rows_of_single_entities_have_the_binomial_interval():
    converted = np.arange(400) % 5 == 0
    rows = said([f"a{i}" for i in range(400)], np.zeros(400, int), np.full(400, 0.1), converted)
    total = results(rows).total

    assert (total.rows, total.entities, total.converting) == (400, 400, 80)
    assert total.expected == pytest.approx(40)
    assert total.observed.value == pytest.approx(0.2)
    assert total.observed.low == pytest.approx(wilson(80, 400).low, abs=1e-3)
    assert total.ratio.value == pytest.approx(2)


def test_scores_of_every_day_do_not_narrow_the_interval():
    converted = np.arange(200) % 5 == 0
    names = [f"a{i}" for i in range(200)]
    once = results(said(names, np.zeros(200, int), np.full(200, 0.2), converted)).total
    daily = results(said(names * 20, np.repeat(np.arange(20), 200), np.full(4000, 0.2), np.tile(converted, 20))).total

    assert daily.rows == 20 * once.rows
    assert daily.observed.low == pytest.approx(once.observed.low)
    assert daily.observed.high == pytest.approx(once.observed.high)


def test_an_entity_of_many_months_is_one_cluster():
    converted = np.arange(200) % 5 == 0
    names = [f"a{i}" for i in range(200)]
    months = np.repeat([0, 31, 60, 91], 200)
    rows = said(names * 4, months, np.full(800, 0.2), np.tile(converted, 4))
    found = results(rows)

    assert found.total.entities == 200
    assert found.total.observed.low == pytest.approx(wilson(40, 200).low, abs=2e-3)
    assert [month.name for month in found.months] == ["2026-01", "2026-02", "2026-03", "2026-04"]


def test_bands_come_best_first_and_pqls_have_precision_and_lift():
    n = 300
    high = np.arange(n) < 100
    converted = np.where(high, np.arange(n) % 2 == 0, np.arange(n) % 20 == 0)
    rows = said(
        [f"a{i}" for i in range(n)], np.zeros(n, int), np.where(high, 0.5, 0.05), converted,
        band=np.where(high, "high", "very_low"), is_pql=high, model_version=np.where(np.arange(n) % 2, "1", "2"),
    )  # fmt: skip
    found = results(rows)

    assert [band.name for band in found.bands] == ["high", "very_low"]
    assert found.bands[0].observed.value == pytest.approx(0.5)
    assert found.pql.precision.value == pytest.approx(0.5)
    assert found.pql.lift.value == pytest.approx(0.5 / 0.2)
    assert {version.name for version in found.versions} == {"1", "2"}


def test_a_year_without_a_conversion_has_an_upper_end():
    rows = said([f"a{i}" for i in range(50)], np.zeros(50, int), np.full(50, 0.1), [False] * 50)
    found = results(rows)

    assert found.total.observed.value == 0
    assert 0.03 < found.total.observed.high < 0.12
    assert math.isnan(found.pql.precision.value)
    assert found.to_dict()["pql"]["lift"] == {"value": None, "low": None, "high": None}


def test_logged_scores_and_replayed_ones_are_told_apart():
    names = [f"a{i}" for i in range(100)]
    logged = said(names[:60], np.zeros(60, int), np.full(60, 0.1), np.arange(60) < 6, source="score")
    asked = said(names[:10], np.full(10, 3), np.full(10, 0.1), np.arange(10) < 6, source="service")
    replayed = said(names[50:], np.full(50, 40), np.full(50, 0.1), np.zeros(50, bool))
    both = results(pd.concat([logged, asked, replayed], ignore_index=True))

    assert {o.name: (o.entities, o.rows) for o in both.origins} == {"logged": (60, 70), "replayed": (50, 50)}
    assert both.origin_words("accounts").startswith("Results of 100 accounts: 60 were scored and logged; of 50,")
    assert both.to_dict()["words"] == both.origin_words()
    assert results(logged).origin_words() == "60 entities were scored, and their scores were logged."
    assert results(replayed).origin_words().startswith("No scores were logged")
