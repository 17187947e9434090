"""`pql criteria dbt`: which files it writes, and what a real dbt makes of them."""

import json
import os
import subprocess
import sys

import duckdb
import pytest
import yaml
from warehouse import asked, in_duckdb, judged, who
from worlds import at, product

from pql_model.cli.app import main
from pql_model.errors import DataError
from pql_model.workflows.criteria_dbt import criteria_dbt
from pql_model.workflows.criteria_sql import criteria_sql

ACCOUNTS = [
    {"account": name, "signed_up": "2026-01-01", "size": size} for name, size in (("a", "1-10"), ("b", "11-50"))
]
EVENTS = [{"account": name, "event": "{{ login }}", "time": "2026-01-02"} for name in ("a", "a", "b", "b")]
IN_FORCE = {"all": [{"event": "{{ login }}", "at_least": 2}, {"trait": "size", "in": ["11-50"]}]}
DBT = ("dbt-core==1.11.16", "dbt-duckdb==1.10.1")


@pytest.fixture
def config(tmp_path):
    return product(tmp_path, ACCOUNTS, EVENTS, [], definition=IN_FORCE)


def test_the_command_writes_a_model_and_its_schema(config, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["criteria", "dbt", "--dialect", "postgres", "-c", str(config.home / "pql.yaml"), "--json"])
    payload = json.loads(capsys.readouterr().out)
    models = config.home / "dbt" / "models"

    assert payload["model"] == "pql_small_world"
    assert payload["files"] == [str(models / "pql_small_world.sql"), str(models / "pql_small_world.yml")]
    assert yaml.safe_load((models / "pql_small_world.yml").read_text())["models"][0]["name"] == "pql_small_world"
    assert sorted(path.name for path in models.iterdir()) == ["pql_small_world.sql", "pql_small_world.yml"]


def test_its_own_files_are_replaced_and_those_of_others_are_not(config):
    first = criteria_dbt(config, dialect="duckdb", name="leads")
    assert criteria_dbt(config, dialect="postgres", name="leads").files == first.files
    first.files[1].write_text("version: 2\n")
    before = first.files[0].read_text()
    with pytest.raises(DataError, match=r"exists and was not written by pql.*leads\.yml.*Fix: choose another `--name`"):
        criteria_dbt(config, dialect="duckdb", name="leads")
    assert first.files[0].read_text() == before


def test_a_name_that_is_no_identifier_is_refused(config):
    with pytest.raises(DataError, match=r"another kind of name. Received: a-b"):
        criteria_dbt(config, dialect="duckdb", name="a-b")


@pytest.mark.network
def test_dbt_builds_the_model_and_its_tests_pass(config, tmp_path):
    result = criteria_dbt(config, dialect="duckdb", output=tmp_path / "dbt")
    project = tmp_path / "dbt"
    (project / "dbt_project.yml").write_text("{name: warehouse, version: 1.0.0, profile: test}")
    target = {"type": "duckdb", "path": str(project / "w.duckdb"), "threads": 1}
    (project / "profiles.yml").write_text(yaml.safe_dump({"test": {"target": "t", "outputs": {"t": target}}}))
    with duckdb.connect(str(project / "w.duckdb")) as con:
        for name in ("accounts", "events", "conversions"):
            con.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{config.home / name}.csv')")
    subprocess.run([sys.executable, "-m", "uv", "venv", str(tmp_path / "venv")], check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--python", str(tmp_path / "venv"), *DBT], check=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    command = [str(scripts / "dbt"), "build", "--profiles-dir", ".", "--vars", "as_of: 2026-01-08"]
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    build = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)

    assert build.returncode == 0, build.stdout
    assert "PASS=7" in build.stdout  # the model and six tests
    with duckdb.connect(str(project / "w.duckdb")) as con:
        rows = asked(con, f"SELECT * FROM {result.name} ORDER BY entity")
    table = judged(config, config.definition, at("2026-01-08"))
    assert rows == asked(in_duckdb(config), criteria_sql(config, dialect="duckdb", as_of="2026-01-08").sql)
    assert who(rows) == sorted(table["entity"][table["met"]]) == ["b"]
