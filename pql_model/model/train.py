"""From training rows to a fitted model: tune, calibrate on out-of-fold predictions, fit."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from pql_model.errors import NotEnoughDataError
from pql_model.model.age_level import LevelledPredictor, fit_age_level
from pql_model.model.calibrate import Calibration, fit_calibration
from pql_model.model.columns import Manifest
from pql_model.model.learner import Budget, Learner, Predictor, Progress, TrainingRows, TunableLearner, TuningResult
from pql_model.model.learners import check_monotone, check_predictor
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.model.split import Folds, tuning_folds
from pql_model.time import Duration

DEFAULT_TRIALS = 30
MAX_TUNING_ROWS, MAX_TUNING_CELLS = 40_000, 3_000_000
"""More training rows (or rows x columns) are thinned by whole entities for tuning; the final fit uses all."""


@dataclass(frozen=True)
class Fit:
    """The fitted parts of a model, and how they were fitted."""

    predictor: Predictor
    calibration: Calibration
    tuned: TuningResult
    folds: Folds


def digest(frame: pd.DataFrame, X: np.ndarray, names: list[str], salt: str) -> str:
    """Digest exactly what the model sees: rows, outcomes, columns, values."""
    sha = hashlib.sha256(salt.encode())
    sha.update("\n".join(names).encode())
    for column in ("entity", "as_of", "converted"):
        sha.update(pd.util.hash_array(frame[column].to_numpy()).tobytes())
    sha.update(np.ascontiguousarray(X).tobytes())
    return sha.hexdigest()[:16]


def learner_digest(learner: Learner) -> str:
    """Return what a digest must know of a learner: its name, its parameters and, where it can be read, its source.

    Without the source, an interrupted run of an edited learner would resume with results of its old code.
    """
    try:
        source = Path(inspect.getfile(type(learner))).read_text(encoding="utf-8")
    except (OSError, TypeError):  # defined in a notebook or an interactive session
        source = ""
    return json.dumps([learner.name, dict(learner.params), hashlib.sha256(source.encode()).hexdigest()], default=str)


def fit_model(
    frame: pd.DataFrame,
    X: np.ndarray,
    manifest: Manifest,
    horizon: Duration,
    motion: str,
    seed: int,
    budget: Budget,
    progress: Progress | None = None,
    monotone: tuple[int, ...] = (),
    learner: Learner | None = None,
    search: bool = True,
) -> Fit:
    """Tune, calibrate and fit a learner on training rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        entity, as_of, signed_up, converted of the training rows.
    X : numpy.ndarray
        Their matrix by the manifest, (rows, columns).
    manifest : Manifest
        The columns of the matrix.
    horizon, motion, seed
        As in the config.
    budget : Budget
        Of tuning, where the learner tunes itself.
    progress : callable, optional
        Called with (finished trials, planned trials, best score so far).
    monotone : tuple[int, ...]
        -1, 0 or 1 per column: how the probability may move with it.
    learner : Learner, optional
        Default: LightGBM with its default search space.
    search : bool
        Whether a learner that tunes itself does. Without a search its settings are fitted as they are.

    Raises
    ------
    NotEnoughDataError
        If there are no columns, or too few conversions to tune on.
    LearnerError
        If the learner does not follow the protocol.
    """
    if not manifest.columns:
        raise NotEnoughDataError(
            "No feature or trait distinguishes one entity from another",
            received=f"{len(frame):,} identical training snapshots",
            remedy="check the events and their times, the windows, and which traits are left out",
        )
    learner = learner if learner is not None else LightGBM()
    check_monotone(learner, monotone)
    rows = _training_rows(frame, X, manifest, seed, monotone)
    folds = tuning_folds(frame, horizon, motion, seed)
    tuned = None
    if search and isinstance(learner, TunableLearner):
        tuned = learner.tune(*_thinned(rows, folds, frame, horizon, motion), budget, progress)
    fitted_learner = tuned.learner if tuned is not None else learner
    fit = _fit_on_folds(fitted_learner, rows, folds)
    if tuned is None:
        tuned = TuningResult(learner, learner.params, _score(folds, fit.margins, rows.y))
    return Fit(fit.predictor, fit.calibration, tuned, folds)


@dataclass(frozen=True)
class CalibratedFit:
    """Chosen settings, fitted and calibrated on rows.

    Attributes
    ----------
    predictor, calibration
        The model itself.
    checked, margins
        Positions of the rows that some fold checks, and their margins from models that had not seen them.
    """

    predictor: Predictor
    calibration: Calibration
    checked: np.ndarray
    margins: np.ndarray


def refit_model(
    frame: pd.DataFrame,
    X: np.ndarray,
    manifest: Manifest,
    horizon: Duration,
    motion: str,
    seed: int,
    learner: Learner,
    monotone: tuple[int, ...] = (),
) -> CalibratedFit:
    """Fit a learner as it is, without a search, and calibrate it on out-of-fold predictions of the same rows.

    Parameters
    ----------
    frame, X, manifest, horizon, motion, seed, monotone
        As for `fit_model`, of all rows with a final outcome.
    learner : Learner
        With the settings that were tested.
    """
    rows = _training_rows(frame, X, manifest, seed, monotone)
    return _fit_on_folds(learner, rows, tuning_folds(frame, horizon, motion, seed))


def _training_rows(
    frame: pd.DataFrame, X: np.ndarray, manifest: Manifest, seed: int, monotone: tuple[int, ...]
) -> TrainingRows:
    return TrainingRows(X, frame["converted"].to_numpy(float), manifest, seed, frame["entity"].to_numpy(), monotone)


def _fit_on_folds(learner: Learner, rows: TrainingRows, folds: Folds) -> CalibratedFit:
    """Fit on all rows; learn the level of each age and the calibration from rows that a fold did not see."""
    checked, margins = out_of_fold(learner, rows, folds)
    predictor: Predictor = learner.fit(rows)
    check_predictor(learner, predictor, rows)
    level = fit_age_level(margins, rows.y[checked], rows.X[checked], rows.manifest, rows.monotone)
    if level is not None:
        predictor, margins = LevelledPredictor(predictor, level), margins + level.at(rows.X[checked])
    return CalibratedFit(predictor, fit_calibration(margins, rows.y[checked]), checked, margins)


def out_of_fold(learner: Learner, rows: TrainingRows, folds: Folds) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of rows that some fold checks, and their margins from models that had not seen them.

    A margin starts from the log-odds of the rows a model was fitted on, and these differ between folds. They are
    moved to those of all rows, so that calibration learns the level of the final model and not that of a fold.
    """
    level = _log_odds(rows.y)
    margins = [
        np.asarray(learner.fit(rows.take(fold.fit)).margin(rows.X[fold.check])) + level - _log_odds(rows.y[fold.fit])
        for fold in folds.folds
    ]
    return np.concatenate([fold.check for fold in folds.folds]), np.concatenate(margins)


