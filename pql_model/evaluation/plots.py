"""Plots for the run: calibration, trade-off, importance, folds in time. The one door to matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

_LONGEST = 50
_BLUE, _ORANGE, _GREY = "#1f5fa8", "#d1690e", "#8a8f98"


def plot_calibration(reliability: pd.DataFrame, path: Path) -> Path:
    """Predicted against observed rate by tenth, with intervals."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.subplots()
    top = float(max(reliability["high"].max(), reliability["predicted"].max())) * 1.05
    axes.plot([0, top], [0, top], color=_GREY, linestyle=":", label="perfect")
    label = "a tenth of the test rows, 95 % interval"
    _plot_intervals(axes, reliability["predicted"], reliability.rename(columns={"observed": "value"}), label)
    axes.set(xlabel="predicted probability", ylabel="share that converted", title="Calibration")
    axes.legend(frameon=False, loc="upper left")
    return _save(figure, path)


def plot_months(months: pd.DataFrame, path: Path) -> Path:
    """Observed and expected conversions by month, with 95 % intervals; raw and corrected.

    Parameters
    ----------
    months
        month, expected, low, high, observed, corrected_expected.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(months))
    _plot_intervals(axes, place - 0.1, months.rename(columns={"expected": "value"}), "expected, 95 % interval")
    axes.plot(
        place + 0.1, months["corrected_expected"], "^", color=_GREY, label="expected, corrected by the newest outcomes"
    )
    axes.plot(place, months["observed"], "D", color=_ORANGE, label="observed")
    axes.set_xticks(place, months["month"], rotation=30, ha="right")
    axes.set(ylabel="conversions", ylim=(0, None), title="Calibration by month")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    return _save(figure, path)


def plot_tradeoff(y: np.ndarray, scores: dict[str, np.ndarray], path: Path) -> Path:
    """Share of conversions caught against share of accounts contacted, for the model and baselines."""
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
        title="Conversions caught by accounts contacted",
    )
    axes.legend(frameon=False, loc="lower right")
    return _save(figure, path)


def plot_simulation(policies: Mapping[str, Mapping[str, Any]], path: Path) -> Path:
    """Alerts of each run, leads that wait after it, the load of the weekdays, and what was won with its 95 % interval.

    Parameters
    ----------
    policies
        Name -> a simulated policy as JSON, at most two.
    """
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    (alerted, load), (waiting, wins) = figure.subplots(2, 2, gridspec_kw={"width_ratios": (3, 1)})
    for k, ((name, policy), colour) in enumerate(zip(policies.items(), (_BLUE, _ORANGE), strict=False)):
        runs = pd.DataFrame(policy["days"])
        at = pd.to_datetime(runs["as_of"], format="ISO8601", utc=True)
        label = f"{name}: {policy['rule']}"
        alerted.step(at, runs["alerted"], where="mid", color=colour, label=label)
        waiting.step(at, runs["waiting"], where="mid", color=colour)
        days, shift = list(policy["by_weekday"]), (k + 0.5 - len(policies) / 2) * 0.4
        load.bar(np.arange(len(days)) + shift, list(policy["by_weekday"].values()), 0.4, color=colour)
        load.set_xticks(range(len(days)), days, rotation=90)
        won = pd.DataFrame([policy["wins"]])
        _plot_intervals(wins, pd.Series([float(k)]), won, name, colour)
    wins.set(xlim=(-0.6, len(policies) - 0.4), ylim=(0, None), title="wins, 95 % interval")
    wins.set_xticks(range(len(policies)), list(policies))
    for axes in (alerted, waiting):
        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    alerted.set(title="new alerts of each run", ylim=(0, None))
    waiting.set(title="leads without a place", ylim=(0, None))
    load.set(title="alerts by weekday", ylim=(0, None))
    figure.legend(*alerted.get_legend_handles_labels(), frameon=False, loc="outside lower center")
    return _save(figure, path)


def plot_forecast(payload: Mapping[str, Any], path: Path) -> Path:
    """Conversions of the past weeks, and those to come with their 95 % intervals.

    Parameters
    ----------
    payload
        A forecast as JSON.
    """
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    past = pd.DataFrame(payload["past_weeks"], columns=["from", "conversions"])
    weeks = pd.DataFrame(payload["weeks"])
    came, to_come = (pd.to_datetime(part["from"], format="ISO8601", utc=True) for part in (past, weeks))
    axes.plot(came, past["conversions"], "D", color=_ORANGE, label="observed")
    _plot_intervals(axes, to_come, pd.DataFrame(weeks["conversions"].tolist()), "forecast, 95 % interval")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    axes.set(ylabel="conversions of the week", ylim=(0, None), title="Conversions by week")
    axes.legend(frameon=False, loc="lower left")
    return _save(figure, path)


def plot_importance(importance: pd.DataFrame, path: Path, top: int = 15) -> Path:
    """Mean absolute log-odds by behaviour on the test rows."""
    rows = importance.head(top).iloc[::-1]
    figure = Figure(figsize=(6.4, 0.32 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = rows["behaviour"].map(lambda name: name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")
    axes.barh(range(len(rows)), rows["mean_abs"], color=_BLUE)
    axes.set_yticks(range(len(rows)), names.str.replace("$", r"\$", regex=False))
    axes.set(xlabel="mean absolute change of the log-odds", title="Most important behaviours")
    return _save(figure, path)


def plot_folds(table: pd.DataFrame, path: Path) -> Path:
    """ROC-AUC by cut-off of the model and of logistic regression, and conversions expected and observed.

    Parameters
    ----------
    table
        cutoff, of, metric, value, low, high.
    """
    figure = Figure(figsize=(7.2, 6.0), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    folds = table[table["cutoff"] != "pooled"]
    place = {cutoff: i for i, cutoff in enumerate(folds["cutoff"].unique())}
    parts = (
        ("model", "roc_auc", _BLUE, above),
        ("logistic_regression", "roc_auc", _ORANGE, above),
        ("model", "observed_conversions", _GREY, below),
        ("model", "expected_conversions", _BLUE, below),
    )
    for k, (of, metric, colour, axes) in enumerate(parts):
        part = folds[(folds["of"] == of) & (folds["metric"] == metric)]
        label = of.replace("_", " ") if axes is above else metric.split("_")[0]
        _plot_intervals(axes, part["cutoff"].map(place) + (k % 2 - 0.5) * 0.12, part, label, colour)
    above.axhline(0.5, color=_GREY, linestyle=":")
    above.set(ylabel="ROC-AUC, 95 % interval", title="Back-test: each model until the next cut-off")
    below.set(ylabel="conversions", xlabel="cut-off")
    below.set_xticks(list(place.values()), list(place), rotation=30, ha="right")
    for axes in (above, below):
        axes.legend(frameon=False)
    return _save(figure, path)


def _plot_intervals(axes: Axes, x: ArrayLike, table: pd.DataFrame, label: str, colour: str = _BLUE) -> None:
    """Plot `value` with error bars from `low` to `high`."""
    below, above = table["value"] - table["low"], table["high"] - table["value"]
    ends = [below.clip(lower=0), above.clip(lower=0)]
    axes.errorbar(x, table["value"], yerr=ends, fmt="o", color=colour, ecolor=colour, elinewidth=1, label=label)


def _save(figure: Figure, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # an emoji that the font does not have is drawn as a box
        figure.savefig(path, dpi=110, format="png", metadata={"Software": None})
    return path
