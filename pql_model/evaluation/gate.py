"""Promotion gate: challenger and champion compared on the same later rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.errors import listed
from pql_model.evaluation.verdict import MIN_TEST_CONVERSIONS, Verdict
from pql_model.model.artifact import FittedModel
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import paired_difference

Promote = Literal["auto", "never", "force"]

AUC_MARGIN = 0.03
"""Largest loss of ROC-AUC, at the lower bound, that clearly better probabilities may make up for."""
CALIBRATION_SLACK = 0.1
"""Share of the base rate by which the calibration error may grow if the ranking is better."""


@dataclass(frozen=True)
class ChampionComparison:
    """Challenger minus champion on the same rows, with intervals from a paired bootstrap over entities.

    Attributes
    ----------
    champion
        Version of the champion.
    roc_auc, log_loss, calibration_error
        Differences; above zero, the challenger ranks better (ROC-AUC) but its probabilities are worse (the other two).
    """

    champion: str
    rows: int
    conversions: int
    roc_auc: Estimate
    log_loss: Estimate
    calibration_error: Estimate


@dataclass(frozen=True)
class Incomparable:
    """Why the two models cannot be compared on the same rows."""

    why: str


@dataclass(frozen=True)
class GateDecision:
    """Decision of the gate, with its reason."""

    passed: bool
    why: str

    @property
    def text(self) -> str:
        return f"{'promoted' if self.passed else 'not promoted'}: {self.why}"


@dataclass(frozen=True)
class Promotion:
    """Whether the new model becomes champion, why, and the decision of the gate, which `force` and `never` override."""

    promoted: bool
    reason: str
    mode: Promote
    gate: GateDecision
    comparison: ChampionComparison | None = None

    @property
    def forced(self) -> bool:
        return self.mode == "force"

    def to_dict(self) -> dict[str, Any]:
        gate = {"promoted": self.gate.passed, "reason": self.gate.text}
        return {**select_attributes(self, "promoted", "reason", "mode", "comparison"), "gate": gate}


def decide_promotion(
    verdict: Verdict,
    against: ChampionComparison | Incomparable | None,
    mode: Promote,
    same_settings: bool = False,
    unknown: str | None = None,
) -> Promotion:
    """Decide on promotion: by the gate, or overridden by the mode.

    >>> decide_promotion(Verdict("no_signal", "", ""), None, "force").reason
    'promoted by force; gate decision: not promoted: the verdict is no_signal'
    """
    gate = gate_decision(verdict, against, same_settings, unknown)
    promoted, reason = gate.passed, gate.text
    if mode == "never":
        promoted, reason = False, f"not promoted: promotion was switched off; gate decision: {gate.text}"
    if mode == "force":
        promoted, reason = True, f"promoted by force; gate decision: {gate.text}"
    return Promotion(promoted, reason, mode, gate, against if isinstance(against, ChampionComparison) else None)


def gate_decision(
    verdict: Verdict,
    against: ChampionComparison | Incomparable | None,
    same_settings: bool = False,
    unknown: str | None = None,
) -> GateDecision:
    """Decide whether the challenger may replace the champion.

    The challenger must rank better without being worse calibrated, or rank about as well with clearly better
    probabilities: an outdated champion may still rank well while its probabilities are off.

    Parameters
    ----------
    verdict
        Verdict on the challenger.
    against
        Comparison with the champion, or the reason why the two cannot be compared. None before the first champion.
    same_settings
        Whether the challenger is a refit with the settings of the champion: then it need only not be worse.
    unknown
        Why the newest outcomes are not known, if so: both would be compared on payments that are missing.
    """
    if not verdict.usable:
        return GateDecision(False, f"the verdict is {verdict.name}")
    if against is None:
        return GateDecision(True, f"there was no champion and the verdict is {verdict.name}")
    if unknown is not None:
        return GateDecision(False, f"the newest outcomes are not known. {unknown.rstrip('.')}")
    if isinstance(against, Incomparable):
        return GateDecision(False, against.why)
    rank, loss, error = against.roc_auc, against.log_loss, against.calibration_error
    rows = f"on the same {against.rows:,} later rows as version {against.champion}"
    words = f"ROC-AUC differs by {_signed(rank)} {rows}"
    slack = CALIBRATION_SLACK * against.conversions / against.rows
    if error.low > 0 and error.value > slack:
        return GateDecision(
            False, f"{words}, but it is worse calibrated: calibration error differs by {_signed(error)}"
        )
    if loss.low > 0:
        return GateDecision(False, f"{words}, but its probabilities are worse: log loss differs by {_signed(loss, 4)}")
    if rank.low > 0:
        return GateDecision(True, words)
    if rank.low > -AUC_MARGIN and loss.high < 0:
        return GateDecision(True, f"{words}, and its probabilities are better: log loss differs by {_signed(loss, 4)}")
    if same_settings and rank.high >= 0:
        return GateDecision(True, f"{words}; the settings are the champion's, fitted again on the data of today")
    return GateDecision(False, f"{words}; " + ("it is worse" if rank.high < 0 else "the difference is within noise"))


def compare_with_champion(
    champion: FittedModel,
    version: str,
    challenger: FittedModel,
    table: pd.DataFrame,
    test_frame: pd.DataFrame,
    seed: int,
) -> ChampionComparison | Incomparable:
    """Compare both models on the newest rows, on which neither was trained.

    Parameters
    ----------
    version
        Version of the champion.
    table, test_frame
        Features, and entity, as_of, signed_up, converted, of the test rows of the challenger.
    """
    target = ("horizon", "motion", "entity")
    champion_target = {key: champion.facts.get(key) for key in target}
    if champion_target != {key: challenger.facts[key] for key in target}:
        return Incomparable(f"the champion predicts something else ({champion_target}); use `--promote force`")
    if missing := [name for name in champion.manifest.names if name not in table.columns]:
        return Incomparable(f"columns of the champion are missing ({listed(missing)}), so the two cannot be compared")
    begins = test_frame["signed_up" if challenger.facts["motion"] == "trial" else "as_of"].to_numpy(np.int64)
    new = begins >= champion.facts["labels_until"]
    y, entities = test_frame["converted"].to_numpy(float)[new], test_frame["entity"].to_numpy()[new]
    converters = len(set(entities[y == 1]))
    if converters < MIN_TEST_CONVERSIONS or y.all():
        return Incomparable(
            f"the champion was trained on part of this test period; in the {len(y):,} rows after that, "
            f"{converters} entities converted, and {MIN_TEST_CONVERSIONS} are needed to compare"
        )
    challenger_probability, champion_probability = challenger.probability(table[new]), champion.probability(table[new])

    def difference(name: str) -> Estimate:
        return paired_difference(y, challenger_probability, champion_probability, entities, name, seed=seed)

    return ChampionComparison(
        version, len(y), int(y.sum()), difference("roc_auc"), difference("log_loss"), difference("calibration_error")
    )


def _signed(difference: Estimate, digits: int = 3) -> str:
    value, low, high = (f"{number:+.{digits}f}" for number in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"
