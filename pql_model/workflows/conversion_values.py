"""What conversions are worth, learnt from those that are final, and checked on the test period."""

from __future__ import annotations

from typing import Any

import numpy as np

from pql_model.model.artifact import FittedModel
from pql_model.model.conversion_value import ConversionValue, learn_value
from pql_model.workflows.prepare import TrainingData


def learn_values(
    data: TrainingData, X: np.ndarray, tested: FittedModel, probability: np.ndarray, seed: int
) -> dict[str, Any] | None:
    """Learn the value of a conversion from all final outcomes, and check what the training period said of the test period.

    Parameters
    ----------
    data : TrainingData
    X : numpy.ndarray
        Matrix of all snapshots, (rows, columns).
    tested : FittedModel
        The model that has not learnt from the test period.
    probability : numpy.ndarray
        What it says of the test rows, (test rows,).
    seed : int
        Of the intervals.

    Returns
    -------
    dict or None
        The facts of a `ConversionValue`, and `checked`: the value expected of the entities of the test period, each at its
        first snapshot there, beside the value that came. None with too few known values.
    """
    frame, split = data.snapshots.frame, data.split
    everything = _learn(data, X, np.ones(len(frame), bool), seed)
    before = _learn(data, X, split.train, seed)
    if everything is None:
        return None
    facts = {**everything.to_dict(), "checked": None}
    later = frame[split.test].assign(probability=probability, row=np.flatnonzero(split.test))
    later = later.groupby("entity", sort=False).head(1)
    later = later[~later["converted"] | later["value"].notna()]
    if before is None or later.empty:
        return facts
    values = before.of(X[later["row"].to_numpy()], data.manifest)
    expected = values.of_all(later["probability"].to_numpy(), tested.level_error)
    observed = float(later["value"].sum())
    return {**facts, "checked": {"entities": len(later), "expected": expected.to_dict(), "observed": observed}}


def _learn(data: TrainingData, X: np.ndarray, rows: np.ndarray, seed: int) -> ConversionValue | None:
    """Learn from one row of each entity that converted: its last before it did."""
    frame = data.snapshots.frame
    converting = frame.assign(row=np.arange(len(frame)))[rows & data.converted].groupby("entity").tail(1)
    place = converting["row"].to_numpy()
    return learn_value(converting["value"].to_numpy(float), X[place], data.manifest, seed)
