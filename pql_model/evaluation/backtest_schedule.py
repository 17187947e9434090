"""Schedule of a back-test: which snapshots each past cut-off trains on and which it scores.

A cut-off is an instant at which a model could have been trained. The model learns from snapshots whose outcome was final
by then and scores the snapshots from its cut-off up to the next one: "had we retrained every month".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.config.instant import InstantLike, read_instant
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.evaluation.verdict import MIN_TRAIN_CONVERSIONS
from pql_model.model.split import MIN_FIT_CONVERSIONS
from pql_model.time import DAY, DURATION_HELP, Duration, iso, parse_instant


@dataclass(frozen=True)
class CutoffRequest:
    """Requested cut-offs: a list of texts, or a step."""

    texts: tuple[str, ...] = ()
    every: Duration | None = None


@dataclass(frozen=True)
class Cutoff:
    """A cut-off as masks over the snapshots.

    Attributes
    ----------
    cutoff
        Training sees nothing at or after this instant; scoring starts here.
    until
        End of the scored period, exclusive.
    train, scored
        Boolean masks. In a trial the two hold different entities.
    left_out
        Snapshots in the scored period that are not scored, by reason.
    """

    cutoff: int
    until: int
    train: np.ndarray
    scored: np.ndarray
    left_out: dict[str, int]


@dataclass(frozen=True)
class SkippedCutoff:
    """A cut-off at which no model can be trained or evaluated, and why."""

    cutoff: int
    reason: str

    def to_dict(self) -> dict[str, str]:
        return {"cutoff": iso(self.cutoff), "reason": self.reason}


@dataclass(frozen=True)
class Schedule:
    """Usable cut-offs, and skipped ones."""

    steps: tuple[Cutoff, ...]
    skipped: tuple[SkippedCutoff, ...]


def read_cutoffs(cutoffs: InstantLike | Sequence[InstantLike] | None, every: str | None) -> CutoffRequest:
    """Read the requested cut-offs: a list of dates (or a comma-separated text) or a step, never both.

    Raises
    ------
    DataError
        If both or neither are given, or the step is not a duration.

    Examples
    --------
    >>> read_cutoffs("2026-01-01, 2026-02-01", None).texts
    ('2026-01-01', '2026-02-01')
    >>> read_cutoffs(None, "30d").every
    Duration('30d')
    """
    if isinstance(cutoffs, str):
        cutoffs = cutoffs.split(",")
    elif isinstance(cutoffs, dt.date):
        cutoffs = [cutoffs]
    texts = [cutoff if isinstance(cutoff, str) else iso(read_instant(cutoff, "cutoffs")) for cutoff in cutoffs or ()]
    texts = [text.strip() for text in texts if text.strip()]
    if bool(texts) == (every is not None):
        raise DataError(
            "Cut-offs are needed, either as a list or as a step",
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
            "The step between cut-offs is not a duration",
            received=every,
            allowed=DURATION_HELP,
            remedy="try `--every 30d`",
        ) from None


def plan_schedule(frame: pd.DataFrame, request: CutoffRequest, horizon: Duration, motion: str, now: int) -> Schedule:
    """Assign snapshots to the training and scoring sides of each cut-off.

    Parameters
    ----------
    frame
        entity, as_of, converted of snapshots with a final outcome; any index.
    now
        Current instant.

    Raises
    ------
    DataError
        Listing every invalid cut-off.
    NotEnoughDataError
        If no cut-off can be trained and evaluated.
    """
    as_of = frame["as_of"].to_numpy(np.int64)
    if request.every is not None:
        cutoffs = _cutoffs_from_end(frame, request.every, horizon)
        step = request.every.us
    else:
        cutoffs = _parse_cutoffs(request.texts, int(as_of.min()) + horizon.us, int(as_of.max()), now)
        step = cutoffs[-1] - cutoffs[-2] if len(cutoffs) > 1 else horizon.us
    ends = [*cutoffs[1:], cutoffs[-1] + step]
    steps = [_cutoff(frame, c, end, horizon, motion) for c, end in zip(cutoffs, ends, strict=True)]
    reasons = [_skip_reason(frame, step) for step in steps]
    skipped = tuple(
        SkippedCutoff(s.cutoff, reason) for s, reason in zip(steps, reasons, strict=True) if reason is not None
    )
    if len(skipped) == len(steps):
        raise no_usable_cutoff(skipped)
    return Schedule(tuple(s for s, reason in zip(steps, reasons, strict=True) if reason is None), skipped)


def no_usable_cutoff(skipped: Sequence[SkippedCutoff]) -> NotEnoughDataError:
    """Build the error for a schedule without any usable cut-off."""
    return NotEnoughDataError(
        "No cut-off can be back-tested",
        received="; ".join(f"{iso(s.cutoff)}: {s.reason}" for s in skipped),
        remedy="choose other cut-offs, shorten `horizon`, or wait for more data",
    )


def _conversions(frame: pd.DataFrame, rows: np.ndarray) -> int:
    """Number of entities that converted: several snapshots of one describe the same conversion."""
    return int(frame.loc[rows & frame["converted"].to_numpy(bool), "entity"].nunique())


def _cutoffs_from_end(frame: pd.DataFrame, every: Duration, horizon: Duration) -> list[int]:
    """Cut-offs counted back from the end of the data while enough conversions remain to train on."""
    as_of = frame["as_of"].to_numpy(np.int64)
    end = (int(as_of.max()) // DAY + 1) * DAY
    cutoffs: list[int] = []
    cutoff = end - every.us
    while (conversions := _conversions(frame, as_of + horizon.us <= cutoff)) >= MIN_TRAIN_CONVERSIONS:
        cutoffs.append(cutoff)
        cutoff -= every.us
    if not cutoffs:
        raise NotEnoughDataError(
            f"At the last possible cut-off, {iso(cutoff)}, there are too few conversions to train on",
            received=f"{conversions:,} conversions whose outcome was final by then",
            allowed=f"{MIN_TRAIN_CONVERSIONS} or more",
            remedy="use a smaller step, list dates with `--cutoffs` to try anyway, or wait for more data",
        )
    return cutoffs[::-1]


def _parse_cutoffs(texts: Sequence[str], first: int, last: int, now: int) -> list[int]:
    """Parse cut-offs into sorted unique instants, reporting all invalid ones together."""
    cutoffs, faults = set(), []
    for text in dict.fromkeys(texts):
        try:
            cutoff = parse_instant(text)
        except ValueError:
            faults.append(f"`{text}` is neither a date (2026-06-30) nor a time (2026-06-30T12:00:00Z)")
            continue
        cutoffs.add(cutoff)
        if cutoff > now:
            faults.append(f"{text} is in the future")
        elif cutoff > last:
            faults.append(f"{text} is too late: no later snapshot has a final outcome")
        elif cutoff < first:
            faults.append(f"{text} is too early: no outcome was final by then")
    if faults:
        raise DataError(
            f"{len(faults)} cut-off{'s' if len(faults) > 1 else ''} cannot be used",
            received="; ".join(faults),
            allowed=f"dates from {iso(first)} to {iso(last)}",
            remedy="correct `--cutoffs`, or use `--every 30d`",
        )
    return sorted(cutoffs)


def _cutoff(frame: pd.DataFrame, cutoff: int, until: int, horizon: Duration, motion: str) -> Cutoff:
    as_of = frame["as_of"].to_numpy(np.int64)
    train = as_of + horizon.us <= cutoff
    scored = (as_of >= cutoff) & (as_of < until)
    if motion != "trial":  # freemium accounts are scored repeatedly, in production as in training
        return Cutoff(cutoff, until, train, scored, {})
    again = scored & frame["entity"].isin(frame["entity"][train]).to_numpy()
    return Cutoff(cutoff, until, train, scored & ~again, {"in_training": int(again.sum())} if again.any() else {})


def _skip_reason(frame: pd.DataFrame, step: Cutoff) -> str | None:
    converted = frame["converted"].to_numpy(bool)[step.train]
    conversions = _conversions(frame, step.train)
    if conversions < MIN_FIT_CONVERSIONS:
        return f"{conversions:,} conversions among {len(converted):,} snapshots with a final outcome by then; at least {MIN_FIT_CONVERSIONS} are needed"
    if converted.all():
        return f"all {len(converted):,} snapshots with a final outcome by then converted"
    if not step.scored.any():
        exclusions = "".join(f", but {n:,} that are {reason.replace('_', ' ')}" for reason, n in step.left_out.items())
        return f"nobody was at risk between {iso(step.cutoff)} and {iso(step.until)}{exclusions}"
    return None
