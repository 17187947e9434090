"""What docs/scheduling.md tells people to schedule is valid, and calls scripts with options that they have."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL)


def options_of(script: str) -> set[str]:
    """The long options of a script: those of its parameters, or the names that they have in `cli.common`."""
    tree = ast.parse((ROOT / "pipelines" / f"{script}.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == script)
    names = {f"--{argument.arg.replace('_', '-')}" for argument in function.args.args}
    return {"--json" if name == "--as-json" else name for name in names}


def calls() -> list[tuple[str, list[str]]]:
    text = "\n".join(block for language in ("cron", "ini", "yaml", "python") for block in blocks(language))
    found = re.findall(r"pipelines/(\w+)\.py([^\n\"|>]*)", text)
    return [(script, shlex.split(rest)) for script, rest in found]


def test_every_scheduler_calls_scripts_that_exist_with_options_that_they_have():
    assert {script for script, _ in calls()} == {"daily", "weekly"}
    assert len(calls()) == 6  # cron twice, systemd, GitHub Actions, Airflow twice
    for script, words in calls():
        assert {word for word in words if word.startswith("--")} <= options_of(script), script


def test_the_crontab_has_five_fields_of_time():
    [table] = blocks("cron")
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    for line in lines:
        assert all(re.fullmatch(r"\*|\d+", field) for field in line.split()[:5])
        assert line.split(maxsplit=5)[5].startswith("cd /srv/boards && ")


def test_the_systemd_units_can_be_read_and_name_what_systemd_knows():
    service, timer = (read_unit(block) for block in blocks("ini"))

    assert set(service["Service"]) <= {"Type", "User", "WorkingDirectory", "ExecStart"}
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["ExecStart"].startswith("/")
    assert set(timer["Timer"]) == {"OnCalendar", "Persistent"}
    assert re.fullmatch(r"Mon \*-\*-\* \d\d:\d\d:\d\d UTC", timer["Timer"]["OnCalendar"])
    assert timer["Install"]["WantedBy"] == "timers.target"


def read_unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def test_the_github_workflow_has_what_actions_needs():
    [workflow] = [yaml.safe_load(block) for block in blocks("yaml")]
    on: Any = workflow.get("on", workflow.get(True))  # YAML 1.1 reads `on` as a boolean

    assert len(on["schedule"][0]["cron"].split()) == 5
    [job] = workflow["jobs"].values()
    assert job["runs-on"]
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])


@pytest.mark.parametrize("code", blocks("python"))
def test_the_airflow_file_compiles_and_calls_what_it_defines(code):
    tree = ast.parse(code)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    called = {
        node.value.func.id
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    }
    assert defined == called == {"pql_daily", "pql_weekly"}
