"""The documentation agrees with the code."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from pql_model.cli.app import app

ROOT = Path(__file__).resolve().parents[1]


def _generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


@pytest.mark.parametrize("page", ["commands.md", "config.md", "features.md", "python.md", "llms.txt"])
def test_a_generated_page_is_up_to_date(page):
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == _generated()[page], "run `python docs/generate.py`"


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")),
    ],
)
def test_links_between_files_resolve(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if not link.startswith("http"):
            assert ((ROOT / file).parent / link).exists(), f"{file} links to {link}"


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    known = "demo init check train backtest report score explain models rollback features export serve verify replay forget schema sync simulate leads forecast funnel ledger feedback effect monitor mcp"
    assert commands == set(known.split())
    for name in commands:
        assert f"pql {name}" in text


def test_the_ci_script_runs_the_readmes_test_line():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    line = re.search(r"<!-- test-line -->\n```sh\n(.+)\n```\n<!-- /test-line -->", readme)
    assert line is not None
    for part in ("-c constraints.txt", "ruff check .", "ruff format --check .", "mypy", "pytest"):
        assert part in line[1]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "test-line" in script
    assert "-m quick" in line[1]
    assert "-m 'not quick or hypothesis'" in script  # what the line leaves out


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: `apt-get install nginx`")
def test_nginx_accepts_the_configuration_of_the_page_on_the_service(tmp_path):
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    plain = re.sub(r" *ssl_certificate.*\n", "", block).replace("listen 443 ssl;", "listen 127.0.0.1:8080;")
    assert block.count("ssl_certificate") == 2  # both are needed for `listen ... ssl`
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\nhttp {{\naccess_log off;\n{plain}}}\n"
    )
    done = subprocess.run(["nginx", "-t", "-c", str(config)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_documented_markers_are_declared():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    declared = {marker.split(":")[0] for marker in config["markers"]}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert declared == set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_constraints_name_versions_and_no_index():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", pin) for pin in pins)


def test_every_scheduled_script_is_an_entry_point_of_mlproject():
    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))
    assert set(project["entry_points"]) == {path.stem for path in (ROOT / "pipelines").glob("*.py")}
    for name, entry in project["entry_points"].items():
        assert entry["command"].startswith(f"python pipelines/{name}.py ")
        assert all(f"--{option} {{{option}}}" in entry["command"] for option in entry["parameters"])


@pytest.mark.slow
def test_the_python_example_of_the_readme_runs(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.+?)```", readme, re.DOTALL)
    assert code is not None
    process = subprocess.run(
        [sys.executable, "-c", code[1]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.returncode == 0, process.stderr
    assert "Estimate(value=0." in process.stdout


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-E",
        "-d",
        str(tmp_path / "trees"),
        "docs",
        str(tmp_path / "site"),
    ]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)|<link[^>]*\shref=\"([^\"]+)", text)
        assert not [address for pair in loaded for address in pair if address.startswith(("http", "//"))], page.name


@pytest.mark.slow
def test_every_page_is_in_the_contents_of_the_site():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = {line for block in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL) for line in block.splitlines()}
    pages = {str(p.relative_to(ROOT / "docs").with_suffix("")) for p in (ROOT / "docs").rglob("*.md")} - {"index"}
    assert pages <= listed


def test_the_glossary_has_the_words_of_the_readme():
    words = [
        {row.split("|")[1].strip(" *"): row.split("|")[2].strip() for row in text.splitlines() if row.startswith("| ")}
        for text in (
            (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"),
            (ROOT / "README.md").read_text(encoding="utf-8").split("## Words")[1].split("\n## ")[0],
        )
    ]
    assert words[1].items() <= words[0].items()


def blocks(page: str) -> str:
    """The commands of a page as one script; those that only the reader runs say so in their first line."""
    text = (ROOT / "docs" / "tutorials" / page).read_text(encoding="utf-8")
    return "\n".join(
        b for b in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if not b.startswith("# not run by the tests")
    )


@pytest.mark.notebook
def test_the_tutorials_run_one_after_the_other(tmp_path):
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for page, folder in (("first_model.md", "."), ("your_data.md", "."), ("to_the_crm.md", "pql-demo")):
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", blocks(page)],
            cwd=tmp_path / folder,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert process.returncode == 0, f"{page}: {process.stdout[-3000:]}{process.stderr[-3000:]}"
    made = ("growth_report-with-account-data.html", "leads.html", "new-leads.csv", "monitor.html")
    assert all((tmp_path / "pql-demo" / name).exists() for name in made)
    assert (tmp_path / "my-product" / "scores.parquet").exists()


@pytest.mark.notebook
def test_the_page_about_extending_runs_from_top_to_bottom(tmp_path):
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.+?)```", page, re.DOTALL))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.returncode == 0, process.stderr
    assert "weights.json" in process.stdout
    assert "features.manifest.json" in process.stdout


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    content = nbformat.read(notebook, as_version=4)
    NotebookClient(
        content, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in content.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
