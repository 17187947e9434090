import math

import pytest

from pql_model.evaluation.statistical_power import StatisticalPower
from pql_model.evaluation.verdict import Context, Rival, judge
from pql_model.statistics.estimate import Estimate


def figures(auc=(0.75, 0.70, 0.80), lift=(3.0, 2.0, 4.0)):
    return {"roc_auc": Estimate(*auc), "lift_at_10pct": Estimate(*lift)}


def having(train=50, test=20, others=400, months=10.0):
    return StatisticalPower(train, test, others, train + test + 10, months)


@pytest.mark.parametrize(("trained", "tested"), [(49, 100), (100, 19)])
def test_fewer_than_50_and_20_conversions_are_too_few(trained, tested):
    verdict = judge(figures(), having(trained, tested))
    assert (verdict.name, verdict.usable) == ("too_few_conversions", False)
    assert f"{trained} conversions to train on and {tested} to test on" in verdict.sentence
    assert judge(figures(), having()).name == "ready"


def test_too_few_conversions_estimates_when_there_will_be_enough():
    payload = judge(figures(), having(31, 15, months=5.0)).would_change
    assert payload == (
        "More conversions: at the current pace, 11 a month, there will be 50 to train on and 20 to test on in about 4 months."
    )


def test_an_earlier_step_is_suggested_if_enough_conversions_are_years_away():
    payload = judge(figures(), having(3, 1, months=12.0)).would_change
    assert "1.2 a month" in payload
    assert payload.endswith(
        "in more than 24 months; an earlier step than the payment as the conversion would get there sooner."
    )


def test_an_interval_that_holds_one_half_is_no_signal():
    verdict = judge(figures(auc=(0.55, 0.5, 0.6)), having())
    assert (verdict.name, verdict.usable) == ("no_signal", False)
    assert "cannot be distinguished from chance (ROC-AUC 0.55 (95 % interval 0.50 to 0.60)" in verdict.sentence


def test_no_signal_states_the_detectable_signal_and_the_conversions_needed():
    payload = judge(figures(auc=(0.55, 0.47, 0.63)), having(60, 30, others=270)).would_change
    assert payload.startswith(
        "More conversions: with 30 in the test a signal below ROC-AUC 0.66 is likely to be missed;"
    )
    assert "73 would detect one of 0.60, in about 14 months at the current pace, 10 a month." in payload


def test_no_signal_with_a_powerful_test_asks_for_other_events():
    payload = judge(figures(auc=(0.51, 0.46, 0.56)), having(300, 150, others=1500)).would_change
    assert payload.startswith(
        "Events that show the product's value, or a later snapshot: 150 conversions in the test are"
    )
    assert "enough to detect a ROC-AUC of 0.57" in payload


def test_a_constant_probability_is_stated_plainly():
    verdict = judge(figures(auc=(0.5, 0.5, 0.5)), having())
    assert verdict.name == "no_signal"
    assert verdict.sentence.startswith("Nothing in training separated converters from others")


def test_a_missing_interval_is_no_signal():
    verdict = judge(figures(auc=(0.9, math.nan, math.nan)), having())
    assert verdict.name == "no_signal"
    assert "ROC-AUC 0.90, without an interval" in verdict.sentence


def test_a_small_signal_is_weak():
    assert judge(figures(auc=(0.65, 0.55, 0.75)), having()).name == "weak"
    assert judge(figures(lift=(2.0, 1.4, 3.0)), having()).name == "weak"


def test_an_uncertain_signal_states_the_conversions_needed():
    payload = judge(figures(auc=(0.70, 0.55, 0.85)), having(60, 20, months=8.0)).would_change
    # half the width is 0.15 and may be 0.10: 2.25 times as many
    assert payload.startswith(
        "More conversions: if the figures stay the same, about 45 in the test instead of 20 would narrow"
    )


