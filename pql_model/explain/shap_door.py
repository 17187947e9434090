"""The only module that imports `shap`: contributions as a `shap.Explanation`, and its plots as files.

The contributions themselves come from the learner, so nothing that scores or serves needs `shap`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap

from pql_model.errors import DataError
from pql_model.explain.reasons import families_of
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import Manifest, as_texts

By = Literal["column", "behaviour"]
MOST_PLOTTED = 1000
"""Rows in a plot: a beeswarm of more takes long and shows no more."""
_LONGEST = 50


def explanation(model: FittedModel, table: pd.DataFrame, by: By = "column") -> shap.Explanation:
    """Return the contributions of a feature table as a `shap.Explanation`, ready for `shap.plots`.

    Parameters
    ----------
    model : FittedModel
        Such as `pql_model.train(...).registered.model`.
    table : pandas.DataFrame
        A feature table with the model's columns, one row per snapshot.
    by : {"column", "behaviour"}
        One value per column, or summed to behaviours: all windows and measures of an event are one behaviour. The data
        shown beside a behaviour are those of its strongest column.

    Returns
    -------
    shap.Explanation
        `values` (rows, columns or behaviours) in log-odds; with `base_values` (rows,) they sum to the margin before
        calibration. `feature_names` are in English.

    Raises
    ------
    FeatureMismatchError
        If the table lacks columns of the model.
    DataError
        If `by` is neither of the two.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> result = pql_model.train(folder / "pql.yaml", trials=2)
    >>> reasons = explanation(result.registered.model, result.prepared.table, by="behaviour")
    >>> reasons.values.shape == reasons.data.shape, "Teammate Invited" in reasons.feature_names
    (True, True)
    """
    if by not in ("column", "behaviour"):
        raise DataError(
            "A `shap.Explanation` is by column or by behaviour",
            received=by,
            allowed=["column", "behaviour"],
            remedy="pass one of them as `by`",
        )
    X = model.manifest.matrix(table)
    contributions = model.predictor.contributions(X)
    values, base = contributions[:, :-1], contributions[:, -1]
    display = _shown(table, model.manifest, X)
    if by == "column":
        names = [column.text for column in model.manifest.columns]
        return shap.Explanation(values, base, X, display_data=display, feature_names=names)
    families = families_of(model.manifest)
    sums = np.column_stack([values[:, columns].sum(axis=1) for columns in families.values()])
    strength = np.abs(values).sum(axis=0)
    strongest = [max(columns, key=lambda j: strength[j]) for columns in families.values()]
    return shap.Explanation(
        sums, base, X[:, strongest], display_data=display[:, strongest], feature_names=_behaviour_names(list(families))
    )


def contributions_from(explainer: Any, X: np.ndarray) -> np.ndarray:
    """Return contributions of a `shap` explainer in the shape that `Predictor.contributions` must have.

    Parameters
    ----------
    explainer : shap.Explainer
        One that matches the learner and explains log-odds: `shap.LinearExplainer`, `shap.TreeExplainer`, ...
    X : numpy.ndarray
        Float64, (rows, columns).

    Returns
    -------
    numpy.ndarray
        (rows, columns + 1); the last column is the base value.

    Examples
    --------
    >>> background = np.array([[0.0, 0.0], [2.0, 2.0]])
    >>> explainer = shap.LinearExplainer((np.array([1.0, 3.0]), 0.5), background)
    >>> contributions_from(explainer, np.array([[2.0, 0.0]])).tolist()
    [[1.0, -3.0, 4.5]]
    """
    explanation = explainer(X)
    values, base = np.asarray(explanation.values), np.asarray(explanation.base_values)
    if values.ndim == 3:  # one block per class: the last is that of a conversion
        values, base = values[:, :, -1], base[..., -1]
    return np.column_stack([values, np.broadcast_to(base, len(X))])


def write_shap_plots(folder: Path, model: FittedModel, table: pd.DataFrame, seed: int) -> list[Path]:
    """Write beeswarm, bar and waterfall plots by behaviour as PNG.

    Parameters
    ----------
    folder : Path
        Where the files go.
    model, table
        As for `explanation`. The waterfall explains the row with the highest probability.
    seed : int
        Of the sample of rows that is drawn where there are many.
    """
    if not len(table):
        return []
    sample = table.sample(min(MOST_PLOTTED, len(table)), random_state=seed)
    reasons = explanation(model, sample, by="behaviour")
    reasons.feature_names = [_printable(name) for name in reasons.feature_names]
    best = int(np.argmax(reasons.values.sum(axis=1)))
    drawings: dict[str, Callable[[], object]] = {
        "shap_beeswarm": lambda: shap.plots.beeswarm(reasons, max_display=12, show=False, plot_size=None),
        "shap_bar": lambda: shap.plots.bar(reasons, max_display=12, show=False),
        "shap_waterfall": lambda: shap.plots.waterfall(reasons[best], max_display=12, show=False),
    }
    return [_draw(folder / f"{name}.png", drawing) for name, drawing in drawings.items()]


def _draw(path: Path, drawing: Callable[[], object]) -> Path:
    figure = plt.figure(figsize=(8, 5))  # first: a notebook's backend turns interactive mode on with its first figure
    try:
        with plt.ioff(), warnings.catch_warnings():  # shap turns interactive mode off and leaves it off
            warnings.simplefilter("ignore")  # warnings about shap's own colours, and about emoji that the font lacks
            drawing()
            plt.gcf().savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    finally:
        plt.close(figure)
    return path


def _shown(table: pd.DataFrame, manifest: Manifest, X: np.ndarray) -> np.ndarray:
    """Return the values to display: the texts of categories instead of their codes."""
    display = X.astype(object)
    for j in manifest.categorical:
        texts = as_texts(table[manifest.columns[j].name]).astype(object)
        display[:, j] = texts.where(texts.notna(), "(missing)").to_numpy()
    return display


def _behaviour_names(families: list[tuple[str, str]]) -> list[str]:
    """Name behaviours; a trait with the name of an event gets its part as well."""
    counts = Counter(name for _, name in families)
    return [name if counts[name] == 1 else f"{name} ({part})" for part, name in families]


def _printable(name: str) -> str:
    """Shorten a name, and keep matplotlib from reading mathematics into it."""
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return short.replace("$", r"\$")
