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
    "definition": {
        "source": "recommended",
        "text": "all of",
        "meets": False,
        "conditions": [
            {"held": True, "words": "3 `a` so far; needs at least 2"},
            {"held": False, "words": "no `b` so far; needs at least 1"},
        ],
        "verdict": None,
    },
    "in_force": {
        "source": "in_force",
        "text": "at least 1 `c` so far",
        "meets": True,
        "conditions": [{"held": True, "words": "2 `c` so far; needs at least 1"}],
        "verdict": {"verdict": "stale", "sentence": "It does not separate payers.", "stale": True},
    },
    "next_step": {
        "criterion": "at least 1 `b` so far",
        "value": 0.0,
        "needed": 1.0,
        "words": "0 of 1 `b` so far",
        "probability": 0.45,
        "gain": {"value": 0.0474, "low": 0.012, "high": 0.083},
    },
    "contacts": [
        {"user": "ann", "share": 0.75, "last_seen": "2026-01-04", "brought_in_by": None},
        {"user": "bob", "share": 0.25, "last_seen": "2026-01-03", "brought_in_by": "ann"},
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
        "base, before anything is known 10%",
        "fit (traits) +1.0 █",
        "timing +0.0",
        f"usage +29.3 {'█' * 14}",
        "probability 40%",
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


def test_each_condition_of_both_definitions_is_met_or_missing(render):
    text = render()
    assert text.index("The recommended definition: not met.") < text.index("The definition in force: met.")
    assert "met      3 `a` so far; needs at least 2" in text
    assert "missing  no `b` so far; needs at least 1" in text
    assert "Verdict: stale. It does not separate payers." in text
    assert "definition" not in render(definition=None, in_force=None, next_step=None)


def test_a_definition_in_force_that_nothing_replaces_is_shown_once(render):
    assert render(definition=FOUND["in_force"]).count("definition in force") == 1


def test_the_next_step_is_shown_with_its_interval_as_a_prediction(render):
    text = " ".join(render().split())
    assert "Next step: 0 of 1 `b` so far. Predicted once it gets there: 45%, a gain of 4.7 points" in text
    assert (
        "(1.2 to 8.3, by how far such predictions came true on later accounts). A cautious prediction, not an effect."
        in text
    )


def test_where_no_gain_is_beyond_noise_nothing_is_worth_a_nudge(render):
    assert "Next step: nothing is worth a nudge." in render(next_step=None)
    assert "Next step" not in render(next_step=None, at_risk=False, why_not="converted", why_not_words="it paid")


def test_contacts_are_listed_with_who_brought_them_in(render):
    text = " ".join(render().split())
    assert "Contact: ann, 75% of the events, last seen 2026-01-04 bob, 25% of the events" in text
    assert "last seen 2026-01-03, brought in by ann" in text
    assert "Contact" not in render(contacts=None)


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
        definition={**FOUND["definition"], "conditions": [{"held": False, "words": EVIL}]},
        next_step={**FOUND["next_step"], "words": EVIL},
        contacts=[{**FOUND["contacts"][0], "user": EVIL}],
    )
    assert text.count("[red]x�[31m�txt�new") == 6
    assert "\x1b" not in text
    assert "\u202e" not in text
