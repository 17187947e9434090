"""The only module that imports LightGBM: fitting, margins, contributions, and models as text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # busy-waiting threads starve whatever else runs; read at import

import lightgbm as lgb
import numpy as np

from pql_model.errors import DataError
from pql_model.model.learner import TrainingRows

FIXED: dict[str, object] = {
    "objective": "binary",
    "verbosity": -1,
    "deterministic": True,
    "force_col_wise": True,
    "feature_pre_filter": False,
    "max_bin": 127,
    "bagging_freq": 1,
    "max_cat_threshold": 16,
    "cat_smooth": 20.0,
    "cat_l2": 20.0,
    "min_data_per_group": 20,
}
SMALLEST_LEAF = 5


@dataclass(frozen=True)
class Params:
    """One hyperparameter setting. `averaged` boosters that differ only in their seed are averaged.

    The defaults are a strongly regularised forest of small random trees, which a few conversions cannot mislead.
    """

    num_leaves: int = 7
    min_data_in_leaf: int = 40
    learning_rate: float = 0.05
    rounds: int = 120
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 10.0
    path_smooth: float = 0.0
    extra_trees: bool = True
    averaged: int = 3
    max_depth: int = -1
    lambda_l1: float = 0.0
    min_gain_to_split: float = 0.0

    def for_lightgbm(
        self, seed: int, monotone: Sequence[int] = (), others: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        tuned = {k: v for k, v in self.__dict__.items() if k not in ("rounds", "averaged")}
        if any(monotone):
            tuned["monotone_constraints"] = list(monotone)
        return {**FIXED, **(others or {}), **tuned, "seed": seed, "num_threads": min(4, os.cpu_count() or 1)}


def priors(rows: int) -> tuple[Params, Params]:
    """Return the two settings tried first: a forest of random trees, and ordinary stumps, which find exact thresholds.

    Their leaves are small enough for a table of this many rows.
    """
    leaf = min(Params().min_data_in_leaf, max(SMALLEST_LEAF, rows // Params().min_data_in_leaf))
    stumps = Params(
        num_leaves=2,
        min_data_in_leaf=leaf,
        rounds=150,
        feature_fraction=0.3,
        bagging_fraction=0.7,
        path_smooth=20.0,
        extra_trees=False,
    )
    return Params(min_data_in_leaf=leaf), stumps


_trees = re.compile(r"^Tree=\d+\n", re.MULTILINE).split
_END = "end of trees"


@dataclass(frozen=True)
class Ensemble:
    """Boosters whose margins are averaged."""

    boosters: tuple[lgb.Booster, ...]

    @cached_property
    def _joined(self) -> lgb.Booster:
        """One booster with the trees of all: a call costs more than the work of a small booster on one row."""
        if len(self.boosters) == 1:
            return self.boosters[0]
        return lgb.Booster(model_str=joined_text(self.texts()))

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Return the log-odds before calibration, (rows,)."""
        if not len(X):  # LightGBM refuses an empty table
            return np.empty(0)
        return np.asarray(self._joined.predict(X, raw_score=True)) / len(self.boosters)

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Return SHAP values, (rows, columns + 1); the last column is the base value. Rows sum to the margin."""
        if not len(X):
            return np.empty((0, X.shape[1] + 1))
        return np.asarray(self._joined.predict(X, pred_contrib=True)) / len(self.boosters)

    def save(self) -> dict[str, str]:
        """Return a LightGBM text file per booster."""
        return {f"booster_{k}.txt": text for k, text in enumerate(self.texts())}

    def texts(self) -> list[str]:
        return [booster.model_to_string() for booster in self.boosters]

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Ensemble:
        """Read boosters from their texts.

        Raises
        ------
        DataError
            If a text is not a LightGBM model.
        """
        try:
            return cls(tuple(lgb.Booster(model_str=text) for text in texts))
        except lgb.basic.LightGBMError as error:
            raise DataError(f"This is not a LightGBM model: {error}", remedy="export the model again") from error


def joined_text(texts: Sequence[str]) -> str:
    """Join the texts of models with the same columns into one, whose margin is the sum of theirs."""
    bodies = [text.partition(_END)[0] for text in texts]
    head = re.sub(r"^tree_sizes=.*\n", "", _trees(bodies[0])[0], flags=re.MULTILINE)  # offsets, which no longer hold
    trees = [tree for body in bodies for tree in _trees(body)[1:]]
    numbered = "".join(f"Tree={number}\n{tree}" for number, tree in enumerate(trees))
    return f"{head}{numbered}{_END}{texts[0].partition(_END)[2]}"


def bin_rows(rows: TrainingRows, others: Mapping[str, object] | None = None) -> lgb.Dataset:
    """Bin training rows; any number of fits can share them.

    Parameters
    ----------
    rows : TrainingRows
        The trees depend on the order of the rows.
    others : Mapping[str, object], optional
        Parameters beside `Params`, such as `max_bin`.
    """
    return training_data(rows.X, rows.y, rows.manifest.names, rows.manifest.categorical, others)


def training_data(
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    categorical: Sequence[int],
    others: Mapping[str, object] | None = None,
) -> lgb.Dataset:
    """Bin a matrix, float64 (rows, columns), with outcomes 0 or 1, (rows,)."""
    return lgb.Dataset(
        X,
        label=y,
        feature_name=list(names),
        categorical_feature=list(categorical),
        params={**FIXED, **(others or {})},
    ).construct()


def fit_ensemble(
    data: lgb.Dataset,
    settings: Sequence[Params],
    seed: int,
    monotone: Sequence[int] = (),
    others: Mapping[str, object] | None = None,
) -> Ensemble:
    """Fit every setting on binned rows, each with its seeds; all boosters have the same weight.

    Parameters
    ----------
    data : lightgbm.Dataset
        As `bin_rows` returns it, with the same `others`.
    settings : Sequence[Params]
        What is averaged.
    seed : int
        Seed of the first booster of each setting.
    monotone : Sequence[int]
        -1, 0 or 1 per column. A categorical column must not be constrained: LightGBM would end the process.
    others : Mapping[str, object], optional
        Parameters beside `Params`, such as `max_bin`.
    """
    fits = [(params, seed + 1000 * k) for params in settings for k in range(params.averaged)]
    boosters = [
        lgb.train(params.for_lightgbm(s, monotone, others), data, num_boost_round=params.rounds) for params, s in fits
    ]
    return Ensemble(tuple(boosters))
