"""A policy replayed on the past: who would have been alerted on which day, how long leads waited, and what was won."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.criteria.evaluate import Columns
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import decide
from pql_model.decide.select import CAPACITY
from pql_model.decide.state import RunState
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.time import DAY, WEEK, iso

WEEKDAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
"""By the day since 1970 modulo 7."""


@dataclass(frozen=True)
class Scored:
    """Everybody at risk at one instant.

    Attributes
    ----------
    entity, probability
        One per entity.
    columns
        What the conditions of the policy read.
    """

    as_of: int
    entity: list[str]
    probability: np.ndarray
    columns: Columns


@dataclass(frozen=True)
class SimulatedRun:
    """One run: new alerts, and leads without a place after it."""

    as_of: int
    alerted: int
    waiting: int

    def to_dict(self) -> dict[str, Any]:
        return {"as_of": iso(self.as_of), "alerted": self.alerted, "waiting": self.waiting}


@dataclass(frozen=True)
class Simulation:
    """What a policy would have done.

    Attributes
    ----------
    text
        The rule in words.
    days
        The runs.
    alerts
        entity, as_of, waited (microseconds since it first was a lead without a place; 0 if it never was).
    period
        Microseconds within which alerts are counted: the capacity's, or a week.
    never_alerted
        Entity -> since when it waited, of those that were not alerted up to the last run.
    """

    text: str
    days: tuple[SimulatedRun, ...]
    alerts: pd.DataFrame
    period: int
    never_alerted: Mapping[str, int]

    @property
    def most_in_period(self) -> int:
        """Most alerts within any window of the period."""
        at = np.sort(self.alerts["as_of"].to_numpy(np.int64))
        first = np.searchsorted(at, at - self.period, side="right")
        return int((np.arange(len(at)) - first + 1).max(initial=0))

    def wait_days(self, share: float) -> float | None:
        """Quantile of the days that alerted leads waited; None without alerts."""
        waited = self.alerts["waited"].to_numpy(float)
        return float(np.quantile(waited, share) / DAY) if len(waited) else None

    @property
    def by_weekday(self) -> dict[str, float]:
        """Mean number of alerts of a run on each UTC weekday that has runs, Monday first."""
        runs = pd.DataFrame([(WEEKDAYS[run.as_of // DAY % 7], run.alerted) for run in self.days], columns=["day", "n"])
        means = runs.groupby("day")["n"].mean()
        return {day: float(means[day]) for day in (*WEEKDAYS[4:], *WEEKDAYS[:4]) if day in means}


def simulate(decider: Decider, runs: Iterable[Scored], period: int | None) -> Simulation:
    """Decide run after run, as daily scoring would have.

    Parameters
    ----------
    decider
        With the policy to replay.
    runs
        In order of time.
    period
        See `Simulation`; None for a week.
    """
    state, days = RunState(), []
    waiting_since: dict[str, int] = {}
    alerts: list[tuple[str, int, int]] = []
    for scored in runs:
        decisions = decide(decider, scored.entity, scored.probability, scored.columns, as_of=scored.as_of, before=state)
        state, waits = decisions.state or state, decisions.suppressed == CAPACITY
        for place in np.flatnonzero(waits).tolist():
            waiting_since.setdefault(scored.entity[place], scored.as_of)
        new = [scored.entity[k] for k in np.flatnonzero(np.asarray(decisions.newly_qualified, bool)).tolist()]
        alerts += [(entity, scored.as_of, scored.as_of - waiting_since.pop(entity, scored.as_of)) for entity in new]
        days.append(SimulatedRun(scored.as_of, len(new), int(waits.sum())))
    return Simulation(
        text=decider.rule.text,
        days=tuple(days),
        alerts=pd.DataFrame(alerts, columns=["entity", "as_of", "waited"]),
        period=period or WEEK,
        never_alerted=waiting_since,
    )


@dataclass(frozen=True)
class Wins:
    """Alerts whose account paid within the horizon after it.

    Attributes
    ----------
    wins
        Their number among the alerts with a final outcome; the interval is Wilson's of their share.
    rate
        Their share.
    final, pending
        Alerts with a final outcome, and without.
    paid_unalerted
        Entities that began to wait, were never alerted, and paid within the horizon.
    """

    wins: Estimate
    rate: Estimate
    final: int
    pending: int
    paid_unalerted: int


def count_wins(simulation: Simulation, converted_at: Mapping[str, int], horizon: int, observed_until: int) -> Wins:
    """Compare the alerts with what came.

    Parameters
    ----------
    converted_at
        Entity -> instant of its conversion.
    horizon
        Microseconds.
    observed_until
        The end of the data: alerts less than a horizon before it have no final outcome.
    """
    at = simulation.alerts["as_of"].to_numpy(np.int64)
    paid = np.array([converted_at.get(entity, -1) for entity in simulation.alerts["entity"]], np.int64)
    final = at + horizon <= observed_until
    won, n = int(((paid >= at) & (paid < at + horizon) & final).sum()), int(final.sum())
    rate = wilson(won, n)
    unalerted = sum(
        since <= converted_at.get(entity, -1) < since + horizon for entity, since in simulation.never_alerted.items()
    )
    return Wins(Estimate(won, rate.low * n, rate.high * n), rate, n, int((~final).sum()), unalerted)
