"""Pictures for the run: calibration, trade-off, what matters. The one door to matplotlib."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

_LONGEST = 50
_BLUE, _ORANGE, _GREY = "#1f5fa8", "#d1690e", "#8a8f98"


def plot_calibration(reliability: pd.DataFrame, path: Path) -> Path:
    """Predicted against observed rate by tenth, with intervals."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.subplots()
    top = float(max(reliability["high"].max(), reliability["predicted"].max())) * 1.05
    axes.plot([0, top], [0, top], color=_GREY, linestyle=":", label="perfect")
    below, above = reliability["observed"] - reliability["low"], reliability["high"] - reliability["observed"]
    axes.errorbar(
        reliability["predicted"], reliability["observed"], yerr=[below.clip(lower=0), above.clip(lower=0)],
        fmt="o", color=_BLUE, ecolor=_BLUE, elinewidth=1, label="a tenth of the test rows, 95 % interval",
    )  # fmt: skip
    axes.set(xlabel="predicted probability", ylabel="share that converted", title="Does the probability keep its word?")
    axes.legend(frameon=False, loc="upper left")
    return _save(figure, path)


def plot_tradeoff(y: np.ndarray, scores: dict[str, np.ndarray], path: Path) -> Path:
    """Share of conversions caught against share of accounts contacted, model and baselines."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.subplots()
    for (name, score), colour in zip(scores.items(), (_BLUE, _ORANGE, _GREY), strict=False):
        order = np.argsort(-score, kind="stable")
        caught = np.concatenate([[0], np.cumsum(y[order]) / max(y.sum(), 1)])
        axes.plot(np.linspace(0, 1, len(caught)), caught, color=colour, label=name)
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="by chance")
    axes.set(
        xlabel="share of accounts contacted, best first",
        ylabel="share of conversions caught",
        title="Volume against reach",
    )
    axes.legend(frameon=False, loc="lower right")
    return _save(figure, path)


def plot_importance(importance: pd.DataFrame, path: Path, top: int = 15) -> Path:
    """Mean absolute log-odds by behaviour on the test rows."""
    shown = importance.head(top).iloc[::-1]
    figure = Figure(figsize=(6.4, 0.32 * len(shown) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = shown["behaviour"].map(lambda name: name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")
    axes.barh(range(len(shown)), shown["mean_abs"], color=_BLUE)
    axes.set_yticks(range(len(shown)), names.str.replace("$", r"\$", regex=False))
    axes.set(xlabel="mean absolute change of the log-odds", title="What the model looks at")
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # an emoji that the font does not have is drawn as a box
        figure.savefig(path, dpi=110, metadata={"Software": None})
    return path
