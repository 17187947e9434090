"""What became of past scores: by band and by month, with intervals that know that rows of one entity are alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pql_model.criteria.definition_metrics import lift_of
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate, wilson, wilson_around

_UNDEFINED = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Outcome:
    """Predicted and observed conversions of a group of final rows.

    An entity counts once a month, however often it was scored.

    Attributes
    ----------
    name
        The band, the month, the model version, or `all`.
    entities, rows, converting
        Distinct entities, their rows in the ledger, and the entities that converted within the horizon of a score.
    expected, conversions
        Sum of the mean probabilities, and of the outcomes.
    predicted
        Mean probability.
    observed
        Share that converted; the interval is clustered by entity.
    """

    name: str
    entities: int
    rows: int
    converting: int
    expected: float
    conversions: float
    predicted: float
    observed: Estimate

    @property
    def ratio(self) -> Estimate:
        """Observed over predicted: 1 is as promised."""
        if not self.predicted > 0:
            return _UNDEFINED
        return Estimate(*(x / self.predicted for x in (self.observed.value, self.observed.low, self.observed.high)))

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6) | {"observed_over_predicted": self.ratio.to_dict(4)}


@dataclass(frozen=True)
class QualifiedOutcome:
    """What became of the rows that were PQLs.

    Attributes
    ----------
    entities, conversions
        PQLs, each counted once a month, and how many of them converted.
    precision
        Their share.
    lift
        Precision over the conversion rate of everybody.
    """

    entities: int
    conversions: int
    precision: Estimate
    lift: Estimate

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


@dataclass(frozen=True)
class Realised:
    """Results of the scores whose outcome is final.

    Attributes
    ----------
    origins
        Those of scores that were `logged`, and of what the champion would have said, `replayed`; an entity may be in both.
    """

    total: Outcome
    bands: tuple[Outcome, ...]
    months: tuple[Outcome, ...]
    versions: tuple[Outcome, ...]
    sources: tuple[Outcome, ...]
    pql: QualifiedOutcome
    origins: tuple[Outcome, ...] = ()

    def origin_words(self, entities: str = "entities") -> str:
        """Whose results these are: a replay is not a score that anybody saw.

        Parameters
        ----------
        entities
            `accounts` or `users`.
        """
        count = {origin.name: f"{origin.entities:,}" for origin in self.origins}
        would = "what the champion would have said"
        if "replayed" not in count:
            return f"{self.total.entities:,} {entities} were scored, and their scores were logged."
        if "logged" not in count:
            return (
                f"No scores were logged: these results are of {would} of {self.total.entities:,} {entities} (replayed)."
            )
        return (
            f"Results of {self.total.entities:,} {entities}: {count['logged']} were scored and logged; of {count['replayed']}, "
            f"at times at which nothing was logged, it is {would} (replayed)."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.total.to_dict(),
            **select_attributes(self, "bands", "months", "versions", "sources", "origins", "pql"),
            "words": self.origin_words(),
        }


Sums = Callable[[str | None], pd.DataFrame]


def realised_results(sums: Sums, qualified: pd.DataFrame) -> Realised | None:
    """Results from the sums of `ledger_rows.outcome_sums` and the counts of `qualified_counts`.

    Returns
    -------
    Realised or None
        None where no row is final.
    """
    total = outcomes(sums(None))
    if not total or not total[0].rows:
        return None
    return Realised(
        total[0],
        tuple(sorted(outcomes(sums("band")), key=lambda band: -band.predicted)),
        outcomes(sums("month")),
        outcomes(sums("model_version")),
        outcomes(sums("source")),
        qualified_outcome(qualified),
        outcomes(sums("origin")),
    )


def outcomes(sums: pd.DataFrame) -> tuple[Outcome, ...]:
    """One result for each row of sums; the first column names it."""
    return tuple(_outcome(str(row[sums.columns[0]]), row) for row in sums.to_dict("records"))


def _outcome(name: str, row: Mapping[Any, Any]) -> Outcome:
    entities, weight = int(row["entities"]), float(row["weight"])
    share = min(1.0, float(row["observed"]) / weight) if weight else math.nan
    return Outcome(
        name=name,
        entities=entities,
        rows=int(row["rows"]),
        converting=int(row["converting"]),
        expected=float(row["expected"]),
        conversions=float(row["observed"]),
        predicted=float(row["expected"]) / weight if weight else math.nan,
        observed=_clustered_share(share, row, entities),
    )


def _clustered_share(share: float, row: Mapping[Any, Any], entities: int) -> Estimate:
    """Wilson's interval with the number of independent entities that would vary as much (Korn & Graubard 1998).

    The variance of a ratio of sums over entities is linearised: sum of (observed - share x weight)^2 over the weight squared.
    """
    if math.isnan(share) or not entities:
        return _UNDEFINED
    if min(share, 1 - share) < 1e-9:
        return wilson(entities if share > 0.5 else 0, entities)
    squares = row["oo"] - 2 * share * row["ow"] + share**2 * row["ww"]
    variance = squares / row["weight"] ** 2 * entities / max(1, entities - 1)
    if not variance > 0:
        return wilson_around(share, entities)
    return wilson_around(share, share * (1 - share) / variance)


def qualified_outcome(counts: pd.DataFrame) -> QualifiedOutcome:
    """Precision and lift of PQLs, from counts by `qualified`."""
    rows = int(counts["entities"].sum())
    conversions = int(counts["converted"].sum())
    pqls = counts[counts["qualified"].astype(bool)]
    n, caught = int(pqls["entities"].sum()), int(pqls["converted"].sum())
    return QualifiedOutcome(n, caught, wilson(caught, n), lift_of(caught, n, conversions, rows))
