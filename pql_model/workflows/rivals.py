"""The baselines of a training, on realised rows: activity, logistic regression, the definition in force."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.config.schema import Config
from pql_model.features.spec import parse_feature
from pql_model.model.artifact import FittedModel
from pql_model.model.baselines import ACTIVITY, logistic_regression
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.read import Sources
from pql_model.workflows.prepare import features_at, features_of

MOST_ROWS = 20_000
"""Rows that the logistic regression learns from."""


def rival_scores(
    con: Connection, config: Config, sources: Sources, model: FittedModel, rows: pd.DataFrame, learnt: pd.DataFrame
) -> dict[str, np.ndarray]:
    """What the baselines say of realised rows.

    Parameters
    ----------
    rows
        entity, as_of, meets_in_force of the realised rows.
    learnt
        entity, as_of, converted of the snapshots that the model learnt from: the logistic regression learns from them too.

    Returns
    -------
    dict
        Name -> score, one per row.
    """
    table = realised_features(con, config, sources, model, rows)
    scores = {"activity": table[ACTIVITY].fillna(0.0).to_numpy(float)}
    sample = learnt if len(learnt) <= MOST_ROWS else learnt.sample(MOST_ROWS, random_state=config.seed)
    if sample["converted"].nunique() == 2:
        before = realised_features(con, config, sources, model, sample)
        scores["logistic_regression"] = logistic_regression(
            model.manifest.matrix(before),
            sample["converted"].to_numpy(float),
            model.manifest.matrix(table),
            model.manifest,
        )
    if rows["meets_in_force"].notna().all():
        scores["definition"] = rows["meets_in_force"].to_numpy(float)
    return scores


def realised_features(
    con: Connection, config: Config, sources: Sources, model: FittedModel, rows: pd.DataFrame
) -> pd.DataFrame:
    """What a model reads of each row, and the activity, in the order of the rows; missing where the data lack it."""
    wanted = list(dict.fromkeys([*features_of(model.manifest), parse_feature(ACTIVITY)]))
    table = features_at(con, config, sources, wanted, rows)
    return table.reindex(columns=list(dict.fromkeys([*table.columns, *model.manifest.names])))
