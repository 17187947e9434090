"""Which behaviours go with conversion: how much, in which direction, and in which shape.

Computed from the SHAP values of held-out rows, summed over all columns of a behaviour: seven windows of one event are
one behaviour, so the share of the event is not split between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.explain.reasons import behaviour_of
from pql_model.features.spec import parse_feature
from pql_model.features.trait_columns import as_numbers
from pql_model.measures import LESS_IS_MORE
from pql_model.model.columns import Manifest, ModelColumn, as_texts
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.intervals import SampleSize, percentile_interval

Direction = Literal["+", "-", "mixed"]
Shape = Literal["step", "saturating", "linear", "none"]
RESAMPLES = 300
CLEAR = 0.3
"""Rank correlation from which a behaviour has a direction."""
FAINT = 0.005
"""Smallest share of all contributions for which a shape is reported."""
_POINTS = 24
_AS_WELL = 0.02


@dataclass(frozen=True)
class Behaviour:
    """One behaviour on held-out rows.

    Attributes
    ----------
    share
        Of the total of absolute contributions, 0-1, with its interval.
    direction
        Whether more of it (more often, more recently, a larger value) goes with a higher probability.
    column
        The column that explains most of its contribution; among equally good ones, that with the shortest window.
    columns
        All columns of it, the strongest first, with their share of the total.
    curve
        Mean contribution by value of `column`: value, contribution (log-odds), rows.
    """

    name: str
    part: str
    share: Estimate
    direction: Direction
    shape: Shape
    column: ModelColumn
    columns: tuple[tuple[ModelColumn, float], ...]
    curve: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """The element of `behaviours` in `pql criteria list --json`."""
        return {
            "behaviour": self.name,
            "part": self.part,
            "share": round(self.share.value, 6),
            "share_interval": [round(self.share.low, 6), round(self.share.high, 6)],
            "direction": self.direction,
            "shape": self.shape,
            "shown": self.column.name,
            "words": self.column.text,
            "features": [{"name": c.name, "words": c.text, "share": round(s, 6)} for c, s in self.columns],
        }


def behaviours(
    contributions: np.ndarray,
    table: pd.DataFrame,
    manifest: Manifest,
    entity: np.ndarray,
    converted: np.ndarray,
    seed: int,
) -> list[Behaviour]:
    """Return behaviours by their share, the largest first.

    Parameters
    ----------
    contributions
        SHAP values of held-out rows in log-odds, (rows, columns + 1); the last column is the base value.
    table
        Feature table of the same rows.
    entity, converted
        Of the same rows; entities are what is resampled.
    """
    keys = [behaviour_of(column) for column in manifest.columns]
    names = list(dict.fromkeys(keys))
    total = np.column_stack([_sum(contributions, keys, name) for name in names]) if names else np.empty((0, 0))
    shares = _shares(np.abs(total), entity, converted, seed)
    strength = np.abs(contributions[:, :-1]).mean(axis=0)
    total_strength = max(float(np.abs(total).mean(axis=0).sum()), 1e-12)
    results = []
    for k, (part, name) in enumerate(names):
        members = [j for j, key in enumerate(keys) if key == (part, name)]
        by_strength = sorted(members, key=lambda j: (-strength[j], j))
        j = _telling(total[:, k], by_strength, table, manifest)
        values = _values(manifest.columns[j], table)
        faint = shares[k].value < FAINT
        results.append(
            Behaviour(
                name=name,
                part=part,
                share=shares[k],
                direction=_direction(manifest.columns[j], values, total[:, k]),
                shape="none" if faint or values is None else _shape(values, total[:, k]),
                column=manifest.columns[j],
                columns=tuple(
                    (manifest.columns[i], float(strength[i] / total_strength)) for i in by_strength if strength[i] > 0
                ),
                curve=_curve(manifest.columns[j], table, total[:, k]),
            )
        )
    return sorted(results, key=lambda b: (-b.share.value, b.name))


def _sum(contributions: np.ndarray, keys: Sequence[tuple[str, str]], name: tuple[str, str]) -> np.ndarray:
    return np.asarray(contributions[:, [j for j, key in enumerate(keys) if key == name]].sum(axis=1))


def _shares(sizes: np.ndarray, entity: np.ndarray, converted: np.ndarray, seed: int) -> list[Estimate]:
    """Return the share of each behaviour in the total, with an interval over resampled entities."""
    code, names = pd.factorize(entity)
    if not sizes.size or not sizes.sum():
        return [Estimate(0.0, 0.0, 0.0)] * sizes.shape[1]
    by_entity = np.zeros((len(names), sizes.shape[1]))
    np.add.at(by_entity, code, sizes)
    rng = np.random.default_rng(seed)
    resampled = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES) @ by_entity
    draws = resampled / resampled.sum(axis=1, keepdims=True)
    units = SampleSize.of(np.bincount(code, converted), np.bincount(code))
    value = by_entity.sum(axis=0) / by_entity.sum()
    return [percentile_interval(float(v), draws[:, k], units) for k, v in enumerate(value)]


def _values(column: ModelColumn, table: pd.DataFrame) -> np.ndarray | None:
    """Return the numbers to draw a curve over, or None for texts."""
    if column.kind == "category":
        return None
    return as_numbers(table[column.name])


def _telling(total: np.ndarray, members: Sequence[int], table: pd.DataFrame, manifest: Manifest) -> int:
    """Return the column whose best single split explains most of the behaviour's contribution."""
    best: list[tuple[float, int]] = []
    for j in members[:12]:
        values = _values(manifest.columns[j], table)
        if values is None:
            return members[0]
        best.append((_step_fit(values, total), j))
    top = max(fit for fit, _ in best)
    as_well = [j for fit, j in best if fit >= top - _AS_WELL * abs(top)]
    return min(as_well, key=lambda j: (_length(manifest.columns[j]), members.index(j)))