def _log_odds(y: np.ndarray) -> float:
    return float(np.log(y.mean() / (1 - y.mean())))


def _score(folds: Folds, margins: np.ndarray, y: np.ndarray) -> float:
    """Return the ROC-AUC on the folds, weighted by their conversions, as tuning computes it."""
    ends = np.cumsum([len(fold.check) for fold in folds.folds])[:-1]
    checked = [y[fold.check] for fold in folds.folds]
    scores = [float(roc_auc_score(c, m)) for c, m in zip(checked, np.split(margins, ends), strict=True)]
    return float(np.average(scores, weights=[c.sum() for c in checked]))


def _thinned(
    rows: TrainingRows, folds: Folds, frame: pd.DataFrame, horizon: Duration, motion: str
) -> tuple[TrainingRows, Folds]:
    """Keep whole entities, chosen by a hash of their name, where there are more rows than tuning needs."""
    max_rows = min(MAX_TUNING_ROWS, MAX_TUNING_CELLS // max(rows.X.shape[1], 1))
    if len(frame) <= max_rows:
        return rows, folds
    place = pd.util.hash_array(frame["entity"].to_numpy(dtype=object)) / 2.0**64
    sample = np.flatnonzero(place < max_rows / len(frame))
    return rows.take(sample), tuning_folds(frame.iloc[sample], horizon, motion, rows.seed)
