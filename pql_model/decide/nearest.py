"""Find the missing criterion that an entity is nearest to meeting, and predict the probability if it met it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns, lacking
from pql_model.decide.steps import Predictions, Slopes, Step
from pql_model.model.columns import Manifest
from pql_model.payload import select_attributes

_MOST_STEPS = 6
"""Of a nested definition with more criteria, every open one is taken as a part of meeting it."""


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
        self._places = [place for place, step in enumerate(steps) if step is not None]

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
        masks = [columns.holds(condition) for condition in self.definition.conditions]
        present = [mask for mask in masks if mask is not None]
        if not self._steps or not columns.rows or len(present) < len(masks):
            return missing
        held = np.array(present)
        gaps = [step.gap(columns, as_of) for step in self._steps]
        distance = np.array([gap.distance for gap in gaps])
        distance = np.where(self._leads(held, np.isfinite(distance)), distance, np.inf)
        amount = np.array([np.abs(gap.needed - np.nan_to_num(gap.value)) for gap in gaps])
        tied = distance == np.min(distance, axis=0)  # of 3 and of 12 where nothing happened: 3 is nearer
        nearest = np.argmin(np.where(tied, amount, np.inf), axis=0)
        needs = lacking(self.definition.definition, held)
        reachable = np.isfinite(np.min(distance, axis=0)) & (needs > 0)
        for k, (step, gap) in enumerate(zip(self._steps, gaps, strict=True)):
            rows = np.flatnonzero(reachable & (nearest == k))
            probability = step.probability(X[rows], gap[rows], columns[rows], predictions)
            probabilities = [None] * len(rows) if probability is None else probability.tolist()
            values = zip(rows.tolist(), gap.value[rows].tolist(), gap.needed[rows].tolist(), probabilities, strict=True)
            for row, v, n, p in values:
                missing[row] = MissingCriterion(step.condition, None if v != v else v, n, int(needs[row]), p)
        return missing

    def _leads(self, held: np.ndarray, is_open: np.ndarray) -> np.ndarray:
        """Whether meeting each criterion is a part of meeting the definition, bool (steps, rows).

        Where no activity is enough, other conditions, such as traits, may still change by themselves.

        Parameters
        ----------
        held
            Which conditions hold, bool (conditions, rows).
        is_open
            Which steps can still be made, bool (steps, rows).
        """
        leads = self._leads_from(held, is_open)
        others_hold = np.ones_like(held)
        others_hold[self._places] = held[self._places]
        return np.where(leads.any(axis=0), leads, self._leads_from(others_hold, is_open))

    def _leads_from(self, held: np.ndarray, is_open: np.ndarray) -> np.ndarray:
        def met(steps: Sequence[int]) -> np.ndarray:
            """Whether each row meets the definition once it has made these of the steps that are open to it."""
            after = held.copy()
            for k in steps:
                after[self._places[k]] |= is_open[k]
            return np.asarray(self.definition.definition.met(after))

        every = range(len(self._steps))
        if not self.definition.definition.nested or len(every) > _MOST_STEPS:
            return np.asarray(is_open & met(every))
        leads = np.zeros_like(is_open)
        for size in range(1, len(every) + 1):
            for steps in combinations(every, size):
                reached = met(steps) & is_open[list(steps)].all(axis=0)
                for k in steps:
                    leads[k] |= reached & ~met([other for other in steps if other != k])
        return leads
