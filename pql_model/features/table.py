"""The feature table: one row per snapshot, features and traits side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from pql_model.features.compile import build_features
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
    """Compute features as of each snapshot and put the traits beside them.

    Parameters
    ----------
    snapshots
        entity, as_of, signed_up in the workbench.
    trait_names
        Trait -> column name in the table.

    Returns
    -------
    pandas.DataFrame
        entity, as_of (int64 microseconds), a float64 column per feature, a column per trait as it came.
        Sorted by entity and as_of.
    """
    table = build_features(sources.events.table, snapshots, features, progress)
    if not trait_names:
        return table
    entities = sources.entities.table
    columns = {name: entities[trait_column(trait)] for trait, name in trait_names.items()}
    columns = {name: c.cast("float64") if c.type().is_decimal() else c for name, c in columns.items()}
    traits = entities.select("entity", **columns).to_pandas().set_index("entity")
    return table.join(traits, on="entity")
