"""The rows that criteria are found and tested on: no conversion among them counts twice, and no row knows the outcome.

Trial: one landmark, so one row an entity. Freemium: looks at the same entity at least one horizon apart. Of these rows the
last fifth tests what the others were searched for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pql_model.model.split import Split
from pql_model.snapshots.spacing import non_overlapping
from pql_model.time import DAY, Duration

MOST_BEFORE = 1 / 3
"""A landmark is too late if a larger share of the conversions came before it: criteria would miss these customers."""
LATER_SHARES, LATER_CONVERSIONS = (0.2, 0.25, 0.3), 50
"""Later rows are the smallest of these shares with so many conversions: enough to test rules, which are few and simple."""


@dataclass(frozen=True)
class CriteriaRows:
    """Which snapshots count.

    Attributes
    ----------
    keep
        Bool mask over the snapshots.
    text
        The same for people: `as of day 14 of the trial`.
    landmark_days
        Days since sign-up at which a trial is looked at; None in freemium.
    """

    keep: np.ndarray
    text: str
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
    >>> rows.text, rows.keep.tolist()
    ('as of day 3 of the trial', [True, False, True, False, True])
    """
    if motion != "trial":
        keep = np.zeros(len(frame), bool)
        keep[non_overlapping(frame, horizon)] = True
        return CriteriaRows(keep, f"snapshots at least {horizon.text} apart", None)
    age = frame["as_of"].to_numpy(np.int64) - frame["signed_up"].to_numpy(np.int64)
    landmark = _landmark(frame, np.asarray(train, bool), age)
    days = landmark / DAY
    return CriteriaRows(age == landmark, f"as of day {days:g} of the trial", days)


def periods(frame: pd.DataFrame, keep: np.ndarray, split: Split, motion: str, horizon: Duration) -> Split:
    """Earlier and later rows for criteria: a split that begins its later period no sooner than the model's.

    To judge a model takes many later rows; to place thresholds takes many earlier ones. Where a fifth of the rows can test
    the rules, the rest are searched; where it cannot, the model's own split stays.

    Parameters
    ----------
    frame
        entity, as_of, signed_up, converted of all final snapshots; any index.
    keep
        Criteria rows, bool.
    split
        The model's.
    """
    begins = frame["signed_up" if motion == "trial" else "as_of"].to_numpy(np.int64)
    as_of, converted = frame["as_of"].to_numpy(np.int64), frame["converted"].to_numpy(bool)
    for share in LATER_SHARES:
        start = int(np.quantile(begins[keep], 1 - share, method="nearest"))
        earlier, later = as_of + horizon.us <= start, begins >= start
        if start >= split.test_start and converted[keep & later].sum() >= LATER_CONVERSIONS:
            return replace(
                split, train=earlier, test=later, test_start=start, left_out={"gap": int((~earlier & ~later).sum())}
            )
    return split


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
