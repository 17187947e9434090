"""The rows that criteria are found and tested on: no conversion among them counts twice, and no row knows the outcome.

Trial: one landmark, so one row an entity. Freemium: looks at the same entity at least one horizon apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.snapshots.apart import apart
from pql_model.windows import DAY, Duration

MOST_BEFORE = 1 / 3
"""A landmark is too late if a larger share of the conversions came before it: criteria would miss these customers."""


@dataclass(frozen=True)
class CriteriaRows:
    """Which snapshots count.

    Attributes
    ----------
    keep
        Bool mask over the snapshots.
    words
        The same for people: `as of day 14 of the trial`.
    landmark_days
        Days since sign-up at which a trial is looked at; None in freemium.
    """

    keep: np.ndarray
    words: str
    landmark_days: float | None


def criteria_rows(frame: pd.DataFrame, train: np.ndarray, motion: str, horizon: Duration) -> CriteriaRows:
    """Choose the rows for criteria.

    Parameters
    ----------
    frame
        entity, as_of, signed_up, converted of all final snapshots; any index.
    train
        Training rows, bool; of the outcomes only theirs are looked at.
    motion
        In a `trial` the last landmark, unless more than a third of the conversions after the first one came before it;
        then the landmark before, and so on. In `freemium` looks at least one horizon apart for each entity.

    Examples
    --------
    >>> day = np.array([3, 14, 3, 14, 3])  # the third entity pays after 10 days: of two conversions one comes before day 14
    >>> frame = pd.DataFrame({"entity": ["a", "a", "b", "b", "c"], "signed_up": 0, "as_of": day * DAY,
    ...                       "converted": [True, True, False, False, True]})
    >>> rows = criteria_rows(frame, np.ones(5, bool), "trial", Duration.parse("30d"))
    >>> rows.words, rows.keep.tolist()
    ('as of day 3 of the trial', [True, False, True, False, True])
    """
    if motion != "trial":
        keep = np.zeros(len(frame), bool)
        keep[apart(frame, horizon)] = True
        return CriteriaRows(keep, f"snapshots at least {horizon.words} apart", None)
    age = frame["as_of"].to_numpy(np.int64) - frame["signed_up"].to_numpy(np.int64)
    landmark = _landmark(frame, np.asarray(train, bool), age)
    days = landmark / DAY
    return CriteriaRows(age == landmark, f"as of day {days:g} of the trial", days)


def _landmark(frame: pd.DataFrame, train: np.ndarray, age: np.ndarray) -> int:
    """The latest age before which at most a third of the training conversions came."""
    ages = [int(a) for a in np.unique(age[train])]
    as_of, converted = frame["as_of"].to_numpy(np.int64), frame["converted"].to_numpy(bool)
    entity = pd.factorize(frame["entity"])[0]
    paid = np.unique(entity[train & converted])
    for landmark in reversed(ages[1:]):
        # Who reached this age among the training rows; who is no longer there had converted, or is too new to tell.
        reached = as_of - age + landmark <= as_of[train].max()
        known = np.intersect1d(paid, entity[train & reached])
        there = np.isin(known, entity[train & (age == landmark)])
        if (~there).sum() <= MOST_BEFORE * len(known):
            return landmark
    return ages[0]
