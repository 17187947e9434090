"""Daily counts of a product whose process is known, for tests of the monitor."""

from __future__ import annotations

import numpy as np

from pql_model.monitoring.daily import AGES, DailyCounts

DAYS, RECENT = 196, 140
MONDAY = 7 * 2857 + 4  # in days since 1970, which began on a Thursday
SHARES = (0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.03, 0.01)
OFTEN = 1.5


def simulated(seed, *, active=60.0, growth=0.5, shares=SHARES, heavy=0.3, level=None, often=None, present=None):
    """Counts of events that active entities do with fixed shares, on weekends less, with weeks that differ.

    `level` and `often` (events, days) multiply the share and the occurrences from their process; `present` (days)
    multiplies the active entities.
    """
    rng = np.random.default_rng(seed)
    day = np.arange(DAYS)
    weekday = np.array([1.2, 1.3, 1.3, 1.3, 1.1, 0.4, 0.4])[(day + MONDAY - 4) % 7]
    mean = active * (1 + growth * day / DAYS) * weekday * (1 if present is None else present)
    of_age = rng.poisson(np.repeat(mean[:, None] / len(AGES), len(AGES), axis=1))
    share = np.array(shares)[:, None] * (1 if level is None else level)
    by_week = np.exp(rng.normal(0, heavy * 0.3, (len(shares), DAYS // 7 + 1)))[:, day // 7]
    chance = np.clip(share * by_week, 0, 1)[:, :, None]
    entities = rng.binomial(of_age[None], chance).astype(float)
    count = entities.sum(axis=2)
    mean_log = np.log(OFTEN) + (0 if often is None else np.log(often))
    logs = count * mean_log + rng.normal(0, 0.5, count.shape) * np.sqrt(count)
    rows = count * np.exp(mean_log) * 1.1
    names = tuple(f"event {number}" for number in range(len(shares)))
    return DailyCounts(MONDAY, names, of_age.astype(float), entities, rows, logs)


def past():
    return np.arange(DAYS) < RECENT


def from_day(start, factor, event):
    """(events, days) of ones, `factor` for one event from a day on."""
    level = np.ones((len(SHARES), DAYS))
    level[event, start:] = factor
    return level
