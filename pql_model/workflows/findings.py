"""Collect the criteria and behaviours of a training, which growth teams read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pql_model.audit.audit import quarantined
from pql_model.config.schema import Config
from pql_model.criteria.candidates import candidate_columns, family_of, neighbours
from pql_model.criteria.definition_metrics import Outcomes
from pql_model.criteria.results import find_criteria
from pql_model.criteria.rows import criteria_rows, criteria_split
from pql_model.explain.behaviours import behaviours
from pql_model.explain.reasons import behaviour_of
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import ModelColumn
from pql_model.report.findings import Findings
from pql_model.workflows.prepare import TrainingData, candidate_features

MOST_SEARCHED = 15_000
"""Rows that are searched; more of them do not move a threshold."""


def collect_findings(
    config: Config,
    data: TrainingData,
    model: FittedModel,
    contributions: np.ndarray,
    probability: np.ndarray,
    progress: Callable[[float], None] | None = None,
) -> Findings:
    """Find criteria on earlier rows, test them on later ones, and describe the model's behaviours.

    Parameters
    ----------
    config : Config
    data : TrainingData
    model : FittedModel
    contributions : array of shape (rows, columns + 1)
        SHAP values of the test rows.
    probability : array of shape (snapshots,)
        The model's probabilities.
    progress : callable, optional
        Called with the share done.
    """
    frame, test = data.snapshots.frame, data.split.test
    rows = criteria_rows(frame, data.split.train, config.motion, config.horizon)
    criteria_frame, table = frame[rows.keep], data.table[rows.keep].reset_index(drop=True)
    outcomes = Outcomes.of_snapshots(criteria_frame, config.motion, probability[rows.keep])
    split = criteria_split(frame, rows.keep, data.split, config.motion, config.horizon)
    earlier, later = split.train[rows.keep], split.test[rows.keep]
    searched = _sampled(_searchable(config, criteria_frame, earlier, outcomes), outcomes.entity)
    sample = table.iloc[searched]
    candidates = candidate_columns(
        _columns(config, data),
        sample,
        criteria_frame["signed_up"].to_numpy(float)[searched],
        outcomes.as_of[searched],
    )
    capacity = config.policy.capacity if config.policy is not None else None
    results = find_criteria(
        candidates,
        table,
        outcomes,
        earlier,
        later,
        _trait_contributions(model, sample),
        rows=rows.text,
        in_force=config.definition,
        seed=config.seed,
        search_rows=searched,
        progress=progress,
        leads_a_week=capacity.per_week if capacity is not None else None,
    )
    described = behaviours(
        contributions,
        data.table[test],
        model.manifest,
        frame["entity"].to_numpy()[test],
        data.converted[test],
        config.seed,
    )
    variants = {c.id: neighbours(candidates, c.mined.column, c.mined.condition) for c in results.criteria}
    return Findings(
        rows.text,
        table,
        outcomes,
        earlier,
        later,
        results,
        tuple(described),
        variants,
        data.sources.observed_until,
        config.horizon.us,
        data.manifest.columns,
        *_parts(model, contributions, np.flatnonzero(test), np.flatnonzero(rows.keep)[later]),
    )


def _parts(
    model: FittedModel, contributions: np.ndarray, explained: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The log-odds from traits and from behaviours of the wanted rows, where all of them are among those explained."""
    if not np.isin(wanted, explained).all():
        return None, None
    part = np.array([behaviour_of(column)[0] for column in model.manifest.columns])
    of_rows = contributions[np.searchsorted(explained, wanted), :-1]
    return of_rows[:, part == "fit"].sum(axis=1), of_rows[:, part == "usage"].sum(axis=1)


def _columns(config: Config, data: TrainingData) -> list[ModelColumn]:
    """The columns that can become criteria, including features that the model omits as copies of others."""
    guilty = set(quarantined(data.findings))
    features = [feature.name for feature in candidate_features(config, data.offered) if feature.name not in guilty]
    return [
        *(ModelColumn(name, "feature") for name in features),
        *(column for column in data.manifest.columns if column.kind != "feature"),
    ]


def _trait_contributions(model: FittedModel, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Family of a trait -> its SHAP value on each row."""
    traits = [(j, column) for j, column in enumerate(model.manifest.columns) if column.kind != "feature"]
    if not traits:
        return {}
    contributions = model.predictor.contributions(model.manifest.matrix(table))
    return {family_of(column): contributions[:, j] for j, column in traits}


def _searchable(config: Config, frame: pd.DataFrame, earlier: np.ndarray, outcomes: Outcomes) -> np.ndarray:
    """Positions of the earlier rows; in freemium of those on which every `first` window is over, if enough are."""
    longest = max((length.us for length in config.windows.first), default=0)
    signup_known = frame["signed_up"].notna().to_numpy(bool)
    age = outcomes.as_of - frame["signed_up"].fillna(0).to_numpy(np.int64)
    over = earlier & signup_known & (age >= longest)
    sufficient = 2 * outcomes.converted[over].sum() >= outcomes.converted[earlier].sum()
    return np.flatnonzero(over if sufficient and config.motion == "freemium" else earlier)


def _sampled(rows: np.ndarray, entity: np.ndarray) -> np.ndarray:
    """A sample of whole entities, by a hash of their names, where there are more rows than needed."""
    if len(rows) <= MOST_SEARCHED:
        return rows
    place = pd.util.hash_array(entity[rows].astype(object)) / 2.0**64
    return np.asarray(rows[place < MOST_SEARCHED / len(rows)])
