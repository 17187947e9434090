"""The verdict on a model, in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pql_model.evaluation.statistical_power import LONGEST_MONTHS, StatisticalPower, conversions_to_narrow
from pql_model.statistics.estimate import Estimate

MIN_TRAIN_CONVERSIONS, MIN_TEST_CONVERSIONS = 50, 20
READY_AUC_LOW, READY_LIFT_LOW = 0.60, 1.5
_TOO_MANY = 10
"""Multiple of the present conversions beyond which waiting is not a realistic option."""


@dataclass(frozen=True)
class Verdict:
    """`ready`, `weak`, `no_signal` or `too_few_conversions`, with its reason and what would change it."""

    name: str
    sentence: str
    would_change: str

    @property
    def usable(self) -> bool:
        return self.name in ("ready", "weak")


def judge(test: dict[str, Estimate], power: StatisticalPower) -> Verdict:
    """Judge a model by its results on later accounts.

    Parameters
    ----------
    test
        Metrics with intervals on the test rows: roc_auc, lift_at_10pct.
    power
        Numbers of converting entities in training and test.
    """
    if power.train < MIN_TRAIN_CONVERSIONS or power.test < MIN_TEST_CONVERSIONS:
        return _too_few(power)
    auc, lift = test["roc_auc"], test["lift_at_10pct"]
    if not auc.low > 0.5:
        return _no_signal(auc, power)
    figures = (
        f"ROC-AUC {_with_interval(auc)}; the top tenth of accounts converts {lift.value:.1f} times as often as average "
        f"({lift.low:.1f} to {lift.high:.1f})"
    )
    if auc.low < READY_AUC_LOW or lift.low < READY_LIFT_LOW:
        return Verdict(
            "weak", f"There is a signal, but it is weak or uncertain: {figures}.", _to_be_ready(auc, lift, power)
        )
    return Verdict(
        "ready",
        f"The model holds up on later accounts: {figures}.",
        f"Worse results on newer accounts: a lower bound of ROC-AUC below {READY_AUC_LOW:.2f}, or of that lift below {READY_LIFT_LOW}.",
    )


def _with_interval(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.2f}, without an interval"
    return f"{estimate.value:.2f} (95 % interval {estimate.low:.2f} to {estimate.high:.2f})"


def _too_few(power: StatisticalPower) -> Verdict:
    need = f"{MIN_TRAIN_CONVERSIONS} to train on and {MIN_TEST_CONVERSIONS} to test on"
    minimum = MIN_TRAIN_CONVERSIONS, MIN_TEST_CONVERSIONS
    sooner = power.months_until(*minimum) > LONGEST_MONTHS
    return Verdict(
        "too_few_conversions",
        f"There are {power.train} conversions to train on and {power.test} to test on; below "
        f"{MIN_TRAIN_CONVERSIONS} and {MIN_TEST_CONVERSIONS} no figure can be trusted.",
        f"More conversions: at the current pace, {power.pace}, there will be {need} {power.wait(*minimum)}"
        f"{'; an earlier step than the payment as the conversion would get there sooner' if sooner else ''}.",
    )


def _no_signal(auc: Estimate, power: StatisticalPower) -> Verdict:
    if auc.low == auc.high:
        sentence = "Nothing in training separated converters from others, so every account gets the same probability."
    else:
        sentence = f"On later accounts the model cannot be distinguished from chance (ROC-AUC {_with_interval(auc)}; 0.50 is chance)."
    return Verdict("no_signal", sentence, _more_to_see(power))


def _more_to_see(power: StatisticalPower) -> str:
    """Recommend more conversions if the test could miss a useful signal, otherwise more informative events."""
    detectable = power.detectable_auc()
    if detectable <= READY_AUC_LOW:
        return (
            f"Events that show the product's value, or a later snapshot: {power.test} conversions in the test are "
            f"enough to detect a ROC-AUC of {detectable:.2f}, so more of them would not help."
        )
    target = power.conversions_to_detect(READY_AUC_LOW)
    return (
        f"More conversions: with {power.test} in the test a signal below ROC-AUC {detectable:.2f} is likely to be missed; "
        f"{target} would detect one of {READY_AUC_LOW:.2f}, {power.wait(0, target)} at the current pace, {power.pace}."
    )


def _to_be_ready(auc: Estimate, lift: Estimate, power: StatisticalPower) -> str:
    """Recommend more conversions if they would narrow the interval enough, otherwise more informative events."""
    target, small = max(
        (conversions_to_narrow(auc, READY_AUC_LOW, power.test), f"ROC-AUC {auc.value:.2f}"),
        (conversions_to_narrow(lift, READY_LIFT_LOW, power.test), f"a lift of {lift.value:.1f}"),
    )
    if target > _TOO_MANY * power.test:
        return f"More informative events: {small} itself is small, and more conversions would only narrow the interval around it."
    return (
        f"More conversions: if the figures stay the same, about {target:.0f} in the test instead of {power.test} would narrow "
        f"the interval enough, {power.wait(0, int(target))} at the current pace, {power.pace}."
    )
