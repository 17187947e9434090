import pytest
from rich.console import Console

from pql_model.cli.show_criteria import show_criteria_list, show_definition


def estimate(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def part(**changes):
    return {
        "rows": 1000,
        "qualified": 200,
        "rate": estimate(0.312, 0.26, 0.36),
        "base_rate": estimate(0.1, 0.08, 0.12),
        "lift": estimate(3.12, 2.7, 3.6),
        "recall": estimate(0.62, 0.5, 0.7),
        "leads_per_week": estimate(12.4, 3, 20),
        "note": None,
        "months": [
            {"month": "2026-01", "qualified": 120, "conversions": 48, "rate": estimate(0.4, 0.32, 0.49)},
            {"month": "2026-02", "qualified": 80, "conversions": 16, "rate": estimate(0.2, 0.13, 0.3)},
            {"month": "2026-03", "qualified": 0, "conversions": 0, "rate": estimate(None)},
        ],
        **changes,
    }


@pytest.fixture
def render(capsys):
    def show(**changes):
        payload = {
            "definition": {"text": "at least 5 `[bold]x`"},
            "rows": "as of day 14 of the trial",
            "words": "It is [so].",
            "notes": [],
            "tested": part(),
            "earlier": part(),
            "later": part(),
            **changes,
        }
        show_definition(Console(width=80), payload)
        return capsys.readouterr().out

    return show


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_all_earlier_and_later_figures_fit_side_by_side_in_80_columns(render):
    text = render()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    payload = lines(text)
    assert "all earlier later" in payload
    assert "meet it 200 of 1,000 200 of 1,000 200 of 1,000" in payload
    assert "of 100 of them convert 31 (26 to 36) 31 (26 to 36) 31 (26 to 36)" in payload
    assert "lift 3.1 (2.7 to 3.6) 3.1 (2.7 to 3.6) 3.1 (2.7 to 3.6)" in payload
    assert "% of conversions caught 62 (50 to 70) 62 (50 to 70) 62 (50 to 70)" in payload
    assert "at least 5 `[bold]x`" in payload
    assert "It is [so]." in payload


def test_the_bars_of_the_months_are_proportional_to_the_rate(render):
    payload = lines(render())
    assert "2026-01 120 48 40 (32 to 49) " + "█" * 24 in payload
    assert "2026-02 80 16 20 (13 to 30) " + "█" * 12 in payload
    assert "2026-03 0 0 -" in payload


def test_without_a_later_period_there_is_one_column_and_notes_are_shown(render):
    text = render(earlier=None, later=None, notes=["`first 30d` is not over."], tested=part(note="too few to judge"))
    assert "Note: `first 30d` is not over." in lines(text)
    assert "all: too few to judge" in lines(text)
    assert "later" not in text


def test_rates_below_one_percent_are_counts_of_a_thousand(render):
    small = part(rate=estimate(0.004, 0.002, 0.008), base_rate=estimate(0.001, 0.0005, 0.002))
    assert "of 1,000 of them convert 4 (2 to 8)" in lines(render(tested=small, earlier=None, later=None))


# ---------------------------------------------------------------- pql criteria list


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
            "conditions": [{}, {}],
            "tested": TESTED,
            "recommended": False,
        },
        {
            "id": "d2",
            "text": "either",
            "join": "any",
            "k": None,
            "criteria": ["c1", "c2"],
            "conditions": [{}, {}],
            "tested": TESTED,
            "recommended": True,
        },
        {
            "id": "d3",
            "text": "two",
            "join": "at_least_k",
            "k": 2,
            "criteria": ["c1", "c2", "c3"],
            "conditions": [{}, {}, {}],
            "tested": TESTED,
            "recommended": False,
        },
        {
            "id": "d4",
            "text": "one and one of two",
            "join": "all",
            "k": None,
            "criteria": ["c1", "c2", "c3"],
            "conditions": [{}, {"join": "any", "k": None, "conditions": [{}, {}]}],
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
def render_list(capsys):
    def show(width=200, **changes):
        show_criteria_list(Console(width=width), {**FOUND, **changes})
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return show


def test_a_criterion_has_its_text_its_figures_and_the_interval_of_its_threshold(render_list):
    lines = render_list()
    at = lines.index("c1 at least 3 `[red]Invited` in the first 7 days")
    assert lines[at + 1] == "23% (19 to 29) of 262 convert, lift 2.7 (2.3 to 3.2), 54% caught"
    assert lines[at + 2] == (
        "threshold 95 % interval 3 to 4; 93% of resamples find 3; similar: at least 4 `[red]Invited` so far (27%)"
    )


def test_a_list_of_values_has_no_threshold(render_list):
    lines = render_list(criteria=[FIT])
    assert not [line for line in lines if line.startswith("threshold")]


def test_definitions_are_written_by_the_ids_of_their_criteria(render_list):
    lines = render_list()
    assert [line.split(" 262")[0] for line in lines if line[:2] in ("d1", "d2", "d3", "d4")] == [
        "d1 c1 and c2",
        "d2 c1 or c2",
        "d3 2 of c1, c2, c3",
        "d4 c1 and (c2 or c3)",
    ]
    assert "Recommended either" in lines


def test_a_criterion_by_segment_is_written_by_its_id(render_list):
    by_segment = {"join": "any", "k": None, "conditions": [{}, {"join": "all", "k": None, "conditions": [{}, {}]}]}
    alone = {**FOUND["definitions"][0], **by_segment, "criteria": ["c1"]}
    joined = {**FOUND["definitions"][0], "join": "all", "conditions": [by_segment, {}], "criteria": ["c1", "c2"]}
    lines = render_list(definitions=[alone, {**joined, "id": "d2"}])
    assert [line.split(" 262")[0] for line in lines if line[:2] in ("d1", "d2")] == [
        "d1 c1 by segment",
        "d2 c1 by segment and c2",
    ]


def test_the_definition_in_force_has_its_verdict_and_what_it_wastes(render_list):
    lines = render_list()
    assert "In force at least 2 `Board`: too lax" in lines
    assert "It wastes 478, of whom 8.2% (6.0 to 11.0) converted." in lines
    assert not [line for line in lines if line.startswith("It misses")]


def test_an_empty_list_says_that_nothing_was_confirmed(render_list):
    lines = render_list(criteria=[], definitions=[], in_force=None, behaviours=[])
    assert "No definition was confirmed on later accounts." in lines


def test_the_list_fits_into_80_columns(capsys):
    show_criteria_list(Console(width=80), FOUND)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_the_list_states_once_that_it_predicts_and_does_not_cause(render_list):
    assert sum("Only an experiment can show" in line for line in render_list()) == 1
