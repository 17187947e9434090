"""`pql monitor` on the command line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pql_model.cli.app import app
from pql_model.cli.monitor import show_monitor

PAYLOAD = {
    "as_of": "2026-06-30",
    "words": "Recalibrate: run `pql train --refit`.",
    "advice": "recalibrate",
    "why": ["Conversions are fewer than promised."],
    "findings": [
        {"severity": "act", "words": "Conversions are fewer than promised."},
        {"severity": "watch", "words": "Scores are lower."},
    ],
    "realised": {
        "months": [
            {
                "name": "2026-05",
                "entities": 1200,
                "predicted": 0.12,
                "observed": {"value": 0.04, "low": 0.03, "high": 0.05},
                "observed_over_predicted": {"value": 0.33, "low": 0.25, "high": 0.42},
            }
        ],
        "words": "Results of 1,300 entities: 700 were scored and logged; of 600 it is a replay.",
        "origins": [
            {
                "name": name,
                "entities": entities,
                "predicted": 0.12,
                "observed": {"value": 0.04, "low": 0.03, "high": 0.05},
                "observed_over_predicted": {"value": 0.33, "low": 0.25, "high": 0.42},
            }
            for name, entities in (("logged", 700), ("replayed", 600))
        ],
        "pql": {
            "entities": 80,
            "precision": {"value": 0.25, "low": 0.2, "high": 0.3},
            "lift": {"value": 3.1, "low": 2, "high": 4},
        },
    },
    "estimate": {"words": "Estimate, before the outcomes are final: 3 early conversions."},
    "notes": ["A note."],
    "output": "monitor.html",
}


def shown(payload) -> str:
    out = io.StringIO()
    show_monitor(Console(file=out, width=200), payload)
    return out.getvalue()


def test_the_first_line_says_whether_anything_must_be_done_and_each_reason_is_said_once():
    text = shown(PAYLOAD)
    assert text.startswith("Recalibrate: run `pql train --refit`. (recalibrate, as of 2026-06-30)")
    assert text.count("Conversions are fewer than promised.") == 1
    assert "watch: Scores are lower." in text
    assert "80 PQLs" in text
    assert "700 were scored and logged" in text
    assert "Logged scores and replayed ones" in text
    assert "Estimate, before" in text
    assert text.rstrip().endswith("Wrote monitor.html.")


def test_a_first_look_has_no_table():
    assert "by month" not in shown({**PAYLOAD, "realised": None, "estimate": None})


@pytest.mark.parametrize("words", [["--fail-on", "maybe"], ["--nonsense"]])
def test_wrong_usage_ends_with_2(words):
    assert CliRunner().invoke(app, ["monitor", *words]).exit_code == 2


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [("act", "never", 0), ("act", "act", 3), ("watch", "act", 0), ("watch", "watch", 3), ("none", "watch", 0)],
)
def test_a_scheduler_can_act_on_the_exit_code(monkeypatch, severity, fail_on, code):
    class Seen:
        def to_dict(self):
            return PAYLOAD

    Seen.severity = severity
    monkeypatch.setattr("pql_model.workflows.monitor.monitor", lambda *_, **__: Seen())
    assert CliRunner().invoke(app, ["monitor", "--fail-on", fail_on]).exit_code == code
