"""Find the missing criterion that an entity is nearest to meeting, and predict the probability if it met it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pql_model.config.definition import Criterion
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
        meets_definition = columns.meets(self.definition)
        if not self._steps or not columns.rows or meets_definition is None:
            return missing
        gaps = [step.gap(columns, as_of) for step in self._steps]
        distance = np.array([gap.distance for gap in gaps])
        distance = np.where(self._leads(columns, np.isfinite(distance)), distance, np.inf)
        nearest, needs = np.argmin(distance, axis=0), self._lacking(columns)
        reachable = np.isfinite(np.min(distance, axis=0)) & ~meets_definition
        for k, (step, gap) in enumerate(zip(self._steps, gaps, strict=True)):
            rows = np.flatnonzero(reachable & (nearest == k))
            probability = step.probability(X[rows], gap[rows], columns[rows], predictions)
            probabilities = [None] * len(rows) if probability is None else probability.tolist()
            values = zip(rows.tolist(), gap.value[rows].tolist(), gap.needed[rows].tolist(), probabilities, strict=True)
            for row, v, n, p in values:
                missing[row] = MissingCriterion(step.condition, None if v != v else v, n, int(needs[row]), p)
        return missing

    def _lacking(self, columns: Columns) -> np.ndarray:
        """How many criteria each row lacks at least."""
        masks = {id(condition.criterion): columns.holds(condition) for condition in self.definition.conditions}
        absent = np.zeros(columns.rows, bool)

        def held(criterion: Criterion) -> np.ndarray:
            mask = masks[id(criterion)]
            return absent if mask is None else mask

        return lacking(self.definition.definition, held)

    def _leads(self, columns: Columns, is_open: np.ndarray) -> np.ndarray:
        """Whether meeting each criterion is a part of meeting the definition, bool (steps, rows).

        Where no activity is enough, other conditions, such as traits, may still change by themselves.
        """
        leads = self._leads_if(columns, is_open, others_hold=False)
        return np.where(leads.any(axis=0), leads, self._leads_if(columns, is_open, others_hold=True))

    def _leads_if(self, columns: Columns, is_open: np.ndarray, others_hold: bool) -> np.ndarray:
        absent, present = np.zeros(columns.rows, bool), np.ones(columns.rows, bool)

        def held(condition: BoundCriterion) -> np.ndarray:
            mask = columns.holds(condition)
            return absent if mask is None else mask

        steps = {id(step.condition): k for k, step in enumerate(self._steps)}

        def met(opened: Collection[int]) -> np.ndarray:
            def after(condition: BoundCriterion) -> np.ndarray:
                if id(condition) not in steps:
                    return present if others_hold else held(condition)
                k = steps[id(condition)]
                return held(condition) | is_open[k] if k in opened else held(condition)

            return self.definition.met(after)

        every = range(len(self._steps))
        if not self.definition.definition.nested or len(every) > _MOST_STEPS:
            return np.asarray(is_open & met(every))
        leads = np.zeros_like(is_open)
        for size in range(1, len(every) + 1):
            for opened in combinations(every, size):
                reached = met(opened) & is_open[list(opened)].all(axis=0)
                for k in opened:
                    leads[k] |= reached & ~met([other for other in opened if other != k])
        return leads
