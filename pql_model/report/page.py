"""The growth report as one HTML file: a pure function of the growth object and the explorer's data."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write
from pql_model.report import numbers
from pql_model.report.behaviours import behaviours
from pql_model.report.candidates import candidates, volume
from pql_model.report.explorer_section import explorer as explorer_section
from pql_model.report.markup import esc, tag
from pql_model.report.over_time import cohorts, whom_to_call
from pql_model.report.trust import health, keeps_its_word, limits, method
from pql_model.report.verdict import against_today, verdict
from pql_model.report.view import View

_SECTIONS = (
    verdict,
    against_today,
    behaviours,
    candidates,
    explorer_section,
    volume,
    cohorts,
    whom_to_call,
    keeps_its_word,
    health,
    limits,
    method,
)
ROWS_WARNING = "This file contains account data (without names). Do not forward it."


def render_page(growth: dict[str, Any], explorer: dict[str, Any] | None) -> str:
    """The whole page. The same input gives the same bytes.

    Parameters
    ----------
    growth
        Everything the page says: see `docs/report.md`. Its texts are untrusted and are escaped.
    explorer
        What `explorer_data` made, or None to leave the explorer out.

    Returns
    -------
    str
        HTML with its own style and script, and a content security policy that lets nothing else in or out.
    """
    view = View(growth, explorer)
    style, script = _asset("page.css"), _asset("page.js") + _asset("explorer.js")
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        tag("title", f"{esc(growth['product'])}: growth report"),
        f"<style>{style}</style>",
    ]
    body = [
        _top(view),
        tag("main", "\n".join(part(view) for part in _SECTIONS)),
        _bottom(view),
        f"<script>{script}</script>",
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            tag("head", "\n".join(head)),
            tag("body", "\n".join(body)),
            "</html>",
            "",
        ]
    )


def write_page(path: Path, html: str) -> None:
    """Write the page whole or not at all; UTF-8 with LF, or the policy would refuse the page's own script."""
    atomic_write(path, lambda unfinished: unfinished.write_bytes(html.encode("utf-8")))


def file_name(explorer: dict[str, Any] | None, stem: str = "report") -> str:
    """What to call the file: one that holds rows says so.

    >>> file_name(None), file_name({"mode": "rows"})
    ('report.html', 'report-with-account-data.html')
    """
    return f"{stem}-with-account-data.html" if explorer and explorer["mode"] == "rows" else f"{stem}.html"


def _top(view: View) -> str:
    growth, facts = view.growth, view.facts
    warning = (
        tag("p", ROWS_WARNING, class_="banner", role="note")
        if view.explorer and view.explorer["mode"] == "rows"
        else ""
    )
    weeks = f"{facts.say('periods.later.from', 'day')} to {facts.say('periods.later.to', 'day')}"
    what = f"{view.facts.say('periods.later.entities', 'count')} {view.many} {esc(growth['rows_words'])}, {weeks}"
    return tag("header", tag("h1", f"{esc(growth['product'])}: growth report") + tag("p", what) + warning)


def _bottom(view: View) -> str:
    return tag(
        "footer",
        f"Made {esc(numbers.day(view.growth['made_at']))} from config <code>{esc(view.growth['config_digest'])}</code>. "
        "This page loads nothing and sends nothing.",
    )


def _asset(name: str) -> str:
    return files("pql_model.report").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
