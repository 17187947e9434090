"""Out of time: the test period is later than every training label, with the horizon between them.

Why a gap: a label looks ahead by one horizon. Without the gap, training labels would reveal outcomes
of the test period, which nobody knew at that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.errors import NotEnoughDataError, TooFewConversionsError
from pql_model.statistics.estimate import wilson
from pql_model.time import Duration, iso

_TEST_SHARES = (0.35, 0.30, 0.25, 0.20, 0.15)
_FOLD_SHARES = (0.35, 0.5, 0.65, 0.8)
MIN_FIT_CONVERSIONS, MIN_CHECK_CONVERSIONS = 10, 5
GROUP_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """Row masks over the snapshots.

    Attributes
    ----------
    train, test
        Boolean masks. In a trial the two hold different entities.
    test_start
        The instant the test period begins; every training label was final by then.
    left_out
        Rows in neither, by reason.
    """

    train: np.ndarray
    test: np.ndarray
    test_start: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class Fold:
    """Row positions within the training rows: train on `fit`, evaluate on `check`."""

    fit: np.ndarray
    check: np.ndarray


@dataclass(frozen=True)
class Folds:
    """Folds and how they were made: `expanding` in time, or `grouped` by entity where time does not suffice.

    Attributes
    ----------
    left_out
        What is not used, with the reason: a fold without conversions would count as a ROC-AUC of one half.
    """

    kind: str
    folds: tuple[Fold, ...]
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "used": len(self.folds), "left_out": list(self.left_out)}


def out_of_time(frame: pd.DataFrame, horizon: Duration, motion: str) -> Split:
    """Split snapshots into training and test by time.

    Parameters
    ----------
    frame
        entity, as_of, signed_up, converted; any index.
    horizon
        The gap.
    motion
        In a `trial` an entity belongs to the period of its sign-up; in `freemium` a row to that of its as_of.

    Raises
    ------
    NotEnoughDataError
        If no cut leaves conversions on both sides.
    """
    if frame["entity"].nunique() < 2:
        raise NotEnoughDataError(
            "There is only one entity",
            received=f"{len(frame):,} snapshots of it",
            allowed="many entities, some of which converted",
            remedy="check `columns.entity`",
        )
    as_of = frame["as_of"].to_numpy(np.int64)
    begins = _begins(frame, motion)
    converted = frame["converted"].to_numpy(bool)
    best: tuple[int, int, np.ndarray, np.ndarray] | None = None
    for share in _TEST_SHARES:
        start = int(np.quantile(begins, 1 - share, method="nearest"))
        train, test = as_of + horizon.us <= start, begins >= start
        train_conversions, test_conversions = int(converted[train].sum()), int(converted[test].sum())
        if train_conversions and test_conversions and not converted[train].all() and not converted[test].all():
            if best is None or min(train_conversions, test_conversions) > best[0]:
                best = (min(train_conversions, test_conversions), start, train, test)
            if train_conversions >= test_conversions:
                break
    if best is None:
        conversions = int(frame["entity"][converted].nunique())
        if conversions < MIN_FIT_CONVERSIONS:
            raise too_few_conversions("There are too few conversions to hold out a later test period", frame)
        period = f"{iso(int(as_of.min()))} to {iso(int(as_of.max()))}"
        later = begins >= int(np.quantile(begins, 1 - _TEST_SHARES[0], method="nearest"))
        if not converted[later].any() and as_of.max() - as_of.min() > 3 * horizon.us:
            raise NotEnoughDataError(
                "Nobody converted in the later period that would test the model",
                received=f"snapshots from {period}, of which none after {iso(int(as_of[converted].max()))} converted",
                allowed="conversions early and late",
                remedy="ask `pql monitor` why conversions ended; to learn from the time before, set `observed_until` to their end",
            )
        raise NotEnoughDataError(
            "The history is too short to hold out a later test period",
            received=f"{int(converted.sum()):,} conversions in snapshots from {period}",
            allowed=f"snapshots over clearly more than the horizon of {horizon}, with conversions early and late",
            remedy="shorten `horizon`, or wait for more data",
        )
    _, start, train, test = best
    return Split(train, test, start, {"gap": int((~train & ~test).sum())})


def too_few_conversions(what: str, frame: pd.DataFrame, rows: str = "snapshots") -> TooFewConversionsError:
    """Build the error for too few conversions, with the base rate, which even few conversions determine."""
    converted = frame.groupby("entity")["converted"].any()
    conversions, entities = int(converted.sum()), len(converted)
    return TooFewConversionsError(
        what,
        entities=entities,
        conversions=conversions,
        rate=wilson(conversions, entities).to_dict(),
        received=f"{int(frame['converted'].sum()):,} conversions in {len(frame):,} {rows}",
        allowed="several entities that converted and several that did not, early and late",
    )


def _begins(frame: pd.DataFrame, motion: str) -> np.ndarray:
    column = "signed_up" if motion == "trial" else "as_of"
    return frame[column].to_numpy(np.int64)


def tuning_folds(frame: pd.DataFrame, horizon: Duration, motion: str, seed: int) -> Folds:
    """Expanding folds in time inside the training rows; by entity where too few conversions fall into them.

    Parameters
    ----------
    frame
        The training rows; any index.

    Raises
    ------
    NotEnoughDataError
        If no fold has both classes to learn from and both to check.
    """
    converted = frame["converted"].to_numpy(bool)
    folds, left_out = _in_time(frame, horizon, motion) if converted.any() else ([], ())
    if len(folds) >= 2:
        return Folds("expanding", tuple(folds), left_out)
    grouped = _by_entity(frame, converted, seed)
    if not grouped:
        raise too_few_conversions("There are too few conversions to tune on", frame, "training snapshots")
    if len(grouped) < GROUP_FOLDS:
        left_out += (f"{GROUP_FOLDS - len(grouped)} of {GROUP_FOLDS} folds by entity: one class only",)
    return Folds("grouped", grouped, left_out)


def _in_time(frame: pd.DataFrame, horizon: Duration, motion: str) -> tuple[list[Fold], tuple[str, ...]]:
    """Check on the rows between two cuts and fit on outcomes that were final at the first; also list unusable folds."""
    as_of, begins = frame["as_of"].to_numpy(np.int64), _begins(frame, motion)
    converted = frame["converted"].to_numpy(bool)
    cuts = [int(np.quantile(begins[converted], share, method="nearest")) for share in _FOLD_SHARES]
    ends = [*cuts[1:], np.iinfo(np.int64).max]
    folds, left_out = [], []
    for start, end in zip(cuts, ends, strict=True):
        fit = np.flatnonzero(as_of + horizon.us <= start)
        check = np.flatnonzero((begins >= start) & (begins < end))
        if _enough(converted, fit, MIN_FIT_CONVERSIONS) and _enough(converted, check, MIN_CHECK_CONVERSIONS):
            folds.append(Fold(fit, check))
        else:
            left_out.append(
                f"from {iso(start)}: {converted[fit].sum():,} conversions in {len(fit):,} rows to learn from, "
                f"{converted[check].sum():,} in {len(check):,} to check on; {MIN_FIT_CONVERSIONS} and {MIN_CHECK_CONVERSIONS} "
                "are needed, and rows without one"
            )
    return folds, tuple(left_out)


def _enough(converted: np.ndarray, rows: np.ndarray, minimum: int) -> bool:
    positives = int(converted[rows].sum())
    return positives >= minimum and positives < len(rows)


def _by_entity(frame: pd.DataFrame, converted: np.ndarray, seed: int) -> tuple[Fold, ...]:
    """Assign entities to folds in turn, converters and others separately, so that each fold has its share of both."""
    codes, names = pd.factorize(frame["entity"], sort=True)
    ever = np.zeros(len(names), bool)
    np.logical_or.at(ever, codes, converted)
    rng = np.random.default_rng(seed)
    dealt = np.empty(len(names), np.int64)
    for group in (np.flatnonzero(ever), np.flatnonzero(~ever)):
        dealt[rng.permutation(group)] = np.arange(len(group)) % GROUP_FOLDS
    hand = dealt[codes]
    folds = [Fold(np.flatnonzero(hand != k), np.flatnonzero(hand == k)) for k in range(GROUP_FOLDS)]
    return tuple(f for f in folds if _enough(converted, f.fit, 1) and _enough(converted, f.check, 1))


def describe(frame: pd.DataFrame, mask: np.ndarray) -> dict[str, object]:
    """Rows, entities, conversions and period of a part, for the run's record."""
    part = frame[mask]
    return {
        "rows": len(part),
        "entities": int(part["entity"].nunique()),
        "conversions": int(part["converted"].sum()),
        "converting_entities": int(part.loc[part["converted"].to_numpy(bool), "entity"].nunique()),
        "from": iso(int(part["as_of"].min())) if len(part) else None,
        "to": iso(int(part["as_of"].max())) if len(part) else None,
    }
