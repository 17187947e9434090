import pytest
from rich.console import Console

from pql_model.cli.show_found import show_found


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


TESTED = {
    "qualified": 262,
    "rows": 1308,
    "rate": estimate(0.233, 0.186, 0.288),
    "lift": estimate(2.7, 2.3, 3.2),
    "recall": estimate(0.54, 0.45, 0.63),
}
CELL = {"entities": 478, "conversions": 39, "rate": estimate(0.082, 0.06, 0.11)}
CRITERION = {
    "id": "c1",
    "text": "at least 3 `[red]Invited` in the first 7 days",
    "tested": TESTED,
    "threshold_interval": [3, 4],
    "conditions": [{"event": "[red]Invited", "threshold": 3}],
    "threshold_agreement": 0.93,
    "also": [{"text": "at least 4 `[red]Invited` so far", "share": 0.27}],
}
FIT = {
    **CRITERION,
    "id": "c2",
    "text": "`size` is 51-200",
    "conditions": [{"trait": "size", "in": ["51-200"]}],
    "also": [],
}
FOUND = {
    "model": {"name": "boards", "version": "2", "verdict": "ready"},
    "rows": "as of day 14 of the trial",
    "base": {"later": estimate(0.086, 0.072, 0.103)},
    "criteria": [CRITERION, FIT],
    "definitions": [
        {
            "id": "d1",
            "text": "both",
            "join": "all",
            "k": None,
            "criteria": ["c1", "c2"],
            "tested": TESTED,
            "recommended": False,
        },
        {
            "id": "d2",
            "text": "either",
            "join": "any",
            "k": None,
            "criteria": ["c1", "c2"],
            "tested": TESTED,
            "recommended": True,
        },
        {
            "id": "d3",
            "text": "two",
            "join": "at_least_k",
            "k": 2,
            "criteria": ["c1", "c2", "c3"],
            "tested": TESTED,
            "recommended": False,
        },
    ],
    "in_force": {
        "text": "at least 2 `Board`",
        "verdict": "too lax",
        "sentence": "It lets through.",
        "tested": TESTED,
        "misses": None,
        "wastes": CELL,
    },
    "behaviours": [
        {"behaviour": "Invited", "share": 0.27, "direction": "+", "shape": "step", "words": "number of `Invited`"}
    ],
    "tried": {"definitions": 12, "tested": 5},
    "not_confirmed": [],
}


@pytest.fixture
def shown(capsys):
    def show(width=200, **changes):
        show_found(Console(width=width), {**FOUND, **changes})
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return show


def test_a_criterion_is_its_words_its_figures_and_how_sure_its_threshold_is(shown):
    lines = shown()
    at = lines.index("c1 at least 3 `[red]Invited` in the first 7 days")
    assert lines[at + 1] == "23% (19 to 29) of 262 convert, lift 2.7 (2.3 to 3.2), 54% caught"
    assert lines[at + 2] == (
        "threshold likely 3 to 4, 93% of resamples find 3; hard to tell from at least 4 `[red]Invited` so far (27%)"
    )


def test_a_list_of_values_has_no_threshold_to_be_sure_of(shown):
    lines = shown(criteria=[FIT])
    assert not [line for line in lines if line.startswith("threshold")]


def test_definitions_are_told_by_their_criteria(shown):
    lines = shown()
    assert [line.split(" 262")[0] for line in lines if line[:2] in ("d1", "d2", "d3")] == [
        "d1 c1 and c2",
        "d2 c1 or c2",
        "d3 2 of c1, c2, c3",
    ]
    assert "Recommended either" in lines


def test_the_rule_in_force_has_its_verdict_and_what_it_wastes(shown):
    lines = shown()
    assert "In force at least 2 `Board`: too lax" in lines
    assert "It wastes 478, of whom 8.2% (6.0 to 11.0) converted." in lines
    assert not [line for line in lines if line.startswith("It misses")]


def test_where_nothing_was_found_that_is_said(shown):
    lines = shown(criteria=[], definitions=[], in_force=None, behaviours=[])
    assert "No rule was confirmed on later accounts." in lines


def test_it_fits_into_80_columns(capsys):
    show_found(Console(width=80), FOUND)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_it_says_once_that_it_predicts_and_does_not_cause(shown):
    assert sum("only an experiment can tell" in line for line in shown()) == 1
