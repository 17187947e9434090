import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pql_model.cli import app as cli
from pql_model.cli.common import out
from pql_model.demo.world import make_world, write_world

COMMANDS = (
    "demo",
    "init",
    "check",
    "train",
    "backtest",
    "score",
    "explain",
    "models",
    "rollback",
    "features",
    "export",
    "serve",
    "verify",
    "report",
    "schema",
)


def only_json(text):
    """The one JSON object that stdout must hold, and nothing else."""
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return json.loads(text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Usage: pql {command}" in out
    assert len(out.split()) > 15
    if command not in ("schema", "init", "demo"):
        assert "--config" in out
        assert "pql.yaml" in out
    if command not in ("schema", "serve"):
        assert "--json" in out


def test_the_help_lists_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(f" {command} " in out for command in COMMANDS)
    assert "Start with" in out


def test_the_version_is_printed(run, monkeypatch):
    monkeypatch.setattr("pql_model.__version__", "9.9")
    assert run("--version")[:2] == (0, "pql-model 9.9\n")


def test_the_schema_is_json(run):
    code, out, _ = run("schema")
    assert code == 0
    assert json.loads(out)["properties"]["horizon"]


def test_score_prints_one_json_object_and_progress_goes_to_stderr(run, config, tmp_path):
    code, out, err = run("score", "-c", config, "--as-of", "2025-11-20", "-o", tmp_path / "s.csv", "--json")
    payload = only_json(out)
    assert code == 0
    assert payload["model"] == {"name": "nimbus-boards", "version": "1"}
    assert payload["rows"] == len(pd.read_csv(tmp_path / "s.csv")) > 0
    assert "read ..." in err


def test_score_for_people_names_the_first_and_why(run, config, tmp_path):
    code, out, _ = run("score", "-c", config, "--as-of", "2025-11-20", "-o", tmp_path / "s.parquet")
    best = pd.read_parquet(tmp_path / "s.parquet")["entity"].iloc[0]
    assert code == 0
    assert best in out
    assert "Not scored:" in out
    assert "too_old" in out


def test_explain_prints_json_or_text(run, config, trained):
    code, out, err = run("explain", "acc-00007", "-c", config, "--as-of", "2025-06-01", "--json")
    payload = only_json(out)
    assert code == 0
    assert (payload["entity"], payload["as_of"]) == ("acc-00007", "2025-06-01")
    assert payload["model"] == {"name": "nimbus-boards", "version": "1"}
    assert "features ..." in err
    code, out, _ = run("explain", "acc-00007", "-c", config, "--as-of", "2025-06-01")
    assert code == 0
    assert out.startswith("acc-00007, as of 2025-06-01 (nimbus-boards version 1)")
    assert "From the base to the probability" in out


def test_explain_refuses_an_unknown_entity_with_the_nearest_names(run, config):
    code, out, err = run("explain", "acc-0007", "-c", config, "--json")
    assert (code, only_json(out)["error"]["type"]) == (2, "DataError")
    assert "did you mean `acc-00007`" in " ".join(err.split())


def test_check_for_people_shows_reasons_weeks_and_leaks(run, config):
    code, out, _ = run("check", "-c", config)
    assert code == 0
    for words in ("Rows set aside", "Events by week", "Leakage audit", "account_manager", "event names offered"):
        assert words in out


@pytest.mark.slow
def test_backtest_prints_one_json_object_or_a_table(run, config):
    code, out, err = run("backtest", "-c", config, "--cutoffs", "2025-08-01", "--trials", "1", "--json")
    payload = only_json(out)
    assert code == 0
    assert [fold["cutoff"] for fold in payload["folds"]] == ["2025-08-01"]
    assert payload["pooled"]["roc_auc"]["value"] == payload["folds"][0]["roc_auc"]["value"]
    assert "cut-off 2025-08-01 (1 of 1) ..." in err
    code, out, err = run("backtest", "-c", config, "--cutoffs", "2001-01-01,2101-01-01", "--json")
    assert (code, only_json(out)["error"]["type"]) == (2, "DataError")
    assert "2001-01-01 is too early" in " ".join(err.split())
    assert "2101-01-01 is in the future" in " ".join(err.split())


def test_init_writes_a_config_and_reports_its_guesses(run, tmp_path):
    write_world(make_world(100), tmp_path)
    arguments = [
        "--events",
        tmp_path / "events.parquet",
        "--entities",
        tmp_path / "accounts.csv",
        "--conversions",
        tmp_path / "subscriptions.csv",
        "-o",
        tmp_path / "new.yaml",
    ]
    code, out, _ = run("init", *arguments)
    assert code == 0
    assert (tmp_path / "new.yaml").exists()
    assert "then run `pql check`" in out
    code, out, err = run("init", *arguments, "--json")
    assert (code, only_json(out)["error"]["type"]) == (2, "DataError")
    assert "The config already exists" in err


def test_models_lists_the_versions_and_rollback_refuses_an_unknown_one(run, config):
    code, out, _ = run("models", "-c", config, "--json")
    assert (code, only_json(out)["models"][-1]["version"]) == (0, "1")
    code, out, _ = run("models", "-c", config)
    assert code == 0
    assert "Versions of nimbus-boards" in out
    code, out, err = run("rollback", "-c", config, "--to", "99", "--json")
    assert (code, only_json(out)["error"]["type"]) == (2, "ModelNotFoundError")
    assert "There is no such version of the model `nimbus-boards`. Received: 99." in " ".join(err.split())


def test_rollback_prints_its_sentence_or_json(run, monkeypatch):
    payload = {"words": "Version 1 of [x] is champion again."}
    arguments = {}

    def rolled(config, *, to, listener):
        arguments["to"] = to
        return type("Result", (), {"to_dict": lambda self: payload})()

    monkeypatch.setattr(cli.pql_model, "rollback", rolled, raising=False)
    assert run("rollback")[:2] == (0, "Version 1 of [x] is champion again.\n")
    assert only_json(run("rollback", "--to", "1", "--json")[1]) == payload
    assert arguments == {"to": "1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["train", "--trials", "many"], "Invalid value for '--trials'"),
        (["train", "--trials", "0"], "Invalid value for '--trials'"),
        (["train", "--promote", "perhaps"], "Invalid value for '--promote'"),
        (["train", "--nonsense"], "No such option"),
        (["backtest", "--trials", "0"], "Invalid value for '--trials'"),
        (["init"], "Missing option '--events'"),
        (["demo", "--accounts", "10"], "Invalid value for '--accounts'"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_sentence_and_one_json_object_when_asked(run, arguments, message):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert message in " ".join(err.split())
    code, out, err = run(*arguments, "--json")
    payload = only_json(out)["error"]
    assert code == 2
    assert payload["type"] == "UsageError"
    assert message in payload["message"]


def test_an_error_of_data_is_one_json_object_with_its_parts(run, tmp_path):
    code, out, err = run("check", "-c", tmp_path / "none.yaml", "--json")
    payload = only_json(out)["error"]
    assert code == 2
    assert payload["type"] == "DataError"
    assert payload["message"].startswith("There is no config file. Received: ")
    assert {"received", "allowed", "remedy"} <= set(payload)
    assert "There is no config file" in err


def test_a_bug_is_exit_1_with_a_traceback_on_stderr(run, monkeypatch, tmp_path):
    def broken(*_, **__):
        raise RuntimeError("what nobody thought of")

    monkeypatch.setattr(cli.pql_model, "check", broken, raising=False)
    code, out, err = run("check", "-c", tmp_path / "pql.yaml", "--json")
    assert code == 1
    assert only_json(out)["error"]["type"] == "RuntimeError"
    assert "Traceback" in err
    assert "This is a bug in pql, not in your data. Please report it." in " ".join(err.split())


def test_an_interruption_says_that_no_partial_files_were_left_behind(run, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.pql_model, "check", interrupted, raising=False)
    code, out, err = run("check", "-c", tmp_path / "pql.yaml", "--json")
    assert (code, only_json(out)["error"]["type"]) == (130, "Interrupted")
    assert "Interrupted. No partial files were left behind." in err


@pytest.mark.slow
def test_a_separate_process_prints_only_the_json_object(config, tmp_path):
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "pql_model",
            "score",
            "-c",
            str(config),
            "--as-of",
            "2025-11-20",
            "-o",
            str(tmp_path / "s.parquet"),
            "--json",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert process.returncode == 0, process.stderr
    assert only_json(process.stdout)["rows"] > 0


@pytest.mark.parametrize(("promoted", "option"), [(True, ""), (False, " --model challenger")])
def test_the_demo_ends_with_the_next_step(capsys, promoted, option):
    cli._show_next_steps(out, Path("pql-demo"), "2026-01-07", promoted)
    lines = capsys.readouterr().out.splitlines()
    assert any(f"pql score --as-of 2026-01-07 -c {Path('pql-demo') / 'pql.yaml'}{option} " in line for line in lines)
    assert f"  pql explain acc-00007 -c {Path('pql-demo') / 'pql.yaml'}{option}" in lines
    assert lines[-1].startswith("  pql init --events ")
