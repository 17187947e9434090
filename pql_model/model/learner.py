"""Protocols that a learner follows to be trained, calibrated, explained, exported and served like the built-in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pql_model.model.columns import Manifest
from pql_model.model.split import Folds

Progress = Callable[[int, int, float], None]
"""Called with (finished trials, planned trials, best score so far)."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows that a learner is fitted on.

    Attributes
    ----------
    X
        Float64, (rows, columns of the manifest). Categories are codes, NaN is a missing value.
    y
        0 or 1, (rows,).
    manifest
        Name, kind and categories of each column.
    seed
        The only source of randomness a learner may use.
    entities
        Which rows belong to the same entity, (rows,). Without it every row stands alone.
    monotone
        -1, 0 or 1 per column: the margin may only fall, do either, or only rise with it. Empty: no constraint.

    Examples
    --------
    >>> from pql_model.model.columns import ModelColumn
    >>> manifest = Manifest((ModelColumn("trait.seats", "number"),))
    >>> rows = TrainingRows(np.array([[1.0], [5.0], [9.0]]), np.array([0.0, 0.0, 1.0]), manifest)
    >>> rows.take(np.array([2])).y.tolist()
    [1.0]
    """

    X: np.ndarray
    y: np.ndarray
    manifest: Manifest
    seed: int = 7
    entities: np.ndarray | None = None
    monotone: tuple[int, ...] = ()

    def take(self, positions: np.ndarray) -> TrainingRows:
        """Select rows by position."""
        entities = self.entities[positions] if self.entities is not None else None
        return TrainingRows(self.X[positions], self.y[positions], self.manifest, self.seed, entities, self.monotone)


@runtime_checkable
class Predictor(Protocol):
    """A fitted learner. It must not change after fitting, and may be used by several threads.

    Examples
    --------
    >>> from pql_model.model.booster import Ensemble
    >>> issubclass(Ensemble, Predictor)
    True
    """

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Return the log-odds before calibration, (rows,)."""
        ...

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Return SHAP values in log-odds, (rows, columns + 1); the last column is the base value.

        Each row sums to its margin.
        """
        ...

    def save(self) -> dict[str, str]:
        """Return the state as text files, name to content."""
        ...


@runtime_checkable
class Learner(Protocol):
    """Settings that can be fitted. `fit` returns a new predictor and leaves the learner as it was.

    Examples
    --------
    >>> from pql_model.model.lightgbm_learner import LightGBM
    >>> isinstance(LightGBM(), Learner), LightGBM().name
    (True, 'lightgbm')
    """

    @property
    def name(self) -> str:
        """The name that a saved model refers to, such as `lightgbm`."""
        ...

    @property
    def params(self) -> Mapping[str, object]:
        """Everything that a fit depends on beside the rows, as JSON: logged with the run."""
        ...

    def fit(self, rows: TrainingRows) -> Predictor:
        """Fit on training rows."""
        ...

    def load(self, files: Mapping[str, str]) -> Predictor:
        """Read back what `Predictor.save` returned."""
        ...


@dataclass(frozen=True)
class Budget:
    """How much tuning: trials, seconds after which no trial starts, and the file that remembers finished trials."""

    trials: int
    timeout: float | None = None
    journal: Path | None = None


@dataclass(frozen=True)
class Trial:
    """One hyperparameter setting, its mean score over the folds, and how the trial ended."""

    number: int
    params: dict[str, Any]
    score: float | None
    state: str


@dataclass(frozen=True)
class TuningResult:
    """The result of tuning.

    Attributes
    ----------
    learner
        The learner with its final settings.
    params
        The best single setting.
    score
        Its ROC-AUC on the folds.
    trials
        Every trial, in order. Empty for a learner that is not tuned.
    """

    learner: Learner
    params: Mapping[str, object]
    score: float
    trials: tuple[Trial, ...] = field(default=())


@runtime_checkable
class TunableLearner(Learner, Protocol):
    """A learner that chooses its hyperparameters itself, on the folds it is given and nothing later."""

    def tune(self, rows: TrainingRows, folds: Folds, budget: Budget, progress: Progress | None) -> TuningResult:
        """Search for hyperparameters."""
        ...
