import math
from dataclasses import replace

import numpy as np
import pandas as pd
from histories import history
from small_model import small_model

from pql_model.audit.audit import Finding
from pql_model.evaluation.evaluate import Evaluation
from pql_model.evaluation.expected_vs_observed import calibration_over_time
from pql_model.evaluation.gate import GateDecision, Promotion
from pql_model.evaluation.model_card import model_card
from pql_model.evaluation.univariate_rates import univariate_rates
from pql_model.evaluation.verdict import Verdict
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import METRICS
from pql_model.time import Duration

LEAK = Finding("trait.manager", "filled_for_converters", "filled for 96%", 0.98, "quarantined")
MONTHS = pd.DataFrame(
    {
        "month": ["2026-04"],
        "rows": [1200],
        "expected": [12.34],
        "low": [6],
        "high": [20],
        "observed": [11],
        "flag": ["as expected"],
        "corrected_expected": [11.0],
    }
)


def card(findings=(LEAK,), auc=Estimate(0.75, 0.7, 0.8), set_aside=None, supported=None, **facts):  # noqa: B008 (frozen)
    evaluation = Evaluation(
        test={**dict.fromkeys(METRICS, Estimate(0.1, 0.05, 0.2)), "roc_auc": auc},
        unseen=None,
        baselines={"activity": {"roc_auc": Estimate(0.6, 0.5, 0.7)}, "base_rate": {"brier": Estimate(0.1, 0.1, 0.1)}},
        reliability=pd.DataFrame(),
        calibration_over_time=replace(calibration_over_time(history(), seed=7), months=MONTHS),
    )
    importance = pd.DataFrame({"behaviour": ["Upload"], "part": ["usage"], "mean_abs": [0.5], "share": [0.42]})
    model = small_model()
    return model_card(
        replace(model, facts={**model.facts, **facts}),
        evaluation,
        Verdict("weak", "There is a small signal.", "More conversions."),
        Promotion(True, "promoted: there was no champion", "auto", GateDecision(True, "")),
        findings,
        importance,
        set_aside or {},
        supported,
    )


def test_the_card_has_tests_and_findings():
    text = card(set_aside={"bot": 1234})
    for line in (
        "# Model card: tiny",
        "**Verdict: weak.** There is a small signal. What would change it: More conversions.",
        "Promoted: there was no champion.",
        "| test, later | 100 | 100 | 40 | 2026-04-01 | 2026-05-01 |",
        "| roc_auc | 0.750 | 0.700 to 0.800 |",
        "| activity | 0.600 | 0.500 to 0.700 |",
        "| 2026-04 | 1,200 | 12.3 | 6 to 20 | 11 | as expected | 11.0 |",
        "- Upload (usage): 42% of the total",
        "- `trait.manager`: filled for 96% (quarantined)",
        "- bot: 1,234",
    ):
        assert line in text.splitlines()
    assert "it does not say what causes a conversion" in text


def test_the_card_names_missing_results():
    text = card(findings=(), auc=Estimate(0.75, math.nan, math.nan))
    assert "No findings." in text
    assert "None." in text
    assert "| roc_auc | 0.750 | - to - |" in text.splitlines()
    assert "nan" not in text


def test_the_card_of_a_refused_model_has_the_univariate_rates():
    frame = pd.DataFrame({"entity": np.arange(100), "as_of": 0, "converted": np.arange(100) < 20})
    table = pd.DataFrame({"invite%7Call.count.ever": np.arange(100) % 2})
    supported = univariate_rates(frame, table, ["invite|all"], Duration.parse("7d"))
    lines = card(supported=supported).splitlines()
    assert "## What the data do support" in lines
    side = "10 of 50, 20.0% (11.2% to 33.0%)"
    assert f"| invite\\|all: at least once | {side} | {side} | 1 |" in lines
    assert "## What the data do support" not in card().splitlines()


def test_the_card_says_what_a_conversion_is_worth():
    mean = {"value": 242.0, "low": 194.0, "high": 294.5}
    value = {
        "per_conversion": mean,
        "conversions": 120,
        "segmented_by": "trait.size",
        "segments": {"1-10": {"conversions": 70, **mean, "value": 55.0}},
        "checked": {"expected": mean, "observed": 250.0},
    }
    text = card(value=value)

    assert (
        "A conversion is worth 242.00 (95 % interval 194.00 to 294.50), from 120 conversions. In the test period 242"
        in text
    )
    assert "were expected (194 to 294), and 250 came." in text
    assert "| 1-10 | 70 | 55.00 | 194.00 to 294.50 |" in text
    assert "## Value" not in card()
