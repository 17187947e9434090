"""The feature table: one row per snapshot with its features and traits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pql_model.errors import DataError, listed
from pql_model.features.aggregates import rounded_sums
from pql_model.features.compile import build_features
from pql_model.features.dated import join_latest
from pql_model.features.spec import Feature
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.sources.entities import trait_column
from pql_model.sources.read import Sources

Table = Any


def feature_table(
    sources: Sources,
    snapshots: Table,
    features: Sequence[Feature],
    trait_names: dict[str, str],
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Compute the features of each snapshot and join the traits.

    Parameters
    ----------
    sources : Sources
        The data.
    snapshots : Table
        entity, as_of, signed_up.
    features : sequence of Feature
        What to compute.
    trait_names : dict
        Trait -> column name in the table.
    progress : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        entity, as_of (int64 microseconds), a float64 column per feature, a column per trait, unconverted.
        Sorted by entity and as_of.

    Raises
    ------
    DataError
        If a feature reads a value that no event table has, or is a share of a trait that no table has.
    """
    values = [name.removeprefix("value_") for name in sources.events.table.columns if name.startswith("value_")]
    _refuse_unknown("No event table has these values", [f.value for f in features], values, "map them under `values:`")
    _refuse_unknown("No table has these traits", [f.share_of for f in features], sources.traits, "correct `share_of:`")
    amounts = list(dict.fromkeys(feature.amount for feature in features))
    table = build_features(sources.events.table, snapshots, amounts, progress)
    shared = {trait: trait_name(trait) for f in features if (trait := f.share_of) is not None}
    wanted = {**trait_names, **shared}
    fixed = {trait: name for trait, name in wanted.items() if trait in sources.entities.traits}
    table = table.join(trait_table(sources, fixed), on="entity") if fixed else table
    return _with_shares(join_latest(table, snapshots, sources.dated, wanted), features, trait_names)


def _refuse_unknown(what: str, asked: Sequence[str | None], known: Sequence[str], remedy: str) -> None:
    unknown = sorted({name for name in asked if name is not None and name not in known})
    if unknown:
        raise DataError(
            f"{what}: {listed(unknown)}",
            allowed=list(known),
            remedy=f"{remedy} in the config, or train a model without them",
        )


def _with_shares(table: pd.DataFrame, features: Sequence[Feature], trait_names: dict[str, str]) -> pd.DataFrame:
    """Divide amounts by traits, and return the columns in the order that was asked for."""
    columns = {
        feature.name: table[feature.name]
        if feature.share_of is None
        else share_of_trait(table[feature.amount.name].to_numpy(), as_numbers(table[trait_name(feature.share_of)]))
        for feature in features
    }
    numbers = pd.DataFrame(columns, index=table.index)
    traits = [name for name in trait_names.values() if name in table.columns]
    return pd.concat([table[["entity", "as_of"]], numbers, table[traits]], axis="columns")


def share_of_trait(amount: np.ndarray, trait: np.ndarray) -> np.ndarray:
    """Vectorise `oracle.share`: NaN unless the trait is positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(trait > 0, amount / trait, np.nan)
    return rounded_sums(share, np.abs(share))


def trait_table(sources: Sources, trait_names: dict[str, str]) -> pd.DataFrame:
    """Read the traits of every entity, unconverted, indexed by entity."""
    entities = sources.entities.table
    columns = {name: entities[trait_column(trait)] for trait, name in trait_names.items()}
    columns = {name: c.cast("float64") if c.type().is_decimal() else c for name, c in columns.items()}
    frame: pd.DataFrame = entities.select("entity", **columns).to_pandas().set_index("entity")
    return frame


def has_value(sources: Sources, feature: Feature) -> bool:
    """Whether the log has the value that a feature reads, and a table the trait that it is a share of."""
    has_trait = feature.share_of is None or feature.share_of in sources.traits
    return has_trait and (feature.value is None or f"value_{feature.value}" in sources.events.table.columns)
