"""sdist -> wheel -> a fresh environment: what is packed, and that it runs."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import pql_model

ROOT = Path(__file__).resolve().parents[1]
NOT_PACKED = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "pql-demo", "mlruns", "mlflow.db", ".pql"
)


def run(*words, cwd, env=None, timeout=300):
    process = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The sdist of this tree, built from a copy without git."""
    source, out = tmp_path_factory.mktemp("source") / "pql", tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, source, ignore=NOT_PACKED)
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", out, cwd=source)
    return next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel that the sdist builds."""
    unpacked, out = tmp_path_factory.mktemp("unpacked"), tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    [source] = unpacked.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=source)
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_sdist_holds_what_a_developer_needs_and_no_results(sdist):
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    paths = {member.name.split("/", 1)[1] for member in members}
    assert not [member.name for member in members if member.issym() or member.islnk()]
    assert {
        "LICENSE",
        "MLproject",
        "README.md",
        "bentofile.yaml",
        "conftest.py",
        "constraints.txt",
        "pyproject.toml",
        "pipelines/daily.py",
        "pql_model/report/page.css",
        "pql_model/workflows/train.py",
        "tests/shared_training.py",
    } <= paths
    assert not [path for path in paths if path.startswith(("benchmarks/results/", ".git/")) or path.endswith(".pyc")]


@pytest.mark.slow
def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [archive.read(name).decode() for name in names if name.endswith("METADATA")]
    suffixes = {".css", ".j2", ".js", ".json", ".py", ".typed"}
    files = [path for path in (ROOT / "pql_model").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.suffix for path in files} == suffixes
    packed = {name for name in names if name.startswith("pql_model/")}
    assert packed == {path.relative_to(ROOT).as_posix() for path in files}
    assert {name.split("/")[0] for name in names} == {"pql_model", f"pql_model-{pql_model.__version__}.dist-info"}
    headers = message_from_string(metadata)
    assert headers["Version"] == pql_model.__version__
    assert headers["Requires-Python"] == ">=3.11"
    required = headers.get_all("Requires-Dist")
    for name in ("bentoml", "filelock", "prometheus-client", "shap", "starlette"):
        assert any(line.startswith(name) and "extra" not in line for line in required)


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_a_fresh_environment(wheel, tmp_path):
    """The dependencies are those of this environment; CI installs them from an index."""
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False)
    scripts = fresh / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    where = run(python, "-c", "import pql_model; print(pql_model.__file__)", cwd=tmp_path, env=environment)
    assert Path(where.strip()).is_relative_to(fresh)

    words = [python, "-m", "pql_model", "demo", "--accounts", "400", "--trials", "1", "--json"]
    payload = json.loads(run(*words, cwd=tmp_path, env=environment))
    assert payload["train"]["model"]["version"] == "1"
    assert (tmp_path / "pql-demo" / "scores.parquet").exists()
    assert list((tmp_path / "pql-demo" / "score_log").iterdir())


def test_an_older_python_is_refused_with_a_sentence():
    source = (ROOT / "pql_model" / "__init__.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))  # the guard is reached before anything that an older Python cannot read
    code = "import sys; sys.version_info = (3, 10, 4, 'final', 0); import pql_model"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert "pql_model needs Python 3.11 or later. Received: Python 3.10. Fix: create" in process.stderr


def test_the_version_has_one_source():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in text
    assert f'__version__ = "{pql_model.__version__}"' in (ROOT / "pql_model" / "__init__.py").read_text(
        encoding="utf-8"
    )
