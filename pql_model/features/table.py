"""The feature table: one row per snapshot with its features and traits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from pql_model.errors import DataError, listed
from pql_model.features.compile import build_features
from pql_model.features.dated import join_latest
from pql_model.features.spec import Feature
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
        If a feature reads a value that no event table has.
    """
    lacking = sorted({f.value for f in features if not has_value(sources, f) and f.value is not None})
    if lacking:
        raise DataError(
            f"No event table has these values: {listed(lacking)}",
            allowed=[name.removeprefix("value_") for name in sources.events.table.columns if name.startswith("value_")],
            remedy="map them under `values:` in the config, or train a model without them",
        )
    table = build_features(sources.events.table, snapshots, features, progress)
    fixed = {trait: name for trait, name in trait_names.items() if trait in sources.entities.traits}
    table = table.join(trait_table(sources, fixed), on="entity") if fixed else table
    return join_latest(table, snapshots, sources.dated, trait_names)


def trait_table(sources: Sources, trait_names: dict[str, str]) -> pd.DataFrame:
    """Read the traits of every entity, unconverted, indexed by entity."""
    entities = sources.entities.table
    columns = {name: entities[trait_column(trait)] for trait, name in trait_names.items()}
    columns = {name: c.cast("float64") if c.type().is_decimal() else c for name, c in columns.items()}
    frame: pd.DataFrame = entities.select("entity", **columns).to_pandas().set_index("entity")
    return frame


def has_value(sources: Sources, feature: Feature) -> bool:
    """Whether the log has the value that a feature reads."""
    return feature.value is None or f"value_{feature.value}" in sources.events.table.columns
