"""The verdict on a model, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pql_model.errors import listed
from pql_model.evaluation.statistical_power import LONGEST_MONTHS, StatisticalPower, conversions_to_narrow
from pql_model.statistics.estimate import Z95, Estimate

MIN_TRAIN_CONVERSIONS, MIN_TEST_CONVERSIONS = 50, 20
READY_AUC_LOW, READY_LIFT_LOW = 0.60, 1.5
HONEST_AUC, HONEST_AUC_LOW = 0.92, 0.89
"""A ROC-AUC above the first, with a lower bound above the second, is beyond all honest data measured: these reach 0.89
(relax, day 30)."""
_Z99 = 2.576
_TOO_MANY = 10
"""Multiple of the present conversions beyond which waiting is not a realistic option."""


@dataclass(frozen=True)
class Verdict:
    """`ready`, `weak`, `suspicious`, `no_signal` or `too_few_conversions`, with its reason and what would change it."""

    name: str
    sentence: str
    would_change: str

    @property
    def usable(self) -> bool:
        return self.name in ("ready", "weak")


@dataclass(frozen=True)
class Rival:
    """A simple ranking beside the model, on the same rows and among rows of the same age.

    Attributes
    ----------
    name
        Its name in words: `the number of events`.
    difference
        ROC-AUC of the model minus its own.
    beats
        Whether it ranks better than the model beyond chance.
    """

    name: str
    difference: Estimate
    beats: bool


@dataclass(frozen=True)
class Context:
    """What a model is judged beside.

    Attributes
    ----------
    within_age
        ROC-AUC among rows of the same age; None if all rows have the same age.
    age_only
        ROC-AUC of the age alone, over all rows.
    rivals
        Simple rankings.
    look_at
        Columns and behaviours that the model leans on most, in words.
    """

    within_age: Estimate | None = None
    age_only: Estimate | None = None
    rivals: Sequence[Rival] = ()
    look_at: Sequence[str] = ()


_NO_CONTEXT = Context()


def judge(test: dict[str, Estimate], power: StatisticalPower, context: Context = _NO_CONTEXT) -> Verdict:
    """Judge a model by its results on later accounts.

    Parameters
    ----------
    test
        Metrics with intervals on the test rows: roc_auc, lift_at_10pct.
    power
        Numbers of converting entities in training and test.
    context
        Its ranking within one age, and the simple rankings beside it.
    """
    if power.train < MIN_TRAIN_CONVERSIONS or power.test < MIN_TEST_CONVERSIONS:
        return _too_few(power)
    auc, lift = test["roc_auc"], test["lift_at_10pct"]
    if not auc.low > 0.5:
        return _no_signal(auc, power)
    within = context.within_age
    if within is not None and not _surely_above_chance(within):
        return _age_alone(auc, within, context.age_only, power)
    if auc.value > HONEST_AUC and auc.low > HONEST_AUC_LOW:
        return _suspicious(auc, context.look_at)
    figures = _figures(auc, within, lift)
    if better := [rival for rival in context.rivals if rival.beats]:
        return _beaten(min(better, key=lambda rival: rival.difference.value), figures)
    lowest = auc if within is None or auc.low <= within.low else within
    if lowest.low < READY_AUC_LOW or lift.low < READY_LIFT_LOW:
        return Verdict(
            "weak", f"There is a signal, but it is weak or uncertain: {figures}.", _to_be_ready(lowest, lift, power)
        )
    return Verdict(
        "ready",
        f"The model holds up on later accounts: {figures}.",
        f"Worse results on newer accounts: a lower bound of ROC-AUC below {READY_AUC_LOW:.2f}, or of that lift below {READY_LIFT_LOW}.",
    )


def _surely_above_chance(within: Estimate) -> bool:
    """Whether a 99 % interval lies above 0.5: the ranking over all ages has already passed, so this is a second chance."""
    return within.value - (within.value - within.low) * _Z99 / Z95 > 0.5


def _figures(auc: Estimate, within: Estimate | None, lift: Estimate) -> str:
    same_age = f", {_with_interval(within)} among accounts of the same age" if within is not None else ""
    return (
        f"ROC-AUC {_with_interval(auc)}{same_age}; the top tenth of accounts converts {lift.value:.1f} times as often as "
        f"average ({lift.low:.1f} to {lift.high:.1f})"
    )


def _age_alone(auc: Estimate, within: Estimate, age_only: Estimate | None, power: StatisticalPower) -> Verdict:
    same = f" The days since sign-up alone do as well: ROC-AUC {_with_interval(age_only)}." if age_only else ""
    return Verdict(
        "no_signal",
        f"The model only knows the age of an account: ROC-AUC {_with_interval(auc)} over all ages, but "
        f"{_with_interval(within)} among accounts of the same age, where 0.50 is chance.{same}",
        _more_to_see(power),
    )


def _suspicious(auc: Estimate, look_at: Sequence[str]) -> Verdict:
    where = f" Look at {listed(look_at)}." if look_at else ""
    return Verdict(
        "suspicious",
        f"The model is better than honest data allow: ROC-AUC {_with_interval(auc)}, where honest behaviour has not "
        f"exceeded {HONEST_AUC_LOW:.2f}. Something it reads probably knows the outcome.{where}",
        "Find what was recorded at or after the payment, remove or correct it, and train again; `--promote force` "
        "promotes the model if everything in it was known at the snapshot.",
    )


def _beaten(rival: Rival, figures: str) -> Verdict:
    difference = rival.difference
    return Verdict(
        "weak",
        f"There is a signal, but {rival.name} ranks better on the same later accounts: the model's ROC-AUC differs by "
        f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f}). {figures}.",
        f"More trials or more conversions, so that the model is not worse than {rival.name}; until then, that is the simpler choice.",
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
