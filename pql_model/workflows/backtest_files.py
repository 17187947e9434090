"""Files of a back-test: finished folds, from which an interrupted run resumes, and the results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model.atomic import atomic_write
from pql_model.config.load import dump_config
from pql_model.config.schema import Config
from pql_model.evaluation.backtest_metrics import FoldMetrics
from pql_model.evaluation.plots import plot_folds
from pql_model.model.columns import Manifest
from pql_model.model.train import Fit, digest

_LIBRARIES = ("lightgbm", "numpy", "optuna", "pandas", "scikit-learn", "scipy")


@dataclass(frozen=True)
class FoldTask:
    """A fold before it is fitted.

    Attributes
    ----------
    frame, X, manifest
        Training rows, their matrix and its columns.
    rows, X_rows
        Scored rows with the baselines that need no fitting, and their matrix.
    facts
        Facts about the fold.
    """

    frame: pd.DataFrame
    X: np.ndarray
    manifest: Manifest
    rows: pd.DataFrame
    X_rows: np.ndarray
    facts: dict[str, Any]


@dataclass(frozen=True)
class FinishedFold:
    """Predictions of one fold, as `fold_metrics` reads them, and facts about it."""

    rows: pd.DataFrame
    facts: dict[str, Any]


class FoldStore:
    """Finished folds under `.pql/backtest/`, one file each, named by a digest of everything that the fold depends on.

    Two back-tests may share the folder, since equal names mean equal content. An unreadable fold is fitted again.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / ".pql" / "backtest"

    def find(self, key: str) -> FinishedFold | None:
        """Return a fold that another run has finished, or None."""
        try:
            rows = pd.read_parquet(self.folder / f"{key}.parquet")
            return FinishedFold(rows, rows.attrs["facts"])
        except (OSError, ValueError, KeyError):  # missing, just removed, or damaged
            return None

    def keep(self, key: str, fold: FinishedFold) -> None:
        """Store a finished fold."""
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = fold.rows.copy()
        rows.attrs["facts"] = fold.facts
        atomic_write(self.folder / f"{key}.parquet", lambda path: rows.to_parquet(path, index=False))

    def forget(self, keys: Iterable[str]) -> None:
        """Remove the folds of a complete back-test. The folder stays, since another run may be writing to it."""
        for key in keys:
            (self.folder / f"{key}.parquet").unlink(missing_ok=True)


def fold_key(config: Config, trials: int, task: FoldTask, learner: str = "") -> str:
    """Digest everything that a fold's predictions depend on; `learner` as `learner_digest` returns it."""
    payload = [dump_config(config), learner, trials, task.facts, task.manifest.to_dict(), _software()]
    signed_up = task.frame["signed_up"].to_numpy(np.float64, na_value=np.nan)
    names = [*task.manifest.names, "signed_up"]
    training_digest = digest(task.frame, np.column_stack([task.X, signed_up]), names, json.dumps(payload))
    baselines = task.rows.drop(columns=["entity", "as_of", "converted"]).to_numpy(np.float64)
    return digest(task.rows, np.column_stack([task.X_rows, baselines]), names, training_digest)


def _software() -> list[str]:
    """Versions of the libraries and digests of our own modules: a fixed bug must not survive in old folds."""
    own = hashlib.sha256()
    for module in sorted(files("pql_model.model").iterdir(), key=lambda entry: entry.name):
        if module.name.endswith(".py"):
            own.update(module.read_bytes())
    return [own.hexdigest(), *(version(name) for name in _LIBRARIES)]


def fingerprint(fit: Fit, manifest: Manifest) -> str:
    """A digest of the fitted model; equal digests mean equal probabilities."""
    content = json.dumps([fit.predictor.save(), fit.calibration.to_dict(), manifest.to_dict()])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def write_backtest_files(folder: Path, config: Config, rows: pd.DataFrame, figures: dict[str, FoldMetrics]) -> None:
    """Write predictions, the tidy table, the plot and the config into `folder`.

    Parameters
    ----------
    rows
        Predictions of all folds.
    figures
        Figures by cut-off (and `pooled`).
    """
    folder.mkdir(parents=True)
    dated = {c: pd.to_datetime(rows[c].to_numpy(np.int64), unit="us", utc=True) for c in ("cutoff", "as_of")}
    rows.assign(**dated).to_parquet(folder / "predictions.parquet", index=False)
    table = tidy(figures)
    table.to_csv(folder / "metrics.csv", index=False)
    plot_folds(table, folder / "folds.png")
    (folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")


def tidy(figures: dict[str, FoldMetrics]) -> pd.DataFrame:
    """One figure a row: cutoff, of (the model or a baseline), metric, value, low, high."""
    lines: list[dict[str, Any]] = []
    for cutoff, fold in figures.items():
        lines += [
            {"cutoff": cutoff, "of": of, "metric": metric, **vars(estimate)}
            for of, metrics in {"model": fold.model, **fold.baselines}.items()
            for metric, estimate in metrics.items()
        ]
        expected = {"metric": "expected_conversions", "value": fold.expected, "low": np.nan, "high": np.nan}
        there_were = {"metric": "observed_conversions", **vars(fold.observed)}
        lines += [{"cutoff": cutoff, "of": "model", **line} for line in (expected, there_were)]
    return pd.DataFrame(lines)
