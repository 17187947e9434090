import json
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from pql_model.cli.common import JsonOption
from pql_model.cli.run import run_script, stop
from pql_model.errors import DataError


def command(
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 7,
    outcome: Annotated[str, typer.Option()] = "ok",
    as_json: JsonOption = False,
) -> None:
    """Count days."""
    if outcome == "data":
        raise DataError("The table is empty", remedy="load it again")
    if outcome == "stop":
        stop(DataError("Nothing can be trained"))
    if outcome == "bug":
        raise RuntimeError("surprise")
    if outcome == "interrupt":
        raise KeyboardInterrupt
    sys.stdout.write(f"{days}\n")


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", [str(Path("pipelines") / "days.py")])

    def run_(*arguments):
        with pytest.raises(SystemExit, match=r"^\d+$") as exit_info:
            run_script(command, arguments)
        payload = capsys.readouterr()
        return exit_info.value.code, payload.out, " ".join(payload.err.split())

    return run_


def test_a_function_becomes_a_script_with_options_and_help(run):
    assert run("--days", "3")[:2] == (0, "3\n")
    code, out, _ = run("--help")
    assert code == 0
    assert "Usage: days.py" in out
    assert "Count days." in out
    assert "Number of days." in out


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "message"),
    [
        (["--outcome", "data"], 2, "DataError", "The table is empty. Fix: load it again."),
        (["--days", "0"], 2, "UsageError", "See `days.py --help`."),
        (["--outcome", "bug"], 1, "RuntimeError", "This is a bug in pql, not in your data. Please report it."),
        (["--outcome", "interrupt"], 130, "Interrupted", "No partial files were left behind."),
    ],
)
def test_exit_codes_and_errors_are_those_of_pql(run, arguments, code, kind, message):
    result, out, err = run(*arguments, "--json")
    error = json.loads(out)["error"]
    assert (result, error["type"]) == (code, kind)
    assert message in err
    assert message in error["message"]
    result, out, _ = run(*arguments)
    assert (result, out) == (code, "")


def test_a_command_that_stops_after_its_result_prints_the_error_on_stderr_only(run):
    code, out, err = run("--outcome", "stop", "--json")
    assert (code, out) == (2, "")
    assert "Nothing can be trained" in err
