"""Sign-ups to come: the level of the newest weeks, a damped trend where the past shows one, and the rhythm of the week."""

from __future__ import annotations

import numpy as np

WEEK_DAYS = 7
LEARNT_WEEKS = 26
"""Weeks that tell the trend and the rhythm."""
HALF_LIFE = 6.0
"""Weeks after which a week counts half."""
DAMPING = 0.95
"""What remains of the trend from one week to the next: growth does not go on for ever."""


def expected_sign_ups(past: np.ndarray, days: int) -> np.ndarray:
    """Expect the sign-ups of the days to come.

    Parameters
    ----------
    past
        Sign-ups by day, the last one the newest.
    days
        How many days to expect.

    Examples
    --------
    >>> expected_sign_ups(np.tile([5, 5, 5, 5, 5, 0, 0], 10), days=7).round(1).tolist()
    [5.0, 5.0, 5.0, 5.0, 5.0, 0.0, 0.0]
    """
    weeks = min(LEARNT_WEEKS, len(past) // WEEK_DAYS)
    if not weeks:
        return np.full(days, past.mean() if len(past) else 0.0)
    daily = past[len(past) - weeks * WEEK_DAYS :].reshape(weeks, WEEK_DAYS).astype(float)
    begun = int(np.argmax(daily.sum(axis=1) > 0))  # weeks before the first sign-up are not part of the past
    daily = daily[begun:]
    weekly = daily.sum(axis=1)
    if not weekly.any():
        return np.zeros(days)
    slope, level = _trend(weekly)
    ahead = -(-days // WEEK_DAYS)
    steps = np.cumsum(DAMPING ** np.arange(1, ahead + 1))
    to_come = level * np.exp(slope * steps)
    # one pseudo-week of an even rhythm, so that a day without sign-ups in a single week is not excluded for ever
    rhythm = daily.sum(axis=0) + weekly.mean() / WEEK_DAYS if len(daily) < 4 else daily.sum(axis=0)
    return np.asarray(np.outer(to_come, rhythm / rhythm.sum()).ravel()[:days])


def _trend(weekly: np.ndarray) -> tuple[float, float]:
    """Slope of the logarithm in a week, shrunk by its error, and the level of the newest week."""
    age = np.arange(len(weekly))[::-1].astype(float)
    weight = 0.5 ** (age / HALF_LIFE)
    plain = float(np.average(weekly, weights=weight))
    if len(weekly) < 4:
        return 0.0, plain
    y, x = np.log(weekly + 0.5), -age
    centre = np.average(x, weights=weight)
    spread = float(weight @ (x - centre) ** 2)
    slope = float(weight @ ((x - centre) * y)) / spread
    residual = y - np.average(y, weights=weight) - slope * (x - centre)
    noise = float(weight @ residual**2) / (weight.sum() * (1 - 2 / len(weekly)))
    error = noise * float(weight**2 @ (x - centre) ** 2) / spread**2
    slope *= max(0.0, 1 - error / slope**2) if slope else 0.0
    return slope, plain / float(np.average(np.exp(slope * x), weights=weight))
