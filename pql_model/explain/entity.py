"""The full explanation of one row: every behaviour, and the steps from the base value to the probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.explain.reasons import TOP, Reason, explain
from pql_model.model.artifact import FittedModel

STEP_ORDER = ("fit", "timing", "usage")
"""The order in which the parts are added to the base value: earlier knowledge first."""


@dataclass(frozen=True)
class WaterfallStep:
    """One step from the base value to the probability.

    Attributes
    ----------
    log_odds
        What the part adds; for the base, the base value.
    probability
        The probability with only the parts up to this one.
    effect
        Change in percentage points; for the base, measured from 0.
    """

    part: str
    log_odds: float
    probability: float
    effect: float


@dataclass(frozen=True)
class ExplainedRow:
    """A scored row with its components.

    Attributes
    ----------
    steps
        base, fit, timing, usage; the last probability is that of the row.
    behaviours
        All behaviours, the strongest first, including those that add nothing.
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
        """Reasons of the scored row."""
        return [reason for reason in self.behaviours if reason.log_odds != 0][:TOP]


def explain_row(model: FittedModel, table: pd.DataFrame) -> ExplainedRow:
    """Explain the only row of a feature table.

    Raises
    ------
    FeatureMismatchError
        If the table lacks columns of the model.
    """
    contributions = model.predictor.contributions(model.manifest.matrix(table))
    reasons = explain(contributions, table, model.manifest, model.calibration, top=None)
    adds = {"base": float(reasons.base[0]), **{part: float(getattr(reasons, part)[0]) for part in STEP_ORDER}}
    margins = np.cumsum(list(adds.values()))
    margins[-1] = contributions.sum(axis=1)[0]  # exactly the margin of the scored row
    after = model.calibration.apply(margins)
    moved = 100 * np.diff(after, prepend=0.0)
    steps = (WaterfallStep(*of, float(p), float(by)) for of, p, by in zip(adds.items(), after, moved, strict=True))
    test_period = model.facts.get("test") or {}
    rate = test_period["conversions"] / test_period["rows"] if test_period.get("rows") else None
    return ExplainedRow(
        float(after[-1]),
        float(model.score(after[-1:])[0]),
        tuple(steps),
        tuple(reasons.rows[0]),
        rate,
        float(np.mean(model.reference)),
    )
