"""Events just before the sign-up: a sign that two tables keep different time zones."""

from __future__ import annotations

from typing import Any

import numpy as np

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import fetch_scalar
from pql_model.sources.entities import Entities
from pql_model.sources.events import EventLog
from pql_model.time import HOUR, MINUTE

Table = Any

WIDEST = 14 * HOUR
"""No time zone is further from UTC."""
STEP = 30 * MINUTE
LEAST_ENTITIES = 20
LEAST_SHARE = 0.05
"""Share of the entities with events that must have one before their sign-up."""
_PILE = 10 * MINUTE
_MOST_BEYOND = 0.01


def warn_of_time_zone(config: Config, entities: Entities, events: EventLog) -> str | None:
    """Name the offset that would explain events before the sign-up; None where there is none."""
    if config.entities.columns.signed_up is None:
        return None
    signed_up = entities.table.filter(entities.table.signed_up.notnull()).select("entity", "signed_up")
    early = events.untimely.join(signed_up, "entity")
    first = (
        early.filter(early.time < early.signed_up)
        .group_by("entity")
        .agg(gap=lambda t: (t.signed_up - t.time).max(), signed_up=lambda t: t.signed_up.max())
    )
    rows = first.to_pyarrow()
    gaps, signups = (rows[name].to_numpy().astype(np.int64) for name in ("gap", "signed_up"))
    if len(gaps) < LEAST_ENTITIES:
        return None
    active = int(fetch_scalar(events.table.entity.nunique()))
    offset = explaining_offset(gaps, signups) if len(gaps) >= LEAST_SHARE * active else None
    if offset is None:
        return None
    hours = f"{offset / HOUR:g} hour{'' if offset == HOUR else 's'}"
    return (
        f"{len(gaps):,} entities have events before their sign-up, at most {hours} before and most of them just under it: the "
        f"times of `{config.entities.columns.signed_up}` in {config.entities.table} seem to be {hours} ahead of those of the "
        "events. Check the time zone of both, and convert them to UTC."
    )


def explaining_offset(gaps: np.ndarray, signups: np.ndarray) -> int | None:
    """Find the offset between two clocks that explains events before the sign-up.

    The first event of an entity follows its sign-up within seconds to days. If the sign-ups are `offset` ahead, the gap
    between first event and sign-up is therefore just under the offset, or spreads below it and never above it. Visits
    before an honest sign-up are most common just before it and have no such edge.

    Parameters
    ----------
    gaps : numpy.ndarray
        Time from the first event of each entity to its later sign-up, in microseconds.
    signups : numpy.ndarray
        The sign-up of each of these entities.

    Returns
    -------
    int or None
        A multiple of 30 minutes from 1 to 14 hours; with summer time, the larger of two.

    Examples
    --------
    >>> minutes = np.arange(100) % 8 + 112  # first events 0 to 8 minutes after a sign-up that is 2 hours ahead
    >>> explaining_offset(minutes * MINUTE, np.arange(100) * 7 * MINUTE) == 2 * HOUR
    True
    """
    if np.mean(gaps > WIDEST) > 0.1 or _on_the_clock(signups):
        return None
    gaps = gaps[gaps <= WIDEST]
    if len(gaps) < LEAST_ENTITIES:
        return None
    offsets = np.arange(HOUR, WIDEST + STEP, STEP)
    near = np.array([np.mean((gaps > offset - _PILE) & (gaps <= offset)) for offset in offsets])
    with_summer = near + np.concatenate([np.zeros(2), near[:-2]])  # two steps earlier: one hour less in winter
    best = int(np.argmax(with_summer))
    if near.max() >= 0.4 or with_summer[best] >= 0.5:
        alone = int(np.argmax(near))
        winter = best >= 2 and near[best] >= 0.1 and near[best - 2] >= 0.1
        return int(offsets[best] if winter else offsets[alone])
    return _edge(gaps)


def _edge(gaps: np.ndarray) -> int | None:
    """Find the multiple of 30 minutes at which gaps, denser the nearer to it, end at once."""
    furthest = np.sort(gaps)[max(0, int(np.ceil(len(gaps) * (1 - _MOST_BEYOND))) - 1)]
    offset = int(-(-furthest // STEP) * STEP)
    last = np.sum((gaps > offset - STEP) & (gaps <= offset))
    average = len(gaps) * STEP / offset
    dense = last >= LEAST_ENTITIES and last >= 1.5 * average and np.median(gaps) > offset / 2
    return offset if dense and offset >= HOUR else None


def _on_the_clock(signups: np.ndarray) -> bool:
    """Whether most sign-ups fall into the same ten minutes of the hour, as those written by a scheduled job do."""
    buckets = np.bincount((signups % HOUR) // (10 * MINUTE), minlength=6)
    return bool(buckets.max() > 0.5 * len(signups))
