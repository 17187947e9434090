"""What a row lacks, and which step is worth a nudge: one place for the batch, the registry and the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pql_model.criteria.evaluate import Columns
from pql_model.decide.decider import Decider
from pql_model.decide.nearest import MissingCriterion, NearestMissing
from pql_model.decide.next_step import NextStep, NextSteps
from pql_model.decide.steps import Predictions
from pql_model.model.artifact import FittedModel


class Suggestion(NamedTuple):
    """The suggestions for one row."""

    nearest_missing: MissingCriterion | None
    next_step: NextStep | None


def count_next_steps(suggestions: Iterable[Suggestion]) -> dict[str, int]:
    """Count the rows that each criterion is the next step of, the most frequent first."""
    texts = (s.next_step.condition.text for s in suggestions if s.next_step is not None)
    return dict(sorted(Counter(texts).items(), key=lambda count: (-count[1], count[0])))


class Suggester:
    """Makes the suggestions of a model, for one row or for many."""

    def __init__(self, decider: Decider, model: FittedModel) -> None:
        goal, manifest, slopes = decider.goal, model.manifest, decider.slopes
        self._nearest = NearestMissing(goal, manifest, slopes) if goal is not None else None
        self._next = NextSteps(decider.criteria, manifest, slopes)
        self._predictions = Predictions(model.predictor.margin, model.calibration.apply)

    def suggest(self, columns: Columns, X: np.ndarray, as_of: np.ndarray | None = None) -> list[Suggestion]:
        """Make the suggestions for each row.

        Parameters
        ----------
        columns
            The columns of the criteria, and `AGE`.
        X
            The rows as the model reads them, (rows, columns).
        as_of
            Instants, microseconds, if known.
        """
        steps = self._next.find(columns, X, self._predictions, as_of)
        if self._nearest is None:
            return [Suggestion(None, step) for step in steps]
        missing = self._nearest.find(columns, X, self._predictions, as_of)
        return [Suggestion(*both) for both in zip(missing, steps, strict=True)]
