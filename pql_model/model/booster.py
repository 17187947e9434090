"""The one door to LightGBM: fitting, margins, contributions, text. No pickle."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # busy-waiting threads starve whatever else runs; read at import

import lightgbm as lgb
import numpy as np

from pql_model.errors import DataError

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


@dataclass(frozen=True)
class Params:
    """One setting. `averaged` boosters differ in their seed only and are averaged.

    The defaults are a strongly regularised forest of small random trees, which few conversions cannot mislead.
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

    def for_lightgbm(self, seed: int, monotone: Sequence[int] = ()) -> dict[str, object]:
        chosen = {k: v for k, v in self.__dict__.items() if k not in ("rounds", "averaged")}
        if any(monotone):
            chosen["monotone_constraints"] = list(monotone)
        return {**FIXED, **chosen, "seed": seed, "num_threads": min(4, os.cpu_count() or 1)}


_trees = re.compile(r"^Tree=\d+\n", re.MULTILINE).split
_END = "end of trees"


@dataclass(frozen=True)
class Ensemble:
    """Boosters whose margins are averaged; a margin is the log-odds before calibration."""

    boosters: tuple[lgb.Booster, ...]

    @cached_property
    def _joined(self) -> lgb.Booster:
        """One booster with the trees of all: a call costs more than what a small booster does for one row."""
        if len(self.boosters) == 1:
            return self.boosters[0]
        return lgb.Booster(model_str=joined_text(self.texts()))

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Raw log-odds, shape (rows,)."""
        if not len(X):  # LightGBM refuses an empty table
            return np.empty(0)
        return np.asarray(self._joined.predict(X, raw_score=True)) / len(self.boosters)

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """SHAP values, shape (rows, columns + 1); the last is the base value. Rows sum to the margin."""
        if not len(X):
            return np.empty((0, X.shape[1] + 1))
        return np.asarray(self._joined.predict(X, pred_contrib=True)) / len(self.boosters)

    def texts(self) -> list[str]:
        return [booster.model_to_string() for booster in self.boosters]

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Ensemble:
        """Read back what `texts` wrote.

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
    """The text of one model with the trees of several; its margin is the sum of theirs.

    Parameters
    ----------
    texts
        Of models with the same columns.
    """
    bodies = [text.partition(_END)[0] for text in texts]
    head = re.sub(r"^tree_sizes=.*\n", "", _trees(bodies[0])[0], flags=re.MULTILINE)  # offsets, which no longer hold
    trees = [tree for body in bodies for tree in _trees(body)[1:]]
    numbered = "".join(f"Tree={number}\n{tree}" for number, tree in enumerate(trees))
    return f"{head}{numbered}{_END}{texts[0].partition(_END)[2]}"


def training_data(X: np.ndarray, y: np.ndarray, names: Sequence[str], categorical: Sequence[int]) -> lgb.Dataset:
    """Binned rows, which any number of fits can share.

    Parameters
    ----------
    X
        Float64, (rows, columns), in a fixed row order: the trees depend on it.
    y
        0 or 1, (rows,).
    """
    return lgb.Dataset(
        X, label=y, feature_name=list(names), categorical_feature=list(categorical), params=dict(FIXED)
    ).construct()


def fit_ensemble(data: lgb.Dataset, settings: Sequence[Params], seed: int, monotone: Sequence[int] = ()) -> Ensemble:
    """Fit every setting on `training_data`, each with its seeds; all boosters weigh the same.

    Parameters
    ----------
    monotone
        -1, 0 or 1 per column: the margin may only fall, do either, or only rise with it. Never of a categorical
        column, which LightGBM answers by ending the process.
    """
    fits = [(params, seed + 1000 * k) for params in settings for k in range(params.averaged)]
    return Ensemble(tuple(lgb.train(p.for_lightgbm(s, monotone), data, num_boost_round=p.rounds) for p, s in fits))
