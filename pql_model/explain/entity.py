"""One row explained whole: every behaviour, and the way from the base value to the probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.explain.reasons import TOP, Reason, explain
from pql_model.model.artifact import FittedModel

WAY = ("fit", "timing", "usage")
"""The order in which the parts are added to the base value: what was there first comes first."""


@dataclass(frozen=True)
class WaterfallStep:
    """One step of the way.

    Attributes
    ----------
    log_odds
        What the part adds; of the base, the base value.
    probability
        What the model would say if it knew no more than the parts up to this one.
    effect
        By how many percentage points this step moved it; of the base, from nothing.
    """

    part: str
    log_odds: float
    probability: float
    effect: float

    def to_dict(self) -> dict[str, object]:
        return {"part": self.part, "log_odds": self.log_odds, "probability": self.probability, "effect": self.effect}


@dataclass(frozen=True)
class Explained:
    """A scored row and all that led to it.

    Attributes
    ----------
    steps
        base, fit, timing, usage; the last probability is that of the row.
    behaviours
        All of them, the strongest first, also those that add nothing here.
    base_rate, average
        In the test period: the share of snapshots that converted, and the mean probability.
    """

    probability: float
    score: float
    steps: tuple[WaterfallStep, ...]
    behaviours: tuple[Reason, ...]
    base_rate: float | None
    average: float

    @property
    def reasons(self) -> list[Reason]:
        """As in the scored row."""
        return [reason for reason in self.behaviours if reason.log_odds != 0][:TOP]


def explain_row(model: FittedModel, table: pd.DataFrame) -> Explained:
    """Explain the only row of a feature table.

    Raises
    ------
    FeatureMismatchError
        If the table lacks columns of the model.
    """
    contributions = model.predictor.contributions(model.manifest.matrix(table))
    found = explain(contributions, table, model.manifest, model.calibration, top=None)
    adds = {"base": float(found.base[0]), **{part: float(getattr(found, part)[0]) for part in WAY}}
    margins = np.cumsum(list(adds.values()))
    margins[-1] = contributions.sum(axis=1)[0]  # the very margin that a scored row is made of
    after = model.calibration.apply(margins)
    moved = 100 * np.diff(after, prepend=0.0)
    steps = (WaterfallStep(*of, float(p), float(by)) for of, p, by in zip(adds.items(), after, moved, strict=True))
    tested = model.facts.get("test") or {}
    rate = tested["conversions"] / tested["rows"] if tested.get("rows") else None
    return Explained(
        float(after[-1]),
        float(model.score(after[-1:])[0]),
        tuple(steps),
        tuple(found.payload[0]),
        rate,
        float(np.mean(model.reference)),
    )