@pytest.mark.parametrize(
    ("auc", "lift", "small"),
    [
        ((0.58, 0.55, 0.61), (3.0, 2.0, 4.0), "ROC-AUC 0.58 itself is small"),
        ((0.61, 0.55, 0.67), (3.0, 2.0, 4.0), "ROC-AUC 0.61 itself is small"),  # it would take 36 times as many
        ((0.75, 0.70, 0.80), (1.4, 1.2, 1.6), "a lift of 1.4 itself is small"),
    ],
)
def test_a_weak_signal_asks_for_more_informative_events(auc, lift, small):
    verdict = judge(figures(auc, lift), having())
    assert verdict.name == "weak"
    assert verdict.would_change.startswith(f"More informative events: {small}")


def test_a_clear_signal_is_ready_and_the_sentence_has_the_figures():
    verdict = judge(figures(), having())
    assert (verdict.name, verdict.usable) == ("ready", True)
    assert "ROC-AUC 0.75 (95 % interval 0.70 to 0.80)" in verdict.sentence
    assert "3.0 times as often as average (2.0 to 4.0)" in verdict.sentence
    assert "a lower bound of ROC-AUC below 0.60, or of that lift below 1.5" in verdict.would_change


# ---------------------------------------------------------------- beside age and baselines


def within(value, low, high):
    return Context(within_age=Estimate(value, low, high), age_only=Estimate(0.7, 0.65, 0.75))


def test_a_model_that_only_knows_the_age_has_no_signal():
    verdict = judge(figures(), having(), within(0.52, 0.47, 0.57))
    assert (verdict.name, verdict.usable) == ("no_signal", False)
    assert "The model only knows the age of an account" in verdict.sentence
    assert "0.52 (95 % interval 0.47 to 0.57) among accounts of the same age" in verdict.sentence
    assert "The days since sign-up alone do as well: ROC-AUC 0.70" in verdict.sentence


def test_a_ranking_within_one_age_must_be_above_chance_with_99_percent():
    assert judge(figures(), having(), within(0.57, 0.51, 0.63)).name == "no_signal"
    assert judge(figures(), having(), within(0.57, 0.52, 0.62)).name == "weak"


def test_readiness_is_judged_within_one_age():
    weak = judge(figures(), having(), within(0.63, 0.58, 0.68))
    assert weak.name == "weak"
    assert "0.63 (95 % interval 0.58 to 0.68) among accounts of the same age" in weak.sentence
    assert judge(figures(), having(), within(0.72, 0.66, 0.77)).name == "ready"


def test_a_model_that_a_baseline_beats_is_not_ready_and_the_sentence_names_the_best_one():
    rivals = [
        Rival("the number of events", Estimate(-0.02, -0.03, -0.01), True),
        Rival("the definition in force", Estimate(-0.05, -0.08, -0.02), True),
        Rival("a logistic regression", Estimate(-0.09, -0.2, 0.01), False),
    ]
    verdict = judge(figures(), having(), Context(rivals=rivals))
    assert verdict.name == "weak"
    assert "the definition in force ranks better on the same later accounts" in verdict.sentence
    assert "-0.050 (-0.080 to -0.020)" in verdict.sentence


def test_a_baseline_within_noise_does_not_lower_the_verdict():
    rivals = [Rival("the number of events", Estimate(-0.02, -0.05, 0.01), False)]
    assert judge(figures(), having(), Context(rivals=rivals)).name == "ready"


@pytest.mark.parametrize("auc", [(0.95, 0.91, 0.98), (0.93, 0.90, 0.96), (0.99, 0.97, 1.0)])
def test_a_model_better_than_honest_data_allow_is_suspicious(auc):
    verdict = judge(figures(auc=auc), having(), Context(look_at=["`Converted` (62% of what moves the score)"]))
    assert (verdict.name, verdict.usable) == ("suspicious", False)
    assert verdict.sentence.endswith("Look at `Converted` (62% of what moves the score).")


@pytest.mark.parametrize("auc", [(0.90, 0.88, 0.92), (0.93, 0.86, 0.97)])
def test_a_strong_model_is_not_suspicious(auc):
    assert judge(figures(auc=auc), having()).name == "ready"


def test_too_few_conversions_are_not_suspicious():
    assert judge(figures(auc=(0.99, 0.95, 1.0)), having(49, 100)).name == "too_few_conversions"