def _length(column: ModelColumn) -> float:
    if column.kind != "feature":
        return 0.0
    length = parse_feature(column.name).window.length
    return float("inf") if length is None else float(length.us)


def _direction(column: ModelColumn, values: np.ndarray | None, total: np.ndarray) -> Direction:
    if values is None:
        return "mixed"
    if column.kind == "feature" and parse_feature(column.name).measure in LESS_IS_MORE:
        values = -values
    present = ~np.isnan(values)
    if present.sum() < 3 or len(np.unique(values[present])) < 2 or np.ptp(total[present]) == 0:
        return "mixed"
    ranks = pd.DataFrame({"value": values[present], "total": total[present]}).rank()
    correlation = float(ranks["value"].corr(ranks["total"]))
    return "+" if correlation >= CLEAR else "-" if correlation <= -CLEAR else "mixed"


def _shape(values: np.ndarray, total: np.ndarray) -> Shape:
    """Return the simplest shape that fits (nearly) best: a line, then a step, then a rise that levels off.

    Each is fitted by least squares to the behaviour's contribution over the value.
    """
    present = ~np.isnan(values)
    x, y = values[present], total[present]
    x = np.minimum(x, np.quantile(x, 0.99)) if len(x) else x
    if len(np.unique(x)) < 2 or np.ptp(y) == 0:
        return "none"
    line = _line_fit(x, y)
    step = _step_fit(x, y)
    caps = np.unique(np.quantile(x, np.linspace(0.1, 0.9, 9)))
    level = max((_line_fit(np.minimum(x, cap), y) for cap in caps if cap > x.min()), default=line)
    best = max(line, step, level)
    if best < 0.1:
        return "none"
    if line >= best - _AS_WELL:
        return "linear"
    return "step" if step >= best - _AS_WELL else "saturating"


def _line_fit(x: np.ndarray, y: np.ndarray) -> float:
    """Return the R squared of a straight line."""
    return 0.0 if np.ptp(x) == 0 else float(np.corrcoef(x, y)[0, 1] ** 2)


def _step_fit(values: np.ndarray, y: np.ndarray) -> float:
    """Return the R squared of the best single split; missing values lie on the low side."""
    order = np.argsort(np.where(np.isnan(values), -np.inf, values), kind="stable")
    x, sorted_y = values[order], y[order]
    n = len(y)
    spread = float(((y - y.mean()) ** 2).sum())
    if n < 2 or spread == 0:
        return 0.0
    below = np.arange(1, n)
    low = np.cumsum(sorted_y)[:-1]
    gap = low / below - (sorted_y.sum() - low) / (n - below)
    changes = ~((x[1:] == x[:-1]) | (np.isnan(x[1:]) & np.isnan(x[:-1])))
    gain = np.where(changes, gap**2 * below * (n - below) / n, 0.0)
    return float(gain.max() / spread)


def _curve(column: ModelColumn, table: pd.DataFrame, total: np.ndarray) -> tuple[dict[str, Any], ...]:
    """Return the mean contribution by value: each value where there are few, else groups of equal size."""
    if column.kind == "category":
        texts = as_texts(table[column.name]).fillna("(unknown)").astype(str)
        groups = pd.DataFrame({"value": texts.to_numpy(), "total": total}).groupby("value")["total"]
        payload = groups.agg(["mean", "size"]).sort_values("size", ascending=False).head(_POINTS)
        return tuple(_point(str(value), row["mean"], row["size"]) for value, row in payload.iterrows())
    values = as_numbers(table[column.name])
    present = ~np.isnan(values)
    x, y = values[present], total[present]
    points = [_point(None, float(total[~present].mean()), int((~present).sum()))] if (~present).any() else []
    if not len(x):
        return tuple(points)
    if len(np.unique(x)) > _POINTS:
        edges = np.unique(np.quantile(x, np.linspace(0, 1, _POINTS + 1)[1:-1]))
        group = np.searchsorted(edges, x, side="right")
    else:
        group = np.unique(x, return_inverse=True)[1]
    for g in np.unique(group):
        in_group = group == g
        points.append(_point(round(float(np.median(x[in_group])), 4), float(y[in_group].mean()), int(in_group.sum())))
    return tuple(points)


def _point(value: Any, contribution: float, rows: int) -> dict[str, Any]:
    return {"value": value, "contribution": round(float(contribution), 5), "rows": int(rows)}
