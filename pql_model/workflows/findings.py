"""What goes with conversion, as behaviours and as written criteria: the part of a training that growth teams read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pql_model.audit.audit import quarantined
from pql_model.config.schema import Config
from pql_model.criteria.candidates import candidates, family_of, neighbours
from pql_model.criteria.definition_metrics import Outcomes
from pql_model.criteria.results import find_criteria
from pql_model.criteria.rows import criteria_rows, periods
from pql_model.explain.behaviours import behaviours
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import ModelColumn
from pql_model.report.growth import Findings
from pql_model.workflows.prepare import Prepared, candidate_features

MOST_MINED = 15_000
"""Entities that are mined: more of them would not move a threshold."""


def find(
    config: Config,
    data: Prepared,
    model: FittedModel,
    contributions: np.ndarray,
    probability: np.ndarray,
    progress: Callable[[float], None] | None = None,
) -> Findings:
    """Find criteria on earlier rows and test them on later ones.

    Parameters
    ----------
    contributions
        SHAP values of the test rows, (rows, columns + 1).
    probability
        The model's, of all snapshots.
    """
    frame, train, test = data.snapshots.frame, data.split.train, data.split.test
    rows = criteria_rows(frame, train, config.motion, config.horizon)
    kept, table = frame[rows.keep], data.table[rows.keep].reset_index(drop=True)
    outcomes = Outcomes(
        entity=kept["entity"].to_numpy(),
        as_of=kept["as_of"].to_numpy(np.int64),
        begins=kept["signed_up" if config.motion == "trial" else "as_of"].to_numpy(np.int64),
        converted=kept["converted"].to_numpy(bool),
        probability=probability[rows.keep],
    )
    split = periods(frame, rows.keep, data.split, config.motion, config.horizon)
    earlier, later = split.train[rows.keep], split.test[rows.keep]
    mined = _some(_elapsed(config, kept, earlier, outcomes), outcomes.entity)
    columns, here = _columns(config, data), table.iloc[mined]
    offered = candidates(columns, here, kept["signed_up"].to_numpy(float)[mined], outcomes.as_of[mined])
    by_column = model.predictor.contributions(model.manifest.matrix(here)) if _has_traits(model) else None
    traits = {
        family_of(column): by_column[:, j]
        for j, column in enumerate(model.manifest.columns)
        if by_column is not None and column.kind != "feature"
    }
    capacity = config.policy.capacity if config.policy is not None else None
    found = find_criteria(
        offered,
        table,
        outcomes,
        earlier,
        later,
        traits,
        rows=rows.text,
        rule=config.definition,
        seed=config.seed,
        mined_rows=mined,
        progress=progress,
        leads_a_week=capacity.leads * 7 / capacity.per.days if capacity is not None else None,
    )
    payload = behaviours(
        contributions,
        data.table[test],
        model.manifest,
        frame["entity"].to_numpy()[test],
        data.converted[test],
        config.seed,
    )
    variants = {c.id: neighbours(offered, c.mined.column, c.mined.condition) for c in found.criteria}
    return Findings(
        rows.text,
        table,
        outcomes,
        earlier,
        later,
        found,
        tuple(payload),
        variants,
        data.sources.observed_until,
        config.horizon.us,
    )


def _columns(config: Config, data: Prepared) -> list[ModelColumn]:
    """What may become a criterion: every feature that was offered, also where a copy of it spared it the model."""
    guilty = set(quarantined(data.findings))
    features = [feature.name for feature in candidate_features(config, data.offered) if feature.name not in guilty]
    return [
        *(ModelColumn(name, "feature") for name in features),
        *(column for column in data.manifest.columns if column.kind != "feature"),
    ]


def _elapsed(config: Config, kept: pd.DataFrame, earlier: np.ndarray, outcomes: Outcomes) -> np.ndarray:
    """Earlier rows on which every `first` window is over, if they hold half of the conversions; else all of them."""
    longest = max((length.us for length in config.windows.first), default=0)
    known = kept["signed_up"].notna().to_numpy(bool)
    age = outcomes.as_of - kept["signed_up"].fillna(0).to_numpy(np.int64)
    over = earlier & known & (age >= longest)
    enough = 2 * outcomes.converted[over].sum() >= outcomes.converted[earlier].sum()
    return np.flatnonzero(over if enough and config.motion == "freemium" else earlier)


def _some(rows: np.ndarray, entity: np.ndarray) -> np.ndarray:
    """Whole entities by a hash of their name, where there are more than are needed."""
    if len(rows) <= MOST_MINED:
        return rows
    place = pd.util.hash_array(entity[rows].astype(object)) / 2.0**64
    return np.asarray(rows[place < MOST_MINED / len(rows)])


def _has_traits(model: FittedModel) -> bool:
    return any(column.kind != "feature" for column in model.manifest.columns)
