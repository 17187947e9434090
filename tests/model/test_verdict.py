import math

import pytest

from pql_model.model.estimate import Estimate
from pql_model.model.verdict import Verdict, gate, judge


def figures(auc=(0.75, 0.70, 0.80), lift=(3.0, 2.0, 4.0)):
    return {"roc_auc": Estimate(*auc), "lift_at_10pct": Estimate(*lift)}


READY = Verdict("ready", "", "")
NO_SIGNAL = Verdict("no_signal", "", "")


@pytest.mark.parametrize(("trained", "tested"), [(49, 100), (100, 19)])
def test_below_50_and_20_conversions_no_figure_counts(trained, tested):
    verdict = judge(figures(), trained, tested)
    assert (verdict.name, verdict.usable) == ("too_few_conversions", False)
    assert f"{trained} conversions to learn from and {tested} to test on" in verdict.sentence


def test_an_interval_that_holds_one_half_is_no_signal():
    verdict = judge(figures(auc=(0.55, 0.5, 0.6)), 50, 20)
    assert (verdict.name, verdict.usable) == ("no_signal", False)
    assert "cannot be told from chance" in verdict.sentence


def test_no_interval_at_all_is_no_signal():
    assert judge(figures(auc=(0.9, math.nan, math.nan)), 50, 20).name == "no_signal"


def test_a_small_signal_is_weak():
    assert judge(figures(auc=(0.65, 0.55, 0.75)), 50, 20).name == "weak"
    assert judge(figures(lift=(2.0, 1.4, 3.0)), 50, 20).name == "weak"


def test_a_sure_signal_is_ready_and_the_sentence_has_the_figures():
    verdict = judge(figures(), 50, 20)
    assert (verdict.name, verdict.usable) == ("ready", True)
    assert "ROC-AUC 0.75 (likely 0.70 to 0.80)" in verdict.sentence
    assert "3.0 times as often as all (likely 2.0 to 4.0)" in verdict.sentence


def test_without_a_champion_a_usable_model_is_promoted():
    assert gate(READY, None, None, "auto").promoted
    refused = gate(NO_SIGNAL, None, None, "auto")
    assert (refused.promoted, refused.reason) == (False, "not promoted: the verdict is no_signal")


@pytest.mark.parametrize(
    ("difference", "errors", "promoted", "why"),
    [
        ((0.03, 0.01, 0.05), (0.02, 0.02), True, "promoted: ROC-AUC differs by +0.030"),
        ((0.03, 0.0, 0.05), (0.02, 0.02), False, "better cannot be told from equal"),
        ((0.0, 0.0, 0.0), (0.02, 0.02), False, "better cannot be told from equal"),
        ((0.03, math.nan, math.nan), (0.02, 0.02), False, "better cannot be told from equal"),
        ((0.03, 0.01, 0.05), (0.031, 0.02), False, "calibration error 0.031 against the champion's 0.020"),
    ],
)
def test_a_challenger_must_be_better_and_no_worse_calibrated(difference, errors, promoted, why):
    found = gate(READY, Estimate(*difference), errors, "auto")
    assert found.promoted is promoted
    assert why in found.reason


def test_never_and_force_are_obeyed_whatever_the_figures_say():
    better = Estimate(0.1, 0.05, 0.15)
    assert gate(READY, better, (0.0, 0.0), "never").reason == "not promoted: promotion was switched off"
    assert gate(NO_SIGNAL, None, None, "force").promoted
