import numpy as np
import pandas as pd
import pytest

from pql_model.explain.behaviours import behaviours
from pql_model.model.columns import Manifest, ModelColumn

N = 3000
RNG = np.random.default_rng(5)
COUNT, WEEK, OTHER, RECENT, SIZE = (
    "Invited.count.ever",
    "Invited.count.first_7d",
    "Search.count.ever",
    "Invited.days_since_last.ever",
    "trait.size",
)
VALUES = RNG.poisson(4, N).astype(float)


def payload(curve, columns=(COUNT,), values=None, share_of_other=0.5, kinds=None):
    """Behaviours where `Invited` adds `curve(value)` through its first column, and `Search` a noise of some size."""
    values = VALUES if values is None else values
    names = [*columns, OTHER]
    kinds = kinds or ["feature"] * len(names)
    manifest = Manifest(
        tuple(
            ModelColumn(n, k, ("a", "b")) if k == "category" else ModelColumn(n, k)
            for n, k in zip(names, kinds, strict=True)
        )
    )
    table = pd.DataFrame({**dict.fromkeys(columns, values), OTHER: RNG.poisson(2, N).astype(float)})
    contributions = np.zeros((N, len(names) + 1))
    contributions[:, 0] = curve(values)
    contributions[:, len(columns)] = share_of_other * RNG.normal(size=N)
    behaviour_list = behaviours(contributions, table, manifest, np.arange(N), RNG.random(N) < 0.1, seed=7)
    return {b.name: b for b in behaviour_list}


@pytest.mark.parametrize(
    ("curve", "shape"),
    [
        (lambda x: 1.0 * (x >= 5), "step"),
        (lambda x: 0.3 * x, "linear"),
        (lambda x: np.minimum(x, 3.0), "saturating"),
        (lambda x: np.random.default_rng(1).normal(size=len(x)), "none"),
    ],
)
def test_the_shape_follows_the_curve(curve, shape):
    assert payload(curve)["Invited"].shape == shape


def test_a_behaviour_with_a_small_contribution_has_no_shape():
    assert payload(lambda x: 0.0005 * (x >= 5), share_of_other=1.0)["Invited"].shape == "none"


@pytest.mark.parametrize(("slope", "direction"), [(0.3, "+"), (-0.3, "-")])
def test_the_direction_is_the_effect_of_a_larger_value(slope, direction):
    assert payload(lambda x: slope * x)["Invited"].direction == direction
    recent = payload(lambda x: -slope * x, columns=(RECENT,))["Invited"]
    assert recent.direction == direction, "more recent is more of it"


def test_noise_has_no_direction():
    assert payload(lambda x: np.random.default_rng(2).normal(size=len(x)))["Invited"].direction == "mixed"


def test_windows_of_one_event_are_one_behaviour_and_add_up():
    result = payload(lambda x: 0.3 * x, columns=(COUNT, WEEK))
    assert set(result) == {"Invited", "Search"}
    assert sum(b.share.value for b in result.values()) == pytest.approx(1)
    assert result["Invited"].share.low < result["Invited"].share.value < result["Invited"].share.high


def test_the_shortest_of_equally_informative_windows_is_shown():
    manifest = Manifest((ModelColumn(COUNT, "feature"), ModelColumn(WEEK, "feature")))
    table = pd.DataFrame({COUNT: VALUES, WEEK: VALUES})
    contributions = np.column_stack([0.2 * (VALUES >= 4), 0.1 * (VALUES >= 4), np.zeros(N)])
    [behaviour_list] = behaviours(contributions, table, manifest, np.arange(N), VALUES > 6, seed=7)
    assert behaviour_list.column.name == WEEK
    assert [c.name for c, _ in behaviour_list.columns] == [COUNT, WEEK], "the strongest first"


def test_the_most_informative_window_is_shown_even_if_it_is_longer():
    manifest = Manifest((ModelColumn(COUNT, "feature"), ModelColumn(WEEK, "feature")))
    early = np.minimum(VALUES, RNG.poisson(2, N))
    table = pd.DataFrame({COUNT: VALUES, WEEK: early})
    contributions = np.column_stack([0.2 * (VALUES >= 5), 0.1 * (VALUES >= 5), np.zeros(N)])
    [behaviour_list] = behaviours(contributions, table, manifest, np.arange(N), VALUES > 6, seed=7)
    assert behaviour_list.column.name == COUNT


def test_the_curve_counts_every_row_once_and_averages_the_contributions():
    result = payload(lambda x: 1.0 * (x >= 5), values=np.where(VALUES == 0, np.nan, VALUES))["Invited"]
    assert sum(point["rows"] for point in result.curve) == N
    by_value = {point["value"]: point["contribution"] for point in result.curve}
    assert by_value[None] == 0
    assert by_value[4.0] == 0
    assert by_value[5.0] == 1


def test_a_trait_is_shown_by_its_values():
    sizes = np.array(["a", "b"], dtype=object)[RNG.integers(0, 2, N)]
    manifest = Manifest((ModelColumn(SIZE, "category", ("a", "b")),))
    contributions = np.column_stack([np.where(sizes == "b", 0.5, -0.5), np.zeros(N)])
    [behaviour_list] = behaviours(
        contributions, pd.DataFrame({SIZE: sizes}), manifest, np.arange(N), sizes == "b", seed=7
    )
    assert (behaviour_list.name, behaviour_list.part, behaviour_list.shape, behaviour_list.direction) == (
        "size",
        "fit",
        "none",
        "mixed",
    )
    assert {p["value"]: p["contribution"] for p in behaviour_list.curve} == {"a": -0.5, "b": 0.5}


def test_the_interval_counts_entities_and_not_rows():
    contributions = np.column_stack([np.repeat(RNG.gamma(1, 1, 30), 100), np.full(N, 0.5), np.zeros(N)])
    manifest = Manifest((ModelColumn(COUNT, "feature"), ModelColumn(OTHER, "feature")))
    table = pd.DataFrame({COUNT: VALUES, OTHER: VALUES})
    half = RNG.random(N) < 0.5
    apart = behaviours(contributions, table, manifest, np.arange(N), half, seed=7)[0].share
    together = behaviours(contributions, table, manifest, np.repeat(np.arange(30), 100), half, seed=7)[0].share
    assert together.high - together.low > 3 * (apart.high - apart.low)
