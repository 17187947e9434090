"""Made-up products as matrices, with known true probabilities: what `small_data.py` measures on.

Accounts have a hidden pace and a hidden taste for each of twelve events, of which a trial of 14 days records the
counts by day. What a model may read are counts in seven windows and more, strongly correlated with each other, and
two traits. Who converts follows one of four mechanisms, each on three of the events drawn anew for each world:

- `steps`: three thresholds on counts, and a trait;
- `smooth`: logarithms of counts, of all activity, and a trait;
- `interaction`: two thresholds that only count together, and recent use;
- `portal`: mostly recent activity and the number of different things done, as in a portal used by companies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from pql_model.model.columns import Manifest, ModelColumn
from pql_model.time import DAY

MECHANISMS = ("steps", "smooth", "interaction", "portal")
EVENTS, DAYS = 12, 14
_FIRST, _LAST = (1, 3, 7, 14), (1, 3, 7)
_SIZES = np.array([0.0, 0.4, 0.7, 0.2, 0.1])
_NOISE = 0.5


@dataclass(frozen=True)
class SmallWorld:
    """Training rows, and many later rows with the truth.

    Attributes
    ----------
    frame
        entity, as_of, signed_up, converted of the training rows, spread over 300 days.
    X, later
        Their matrix, and that of the later rows.
    outcome, truth
        Outcome and true probability of the later rows.
    """

    frame: pd.DataFrame
    X: np.ndarray
    manifest: Manifest
    later: np.ndarray
    outcome: np.ndarray
    truth: np.ndarray


def small_world(
    mechanism: str, conversions: int, seed: int, rate: float = 0.08, later_rows: int = 20_000
) -> SmallWorld:
    """A world in which about so many training rows convert."""
    rng = np.random.default_rng([seed, conversions, MECHANISMS.index(mechanism)])
    n = int(conversions / rate)
    habits, minimum = rng.choice(np.arange(1, 9), 3, replace=False), rng.integers(1, 5, 3)
    counts, size, region = _usage(rng, n + later_rows)
    odds = _log_odds(mechanism, counts, size, habits, minimum)
    odds += brentq(lambda base: _chance(odds + base).mean() - rate, -15, 5)
    converted = rng.random(len(odds)) < 1 / (1 + np.exp(-odds - rng.normal(0, _NOISE, len(odds))))
    X, manifest = _matrix(counts, size, region)
    signed_up = np.sort(rng.integers(0, 300 * DAY, n))
    frame = pd.DataFrame(
        {
            "entity": [f"account-{i:06d}" for i in range(n)],
            "as_of": signed_up + DAYS * DAY,
            "signed_up": signed_up,
            "converted": converted[:n],
        }
    )
    return SmallWorld(frame, X[:n], manifest, X[n:], converted[n:], _chance(odds[n:]))


def _usage(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts (accounts, events, days), and two traits as codes."""
    pace, taste = rng.gamma(0.6, 1 / 0.6, n), rng.gamma(0.5, 2.0, (n, EVENTS))
    fading = np.exp(-np.arange(DAYS) / rng.uniform(2, 12, n)[:, None])
    popular = np.geomspace(1.2, 0.04, EVENTS)
    mean = pace[:, None, None] * taste[:, :, None] * popular[None, :, None] * fading[:, None, :]
    return rng.poisson(mean), rng.choice(5, n, p=[0.4, 0.25, 0.2, 0.1, 0.05]), rng.choice(8, n)


def _log_odds(
    mechanism: str, counts: np.ndarray, size: np.ndarray, habits: np.ndarray, minimum: np.ndarray
) -> np.ndarray:
    """Up to a constant."""
    week, total = counts[:, :, :7].sum(axis=2), counts.sum(axis=2)
    a, b, c = habits
    if mechanism == "steps":
        habits_met = np.column_stack([week[:, a] >= minimum[0], total[:, b] >= minimum[1], total[:, c] >= minimum[2]])
        return np.asarray(habits_met @ [1.5, 1.2, 0.8] + _SIZES[size])
    if mechanism == "smooth":
        logs = np.log1p(np.column_stack([week[:, a], total[:, b], total.sum(axis=1)]))
        return np.asarray(logs @ [0.8, 0.6, 0.4] + _SIZES[size])
    recent = counts[:, :, 7:].sum(axis=2)
    if mechanism == "interaction":
        both_habits = (week[:, a] >= minimum[0]) & (total[:, b] >= minimum[1])
        idle = recent[:, c] == 0
        return np.asarray(1.8 * both_habits - 0.7 * idle + 0.3 * _SIZES[size] + 0.2 * np.log1p(total.sum(axis=1)))
    logs = np.log1p(np.column_stack([recent.sum(axis=1), (total > 0).sum(axis=1), total[:, a]]))
    return np.asarray(logs @ [0.5, 0.5, 0.25])


def _chance(odds: np.ndarray) -> np.ndarray:
    """Averaged over the noise, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    return np.asarray((1 / (1 + np.exp(-odds[:, None] - _NOISE * nodes))) @ (weights / weights.sum()))


def _matrix(counts: np.ndarray, size: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, Manifest]:
    columns: dict[str, np.ndarray] = {}
    names = [f"event+{e}" for e in range(EVENTS)] + ["any"]
    for name, daily in zip(names, [*counts.transpose(1, 0, 2), counts.sum(axis=1)], strict=True):
        columns |= {f"{name}.count.first_{w}d": daily[:, :w].sum(axis=1) for w in _FIRST}
        columns |= {f"{name}.count.last_{w}d": daily[:, DAYS - w :].sum(axis=1) for w in _LAST}
        columns[f"{name}.active_days.ever"] = (daily > 0).sum(axis=1)
        since = (daily[:, ::-1] > 0).argmax(axis=1) + 0.5
        columns[f"{name}.days_since_last.ever"] = np.where(daily.any(axis=1), since, np.nan)
    columns["any.breadth.ever"] = (counts.sum(axis=2) > 0).sum(axis=1)
    traits = (
        ModelColumn("trait.size", "category", tuple("abcde")),
        ModelColumn("trait.region", "category", tuple("abcdefgh")),
    )
    manifest = Manifest((*(ModelColumn(name, "feature") for name in columns), *traits))
    return np.column_stack([*columns.values(), size, region]).astype(float), manifest
