import io

import pytest
from rich.console import Console

from pql_model.cli.show import show_comparison, show_score, show_train, show_value


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=160, color_system=None)


def test_a_training_shows_the_verdict_first_then_figures_baselines_and_leaks(console, trained):
    payload = trained.to_dict()
    show_train(console, payload)
    text = console.file.getvalue()
    assert text.strip().startswith(payload["verdict"])
    for words in (
        "ROC-AUC",
        "95 % interval",
        "Comparison with the baselines",
        "activity",
        "trait.account_manager",
        payload["run_id"],
    ):
        assert words in text
    assert "promoted" in text
    assert f"{payload['test']['roc_auc']['value']:.3f}" in text


def test_a_training_shows_what_would_change_the_verdict_and_the_calibration_by_month(console, trained):
    payload = trained.to_dict()
    show_train(console, payload)
    text = " ".join(console.file.getvalue().split())
    assert "Calibration by month" in text
    assert f"What would change it: {payload['verdict_would_change']}" in text
    assert payload["calibration"]["sentence"] in text
    month = payload["calibration"]["months"][0]
    assert f"{month['month']} {month['rows']:,} {month['expected']:.1f} {month['low']} to {month['high']}" in text
    assert "What the data do support" not in text


def test_a_refused_model_is_shown_with_what_the_data_support(console, trained):
    side = {"looks": 80, "conversions": 4, "rate": {"value": 0.05, "low": 0.02, "high": 0.12}}
    once = {"event": "[b]invite", "at_least": 1, "did": side, "did_not": side, "p_value": 0.04, "stands_out": True}
    often = {**once, "at_least": 3, "p_value": 1.0, "stands_out": False}
    supported = {"sentence": "8 of 160 converted.", "base_rate": side, "looked_at": 2, "behaviours": [once, often]}
    show_train(console, {**trained.to_dict(), "verdict": "no_signal", "supported": supported})
    text = " ".join(console.file.getvalue().split())
    assert "What the data do support: 8 of 160 converted." in text
    assert "[b]invite at least once 5.0% (2.0 to 12.0) 5.0% (2.0 to 12.0) 0.04" in text
    assert "[b]invite at least 3 times" in text


SCORED = {
    "rows": 1,
    "as_of": "2026-01-01",
    "model": {"name": "m", "version": "1"},
    "pql": 1,
    "rule": "r",
    "newly_qualified": 1,
    "expected_conversions": {"value": 0.4, "low": 0, "high": 1},
    "not_scored": {},
    "output": "x",
}


def decided(rows=0, suppressed=None, name="very_low"):
    nothing = {"value": 0.0, "low": 0, "high": 0}
    return {
        "bands": {"[b]high": {"rows": 1200}, name: {"rows": rows}},
        "not_to_call": {
            "bands": [name],
            "rows": rows,
            "share": 0.62,
            "of": {**nothing, "value": 60.2},
            "expected_conversions": {"value": 5.1, "low": 2, "high": 9},
        },
        "suppressed": suppressed or {},
        "expected_value": None,
        "expected_value_all": None,
        "next_steps": {"rows": 0, "criteria": []},
    }


def test_accounts_not_worth_a_call_are_counted_with_the_conversions_missed(console):
    suppressed = {"excluded": 2, "held_out": 3, "cool_down": 4, "capacity": 1500}
    result = {**SCORED, "rows": 3000, **decided(1800, suppressed)}
    show_score(console, result, [])
    text = " ".join(console.file.getvalue().split())
    assert "Bands: 1,200 [b]high, 1,800 very_low." in text
    assert (
        "62% are in band very_low and are not PQLs; skipping them would miss about 5 of 60 expected conversions (2 to 9)."
        in text
    )
    assert (
        "Qualified but not alerted: 2 excluded by the policy, 3 in the hold-out, 4 in the cool-down after an alert, "
        "1,500 beyond the capacity."
    ) in text


def test_next_steps_are_counted_or_nothing_is_worth_a_nudge(console):
    steps = {"rows": 30, "criteria": [{"criterion": "at least 3 `[x]`", "rows": 20}, {"criterion": "y", "rows": 10}]}
    show_score(console, {**SCORED, **decided()}, [])
    assert "Next steps: nothing is worth a nudge. No open criterion" in console.file.getvalue()
    show_score(console, {**SCORED, **decided(), "next_steps": steps}, [])
    text = " ".join(console.file.getvalue().split())
    assert "Next steps: 30 have one with a predicted gain beyond noise, 20 of them at least 3 `[x]`." in text


def test_names_that_look_like_markup_are_shown_as_they_are(console):
    result = {**SCORED, "rule": "the [bold] best", **decided()}
    row = {"entity": "[red]a[/red]", "probability": 0.4, "score": 90.0, "why": "number of `[x]`: 3 (+)"}
    show_score(console, result, [row])
    text = console.file.getvalue()
    assert "[red]a[/red]" in text
    assert "`[x]`" in text
    assert "[bold] best" in text
    assert "[b]high" in text
    assert "skipping them" not in text
    assert "40%" in text


def test_a_comparison_marks_what_agrees(console):
    lines = [
        {"what": "leaks", "planted": "a", "found": "a", "agrees": True},
        {"what": "counts", "planted": "1 [bot]", "found": "2", "agrees": False},
    ]
    show_comparison(console, lines)
    good, bad = (line for line in console.file.getvalue().splitlines() if "✓" in line or "✗" in line)
    assert "✓" in good
    assert "leaks" in good
    assert "✗" in bad
    assert "1 [bot]" in bad


def test_what_the_leads_are_expected_to_bring_is_said(console):
    worth = {"value": 8190.4, "low": 4390.2, "high": 13154.0}
    show_score(
        console, {**SCORED, **decided(), "expected_value": worth, "expected_value_all": {**worth, "value": 12000}}, []
    )

    text = " ".join(console.file.getvalue().split())
    assert "The PQLs are expected to bring 8,190 (4,390 to 13,154), everybody 12,000." in text


def test_the_value_of_a_conversion_is_shown_by_segment_beside_what_came(console):
    mean = {"value": 242.0, "low": 194.0, "high": 294.0}
    value = {
        "per_conversion": mean,
        "conversions": 120,
        "segmented_by": "trait.company+size",
        "segments": {"1-10": {"value": 55.0}, "11-50": {"value": 157.4}},
        "checked": {"expected": mean, "observed": 250.0},
    }
    show_value(console, value)

    assert " ".join(console.file.getvalue().split()) == (
        "A conversion is worth 242 (194 to 294), from 120 conversions (by company size: 1-10 55, 11-50 157). "
        "In the test period 242 were expected (194 to 294), and 250 came."
    )
