"""Champion or not: both models on the same later rows, and what their differences are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.errors import listed
from pql_model.evaluation.verdict import MIN_TEST_CONVERSIONS, Verdict
from pql_model.model.artifact import FittedModel
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import paired_difference

Promote = Literal["auto", "never", "force"]

AUC_MARGIN = 0.03
"""So much worse a ranking may be, at the low end of its interval, where the probabilities are clearly better."""
CALIBRATION_SLACK = 0.1
"""Of the base rate: a calibration error that grew by less does not matter to a better ranking."""


@dataclass(frozen=True)
class ChampionComparison:
    """Challenger minus champion on the same rows; intervals from a paired bootstrap of entities.

    Attributes
    ----------
    champion
        Its version.
    roc_auc, log_loss, calibration_error
        The differences: above zero the challenger ranks better, but its probabilities are worse.
    """

    champion: str
    rows: int
    conversions: int
    roc_auc: Estimate
    log_loss: Estimate
    calibration_error: Estimate

    def to_dict(self) -> dict[str, Any]:
        names = ("roc_auc", "log_loss", "calibration_error")
        differences = {name: getattr(self, name).to_dict() for name in names}
        return {"champion": self.champion, "rows": self.rows, "conversions": self.conversions, **differences}


@dataclass(frozen=True)
class Incomparable:
    """Why the two models cannot be measured on the same rows."""

    why: str


@dataclass(frozen=True)
class Decision:
    """What the gate says, and why."""

    passed: bool
    why: str

    @property
    def text(self) -> str:
        return f"{'promoted' if self.passed else 'not promoted'}: {self.why}"


@dataclass(frozen=True)
class Promotion:
    """Whether the new model becomes champion, why, and what the gate said, which `force` and `never` overrule."""

    promoted: bool
    reason: str
    mode: Promote
    gate: Decision
    comparison: ChampionComparison | None = None

    @property
    def forced(self) -> bool:
        return self.mode == "force"

    def to_dict(self) -> dict[str, Any]:
        return {
            "promoted": self.promoted,
            "reason": self.reason,
            "mode": self.mode,
            "gate": {"promoted": self.gate.passed, "reason": self.gate.text},
            "comparison": self.comparison.to_dict() if self.comparison else None,
        }


def decide(verdict: Verdict, against: ChampionComparison | Incomparable | None, mode: Promote) -> Promotion:
    """The gate's decision, or what it was overruled by.

    >>> decide(Verdict("no_signal", "", ""), None, "force").reason
    'promoted by force; the gate said: not promoted: the verdict is no_signal'
    """
    said = gate(verdict, against)
    promoted, reason = said.passed, said.text
    if mode == "never":
        promoted, reason = False, f"not promoted: promotion was switched off; the gate said: {said.text}"
    if mode == "force":
        promoted, reason = True, f"promoted by force; the gate said: {said.text}"
    return Promotion(promoted, reason, mode, said, against if isinstance(against, ChampionComparison) else None)


def gate(verdict: Verdict, against: ChampionComparison | Incomparable | None) -> Decision:
    """Whether the challenger may replace the champion.

    It must rank better and not be worse calibrated; or rank about as well, with clearly better probabilities: a
    champion that the world has left behind still ranks, but its probabilities are off.

    Parameters
    ----------
    verdict
        On the challenger.
    against
        The comparison with the champion, or why there is none, or None where there is no champion.
    """
    if not verdict.usable:
        return Decision(False, f"the verdict is {verdict.name}")
    if against is None:
        return Decision(True, f"there was no champion and the verdict is {verdict.name}")
    if isinstance(against, Incomparable):
        return Decision(False, against.why)
    rank, loss, error = against.roc_auc, against.log_loss, against.calibration_error
    rows = f"on the same {against.rows:,} later rows as version {against.champion}"
    words = f"ROC-AUC differs by {_signed(rank)} {rows}"
    slack = CALIBRATION_SLACK * against.conversions / against.rows
    if error.low > 0 and error.value > slack:
        return Decision(False, f"{words}, but it is worse calibrated: calibration error differs by {_signed(error)}")
    if loss.low > 0:
        return Decision(False, f"{words}, but its probabilities are worse: log loss differs by {_signed(loss, 4)}")
    if rank.low > 0:
        return Decision(True, words)
    if rank.low > -AUC_MARGIN and loss.high < 0:
        return Decision(True, f"{words}, and its probabilities are better: log loss differs by {_signed(loss, 4)}")
    return Decision(False, f"{words}; " + ("it is worse" if rank.high < 0 else "better cannot be told from equal"))


def compare(
    champion: FittedModel, version: str, challenger: FittedModel, table: pd.DataFrame, later: pd.DataFrame, seed: int
) -> ChampionComparison | Incomparable:
    """Measure both on the newest rows, those that neither has learnt from.

    Parameters
    ----------
    version
        The champion's.
    table, later
        Features, and entity, as_of, signed_up, converted, of the challenger's test rows.
    """
    asked = ("horizon", "motion", "entity")
    other = {key: champion.facts.get(key) for key in asked}
    if other != {key: challenger.facts[key] for key in asked}:
        return Incomparable(f"the champion answers another question ({other}); use `--promote force`")
    if lost := [name for name in champion.manifest.names if name not in table.columns]:
        return Incomparable(f"the champion's columns are gone ({listed(lost)}), so the two cannot be compared")
    begins = later["signed_up" if challenger.facts["motion"] == "trial" else "as_of"].to_numpy(np.int64)
    new = begins >= champion.facts["labels_until"]
    y, entities = later["converted"].to_numpy(float)[new], later["entity"].to_numpy()[new]
    converters = len(set(entities[y == 1]))
    if converters < MIN_TEST_CONVERSIONS or y.all():
        return Incomparable(
            f"the champion has learnt from part of this test period, and of the {len(y):,} rows after that "
            f"{converters} entities converted; {MIN_TEST_CONVERSIONS} are needed to compare"
        )
    ours, theirs = challenger.probability(table[new]), champion.probability(table[new])

    def difference(name: str) -> Estimate:
        return paired_difference(y, ours, theirs, entities, name, seed=seed)

    return ChampionComparison(
        version, len(y), int(y.sum()), difference("roc_auc"), difference("log_loss"), difference("calibration_error")
    )


def _signed(difference: Estimate, digits: int = 3) -> str:
    value, low, high = (f"{number:+.{digits}f}" for number in (difference.value, difference.low, difference.high))
    return f"{value} (likely {low} to {high})"
