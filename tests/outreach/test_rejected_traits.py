"""What rejected leads share: found where it was planted, nothing where there is nothing, tested on later leads only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pql_model.model.columns import ModelColumn
from pql_model.outreach.rejected_traits import answered_leads, are_enough, rejected_traits
from pql_model.time import DAY
from tests.outreach.ledgers import T0

COLUMNS = (
    ModelColumn("trait.size", "category", ("1-10", "11-50", "51-200")),
    ModelColumn("trait.region", "category", ("eu", "us", "asia")),
    ModelColumn("Invite.count.ever", "feature"),
    ModelColumn("Export.count.ever", "feature"),
    ModelColumn("trait.seats", "number"),
)


def world(seed, rejects, n=400):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "trait.size": rng.choice(["1-10", "11-50", "51-200"], n),
            "trait.region": rng.choice(["eu", "us", "asia"], n),
            "Invite.count.ever": rng.poisson(2, n).astype(float),
            "Export.count.ever": rng.poisson(4, n).astype(float),
            "trait.seats": rng.integers(1, 40, n).astype(float),
        }
    )
    status = np.where(rng.random(n) < rejects(table), "rejected", "accepted")
    answered = pd.DataFrame(
        {"entity": [f"e{k}" for k in range(n)], "as_of": T0 + np.arange(n) * float(DAY), "status": status}
    )
    return rejected_traits(answered, table, COLUMNS, np.full(n, T0 - 10.0 * DAY))


def test_a_planted_trait_is_named_with_its_rates_on_later_leads():
    result = world(1, lambda t: np.where(t["trait.size"] == "1-10", 0.7, 0.3))

    (trait,) = result.confirmed
    assert trait.text == "`size` is 1-10"
    assert 0.5 < trait.rate.value < 0.9
    assert trait.others.value < 0.4
    assert trait.leads < 100  # the later 40 % only


def test_a_behaviour_that_is_missing_is_named_by_its_upper_bound():
    result = world(2, lambda t: np.where(t["Invite.count.ever"] < 2, 0.7, 0.25))

    assert [trait.text for trait in result.confirmed] == ["fewer than 2 `Invite` so far"]


def test_where_rejection_is_chance_hardly_anything_is_named():
    named = [len(world(seed, lambda t: np.full(len(t), 0.4)).confirmed) for seed in range(60)]

    assert np.mean(np.array(named) > 0) <= 0.1  # 5 % are promised


def test_what_was_true_only_of_the_earlier_leads_is_not_named():
    def rejects(table):
        early = np.arange(len(table)) < 0.6 * len(table)
        return np.where((table["trait.size"] == "1-10") & early, 0.8, 0.3)

    result = world(3, rejects)

    assert "`size` is 1-10" in [trait.text for trait in result.tested]
    assert result.confirmed == ()


@pytest.mark.parametrize(("n", "share"), [(90, 0.5), (400, 0.01), (400, 0.99), (0, 0.5)])
def test_with_too_few_answers_nothing_is_looked_for(n, share):
    result = world(4, lambda t: np.full(len(t), share), n=n)

    assert not result.enough
    assert result.tested == ()
    assert result.answered == n


def test_each_account_counts_once_with_its_first_answer():
    leads = pd.DataFrame(
        {"entity": ["a", "a", "b"], "as_of": [1.0, 2.0, 0.0], "status": ["rejected", "accepted", None]}
    )

    assert answered_leads(leads)["status"].tolist() == ["rejected"]
    assert not are_enough(answered_leads(leads))
