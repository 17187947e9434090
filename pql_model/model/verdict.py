"""May this model be used? A verdict in a sentence, and the gate between challenger and champion."""

from __future__ import annotations

from dataclasses import dataclass

from pql_model.model.estimate import Estimate

MIN_TRAIN_CONVERSIONS, MIN_TEST_CONVERSIONS = 50, 20
READY_AUC_LOW, READY_LIFT_LOW = 0.60, 1.5
CALIBRATION_SLACK = 0.01


@dataclass(frozen=True)
class Verdict:
    """`ready`, `weak`, `no_signal` or `too_few_conversions`, why, and what would change it."""

    name: str
    sentence: str
    would_change: str

    @property
    def usable(self) -> bool:
        return self.name in ("ready", "weak")


def judge(test: dict[str, Estimate], train_conversions: int, test_conversions: int) -> Verdict:
    """The verdict on a model by its later accounts.

    Parameters
    ----------
    test
        Metrics with intervals on the test rows: roc_auc, lift_at_10pct.
    """
    auc, lift = test["roc_auc"], test["lift_at_10pct"]
    if train_conversions < MIN_TRAIN_CONVERSIONS or test_conversions < MIN_TEST_CONVERSIONS:
        return Verdict(
            "too_few_conversions",
            f"There are {train_conversions} conversions to learn from and {test_conversions} to test on; "
            f"below {MIN_TRAIN_CONVERSIONS} and {MIN_TEST_CONVERSIONS} no figure can be trusted.",
            "More history, a longer horizon, or more sign-ups.",
        )
    if not auc.low > 0.5:
        return Verdict(
            "no_signal",
            f"On later accounts the model cannot be told from chance (ROC-AUC {auc.value:.2f}, likely {auc.low:.2f} to "
            f"{auc.high:.2f}; 0.50 is chance).",
            "Events that show the product's value, or a later snapshot.",
        )
    best = f"the top tenth of accounts converts {lift.value:.1f} times as often as all (likely {lift.low:.1f} to {lift.high:.1f})"
    if auc.low < READY_AUC_LOW or lift.low < READY_LIFT_LOW:
        return Verdict(
            "weak",
            f"There is a signal, but it is small or uncertain: ROC-AUC {auc.value:.2f} (likely {auc.low:.2f} to {auc.high:.2f}), {best}.",
            "More conversions narrow the range; more telling events raise it.",
        )
    return Verdict(
        "ready",
        f"On later accounts the model holds: ROC-AUC {auc.value:.2f} (likely {auc.low:.2f} to {auc.high:.2f}), {best}.",
        "A fall of these figures on newer accounts.",
    )


@dataclass(frozen=True)
class Promotion:
    """Whether the new model becomes champion, and why."""

    promoted: bool
    reason: str


def gate(
    verdict: Verdict, difference: Estimate | None, calibration: tuple[float, float] | None, mode: str
) -> Promotion:
    """Champion or not.

    Parameters
    ----------
    difference
        ROC-AUC of challenger minus champion on the same rows, or None if there is no champion.
    calibration
        Their calibration errors, challenger first.
    mode
        `auto`, `never` or `force`.
    """
    if mode == "never":
        return Promotion(False, "not promoted: promotion was switched off")
    if mode == "force":
        return Promotion(True, "promoted by force, whatever the figures say")
    if not verdict.usable:
        return Promotion(False, f"not promoted: the verdict is {verdict.name}")
    if difference is None or calibration is None:
        return Promotion(True, f"promoted: there was no champion and the verdict is {verdict.name}")
    words = f"ROC-AUC differs by {difference.value:+.3f} (likely {difference.low:+.3f} to {difference.high:+.3f}) on the same later rows"
    if not difference.low > 0:
        return Promotion(False, f"not promoted: {words}; better cannot be told from equal")
    if calibration[0] > calibration[1] + CALIBRATION_SLACK:
        return Promotion(
            False, f"not promoted: calibration error {calibration[0]:.3f} against the champion's {calibration[1]:.3f}"
        )
    return Promotion(True, f"promoted: {words}")
