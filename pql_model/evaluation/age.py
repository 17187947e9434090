"""The age of snapshots: a baseline that knows nothing else, and the groups within which rankings are judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.time import DAY

GROUPS = 20
"""Groups of age where snapshots have more distinct ages than this, as in freemium."""
_PRIOR = 1.0


def ages(frame: pd.DataFrame) -> np.ndarray:
    """Days from sign-up to the snapshot, NaN where the sign-up is unknown.

    Parameters
    ----------
    frame
        as_of and signed_up (int64 microseconds, nullable).
    """
    signed_up = frame["signed_up"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return (frame["as_of"].to_numpy(np.float64) - signed_up) / DAY


def age_groups(age: np.ndarray) -> np.ndarray:
    """Group rows by age: each landmark of a trial, or twenty groups of equal size; rows without an age are one group.

    >>> age_groups(np.array([3.0, 7.0, 3.0, np.nan])).tolist()
    [0, 1, 0, -1]
    """
    return _place(age, _edges(age))


def age_only(age: np.ndarray, y: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Predict later rows by the conversion rate of training rows of the same age.

    Parameters
    ----------
    age, y
        Age and outcome of the training rows.
    later
        Ages to predict.
    """
    edges = _edges(age)
    rate = pd.Series(np.asarray(y, float)).groupby(_place(age, edges)).agg(["sum", "count"])
    base = float(np.mean(y))
    smooth = (rate["sum"] + _PRIOR * base) / (rate["count"] + _PRIOR)
    return np.asarray(pd.Series(_place(later, edges)).map(smooth).fillna(base).to_numpy(float))


def _edges(age: np.ndarray) -> np.ndarray:
    """Upper edges of the groups but the last."""
    known = np.unique(np.round(age[~np.isnan(age)], 6))
    if len(known) <= GROUPS:
        return np.asarray((known[1:] + known[:-1]) / 2)
    return np.unique(np.nanquantile(age, np.linspace(0, 1, GROUPS + 1)[1:-1]))


def _place(age: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(age), -1, np.searchsorted(edges, age, side="right"))
