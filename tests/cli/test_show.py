import io

import pytest
from rich.console import Console

from pql_model.cli.show import show_comparison, show_score, show_train


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=160, color_system=None)


def test_a_training_is_told_verdict_first_with_figures_baselines_and_leaks(console, trained):
    told = trained.as_json()
    show_train(console, told)
    text = console.file.getvalue()
    assert text.strip().startswith(told["verdict"])
    for words in (
        "ROC-AUC",
        "95 % interval",
        "Beside the baselines",
        "activity",
        "trait.account_manager",
        told["run_id"],
    ):
        assert words in text
    assert "promoted" in text
    assert f"{told['test']['roc_auc']['value']:.3f}" in text


def test_names_that_look_like_markup_are_shown_as_they_are(console):
    result = {
        "rows": 1, "as_of": "2026-01-01", "model": {"name": "m", "version": "1"}, "pql": 1, "rule": "the [bold] best",
        "newly_qualified": 1, "expected_conversions": {"value": 0.4, "low": 0, "high": 1}, "not_scored": {},
        "output": "x",
    }  # fmt: skip
    row = {"entity": "[red]a[/red]", "probability": 0.4, "score": 90.0, "why": "number of `[x]`: 3 (+)"}
    show_score(console, result, [row])
    text = console.file.getvalue()
    assert "[red]a[/red]" in text
    assert "`[x]`" in text
    assert "[bold] best" in text
    assert "40.0%" in text


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
