"""A walk through past cut-offs: what was final at each, and who was at risk from it on until the next.

A cut-off is an instant at which a model could have been trained. It learns from the snapshots whose outcome was
final by then, and is judged on those from then on until the next cut-off: "had we retrained it every month".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.evaluation.verdict import MIN_TRAIN_CONVERSIONS
from pql_model.model.split import MIN_FIT_CONVERSIONS
from pql_model.time import DAY, DURATION_HELP, Duration, iso, parse_instant


@dataclass(frozen=True)
class CutoffRequest:
    """Which cut-offs were asked for: texts as they were given, or a step."""

    texts: tuple[str, ...] = ()
    every: Duration | None = None


@dataclass(frozen=True)
class Cutoff:
    """One cut-off of a walk, as masks over the snapshots.

    Attributes
    ----------
    cutoff
        Training sees nothing at or after it; scored are the snapshots from it on.
    until
        Scored are the snapshots before it.
    train, scored
        Boolean masks. In a trial the two hold different entities.
    left_out
        Rows of the scored period that are not scored, by reason.
    """

    cutoff: int
    until: int
    train: np.ndarray
    scored: np.ndarray
    left_out: dict[str, int]


@dataclass(frozen=True)
class Skipped:
    """A cut-off at which no model could be trained or judged, and why."""

    cutoff: int
    reason: str

    def to_dict(self) -> dict[str, str]:
        return {"cutoff": iso(self.cutoff), "reason": self.reason}


@dataclass(frozen=True)
class Schedule:
    """The steps that can be gone, and those that cannot."""

    steps: tuple[Cutoff, ...]
    skipped: tuple[Skipped, ...]


def read_cutoffs(cutoffs: str | Sequence[str] | None, every: str | None) -> CutoffRequest:
    """Cut-offs as they were asked for: a list (or a text with commas) or a step, never both.

    Raises
    ------
    DataError
        If both or neither are given, or the step is no duration.

    Examples
    --------
    >>> read_asked("2026-01-01, 2026-02-01", None).texts
    ('2026-01-01', '2026-02-01')
    >>> read_asked(None, "30d").every
    Duration('30d')
    """
    texts = cutoffs.split(",") if isinstance(cutoffs, str) else list(cutoffs or [])
    texts = [text.strip() for text in texts if text.strip()]
    if bool(texts) == (every is not None):
        raise DataError(
            "Which cut-offs?",
            received="both a list and a step" if texts else "none",
            allowed="either a list of dates or a step",
            remedy="give `--cutoffs 2026-01-01,2026-02-01` or `--every 30d`",
        )
    if every is None:
        return CutoffRequest(texts=tuple(texts))
    try:
        return CutoffRequest(every=Duration.parse(every))
    except ValueError:
        raise DataError(
            "The step between cut-offs is no duration",
            received=every,
            allowed=DURATION_HELP,
            remedy="try `--every 30d`",
        ) from None


def plan_schedule(frame: pd.DataFrame, asked: CutoffRequest, horizon: Duration, motion: str, now: int) -> Schedule:
    """Lay the cut-offs over the snapshots.

    Parameters
    ----------
    frame
        entity, as_of, converted of snapshots whose outcome is final; any index.
    now
        The present instant.

    Raises
    ------
    DataError
        With every fault of every cut-off.
    NotEnoughDataError
        If no cut-off has anything to learn from and to be judged on.
    """
    as_of = frame["as_of"].to_numpy(np.int64)
    if asked.every is not None:
        cutoffs = _laid_back(as_of, frame["converted"].to_numpy(bool), asked.every, horizon)
        step = asked.every.us
    else:
        cutoffs = _read(asked.texts, int(as_of.min()) + horizon.us, int(as_of.max()), now)
        step = cutoffs[-1] - cutoffs[-2] if len(cutoffs) > 1 else horizon.us
    ends = [*cutoffs[1:], cutoffs[-1] + step]
    steps = [_step(frame, c, end, horizon, motion) for c, end in zip(cutoffs, ends, strict=True)]
    why = [_why_not(frame, step) for step in steps]
    skipped = tuple(Skipped(s.cutoff, reason) for s, reason in zip(steps, why, strict=True) if reason is not None)
    if len(skipped) == len(steps):
        raise nothing_left(skipped)
    return Schedule(tuple(s for s, reason in zip(steps, why, strict=True) if reason is None), skipped)


def nothing_left(skipped: Sequence[Skipped]) -> NotEnoughDataError:
    """The error for a walk without a single step."""
    return NotEnoughDataError(
        "No cut-off can be back-tested",
        received="; ".join(f"{iso(s.cutoff)}: {s.reason}" for s in skipped),
        remedy="choose other cut-offs, shorten `horizon`, or wait for more data",
    )


def _laid_back(as_of: np.ndarray, converted: np.ndarray, every: Duration, horizon: Duration) -> list[int]:
    """From the end of the final snapshots back, step by step, while training has conversions enough for a verdict."""
    end = (int(as_of.max()) // DAY + 1) * DAY
    found: list[int] = []
    cutoff = end - every.us
    while int(converted[as_of + horizon.us <= cutoff].sum()) >= MIN_TRAIN_CONVERSIONS:
        found.append(cutoff)
        cutoff -= every.us
    if not found:
        known = int(converted[as_of + horizon.us <= cutoff].sum())
        raise NotEnoughDataError(
            f"At the last possible cut-off, {iso(cutoff)}, there is too little to learn from",
            received=f"{known:,} conversions whose outcome was final by then",
            allowed=f"{MIN_TRAIN_CONVERSIONS} or more",
            remedy="take smaller steps, name the dates with `--cutoffs` to look all the same, or wait for more data",
        )
    return found[::-1]


def _read(texts: Sequence[str], first: int, last: int, now: int) -> list[int]:
    """Cut-offs in order, each once; every fault of every one is told."""
    found, faults = set(), []
    for text in dict.fromkeys(texts):
        try:
            cutoff = parse_instant(text)
        except ValueError:
            faults.append(f"`{text}` is neither a date (2026-06-30) nor a time (2026-06-30T12:00:00Z)")
            continue
        found.add(cutoff)
        if cutoff > now:
            faults.append(f"{text} lies in the future")
        elif cutoff > last:
            faults.append(f"{text} is too late: no snapshot from then on has a final outcome")
        elif cutoff < first:
            faults.append(f"{text} is too early: no outcome was final by then")
    if faults:
        raise DataError(
            f"{len(faults)} cut-off{'s' if len(faults) > 1 else ''} cannot be used",
            received="; ".join(faults),
            allowed=f"dates from {iso(first)} to {iso(last)}",
            remedy="correct `--cutoffs`, or let `--every 30d` lay them",
        )
    return sorted(found)


def _step(frame: pd.DataFrame, cutoff: int, until: int, horizon: Duration, motion: str) -> Cutoff:
    as_of = frame["as_of"].to_numpy(np.int64)
    train = as_of + horizon.us <= cutoff
    scored = (as_of >= cutoff) & (as_of < until)
    if motion != "trial":  # the same account is looked at again and again, in use as in training
        return Cutoff(cutoff, until, train, scored, {})
    again = scored & frame["entity"].isin(frame["entity"][train]).to_numpy()
    return Cutoff(cutoff, until, train, scored & ~again, {"in_training": int(again.sum())} if again.any() else {})


def _why_not(frame: pd.DataFrame, step: Cutoff) -> str | None:
    converted = frame["converted"].to_numpy(bool)[step.train]
    known = int(converted.sum())
    if known < MIN_FIT_CONVERSIONS:
        return f"{known:,} conversions among {len(converted):,} snapshots whose outcome was final by then, at least {MIN_FIT_CONVERSIONS} are needed"
    if known == len(converted):
        return f"all {known:,} snapshots whose outcome was final by then converted"
    if not step.scored.any():
        others = "".join(f", but {n:,} that are {reason.replace('_', ' ')}" for reason, n in step.left_out.items())
        return f"nobody at risk from {iso(step.cutoff)} until {iso(step.until)}{others}"
    return None
