import io
import json
from datetime import datetime

import numpy as np
import pytest
from rich.console import Console

from pql_model.cli.app import main
from pql_model.cli.replay import show_replay
from pql_model.score_log.log_schema import LogRow
from pql_model.score_log.row_replay import InputChange, ReplayedRow
from pql_model.time import to_instant
from pql_model.workflows.replay import ReplayResult

AT = to_instant(datetime(2026, 1, 5, 10))


def row(entity="acme", as_of=AT, source="score"):
    return LogRow(entity, as_of, AT, source, "boards", "3", "fs", 0.25, 50.0, 0.1, 0.2, 0.0, [], np.zeros(1), "d")


CHANGE = InputChange("trait.size", "size", "small", None)
RESULT = ReplayResult(
    "score_log",
    5_000,
    (
        ReplayedRow(row(), "same"),
        ReplayedRow(row(as_of=None, source="service"), "same"),
        *(ReplayedRow(row(f"e{k}"), "inputs_changed", "size: small -> missing; 2 more", (CHANGE,)) for k in range(9)),
        ReplayedRow(row("[b]gone"), "not_in_data", "accounts.csv has no such entity"),
        ReplayedRow(row("other"), "no_model", "the registry has no version 3"),
    ),
    {"read log": 0.1},
)


@pytest.fixture
def run(capsys, monkeypatch):
    def run_(found, *arguments):
        received = {}
        monkeypatch.setattr(
            "pql_model.replay", lambda *of, **more: received.update(of=of, **more) or found, raising=False
        )
        with pytest.raises(SystemExit, match=r"^\d+$") as exit_info:
            main(["replay", *arguments])
        return exit_info.value.code, capsys.readouterr().out, received

    return run_


def test_the_options_are_those_of_the_public_door(run):
    code, out, asked = run(
        RESULT, "logs", "--entity", "0012", "--since", "2026-01-01", "--until", "2026-02-01", "--rows", "7", "--json"
    )
    del asked["listener"]
    path, log = asked.pop("of")
    assert (code, str(path), str(log)) == (1, "pql.yaml", "logs")
    assert asked == {"entity": "0012", "since": "2026-01-01", "until": "2026-02-01", "rows": 7}
    assert json.loads(out)["results"]["inputs_changed"] == 9


def test_the_exit_code_is_0_only_if_every_row_is_reproduced(run):
    same = ReplayResult("score_log", 1, RESULT.rows[:1])
    assert run(same)[0] == 0
    assert run(same)[2]["of"][1] is None
    assert run(RESULT)[0] == 1
    for replayed in RESULT.rows[2:]:
        assert not ReplayResult("score_log", 1, (replayed,)).same


def test_the_json_counts_the_results_and_shows_the_first_rows_of_each():
    payload = json.loads(json.dumps(RESULT.to_dict(), allow_nan=False))
    assert (payload["rows"], payload["rows_in_log"], payload["same"], payload["without_as_of"]) == (13, 5_000, False, 1)
    assert payload["results"] == {
        "same": 2,
        "inputs_changed": 9,
        "not_in_data": 1,
        "model_changed": 0,
        "no_model": 1,
        "altered": 0,
    }
    assert (payload["sources"], payload["model_versions"]) == ({"score": 12, "service": 1}, {"3": 13})
    assert [e["entity"] for e in payload["examples"]] == ["e0", "e1", "e2", "e3", "e4", "[b]gone", "other"]
    assert payload["examples"][0] == {
        "entity": "e0",
        "as_of": "2026-01-05T10:00:00Z",
        "scored_at": "2026-01-05T10:00:00Z",
        "source": "score",
        "model_version": "3",
        "probability": 0.25,
        "result": "inputs_changed",
        "words": "size: small -> missing; 2 more",
        "changes": [{"column": "trait.size", "words": "size", "before": "small", "now": None}],
    }


def test_the_text_output_has_counts_and_the_first_rows_that_differ():
    console = Console(file=io.StringIO(), width=160, color_system=None)
    show_replay(console, RESULT.to_dict())
    text = " ".join(console.file.getvalue().split())
    assert "Replayed 13 of 5,000 rows of score_log (model version 3)." in text
    assert "9 inputs_changed the data for that instant have changed since" in text
    assert "model_changed" not in text
    assert (
        "1 were scored from ready-made features without `as_of`: their inputs cannot be compared with the data." in text
    )
    assert "e4 2026-01-05T10:00:00Z score inputs_changed size: small -> missing; 2 more" in text
    assert "[b]gone 2026-01-05T10:00:00Z score not_in_data accounts.csv has no such entity" in text
