import io

import pytest
from rich.console import Console

from pql_model.cli.app import main
from pql_model.cli.forecast import show_forecast


def estimate(value):
    return {"value": value, "low": value / 2, "high": value * 2}


def week(day):
    return {
        "from": f"2026-05-{day:02}T12:00:00Z",
        "conversions": estimate(4.0),
        "sign_ups": estimate(20.0),
        "value": estimate(400.0),
    }


PAYLOAD = {
    "as_of": "2026-05-01",
    "until": "2026-05-15",
    "conversions": estimate(8.0),
    "of_those_at_risk": 6.0,
    "of_those_still_to_sign_up": 2.0,
    "value": estimate(800.0),
    "weeks": [week(1), week(8)],
    "at_risk": {"entities": 1200},
    "checked": {"dates": 8, "held": 7},
    "notes": ["There is no champion."],
    "files": {"plot": "forecast.png"},
}


def shown(payload):
    console = Console(file=io.StringIO(), width=140)
    show_forecast(console, payload)
    return console.file.getvalue()


def test_the_sum_the_weeks_and_the_check_are_shown():
    text = shown(PAYLOAD)
    for words in (
        "8 (4 to 16) conversions from 2026-05-01 to 2026-05-15 (95 % interval), worth 800 (400 to 1,600).",
        "6 of the 1,200 at risk now, 2 of those still to sign up.",
        "2026-05-08  20 (10 to 40)  4.0 (2.0 to 8.0)  400 (200 to 800)",
        "At 8 past dates the interval held the outcome in 7.",
        "There is no champion.",
        "Wrote forecast.png.",
    ):
        assert words in text


def test_without_values_or_a_check_nothing_is_said_of_them():
    text = shown({**PAYLOAD, "value": None, "checked": {"dates": 0, "held": 0}})
    assert "worth" not in text
    assert "past dates" not in text


def test_the_options_are_those_of_the_public_door(monkeypatch, capsys):
    received = {}

    class Result:
        def to_dict(self):
            return PAYLOAD

    monkeypatch.setattr("pql_model.forecast", lambda *of, **more: received.update(of=of, **more) or Result())
    with pytest.raises(SystemExit, match="0"):
        main(["forecast", "--as-of", "2026-05-01", "--weeks", "3", "--model", "2", "-o", "x.png", "--json"])
    del received["listener"]
    assert [str(path) for path in received.pop("of")] == ["pql.yaml"]
    assert {name: str(value) for name, value in received.items()} == {
        "as_of": "2026-05-01",
        "weeks": "3",
        "model": "2",
        "output": "x.png",
    }
