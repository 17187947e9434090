"""Choose the rows that criteria are searched and tested on, so that no conversion counts twice.

Trial: one landmark, hence one row per entity. Freemium: snapshots of an entity at least one horizon apart. The last fifth
of these rows tests the criteria that are found on the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pql_model.criteria.definition_metrics import cohort_instant
from pql_model.model.split import Split
from pql_model.snapshots.spacing import non_overlapping
from pql_model.time import DAY, Duration

MOST_BEFORE = 1 / 3
"""A landmark is too late if a larger share of the conversions came before it, since criteria would miss those customers."""
LATER_SHARES, LATER_CONVERSIONS = (0.2, 0.25, 0.3), 50
"""The later rows are the smallest of these shares with this many conversions, enough to test a few simple definitions."""


@dataclass(frozen=True)
class CriteriaRows:
    """The chosen snapshots.

    Attributes
    ----------
    keep : array of bool, shape (snapshots,)
    text : str
        Description, such as `as of day 14 of the trial`.
    landmark_days : float or None
        Days between sign-up and the snapshot of a trial; None in freemium.
    """

    keep: np.ndarray
    text: str
    landmark_days: float | None


def criteria_rows(frame: pd.DataFrame, train: np.ndarray, motion: str, horizon: Duration) -> CriteriaRows:
    """Choose the rows for criteria.

    Parameters
    ----------
    frame : DataFrame
        entity, as_of, signed_up and converted of all mature snapshots; any index.
    train : array of bool
        Training rows. Only their outcomes are used.
    motion : str
        A `trial` uses the last landmark, unless more than a third of the conversions after the first one came before it;
        then the landmark before that, and so on. `freemium` uses snapshots at least one horizon apart for each entity.
    horizon : Duration

    Examples
    --------
    >>> day = np.array([3, 14, 3, 14, 3])  # the third entity pays after 10 days: one of two conversions precedes day 14
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


def criteria_split(frame: pd.DataFrame, keep: np.ndarray, split: Split, motion: str, horizon: Duration) -> Split:
    """Split the criteria rows into earlier and later ones; the later period begins no sooner than that of the model.

    Judging a model takes many later rows; estimating thresholds takes many earlier ones. If a fifth of the rows is enough
    to test definitions, the rest are searched; otherwise the model's own split is used.

    Parameters
    ----------
    frame : DataFrame
        entity, as_of, signed_up and converted of all mature snapshots; any index.
    keep : array of bool
        Criteria rows.
    split : Split
        The model's split.
    motion : str
    horizon : Duration
    """
    begins = cohort_instant(frame, motion)
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
    """The latest age that at most a third of the training conversions precede."""
    ages = [int(a) for a in np.unique(age[train])]
    as_of, converted = frame["as_of"].to_numpy(np.int64), frame["converted"].to_numpy(bool)
    entity = pd.factorize(frame["entity"])[0]
    payers = np.unique(entity[train & converted])
    for landmark in reversed(ages[1:]):
        # Entities that reached this age: those without a row at it had converted before.
        reaches_landmark = as_of - age + landmark <= as_of[train].max()
        observed_payers = np.intersect1d(payers, entity[train & reaches_landmark])
        has_landmark = np.isin(observed_payers, entity[train & (age == landmark)])
        if (~has_landmark).sum() <= MOST_BEFORE * len(observed_payers):
            return landmark
    return ages[0]
