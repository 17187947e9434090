"""The section on putting the rule to work."""

from __future__ import annotations

import html

import yaml
from growths import growth, nothing_found, too_few
from reading import Node, read
from typer.testing import CliRunner

from pql_model.cli.app import app
from pql_model.config.definition import Definition
from pql_model.report.handover import COMMANDS
from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload) -> Node:
    return read(str(render_section("handover", View(payload))))


def test_the_rule_to_copy_is_the_recommended_one():
    page = str(render_section("handover", View(growth())))
    text = html.unescape(page.partition("<pre")[2].partition("<code>")[2].partition("</code>")[0])
    definition = Definition.model_validate(yaml.safe_load(text)["definition"])

    assert [(c.event, c.threshold) for c in definition.criteria] == [("Board Created", 5), ("Automation Created", 2)]


def test_every_command_exists_with_its_options():
    for command in COMMANDS:
        words = command.split()[1:]
        names = [word for word in words if not word.startswith("--") and word not in ("snowflake", "pql.yaml")]
        shown = CliRunner().invoke(app, [*names, "--help"])
        assert shown.exit_code == 0, command
        assert all(word in shown.output for word in words if word.startswith("--")), command


def test_the_experiment_has_its_size():
    payload = growth()
    rows = section(payload).table("experiment")

    plans = payload["experiment"]["plans"]
    assert rows == [[f"{100 * p['share']:.0f} %", f"{p['leads']:,}", f"{p['weeks']:,}"] for p in plans]
    assert "it cannot say what a call adds" in section(payload).text_content()


def test_who_decides_is_named_or_asked_for():
    assert "Growth & Sales <team> decides about it." in section(growth()).text_content()
    payload = growth() | {"owner": None}
    assert "Nobody is named who decides about it: owner: in pql.yaml" in section(payload).text_content()


def test_without_a_rule_nothing_is_handed_over():
    for payload in (nothing_found(), too_few()):
        found = section(payload)
        assert found.one("h2").text_content() == "Nothing to hand over yet"
        assert found.all("table") == []
