import io

import pytest
from rich.console import Console

from pql_model.cli.show_explain import show_explain

EVIL = "[red]x\x1b[31m\u202etxt\nnew"


def behaviour(contribution, words, effect=1.0):
    return {"behaviour": "b", "part": "usage", "contribution": contribution, "effect": effect, "words": words}


def step(part, log_odds, probability, effect):
    return {"part": part, "log_odds": log_odds, "probability": probability, "effect": effect}


FOUND = {
    "entity": "acme 🦊",
    "as_of": "2026-01-05",
    "signed_up": "2026-01-01",
    "probability": 0.4026,
    "score": 99.5,
    "usage": 1.5,
    "fit": 0.1,
    "timing": 0.0,
    "base": -2.2,
    "base_rate": 0.092,
    "average_probability": 0.105,
    "horizon": "30d",
    "horizon_words": "30 days",
    "reasons": [],
    "at_risk": True,
    "why_not": None,
    "why_not_words": None,
    "steps": [
        step("base", -2.2, 0.1, 10.0),
        step("fit", 0.1, 0.11, 1.0),
        step("timing", 0.0, 0.11, 0.0),
        step("usage", 1.5, 0.4026, 29.3),
    ],
    "behaviours": [
        behaviour(0.9, "4 `Teammate Invited` in the first 7 days (+)", 11.9),
        behaviour(-0.3, "no `🎉 [b]party` so far (-)", -2.0),
        behaviour(0.0, "size is small"),
    ],
    "meets_definition": False,
    "conditions": [
        {"held": True, "words": "3 `a` so far; needs at least 2"},
        {"held": False, "words": "no `b` so far; needs at least 1"},
    ],
    "model": {"name": "boards", "version": "3"},
}


@pytest.fixture
def render():
    def show(**changes):
        console = Console(file=io.StringIO(), width=80, color_system=None)
        show_explain(console, {**FOUND, **changes})
        return console.file.getvalue()

    return show


def test_the_probability_is_shown_beside_the_base_rate(render):
    text = " ".join(render().split())
    assert "acme 🦊, as of 2026-01-05 (boards version 3)" in text
    assert "It converts within 30 days with a probability of 40% (score 99.5 of 100" in text
    assert "10% on average, 9.2% of the test period converted" in text


def test_steps_lead_from_the_base_to_the_probability_with_bars(render):
    lines = [" ".join(line.split()) for line in render().splitlines()]
    way = [
        "base, before anything is known 10.0%",
        "fit (traits) +1.0 █",
        "timing +0.0",
        f"usage +29.3 {'█' * 14}",
        "probability 40.3%",
    ]
    at = lines.index(way[0])
    assert lines[at : at + 5] == way


def test_behaviours_that_raise_and_lower_it_are_listed_with_their_values(render):
    text = render()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert f"4 `Teammate Invited` in the first 7 days +11.9 {'█' * 14}" in lines
    assert "no `🎉 [b]party` so far -2.0 █████" in lines
    assert text.index("Raises it") < text.index("Teammate") < text.index("Lowers it") < text.index("party")
    assert "size is small" not in text  # it adds nothing


def test_the_strongest_of_many_behaviours_are_shown_and_the_others_counted(render):
    text = render(behaviours=[behaviour(1 - k / 20, f"said {k}") for k in range(10)])
    assert "said 5" in text
    assert "said 6" not in text
    assert "and 4 smaller ones: `--json` lists them" in text
    assert "Lowers it: nothing." in text


def test_each_condition_of_the_definition_is_met_or_missing(render):
    text = render()
    assert "The definition in force: not met." in text
    assert "met      3 `a` so far; needs at least 2" in text
    assert "missing  no `b` so far; needs at least 1" in text
    assert "definition in force" not in render(meets_definition=None, conditions=[])


def test_the_text_claims_to_predict_and_names_no_cause(render):
    text = render().lower()
    assert "predicts" in text
    assert not any(word in text for word in ("causes", "because", "drives", "leads to"))


def test_an_entity_not_at_risk_has_the_reason_before_the_figures(render):
    text = " ".join(render(at_risk=False, why_not="too_old", why_not_words="it is 40.0 days old").split())
    assert text.index("Not at risk (too_old): it is 40.0 days old.") < text.index("The model's answer all the same")


def test_without_an_explanation_only_the_reason_is_shown(render):
    text = render(
        probability=None, steps=[], behaviours=[], at_risk=False, why_not="not_signed_up_yet", why_not_words="it"
    )
    assert len(text.splitlines()) == 2


def test_an_unknown_base_rate_is_left_out(render):
    assert "converted)" not in render(base_rate=None)


def test_no_line_is_wider_than_80_columns_whatever_the_names_are(render):
    text = render(behaviours=[behaviour(0.9, "`" + "long name " * 30 + "x" * 200 + "`")], entity="e" * 300)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_hostile_names_are_shown_without_effect(render):
    text = render(
        entity=EVIL,
        behaviours=[behaviour(0.9, EVIL), behaviour(-0.9, EVIL)],
        conditions=[{"held": False, "words": EVIL}],
    )
    assert text.count("[red]x�[31m�txt�new") == 4
    assert "\x1b" not in text
    assert "\u202e" not in text
