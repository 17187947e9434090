import pytest
from rich.console import Console

from pql_model.cli.show_models import show_models

MODEL = {
    "version": "2",
    "aliases": ["champion"],
    "trained_at": "2026-03-01T10:20:30.5Z",
    "run_id": "r",
    "verdict": "weak",
    "roc_auc": {"value": 0.71, "low": 0.65, "high": None},
    "promotion": "promoted: [it] is better",
    "forced": False,
    "promoted_at": "2026-03-01T10:20:40Z",
    "rolled_back_at": None,
}
OLD = {
    **MODEL,
    "version": "1",
    "aliases": ["previous"],
    "verdict": None,
    "roc_auc": None,
    "promotion": None,
    "trained_at": "2026-02-01",
    "rolled_back_at": "2026-03-02T08:00:00Z",
}


@pytest.fixture
def render(capsys):
    def show(*models):
        show_models(Console(width=200), {"name": "tiny", "models": list(models)})
        return capsys.readouterr().out

    return show


def test_each_version_has_a_line_and_its_promotion(render):
    text = render(MODEL, OLD)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "2 2026-03-01 weak 0.710 (0.650 to -) champion 2026-03-01" in lines
    assert "1 2026-02-01 - - previous 2026-03-01, rolled back 2026-03-02" in lines
    assert "2: promoted: [it] is better" in lines


def test_several_aliases_are_whole_words_in_a_narrow_terminal(capsys):
    both = {**MODEL, "aliases": ["challenger", "champion"]}
    show_models(Console(width=70), {"name": "tiny", "models": [both, OLD]})
    words = capsys.readouterr().out.split()
    assert {"challenger", "champion"} <= set(words)


def test_each_heading_stands_on_one_line_at_80_columns(capsys):
    both = {**MODEL, "roc_auc": {"value": 0.71, "low": 0.65, "high": 0.77}, "aliases": ["challenger", "champion"]}
    show_models(Console(width=80), {"name": "tiny", "models": [both, {**OLD, "rolled_back_at": None}]})
    heading = capsys.readouterr().out.splitlines()[1]
    assert heading.split() == ["version", "trained", "verdict", "ROC-AUC", "(95", "%)", "alias", "champion", "since"]


def test_without_versions_the_command_that_trains_one_is_shown(render):
    assert render() == "tiny has no versions yet. Train one with `pql train`.\n"
