"""The month and the weeks of snapshots."""

from __future__ import annotations

import numpy as np

from pql_model.time import DAY, WEEK, to_datetime, week_of


def month_of(as_of: np.ndarray) -> np.ndarray:
    """Format the UTC month of each instant.

    >>> month_of(np.array([0, 31 * DAY])).tolist()
    ['1970-01', '1970-02']
    """
    days, position = np.unique(np.asarray(as_of, np.int64) // DAY, return_inverse=True)
    return np.array([to_datetime(int(day) * DAY).strftime("%Y-%m") for day in days], dtype="U7")[position]


def whole_weeks(as_of: np.ndarray) -> np.ndarray:
    """List the Mondays of the weeks that lie entirely between the first and the last day, empty weeks included.

    >>> whole_weeks(np.array([DAY, 27 * DAY])) // DAY  # 1970-01-02, a Friday, to 1970-01-28, a Wednesday
    array([ 4, 11, 18])
    """
    if not len(as_of):
        return np.empty(0, np.int64)
    first, end = int(as_of.min()) // DAY * DAY, (int(as_of.max()) // DAY + 1) * DAY
    start = week_of(first + WEEK - DAY)  # the first Monday that is not before the first day
    return np.arange(start, end - WEEK + 1, WEEK, dtype=np.int64)
