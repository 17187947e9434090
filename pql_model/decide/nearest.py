"""Find the missing criterion that an entity is nearest to meeting, and predict the probability if it met it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns
from pql_model.decide.steps import Predictions, Slopes, Step
from pql_model.model.columns import Manifest
from pql_model.payload import select_attributes


@dataclass(frozen=True)
class MissingCriterion:
    """The criterion that one row is nearest to meeting.

    Attributes
    ----------
    value : float or None
        The present value; None where nothing happened.
    needed : float
        The value that is enough.
    lacking : int
        How many criteria the row lacks; with 1, this one is enough.
    probability : float or None
        The predicted probability once the criterion is met; see `Step.probability`. None where the model does not read
        its event and measure.
    """

    condition: BoundCriterion
    value: float | None
    needed: float
    lacking: int
    probability: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "criterion": self.condition.text,
            "condition": dict(self.condition.payload),
            **select_attributes(self, "value", "needed", "lacking", "probability"),
        }


class NearestMissing:
    """Finds the nearest missing criterion of a definition, for one row or for many.

    Parameters
    ----------
    definition : BoundDefinition
    manifest : Manifest
        The model's columns.
    slopes : mapping, optional
        See `pql_model.decide.steps.Slopes`.
    """

    def __init__(self, definition: BoundDefinition, manifest: Manifest, slopes: Slopes | None = None) -> None:
        self.definition = definition
        steps = [Step.of(condition, manifest, slopes) for condition in definition.conditions]
        self._steps = [step for step in steps if step is not None]

    def find(
        self, columns: Columns, X: np.ndarray, predictions: Predictions, as_of: np.ndarray | None = None
    ) -> list[MissingCriterion | None]:
        """Find the nearest missing criterion of each row.

        Parameters
        ----------
        columns : Columns
            The columns of the definition, and `AGE`.
        X : array of shape (rows, columns)
            The rows as the model reads them.
        predictions : Predictions
        as_of : array of shape (rows,), optional
            Instants, microseconds. They exclude criteria on days whose window has too few days left.

        Returns
        -------
        list of MissingCriterion or None
            None where the definition is met, or where no activity can meet it any more.
        """
        missing: list[MissingCriterion | None] = [None] * columns.rows
        met = [columns.holds(condition) for condition in self.definition.conditions]
        meets_definition = columns.meets(self.definition)
        if not self._steps or not columns.rows or meets_definition is None:
            return missing
        gaps = [step.gap(columns, as_of) for step in self._steps]
        distance = np.array([gap.distance for gap in gaps])
        nearest = np.argmin(distance, axis=0)
        reachable = np.isfinite(np.min(distance, axis=0)) & ~meets_definition & ~self._out_of_reach(columns, distance)
        for k, (step, gap) in enumerate(zip(self._steps, gaps, strict=True)):
            rows = np.flatnonzero(reachable & (nearest == k))
            probability = step.probability(X[rows], gap[rows], columns[rows], predictions)
            probabilities = [None] * len(rows) if probability is None else probability.tolist()
            values = zip(rows.tolist(), gap.value[rows].tolist(), gap.needed[rows].tolist(), probabilities, strict=True)
            for row, v, n, p in values:
                lacking = self.definition.least - sum(bool(held[row]) for held in met if held is not None)
                missing[row] = MissingCriterion(step.condition, None if v != v else v, n, lacking, p)
        return missing

    def _out_of_reach(self, columns: Columns, distance: np.ndarray) -> np.ndarray:
        """Whether too many criteria cannot be met any more for the definition to be met."""
        masks = np.array([columns.holds(step.condition) for step in self._steps], bool)
        unreachable = np.sum(~masks & ~np.isfinite(distance), axis=0)
        return np.asarray(unreachable > len(self.definition.conditions) - self.definition.least)
