import ast
import json
import os
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement
from records import config_in
from small_model import small_model, small_table

import pql_model
from pql_model.registry.packaging import requirements
from pql_model.registry.tracking import Tracking


def test_the_stored_model_contains_no_pickle(logged, home):
    stored = [path for path in (home / "mlruns" / "models").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.suffix for path in stored} == {".txt", ".json", ".yaml", ".py", ".zip", ""}  # "" is MLmodel
    (code,) = [path for path in stored if path.suffix == ".zip"]
    assert {Path(name).suffix for name in ZipFile(code).namelist()} == {".py"}
    assert not any(path.read_bytes().startswith(b"\x80") for path in stored)
    (about, *_) = (home / "mlruns" / "models").rglob("MLmodel")
    assert "model_code_path" in about.read_text()
    assert "python_model.pkl" not in about.read_text()


@pytest.fixture(scope="module")
def stored(logged, home):
    """The model as plain MLflow loads it."""
    with Tracking(config_in(home)).session():
        return mlflow.pyfunc.load_model("models:/small-world/1")


def test_the_stored_model_takes_missing_values_other_orders_and_other_types(stored):
    table = small_table(rows=20)[0].fillna({"trait.seats": 5})
    whole = table.astype({"trait.seats": "int64", "Teammate+Invited.count.first_7d": "int64"})
    texts = table.astype({"trait.seats": "string"})
    blank = table.assign(**{"trait.size": None, "trait.seats": np.nan})
    for given in (table, whole, texts, blank, table[table.columns[::-1]]):
        expected = small_model().probability(given.reindex(columns=table.columns))
        np.testing.assert_allclose(stored.predict(given)["probability"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "write",
    [
        lambda column: pd.to_datetime(column, unit="us", utc=True),
        lambda column: pd.to_datetime(column, unit="us").astype("datetime64[ns]"),
        lambda column: pd.to_datetime(column, unit="us").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda column: column.astype("int64"),
    ],
    ids=["aware", "naive", "text", "microseconds"],
)
def test_instants_may_be_timestamps_texts_or_microseconds_and_come_back_as_they_were(stored, write):
    table = small_table(rows=20)[0]
    rows = stored.predict(table.assign(as_of=write(table["as_of"])))
    assert rows["as_of"].tolist() == write(table["as_of"]).tolist()
    pd.testing.assert_frame_equal(rows.drop(columns="as_of"), stored.predict(table).drop(columns="as_of"))


def test_a_missing_instant_and_a_missing_column_of_instants_do_not_stop_scoring(stored):
    table = small_table(rows=4)[0]
    times = pd.to_datetime(table["as_of"], unit="us", utc=True)
    gaps = table.assign(as_of=times.where(table.index > 0))
    for given in (gaps, table.drop(columns="as_of"), table.drop(columns="entity")):
        np.testing.assert_array_equal(stored.predict(given)["probability"], stored.predict(table)["probability"])


def test_a_table_without_some_feature_columns_is_refused_with_their_names(stored):
    table = small_table(rows=4)[0].drop(columns=["trait.seats", "Teammate+Invited.active_days.ever"])
    with pytest.raises(
        MlflowException, match=r"missing inputs \['Teammate\+Invited.active_days.ever', 'trait.seats'\]"
    ):
        stored.predict(table)


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_every_row_gives_one_row_under_its_own_index(stored, rows):
    table = small_table(rows=20)[0].head(rows)
    table.index = pd.Index([5] * rows)  # not even distinct
    scored = stored.predict(table)
    assert scored.index.tolist() == [5] * rows
    assert scored["entity"].tolist() == table["entity"].tolist()


def test_the_signature_names_every_column_of_a_scored_row(stored):
    scored = stored.predict(small_table(rows=4)[0])
    assert stored.metadata.get_output_schema().input_names() == scored.columns.tolist()


def test_entities_may_be_whole_numbers(stored):
    table = small_table(rows=4)[0].assign(entity=[11, 12, 13, 14])
    assert stored.predict(table)["entity"].tolist() == [11, 12, 13, 14]


def test_the_input_example_is_scored_and_shows_no_customer(stored):
    example = stored.input_example
    scored = stored.predict(example)
    assert scored["entity"].tolist() == ["example"]
    assert 0 < scored["probability"].item() < 1
    rows = small_table(rows=50)[0]
    assert example["Teammate+Invited.count.first_7d"].item() == rows["Teammate+Invited.count.first_7d"].median()
    assert example["trait.size"].item() == rows["trait.size"].mode().item()


def test_requirements_name_ranges_and_cover_what_the_stored_code_imports():
    required = [Requirement(line) for line in requirements()]
    assert all(requirement.specifier.contains(version(requirement.name)) for requirement in required)
    assert all({"<", ">="} == {part.operator for part in requirement.specifier} for requirement in required)
    names = {{"scikit-learn": "sklearn"}.get(requirement.name, requirement.name) for requirement in required}
    assert imported_by("pql_model.registry.pyfunc") <= names


def imported_by(start):
    """Every package from elsewhere that importing a module of ours imports, directly or not."""
    root, waiting, read, result = Path(pql_model.__file__).parent.parent, [start], set(), set()
    while waiting:
        module = waiting.pop()
        if not module.startswith("pql_model"):
            result.add(module.split(".")[0])
            continue
        path = root / (module.replace(".", "/") + ".py")
        if module in read or not path.exists():
            continue
        read.add(module)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
    return result - set(sys.stdlib_module_names) - {"__future__"}


ISOLATED = """
import json, os, sys
sys.path[:] = [path for path in sys.path if not os.path.isdir(os.path.join(path, "pql_model"))]
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import pql_model
rows = model.predict(pd.read_parquet(sys.argv[2]))
json.dump({"code": pql_model.__file__, "probability": rows["probability"].tolist()}, sys.stdout)
"""


def expect_its_own_code(python, local, folder):
    """Score in a process without this repository and without the installed package on its path."""
    small_table(rows=20)[0].to_parquet(folder / "table.parquet")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [str(python), "-c", ISOLATED, str(local), str(folder / "table.parquet")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    payload = json.loads(process.stdout)
    assert Path(payload["code"]) == local / "code" / "pql_model.zip" / "pql_model" / "__init__.py"
    expected = small_model().probability(small_table(rows=20)[0])
    np.testing.assert_allclose(payload["probability"], expected, rtol=0, atol=1e-12)


def test_the_stored_model_includes_its_code(logged, home, tmp_path):
    expect_its_own_code(sys.executable, next((home / "mlruns" / "models").rglob("MLmodel")).parent, tmp_path)


@pytest.mark.slow
@pytest.mark.network
def test_the_stored_model_scores_in_a_fresh_environment_of_its_requirements(stored, home, tmp_path):
    local = next((home / "mlruns" / "models").rglob("MLmodel")).parent
    venv.create(tmp_path / "env", with_pip=True)
    python = next(path for path in (tmp_path / "env").glob("*/python*") if path.stem == "python")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-m", "pip", "install", "-q", "--retries", "1", "-r", str(local / "requirements.txt")]
    installed = subprocess.run(command, env=environment, capture_output=True, text=True)
    if any(sign in installed.stderr for sign in ("ConnectionError", "NewConnectionError", "Temporary failure")):
        pytest.skip("the package index cannot be reached")
    assert installed.returncode == 0, installed.stderr[-2000:]
    assert not list((tmp_path / "env").rglob("site-packages/pql_model*"))
    expect_its_own_code(python, local, tmp_path)
