"""Every script of `pipelines/` runs as it stands, with the exit codes and the errors of `pql`."""

from __future__ import annotations

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import pql_model

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {path.stem: path for path in sorted((ROOT / "pipelines").glob("*.py"))}


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a script in this process as `python pipelines/NAME.py ...` would: exit code, stdout, stderr."""

    def run_(name, *arguments):
        monkeypatch.setattr("sys.argv", [str(SCRIPTS[name]), *map(str, arguments)])
        with pytest.raises(SystemExit, match=r"^\d+$") as exit_info:
            runpy.run_path(str(SCRIPTS[name]), run_name="__main__")
        payload = capsys.readouterr()
        return exit_info.value.code, payload.out, " ".join(payload.err.split())

    return run_


@pytest.fixture
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


@pytest.fixture
def own_config(config, tmp_path):
    """A copy of the trained product, so that promotions here do not change what other tests see."""
    for path in config.parent.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path / "pql.yaml"


def test_the_documented_scripts_exist():
    assert set(SCRIPTS) == {"backtest", "check", "daily", "monitor", "report", "score", "train", "weekly"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_help(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"Usage: {name}.py" in out
    assert "pql.yaml" in out
    assert len(out.split()) > 40


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_only_the_public_door_and_the_helpers_of_the_command_line(name):
    modules = set()
    for node in ast.walk(ast.parse(SCRIPTS[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module)
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    helpers = {"pql_model.cli.common", "pql_model.cli.progress", "pql_model.cli.run"}
    assert modules <= {"__future__", "pathlib", "typing", "pql_model", *helpers}


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_error_is_one_json_object_and_exit_code_2(run, name, tmp_path):
    code, out, err = run(
        name, "--config", tmp_path / "none.yaml", *(["--every", "30d"] * (name == "backtest")), "--json"
    )
    assert code == 2
    assert json.loads(out)["error"]["type"] == "DataError"
    assert "There is no config file" in err


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_unknown_option_is_invalid_usage(run, name):
    code, _, err = run(name, "--nonsense")
    assert code == 2
    assert f"See `{name}.py --help`." in err


def test_check_counts_what_is_usable(run, config):
    code, out, _ = run("check", "-c", config)
    assert code == 0
    assert "1,200 entities" in out
    assert "events set aside" in out


def test_check_ends_with_2_where_nothing_can_be_trained(run, tmp_path):
    pql_model.make_demo(tmp_path, accounts=300)
    payments = pd.read_csv(tmp_path / "subscriptions.csv")
    payments.head(0).to_csv(tmp_path / "subscriptions.csv", index=False)
    code, out, err = run("check", "-c", tmp_path / "pql.yaml", "--json")
    assert code == 2
    assert json.loads(out)["conversions"] == 0
    assert "Error:" in err


@pytest.mark.slow
def test_score_and_daily_write_the_same_rows(run, own_config, tmp_path):
    code, out, _ = run("score", "-c", own_config, "--as-of", "2025-11-20", "-o", tmp_path / "a.csv")
    assert code == 0
    assert f"Wrote {tmp_path / 'a.csv'}." in out
    code, out, err = run("daily", "-c", own_config, "--as-of", "2025-11-20", "-o", tmp_path / "b.csv", "--json")
    assert code == 0
    assert "read ..." in err
    assert json.loads(out)["score"]["rows"] == len(pd.read_csv(tmp_path / "b.csv")) > 0
    assert json.loads(out)["leads"]["rows"] == json.loads(out)["score"]["rows"]
    assert (own_config.parent / "leads.html").exists()
    columns = ["entity", "probability", "is_pql"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv")[columns], pd.read_csv(tmp_path / "b.csv")[columns])


def test_report_writes_one_page(run, config, tmp_path):
    code, out, _ = run("report", "-c", config, "-o", tmp_path / "page.html")
    assert code == 0
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "Report of nimbus-boards version 1." in out


@pytest.mark.slow
def test_backtest_gives_the_pooled_figure_with_its_interval(run, config):
    code, out, _ = run("backtest", "-c", config, "--cutoffs", "2025-08-01", "--trials", "1")
    assert code == 0
    assert out.startswith("1 cut-offs, ")
    assert "95 % interval" in out


@pytest.mark.slow
def test_train_with_promote_never_does_not_promote(run, own_config):
    code, out, _ = run("train", "-c", own_config, "--trials", "1", "--promote", "never")
    assert code == 0
    assert "nimbus-boards version 2: " in out
    assert "not promoted" in out


@pytest.mark.slow
def test_weekly_monitors_and_writes_the_report_without_training_where_nothing_is_new(run, own_config):
    for _ in range(2):  # safe to repeat
        code, out, _ = run("weekly", "-c", own_config, "--trials", "1", "--json")
        payload = json.loads(out)
        assert code == 0
        assert payload["train"] is None
        assert payload["monitor"]["newer_outcomes"] is False
        assert payload["report"]["model"]["version"] == "1"
        assert (own_config.parent / "growth_report.html").exists()
        assert (own_config.parent / "monitor.html").exists()


@pytest.mark.slow
def test_weekly_trains_the_first_model_of_a_product_and_says_so_in_one_line(run, tmp_path):
    pql_model.make_demo(tmp_path, accounts=1200)
    code, out, _ = run("weekly", "-c", tmp_path / "pql.yaml", "--trials", "1")
    assert code == 0
    assert out.count("\n") == 1
    assert out.startswith("There was no model yet. Trained version 1: ")


@pytest.mark.slow
def test_monitor_says_in_one_line_whether_anything_must_be_done(run, own_config):
    code, out, _ = run("monitor", "-c", own_config)
    assert code == 0
    assert out.count("\n") == 1
    assert f"Wrote {own_config.parent / 'monitor.html'}." in out


def test_a_copy_of_a_script_runs_outside_the_clone(config, tmp_path):
    shutil.copy(SCRIPTS["check"], tmp_path / "nightly.py")
    process = subprocess.run(
        [sys.executable, "nightly.py", "--config", str(config), "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["entities"] == 1200
