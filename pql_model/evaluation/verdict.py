"""May this model be used? A verdict in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pql_model.evaluation.statistical_power import LONGEST_MONTHS, StatisticalPower, conversions_to_narrow
from pql_model.statistics.estimate import Estimate

MIN_TRAIN_CONVERSIONS, MIN_TEST_CONVERSIONS = 50, 20
READY_AUC_LOW, READY_LIFT_LOW = 0.60, 1.5
_TOO_MANY = 10
"""Times as many conversions as there are: nobody waits for more."""


@dataclass(frozen=True)
class Verdict:
    """`ready`, `weak`, `no_signal` or `too_few_conversions`, why, and what would change it."""

    name: str
    sentence: str
    would_change: str

    @property
    def usable(self) -> bool:
        return self.name in ("ready", "weak")


def judge(test: dict[str, Estimate], evidence: StatisticalPower) -> Verdict:
    """The verdict on a model by its later accounts.

    Parameters
    ----------
    test
        Metrics with intervals on the test rows: roc_auc, lift_at_10pct.
    evidence
        How many entities converted, in training and in test.
    """
    if evidence.train < MIN_TRAIN_CONVERSIONS or evidence.test < MIN_TEST_CONVERSIONS:
        return _too_few(evidence)
    auc, lift = test["roc_auc"], test["lift_at_10pct"]
    if not auc.low > 0.5:
        return _no_signal(auc, evidence)
    figures = (
        f"ROC-AUC {_likely(auc)}, the top tenth of accounts converts {lift.value:.1f} times as often as all "
        f"(likely {lift.low:.1f} to {lift.high:.1f})"
    )
    if auc.low < READY_AUC_LOW or lift.low < READY_LIFT_LOW:
        return Verdict(
            "weak", f"There is a signal, but it is small or uncertain: {figures}.", _to_be_ready(auc, lift, evidence)
        )
    return Verdict(
        "ready",
        f"On later accounts the model holds: {figures}.",
        f"A fall on newer accounts: a low end of ROC-AUC below {READY_AUC_LOW:.2f}, or of that lift below {READY_LIFT_LOW}.",
    )


def _likely(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.2f}, without an interval"
    return f"{estimate.value:.2f} (likely {estimate.low:.2f} to {estimate.high:.2f})"


def _too_few(evidence: StatisticalPower) -> Verdict:
    need = f"{MIN_TRAIN_CONVERSIONS} to learn from and {MIN_TEST_CONVERSIONS} to test on"
    enough = MIN_TRAIN_CONVERSIONS, MIN_TEST_CONVERSIONS
    sooner = evidence.months_until(*enough) > LONGEST_MONTHS
    return Verdict(
        "too_few_conversions",
        f"There are {evidence.train} conversions to learn from and {evidence.test} to test on; below "
        f"{MIN_TRAIN_CONVERSIONS} and {MIN_TEST_CONVERSIONS} no figure can be trusted.",
        f"More conversions: at the pace so far, {evidence.pace}, there would be {need} {evidence.wait(*enough)}"
        f"{'; taking an earlier step than the payment as the conversion would be sooner' if sooner else ''}.",
    )


def _no_signal(auc: Estimate, evidence: StatisticalPower) -> Verdict:
    if auc.low == auc.high:
        payload = "Already in training nothing told who converts from who does not, so every account gets the same probability."
    else:
        payload = f"On later accounts the model cannot be told from chance (ROC-AUC {_likely(auc)}; 0.50 is chance)."
    return Verdict("no_signal", payload, _more_to_see(evidence))


def _more_to_see(evidence: StatisticalPower) -> str:
    """More conversions where the test is blind for a useful signal; other events where it would have seen one."""
    seen = evidence.detectable_auc()
    if seen <= READY_AUC_LOW:
        return (
            f"Events that show the product's value, or a later snapshot: {evidence.test} conversions in the test are "
            f"enough to see a ROC-AUC of {seen:.2f}, so more of them would not help."
        )
    enough = evidence.conversions_to_detect(READY_AUC_LOW)
    return (
        f"More conversions: with {evidence.test} in the test a signal below ROC-AUC {seen:.2f} is likely to go unseen; "
        f"with {enough} one of {READY_AUC_LOW:.2f} would be seen, {evidence.wait(0, enough)} at the pace so far, {evidence.pace}."
    )


def _to_be_ready(auc: Estimate, lift: Estimate, evidence: StatisticalPower) -> str:
    """More conversions where they would narrow the range enough; more telling events where the figure itself is small."""
    needed, small = max(
        (conversions_to_narrow(auc, READY_AUC_LOW, evidence.test), f"ROC-AUC {auc.value:.2f}"),
        (conversions_to_narrow(lift, READY_LIFT_LOW, evidence.test), f"a lift of {lift.value:.1f}"),
    )
    if needed > _TOO_MANY * evidence.test:
        return (
            f"More telling events: {small} itself is small, and more conversions would only narrow the range around it."
        )
    return (
        f"More conversions: if the figures stay, about {needed:.0f} in the test instead of {evidence.test} would narrow "
        f"the range enough, {evidence.wait(0, int(needed))} at the pace so far, {evidence.pace}."
    )
