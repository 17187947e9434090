"""Rates by trait, beside direct counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pql_model.criteria.definition_metrics import Outcomes
from pql_model.model.columns import ModelColumn
from pql_model.report.fit_rates import fit_by_usage, trait_rates


def world(rows: int = 2000) -> tuple[pd.DataFrame, Outcomes]:
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "trait.size": rng.choice(["small", "large", None], rows, p=[0.6, 0.3, 0.1]),
            "trait.country": [f"c{k}" for k in rng.geometric(0.2, rows)],
            "trait.seats": rng.random(rows),
        }
    )
    converted = rng.random(rows) < np.where(table["trait.size"] == "large", 0.3, 0.05)
    zeros = np.zeros(rows, np.int64)
    return table, Outcomes(np.arange(rows), zeros, zeros, converted)


COLUMNS = [
    ModelColumn("trait.country", "category", ("c1",)),
    ModelColumn("trait.size", "category", ("large", "small")),
    ModelColumn("trait.seats", "number"),
]


def test_every_row_is_in_one_group_of_each_trait_and_the_telling_trait_comes_first():
    table, outcomes = world()
    size, country = trait_rates(COLUMNS, table, outcomes)

    assert (size["trait"], country["trait"]) == ("size", "country")
    assert [group["name"] for group in size["groups"]] == ["small", "large", "not known"]
    large = (table["trait.size"] == "large").to_numpy()
    assert size["groups"][1]["entities"] == large.sum()
    assert size["groups"][1]["conversions"] == outcomes.converted[large].sum()
    for trait in (size, country):
        assert sum(group["entities"] for group in trait["groups"]) == len(table)


def test_small_groups_are_merged_and_counted():
    table, outcomes = world()
    country = trait_rates(COLUMNS, table, outcomes)[1]
    sizes = table["trait.country"].value_counts()

    assert len(country["groups"]) == 8
    assert country["merged"] == len(sizes) - 7
    assert country["groups"][-1]["name"] == f"{country['merged']} others"
    assert all(group["entities"] >= 30 for group in country["groups"][:-1])


def test_a_trait_with_three_thousand_values_is_one_group_and_left_out():
    table, outcomes = world()
    table["trait.country"] = [f"c{k}" for k in range(len(table))]
    assert [trait["trait"] for trait in trait_rates(COLUMNS, table, outcomes)] == ["size"]


@pytest.mark.parametrize("values", [["acme.com", "corp.example.org"], ["ann@acme.com", "bob@acme.com"]])
def test_mail_addresses_and_domains_are_never_named(values):
    table, outcomes = world()
    table["trait.country"] = np.random.default_rng(4).choice(values, len(table))
    assert [trait["trait"] for trait in trait_rates(COLUMNS, table, outcomes)] == ["size"]


def test_fit_beside_usage_divides_the_rows_at_both_medians():
    _, outcomes = world()
    rng = np.random.default_rng(3)
    fit, usage = rng.normal(size=2000), rng.normal(size=2000)
    cells = fit_by_usage(fit, usage, outcomes)

    both = (fit > np.median(fit)) & (usage > np.median(usage))
    assert cells["high_fit_high_usage"]["entities"] == both.sum()
    assert cells["high_fit_high_usage"]["conversions"] == outcomes.converted[both].sum()
    assert sum(cell["entities"] for cell in cells.values()) == 2000


@pytest.mark.parametrize("fit", [np.zeros(2000), np.empty(0)])
def test_without_traits_there_is_no_fit(fit):
    _, outcomes = world()
    assert fit_by_usage(fit, np.arange(len(fit)), outcomes[: len(fit)] if len(fit) else outcomes[:0]) is None
