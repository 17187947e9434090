"""Small products in numpy with a planted definition: correlated counts of events, and outcomes that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.candidates import CandidateColumn, candidate_columns
from pql_model.criteria.evaluate import holds, meets
from pql_model.criteria.mine import MinedCriterion, mine_criteria
from pql_model.features.spec import Feature
from pql_model.features.trait_columns import trait_name
from pql_model.measures import ANY
from pql_model.model.columns import ModelColumn
from pql_model.time import DAY, Window

DAYS = 14
WINDOWS = {"first 7d": slice(0, 7), "ever": slice(0, 14), "last 7d": slice(7, 14)}
EVENTS = ("Board Created", "Teammate Invited", "Export Made", "Comment Added", "Search Used", "Report Shared")


def criterion(**raw: Any) -> Criterion:
    return Criterion.model_validate(raw)


def feature(event: str, measure: str = "count", window: str = "ever", value: str | None = None) -> Feature:
    return Feature(event, measure, Window.parse(window), value)


def pace(rng: np.random.Generator, rows: int) -> np.ndarray:
    """How busy each entity is, which correlates all its counts."""
    return rng.gamma(1.6, 1 / 1.6, rows)


def days_of(rng: np.random.Generator, busy: np.ndarray, per_day: float) -> np.ndarray:
    """Events of an entity on each day, (rows, days), by its pace and its own taste."""
    taste = rng.gamma(1.3, 1 / 1.3, len(busy))
    return np.asarray(rng.poisson((busy * taste * per_day)[:, None], (len(busy), DAYS)))


def counts(event: str, days: np.ndarray) -> dict[Feature, np.ndarray]:
    """Count an event over each window, and the days with it."""
    values = {feature(event, "count", w): days[:, part].sum(axis=1) for w, part in WINDOWS.items()}
    return {**values, feature(event, "active_days"): (days > 0).sum(axis=1)}


def streak(active: np.ndarray) -> np.ndarray:
    """The longest run of true days of each row."""
    run, longest = np.zeros(len(active), int), np.zeros(len(active), int)
    for day in active.T:
        run = np.where(day, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


@dataclass(frozen=True)
class Planted:
    """Rows with their candidate criteria and outcomes."""

    table: pd.DataFrame
    columns: tuple[ModelColumn, ...]
    candidates: tuple[CandidateColumn, ...]
    y: np.ndarray

    def mine(
        self, resamples: int = 1, seed: int = 7, traits: Mapping[str, np.ndarray] | None = None
    ) -> list[MinedCriterion]:
        return mine_criteria(self.candidates, self.y, np.arange(len(self.y)), traits or {}, seed, resamples=resamples)


def planted(
    rng: np.random.Generator,
    values: Mapping[Feature | str, np.ndarray],
    rule: Sequence[tuple[Criterion | Definition, float]],
    base: float = 0.1,
    trait_kinds: Mapping[str, tuple[Any, ...]] | None = None,
) -> Planted:
    """Draw outcomes whose log-odds are a base plus the weight of each condition that holds.

    Parameters
    ----------
    values
        Values of features and traits, (rows,) each.
    rule
        Criteria or definitions, with what they add to the log-odds.
    base
        The share that converts.
    trait_kinds
        `("category", names)` or `("number",)` of each trait.
    """
    names = {key: key.name if isinstance(key, Feature) else trait_name(key) for key in values}
    table = pd.DataFrame({names[key]: of for key, of in values.items()})
    columns = tuple(
        ModelColumn(name, *(("feature",) if isinstance(key, Feature) else (trait_kinds or {})[key]))
        for key, name in names.items()
    )
    met = [holds(part, table) if isinstance(part, Criterion) else meets(part, table) for part, _ in rule]
    odds = np.sum([weight * mask for mask, (_, weight) in zip(met, rule, strict=True)], axis=0) + np.zeros(len(table))
    chance = _with_share(odds, base)
    candidates = candidate_columns(columns, table, np.zeros(len(table)), np.full(len(table), DAYS * DAY))
    return Planted(table, columns, tuple(candidates), (rng.random(len(table)) < chance).astype(float))


def _with_share(odds: np.ndarray, share: float) -> np.ndarray:
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < share else (low, middle)
    return np.asarray(1 / (1 + np.exp(-odds - low)))


def product(
    rng: np.random.Generator, rows: int, events: Sequence[str] = EVENTS, busy: np.ndarray | None = None
) -> dict[Feature | str, np.ndarray]:
    """Every window of every event and of all events together."""
    busy = pace(rng, rows) if busy is None else busy
    rates = np.exp(rng.uniform(np.log(0.15), np.log(1.2), len(events)))
    days = [days_of(rng, busy, per_day) for per_day in rates]
    values: dict[Feature | str, np.ndarray] = dict(counts(ANY, np.sum(days, axis=0)))
    for event, of_event in zip(events, days, strict=True):
        values |= counts(event, of_event)
    return values
