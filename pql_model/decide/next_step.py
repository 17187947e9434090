"""Find the open criterion with the largest predicted gain, or say that nothing is worth a nudge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.criteria.definition_text import progress_text
from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.decide.steps import Gap, Predictions, Slopes, Step
from pql_model.model.columns import Manifest
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate


@dataclass(frozen=True)
class NextStep:
    """A criterion that is worth a nudge, for one row.

    Attributes
    ----------
    value : float or None
        The present value; None where nothing happened.
    needed : float
        The value that is enough.
    probability : float
        The predicted probability once the criterion is met.
    gain : Estimate
        By how much that is more than now.
    """

    condition: BoundCriterion
    value: float | None
    needed: float
    probability: float
    gain: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {
            "criterion": self.condition.text,
            "condition": dict(self.condition.payload),
            **select_attributes(self, "value", "needed"),
            "words": progress_text(self.condition.criterion, self.value, self.needed),
            **select_attributes(self, "probability", "gain"),
        }


class NextSteps:
    """Finds the next step of rows among the criteria that were confirmed.

    Parameters
    ----------
    criteria : sequence of BoundCriterion
    manifest : Manifest
        The model's columns.
    slopes : mapping
        See `pql_model.decide.steps.Slopes`. A criterion is offered only if its behaviour has a slope that is surely above 0.
    """

    def __init__(self, criteria: Sequence[BoundCriterion], manifest: Manifest, slopes: Slopes) -> None:
        steps = [Step.of(condition, manifest, slopes) for condition in criteria]
        self._steps = [
            (step, step.slope)
            for step in steps
            if step is not None and step.is_read and step.slope is not None and step.slope.low > 0
        ]

    def find(
        self, columns: Columns, X: np.ndarray, predictions: Predictions, as_of: np.ndarray | None = None
    ) -> list[NextStep | None]:
        """Find the next step of each row; None where no gain is beyond noise. The parameters are those of `NearestMissing.find`."""
        best: list[NextStep | None] = [None] * columns.rows
        for step, slope in self._steps:
            gap = step.gap(columns, as_of)
            rows = np.flatnonzero(gap.open)
            if not len(rows):
                continue
            gains, then = _gains(step, slope, X[rows], gap[rows], columns[rows], predictions)
            for k, row in enumerate(rows.tolist()):
                gain, rival = Estimate(*gains[:, k].tolist()), best[row]
                if gain.low > 0 and (rival is None or gain.value > rival.gain.value):
                    value = float(gap.value[row])
                    best[row] = NextStep(
                        step.condition, None if value != value else value, float(gap.needed[row]), float(then[k]), gain
                    )
        return best


def _gains(
    step: Step, slope: Estimate, X: np.ndarray, gap: Gap, columns: Columns, predictions: Predictions
) -> tuple[np.ndarray, np.ndarray]:
    """Value, low and high of each row's gain, (3, rows), and the probability then."""
    now, then = step.margins(X, gap, columns, predictions)
    shares = np.array([[slope.value], [slope.low], [slope.high]])
    probabilities = predictions.probability(now + shares * (then - now))
    return probabilities - predictions.probability(now), probabilities[0]
