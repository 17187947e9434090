import io

import pytest
from rich.console import Console

from pql_model.cli.app import main
from pql_model.cli.funnel import show_funnel

SHARE = {"value": 0.2, "low": 0.1, "high": 0.3}
NOTHING = {"value": None, "low": None, "high": None}


def stage(name, entities, previous=SHARE):
    return {
        "stage": name,
        "of": 100,
        "entities": entities,
        "of_signed_up": SHARE,
        "of_previous": previous,
        "days_from_sign_up": {"value": 4.0, "low": 3.0, "high": 6.0},
        "backwards": 2,
        "skipped": 3,
    }


STAGES = [stage("signed_up", 100, NOTHING), stage("PQL", 30), stage("paid", 20)]
CELL = {"entities": 10, "paid": 2, "rate": SHARE}
PAYLOAD = {
    "within": "44d",
    "stages": STAGES,
    "cohorts": [{"cohort": "2026-01", "stages": STAGES}],
    "segmented_by": "region",
    "segments": [{"segment": "Europe", "stages": STAGES}],
    "pql_and_mql": {
        "other": "MQL",
        **dict.fromkeys(("pql", "mql", "both", "pql_only", "mql_only", "neither"), CELL),
        "difference": {"value": 0.1, "low": -0.1, "high": 0.3},
        "days_to_paid": {"pql": {"value": 5.0, "low": 4.0, "high": 6.0}, "mql": NOTHING},
    },
    "definition": "at least 2 boards",
    "too_young": 7,
    "notes": ["A note."],
}


def shown(payload, width=160):
    console = Console(file=io.StringIO(), width=width)
    show_funnel(console, payload)
    return console.file.getvalue()


def test_a_terminal_of_80_columns_shows_every_stage_whole():
    many = [{**part, "entities": 43_862, "of": 143_862} for part in STAGES]
    lines = shown({**PAYLOAD, "stages": many}, width=80).splitlines()

    for name in ("signed up", "PQL", "paid"):
        assert len([line for line in lines if line.startswith(f"{name} ")]) >= 2
    assert any("entities" in line and "of the stage before" in line for line in lines)
    assert any("days from sign-up" in line and "skipped one" in line for line in lines)


def test_stages_parts_and_both_kinds_of_leads_are_shown():
    text = shown(PAYLOAD)
    for words in (
        "within 44d after the sign-up",
        "4.0 (3.0 to 6.0)",
        "20% (10 to 30)",
        "By region",
        "2026-01",
        "MQL only",
        "Days to the payment: 5.0 (4.0 to 6.0) from PQL, - from MQL.",
        "10.0 (-10.0 to 30.0) percentage points",
        "Activated: at least 2 boards.",
        "7 entities signed up too late",
        "A note.",
    ):
        assert words in text


def test_without_segments_and_mqls_nothing_is_said_of_them():
    text = shown({**PAYLOAD, "segments": [], "segmented_by": None, "pql_and_mql": None, "definition": None})
    assert "MQL" not in text
    assert "By None" not in text
    assert "Activated" not in text


def test_the_options_are_those_of_the_public_door(monkeypatch, capsys):
    received = {}

    class Result:
        def to_dict(self):
            return PAYLOAD

    monkeypatch.setattr(
        "pql_model.funnel", lambda *of, **more: received.update(of=of, **more) or Result(), raising=False
    )
    with pytest.raises(SystemExit, match="0"):
        main(["funnel", "--within", "60d", "--segment", "region", "--json"])
    del received["listener"]
    assert (str(received["of"][0]), received["within"], received["segment"]) == ("pql.yaml", "60d", "region")
