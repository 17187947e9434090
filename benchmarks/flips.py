"""Sixty daily runs on noisy probabilities: how often leads flip, and how many are alerted, with and without a memory.

python benchmarks/flips.py
"""

from __future__ import annotations

import numpy as np

from pql_model.decide.holdout import held_out, ties
from pql_model.decide.policy import PolicyRule
from pql_model.decide.select import SelectionInput, select
from pql_model.decide.state import RunState
from pql_model.time import DAY, HOUR, WEEK

ABOVE = PolicyRule(0.2, None, "probability at least 0.2")
CAPACITY = PolicyRule(0.05, 50, "the 50 best per 7 days", WEEK)
START = 20_000 * DAY


class Days:
    """Daily runs. An entity's log-odds are its own level (sd 1.2) plus the noise of the day (sd 0.3); a tenth is away on any day."""

    def __init__(
        self,
        rule: PolicyRule,
        stay: float = 0.8,
        cool_down: int = 14 * DAY,
        share: float = 0.0,
        entities: int = 2_000,
        days: int = 60,
    ) -> None:
        rng = np.random.default_rng(11)
        names = np.array([f"acc-{i:05d}" for i in range(entities)])
        level = rng.normal(-3, 1.2, entities)
        self.held, tie = held_out("sim", names, share), ties("sim", names)
        self.alerts, self.changes = np.zeros((days, entities), bool), 0
        state, was, nobody = RunState(), np.zeros(entities, bool), np.zeros(entities, bool)
        for day in range(days):
            present = np.flatnonzero(rng.random(entities) < 0.9)
            p = 1 / (1 + np.exp(-(level + rng.normal(0, 0.3, entities))))
            rows = SelectionInput(
                list(names[present]),
                p[present],
                None,
                nobody[present],
                nobody[present],
                self.held[present],
                tie[present],
            )
            selection = select(rule, rows, START + day * DAY + int(rng.integers(0, HOUR)), state, cool_down, stay)
            state = selection.state
            self.alerts[day, present] = selection.newly_qualified
            self.changes += int((selection.is_pql != was[present]).sum()) if day else 0
            was[present] = selection.is_pql

    @property
    def most_alerts(self) -> int:
        """Of one entity."""
        return int(self.alerts.sum(axis=0).max())

    def most_in(self, days: int) -> int:
        """Alerts in any so many days."""
        by_day = self.alerts.sum(axis=1)
        return int(max(by_day[start : start + days].sum() for start in range(len(by_day) - days + 1)))


SETTINGS = {
    "probability 0.2, `stay: 1`, no cool-down": (ABOVE, 1.0, 0),
    "the same with `stay: 0.8`": (ABOVE, 0.8, 0),
    "the same with `stay: 0.8`, `cool_down: 14d` (the default)": (ABOVE, 0.8, 14 * DAY),
    "capacity of 50 per 7 days (the default)": (CAPACITY, 0.8, 14 * DAY),
}


def main() -> None:
    print(
        "| policy | PQLs that begin or end, after the first day | alerts | of one entity, at most | in any 7 days, at most |"
    )
    print("|---|---|---|---|---|")
    for words, (rule, stay, cool_down) in SETTINGS.items():
        run = Days(rule, stay, cool_down)
        print(f"| {words} | {run.changes:,} | {run.alerts.sum():,} | {run.most_alerts} | {run.most_in(7)} |")


if __name__ == "__main__":
    main()
