"""From training rows to a fitted model: tune, calibrate on out-of-fold predictions, fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pql_model.errors import NotEnoughDataError
from pql_model.model.booster import Ensemble, fit_ensemble, training_data
from pql_model.model.calibrate import Calibration, fit_calibration
from pql_model.model.columns import Manifest
from pql_model.model.split import Folds, tuning_folds
from pql_model.model.tune import MAX_TUNING_CELLS, MAX_TUNING_ROWS, Problem, Tuned, out_of_fold, tune
from pql_model.time import Duration


@dataclass(frozen=True)
class Budget:
    """How much tuning: trials, seconds after which none starts, and the file that remembers them."""

    trials: int
    timeout: float | None = None
    journal: Path | None = None


@dataclass(frozen=True)
class Fit:
    """The fitted parts and how they came about."""

    ensemble: Ensemble
    calibration: Calibration
    tuned: Tuned
    folds: Folds


def digest(frame: pd.DataFrame, X: np.ndarray, names: list[str], salt: str) -> str:
    """A digest of exactly what the model sees: rows, outcomes, columns, values."""
    whole = hashlib.sha256(salt.encode())
    whole.update("\n".join(names).encode())
    for column in ("entity", "as_of", "converted"):
        whole.update(pd.util.hash_array(frame[column].to_numpy()).tobytes())
    whole.update(np.ascontiguousarray(X).tobytes())
    return whole.hexdigest()[:16]


def fit_model(
    frame: pd.DataFrame,
    X: np.ndarray,
    manifest: Manifest,
    horizon: Duration,
    motion: str,
    seed: int,
    budget: Budget,
    progress: Callable[[int, int, float], None] | None = None,
    monotone: tuple[int, ...] = (),
) -> Fit:
    """Fit on training rows.

    Parameters
    ----------
    frame
        entity, as_of, signed_up, converted of the training rows.
    X
        Their matrix by the manifest, (rows, columns).
    monotone
        -1, 0 or 1 per column: how the probability may move with it.

    Raises
    ------
    NotEnoughDataError
        If there is nothing to read, or too few conversions to tune on.
    """
    if not manifest.columns:
        raise NotEnoughDataError(
            "No feature or trait tells one entity from another",
            received=f"{len(frame):,} training snapshots that look all the same",
            remedy="check the events and their times, the windows, and which traits are left out",
        )
    y = frame["converted"].to_numpy(float)
    folds = tuning_folds(frame, horizon, motion, seed)
    problem = Problem(X, y, manifest.names, manifest.categorical, folds, seed, frame["entity"].to_numpy(), monotone)
    tuned = tune(_thinned(problem, frame, horizon, motion), budget.trials, budget.timeout, budget.journal, progress)
    rows, margins = out_of_fold(problem, tuned.settings)
    calibration = fit_calibration(margins, y[rows])
    data = training_data(X, y, manifest.names, manifest.categorical)
    ensemble = fit_ensemble(data, tuned.settings, seed, monotone)
    return Fit(ensemble, calibration, tuned, folds)


def _thinned(problem: Problem, frame: pd.DataFrame, horizon: Duration, motion: str) -> Problem:
    """Whole entities by a hash of their name, where there are more rows than tuning needs."""
    most = min(MAX_TUNING_ROWS, MAX_TUNING_CELLS // max(problem.X.shape[1], 1))
    if len(frame) <= most:
        return problem
    place = pd.util.hash_array(frame["entity"].to_numpy(dtype=object)) / 2.0**64
    kept = np.flatnonzero(place < most / len(frame))
    folds = tuning_folds(frame.iloc[kept], horizon, motion, problem.seed)
    return replace(
        problem, X=problem.X[kept], y=problem.y[kept], folds=folds, entities=frame["entity"].to_numpy()[kept]
    )
