"""The findings of a training: what the growth report is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion
from pql_model.criteria.definition_metrics import Outcomes
from pql_model.criteria.results import CriteriaResults
from pql_model.explain.behaviours import Behaviour
from pql_model.model.columns import ModelColumn


@dataclass(frozen=True)
class Findings:
    """Criteria, definitions and behaviours, and the rows they were found and tested on.

    Attributes
    ----------
    text
        Description of a row, such as `as of day 14 of the trial`.
    table, outcomes, earlier, later
        Criteria rows, and which of them are earlier and later ones, bool (rows,).
    variants
        By criterion id: looser and stricter thresholds of the same column.
    observed_until, horizon
        Microseconds.
    columns
        Columns of the model.
    fit, usage
        Log-odds of the model that come from traits and from behaviours, of the later rows; None where they are not known.
    """

    text: str
    table: pd.DataFrame
    outcomes: Outcomes
    earlier: np.ndarray
    later: np.ndarray
    results: CriteriaResults
    behaviours: tuple[Behaviour, ...]
    variants: Mapping[str, Sequence[Criterion]]
    observed_until: int
    horizon: int
    columns: tuple[ModelColumn, ...] = ()
    fit: np.ndarray | None = None
    usage: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql criteria list --json` prints."""
        return {**self.results.to_dict(), "behaviours": [behaviour.to_dict() for behaviour in self.behaviours]}
