import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_model import small_model, small_table

from pql_model.evaluation.gate import (
    ChampionComparison,
    Incomparable,
    compare_with_champion,
    decide_promotion,
    gate_decision,
)
from pql_model.evaluation.verdict import Verdict
from pql_model.statistics.estimate import Estimate

READY = Verdict("ready", "", "")
NO_SIGNAL = Verdict("no_signal", "", "")
NAN = math.nan
EQUAL = (0.0, -0.01, 0.01)


def differences(roc_auc=EQUAL, log_loss=EQUAL, calibration_error=EQUAL, conversions=200):
    """Challenger minus champion on 1,000 rows."""
    return ChampionComparison(
        "3", 1000, conversions, Estimate(*roc_auc), Estimate(*log_loss), Estimate(*calibration_error)
    )


def test_without_a_champion_the_verdict_decides():
    assert gate_decision(READY, None).text == "promoted: there was no champion and the verdict is ready"
    assert gate_decision(NO_SIGNAL, None).text == "not promoted: the verdict is no_signal"


def test_an_unusable_model_never_passes():
    assert (
        gate_decision(NO_SIGNAL, differences(roc_auc=(0.2, 0.1, 0.3))).text == "not promoted: the verdict is no_signal"
    )


def test_a_champion_that_cannot_be_compared_stays():
    assert gate_decision(READY, Incomparable("its columns are gone")).text == "not promoted: its columns are gone"


def test_no_champion_is_replaced_while_the_newest_outcomes_are_not_known():
    better = differences(roc_auc=(0.03, 0.01, 0.05))

    refused = gate_decision(READY, better, unknown="Conversions stopped.")
    assert refused.text == "not promoted: the newest outcomes are not known. Conversions stopped"
    assert not decide_promotion(READY, better, "auto", unknown="Conversions stopped.").promoted
    assert decide_promotion(READY, better, "force", unknown="Conversions stopped.").promoted
    assert gate_decision(READY, None, unknown="Conversions stopped.").passed  # there is nothing to lose


def test_a_clearly_better_ranking_is_promoted_and_the_reason_has_the_figures():
    decision = gate_decision(READY, differences(roc_auc=(0.03, 0.01, 0.05)))
    assert decision.text == (
        "promoted: ROC-AUC differs by +0.030 (+0.010 to +0.050) on the same 1,000 later rows as version 3"
    )


@pytest.mark.parametrize("roc_auc", [(0.03, 0.0, 0.06), (0.0, 0.0, 0.0), (0.03, NAN, NAN), (-0.03, -0.06, 0.0)])
def test_a_difference_whose_interval_reaches_zero_does_not_promote(roc_auc):
    decision = gate_decision(READY, differences(roc_auc=roc_auc))
    assert not decision.passed
    assert decision.why.endswith("; the difference is within noise")


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"roc_auc": (-0.01, -0.03, 0.01)}, True),
        ({"roc_auc": (-0.03, -0.06, -0.01)}, False),
        ({"log_loss": (0.01, 0.001, 0.02)}, False),
        ({"calibration_error": (0.03, 0.01, 0.05)}, False),
    ],
)
def test_a_refit_of_the_champion_passes_unless_it_is_worse(changes, passes):
    decision = gate_decision(READY, differences(**changes), same_settings=True)
    assert decision.passed == passes
    if passes:
        assert decision.why.endswith("the settings are the champion's, fitted again on the data of today")


def test_a_refit_that_is_not_usable_or_not_comparable_stays_out():
    assert not gate_decision(NO_SIGNAL, differences(), same_settings=True).passed
    assert not gate_decision(READY, Incomparable("its columns are gone"), same_settings=True).passed


def test_a_clearly_worse_ranking_is_called_worse():
    assert gate_decision(READY, differences(roc_auc=(-0.03, -0.06, -0.01))).why.endswith("; it is worse")


def test_a_better_ranking_that_is_worse_calibrated_is_refused():
    better = {"roc_auc": (0.03, 0.01, 0.05)}
    refused = gate_decision(READY, differences(**better, calibration_error=(0.03, 0.001, 0.05)))
    assert not refused.passed
    assert refused.why.endswith("but it is worse calibrated: calibration error differs by +0.030 (+0.001 to +0.050)")
    assert gate_decision(READY, differences(**better, calibration_error=(0.03, 0.0, 0.05))).passed  # may be chance


def test_a_calibration_error_that_grew_by_less_than_a_tenth_of_the_base_rate_does_not_matter():
    better = {"roc_auc": (0.03, 0.01, 0.05)}
    assert gate_decision(READY, differences(**better, calibration_error=(0.02, 0.01, 0.03), conversions=200)).passed
    assert not gate_decision(READY, differences(**better, calibration_error=(0.02, 0.01, 0.03), conversions=199)).passed


def test_a_better_ranking_with_clearly_worse_probabilities_is_refused():
    refused = gate_decision(READY, differences(roc_auc=(0.03, 0.01, 0.05), log_loss=(0.0031, 0.0001, 0.006)))
    assert not refused.passed
    assert refused.why.endswith("but its probabilities are worse: log loss differs by +0.0031 (+0.0001 to +0.0060)")


