"""The commands of the README work in the order in which they stand."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer

from pql_model.cli.app import app, main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNS_ON = {"serve"}
"""Commands that end with Ctrl-C only; `tests/cli/test_serving.py` starts them."""


def commands(block: str) -> list[list[str]]:
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "pql"]


def demo_commands() -> list[list[str]]:
    block = re.search(r"<!-- demo-commands -->\n```sh\n(.+?)```", README, re.DOTALL)
    assert block is not None
    return commands(block[1])


def all_commands() -> list[list[str]]:
    return [words for block in re.findall(r"```sh\n(.+?)```", README, re.DOTALL) for words in commands(block)]


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_every_command_of_the_readme_has_options_that_exist(words):
    command = typer.main.get_command(app)
    context = command.make_context("pql", list(words))
    while hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context)
    assert context.command is command


def test_the_demo_line_is_followed_by_the_activation_and_the_folder():
    block = README[README.index("<!-- demo-commands -->") :]
    assert block.index("source .venv/bin/activate") < block.index("cd pql-demo") < block.index("pql check")
    assert "-c pql-demo/pql.yaml" in README


@pytest.mark.slow
def test_the_demo_commands_run_one_after_another(trained, tmp_path, monkeypatch, capsys):
    home = tmp_path / "pql-demo"
    shutil.copytree(trained.folder.parent.parent, home, ignore=shutil.ignore_patterns("score_log", ".pql"))
    monkeypatch.chdir(home)
    with pytest.raises(SystemExit, match="0"):
        main(["score", "--as-of", "2025-11-20", "--model", "1"])  # as `pql demo` does
    for words in demo_commands():
        if words[0] in RUNS_ON:
            continue
        with pytest.raises(SystemExit, match=r"^\d+$") as exit_info:
            main(words)
        payload = capsys.readouterr()
        assert exit_info.value.code == 0, (words, payload.err)
        if words == ["replay"]:
            assert "Replayed" in payload.out
            assert "same" in payload.out
    assert (home / "growth_report-with-account-data.html").exists()
    assert (home / "models" / "nimbus-boards" / "BUNDLE.json").exists()
