"""`pql init`, then `pql check`, on exports as companies have them: the right counts, the right columns, or a question."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
from exports import FOLDER, ROOT, case
from typer.testing import CliRunner

from pql_model.cli.app import app

sys.path.insert(0, str(ROOT / "benchmarks"))
init_table = importlib.import_module("init")
sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def world():
    return init_table.make_world()


@pytest.mark.slow  # seventy of them
@pytest.mark.parametrize("export", init_table.EXPORTS, ids=lambda export: export.name)
def test_a_generated_export_is_read_right(export, world, tmp_path):
    reading = init_table.read_export(export, world, tmp_path)
    assert reading.outcome == "right", reading.detail


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()) if FOLDER.is_dir() else [])
def test_a_case_is_read_right(name):
    reading = init_table.read_case(FOLDER / name)
    assert reading.outcome == "right", reading.detail


def test_the_command_line_drafts_and_checks_a_case(tmp_path):
    home = case("01-stripe-subscriptions-trials")
    config = str(tmp_path / "pql.yaml")
    tables = [
        f"--{name}={home / file}.csv" for name, file in (("entities", "accounts"), ("conversions", "subscriptions"))
    ]
    runner = CliRunner()
    drafted = runner.invoke(app, ["init", f"--events={home / 'events.csv'}", *tables, "-o", config, "--json"])
    assert drafted.exit_code == 0, drafted.output
    assert json.loads(drafted.stdout)["questions"] == []
    checked = json.loads(runner.invoke(app, ["check", "-c", config, "--json"]).stdout)
    assert (checked["conversions"], checked["entities"]) == (96, 500)