def test_a_champion_whose_probabilities_have_drifted_is_replaced_by_one_that_ranks_as_well():
    decision = gate_decision(READY, differences(roc_auc=(0.0, -0.029, 0.02), log_loss=(-0.02, -0.03, -0.01)))
    assert decision.passed
    assert decision.why.endswith("and its probabilities are better: log loss differs by -0.0200 (-0.0300 to -0.0100)")


@pytest.mark.parametrize(
    ("roc_auc", "log_loss"),
    [
        ((0.0, -0.03, 0.02), (-0.02, -0.03, -0.01)),  # it may rank worse by the margin
        ((0.0, -0.029, 0.02), (-0.02, -0.03, 0.0)),  # the probabilities may be no better
        ((0.0, NAN, NAN), (-0.02, -0.03, -0.01)),
    ],
)
def test_better_probabilities_do_not_make_up_for_a_possibly_worse_ranking(roc_auc, log_loss):
    assert not gate_decision(READY, differences(roc_auc=roc_auc, log_loss=log_loss)).passed


def test_never_and_force_override_the_gate_and_record_its_decision():
    better = differences(roc_auc=(0.03, 0.01, 0.05))
    never = decide_promotion(READY, better, "never")
    assert (never.promoted, never.gate.passed, never.forced) == (False, True, False)
    assert never.reason.startswith(
        "not promoted: promotion was switched off; gate decision: promoted: ROC-AUC differs by +0.030"
    )
    force = decide_promotion(NO_SIGNAL, None, "force")
    assert (force.promoted, force.gate.passed, force.forced) == (True, False, True)
    assert force.reason == "promoted by force; gate decision: not promoted: the verdict is no_signal"


def test_the_decision_as_json_has_the_mode_the_gate_and_the_differences():
    payload = json.loads(
        json.dumps(decide_promotion(READY, differences(log_loss=(0.0, NAN, NAN)), "auto").to_dict(), allow_nan=False)
    )
    assert set(payload) == {"promoted", "reason", "mode", "gate", "comparison"}
    assert payload["gate"] == {"promoted": False, "reason": payload["reason"]}
    assert payload["comparison"]["champion"] == "3"
    assert payload["comparison"]["log_loss"] == {"value": 0.0, "low": None, "high": None}
    assert decide_promotion(READY, None, "auto").to_dict()["comparison"] is None


# ---------------------------------------------------------------- on the same rows


DAY = 86_400_000_000
FACTS = {"motion": "trial", "horizon": "30d", "entity": "account", "labels_until": 0}


def rows(signed_up=None):
    table, y = small_table(400, seed=9)
    days = np.arange(400) if signed_up is None else signed_up
    frame = table[["entity", "as_of"]].assign(signed_up=days * DAY, converted=y.astype(bool))
    return table, frame.assign(signed_up=frame["signed_up"].astype("Int64"))


def model(seed=1, **facts):
    return replace(small_model(seed), facts={**FACTS, **facts})


@pytest.fixture(scope="module")
def challenger():
    return model()


def test_a_model_compared_with_itself_has_no_difference(challenger):
    comparison = compare_with_champion(challenger, "1", challenger, *rows(), seed=7)
    assert (comparison.rows, comparison.conversions) == (400, int(rows()[1]["converted"].sum()))
    assert comparison.roc_auc == comparison.log_loss == comparison.calibration_error == Estimate(0.0, 0.0, 0.0)


def test_the_differences_are_challenger_minus_champion(challenger):
    table, frame = rows()
    other = compare_with_champion(model(seed=2), "1", challenger, table, frame, seed=7)
    back = compare_with_champion(challenger, "1", model(seed=2), table, frame, seed=7)
    assert other.roc_auc.value == pytest.approx(-back.roc_auc.value) != 0
    assert other.log_loss.value == pytest.approx(-back.log_loss.value) != 0


def test_both_models_are_compared_on_rows_that_neither_was_trained_on(challenger):
    comparison = compare_with_champion(model(labels_until=300 * DAY), "1", challenger, *rows(), seed=7)
    assert (comparison.rows, comparison.conversions) == (100, int(rows()[1]["converted"][300:].sum()))


def test_in_freemium_a_row_is_as_new_as_its_as_of():
    freemium = model(motion="freemium")
    table, frame = rows(signed_up=np.zeros(400, int))
    frame["signed_up"] = pd.Series(pd.NA, index=frame.index, dtype="Int64")
    comparison = compare_with_champion(
        model(motion="freemium", labels_until=300 * DAY), "1", freemium, table, frame, seed=7
    )
    assert comparison.rows == 100


@pytest.mark.parametrize(
    ("champion", "gone", "why"),
    [
        (
            {"horizon": "60d"},
            [],
            "the champion predicts something else ({'horizon': '60d', 'motion': 'trial', 'entity'",
        ),
        (
            {"labels_until": 395 * DAY},
            [],
            "the champion was trained on part of this test period; in the 5 rows after",
        ),
        (
            {"labels_until": 999 * DAY},
            [],
            "in the 0 rows after that, 0 entities converted, and 20 are needed to compare",
        ),
        ({}, ["trait.size"], "columns of the champion are missing (trait.size), so the two cannot be compared"),
    ],
)
def test_without_common_rows_the_reason_is_given(challenger, champion, gone, why):
    table, frame = rows()
    comparison = compare_with_champion(model(**champion), "1", challenger, table.drop(columns=gone), frame, seed=7)
    assert isinstance(comparison, Incomparable)
    assert why in comparison.why
