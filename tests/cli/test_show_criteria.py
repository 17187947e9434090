import pytest
from rich.console import Console

from pql_model.cli.show_criteria import show_definition


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
def shown(capsys):
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


def test_all_earlier_and_later_stand_side_by_side_in_eighty_columns(shown):
    text = shown()
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


def test_the_bars_of_the_months_go_with_the_rate(shown):
    payload = lines(shown())
    assert "2026-01 120 48 40 (32 to 49) " + "█" * 24 in payload
    assert "2026-02 80 16 20 (13 to 30) " + "█" * 12 in payload
    assert "2026-03 0 0 -" in payload


def test_without_a_later_period_one_column_is_left_and_notes_are_shown(shown):
    text = shown(earlier=None, later=None, notes=["`first 30d` is not over."], tested=part(note="too few to judge"))
    assert "Note: `first 30d` is not over." in lines(text)
    assert "all: too few to judge" in lines(text)
    assert "later" not in text


def test_rates_that_are_all_below_one_percent_are_counted_of_a_thousand(shown):
    small = part(rate=estimate(0.004, 0.002, 0.008), base_rate=estimate(0.001, 0.0005, 0.002))
    assert "of 1,000 of them convert 4 (2 to 8)" in lines(shown(tested=small, earlier=None, later=None))
