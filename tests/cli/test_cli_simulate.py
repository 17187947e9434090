import io

import pytest
from rich.console import Console

from pql_model.cli.app import main
from pql_model.cli.simulate import show_simulation

POLICY = {
    "rule": "the 25 best per 7 days",
    "days": [{"as_of": f"2026-01-{day:02}", "alerted": day % 4, "waiting": 2} for day in range(1, 21)],
    "alerts": 30,
    "most_in_period": 25,
    "wait_days": {"p50": 0.0, "p95": 3.25},
    "wins": {"value": 6, "low": 3.2, "high": 10.9},
    "win_rate": {"value": 0.2, "low": 0.1, "high": 0.36},
    "final_alerts": 30,
    "pending_alerts": 0,
    "never_alerted": 9,
    "paid_unalerted": 2,
    "by_weekday": {"Mon": 4.0, "Tue": 3.25},
}
PAYLOAD = {
    **POLICY,
    "from": "2026-01-01",
    "to": "2026-01-20",
    "every": "1d",
    "present": {**POLICY, "rule": "probability at least 0.2", "wait_days": {"p50": None, "p95": None}},
    "files": {"plot": "simulation.png"},
    "notes": ["2 alerts have no final outcome yet."],
}


class Result:
    def to_dict(self):
        return PAYLOAD


def test_both_policies_stand_side_by_side_with_the_first_runs():
    console = Console(file=io.StringIO(), width=160)
    show_simulation(console, PAYLOAD)
    text = console.file.getvalue()
    for words in (
        "the 25 best per 7 days",
        "probability at least 0.2",
        "6 (3 to 11) of 30",
        "20% (10 to 36)",
        "0.0, 3.2",
    ):
        assert words in text
    assert "9, of whom 2 paid" in text
    assert "2026-01-14" in text
    assert "2026-01-15" not in text
    assert text.rstrip().endswith("Wrote simulation.png, with every run.")


def test_a_policy_alone_has_one_column():
    console = Console(file=io.StringIO(), width=160)
    show_simulation(console, {**PAYLOAD, "present": None})
    assert "the present one" not in console.file.getvalue()


def test_the_options_are_those_of_the_public_door(monkeypatch, capsys):
    received = {}
    monkeypatch.setattr(
        "pql_model.simulate_policy", lambda *of, **more: received.update(of=of, **more) or Result(), raising=False
    )
    options = ["--policy", "p.yaml", "--from", "2026-01-01", "--to", "2026-02-01", "--every", "7d", "--model", "2"]
    with pytest.raises(SystemExit, match="0"):
        main(["simulate", *options, "-o", "x.png", "--json"])
    del received["listener"]
    assert [str(path) for path in received.pop("of")] == ["pql.yaml", "p.yaml"]
    assert {name: str(value) for name, value in received.items()} == {
        "from_": "2026-01-01",
        "to": "2026-02-01",
        "every": "7d",
        "model": "2",
        "output": "x.png",
    }
