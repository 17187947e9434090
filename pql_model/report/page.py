"""The growth report as one HTML file: a pure function of the growth object and the explorer's data."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pql_model.atomic import atomic_write
from pql_model.report.behaviours import behaviours
from pql_model.report.candidates import rules, volume
from pql_model.report.explorer_section import explorer_section
from pql_model.report.over_time import call, weeks
from pql_model.report.rendering import render
from pql_model.report.trust import health, limits, method, score
from pql_model.report.verdict import today, verdict
from pql_model.report.view import View

SECTIONS: dict[str, Callable[[View], object]] = {
    "verdict": verdict,
    "today": today,
    "behaviours": behaviours,
    "rules": rules,
    "explorer": explorer_section,
    "volume": volume,
    "weeks": weeks,
    "call": call,
    "score": score,
    "health": health,
    "limits": limits,
    "method": method,
}
"""Name of a section, its template and its anchor -> the function that prepares it, in the order of the page."""
ROWS_WARNING = "This file contains account data (without names). Do not forward it."


def render_page(growth: dict[str, Any], explorer: dict[str, Any] | None) -> str:
    """Render the whole page. The same input gives the same bytes.

    Parameters
    ----------
    growth : dict
        The content of the page: see `docs/report.md`. Its texts are untrusted and are escaped.
    explorer : dict or None
        Data from `explorer_data`, or None to leave the explorer out.

    Returns
    -------
    str
        HTML with its own style and script, and a content security policy that lets nothing else in or out.
    """
    view = View(growth, explorer)
    style, script = _asset("page.css"), _asset("page.js") + _asset("explorer.js")
    sections = {name: prepare(view) for name, prepare in SECTIONS.items()}
    body = render("body.html.j2", view, sections=sections, rows_warning=ROWS_WARNING)
    policy = _policy(style, script)
    # one line break less in the style or the script, and the policy would reject them
    return render("page.html.j2", view, keep_line_breaks=True, body=body, style=style, script=script, policy=policy)


def render_section(name: str, view: View) -> str:
    """Render one section of `SECTIONS`."""
    return render(f"{name}.html.j2", view, section=SECTIONS[name](view))


def write_page(path: Path, html: str) -> None:
    """Write the page atomically, as UTF-8 with LF: otherwise the policy would reject the page's own script."""
    atomic_write(path, lambda unfinished: unfinished.write_bytes(html.encode("utf-8")))


def file_name(explorer: dict[str, Any] | None, stem: str = "report") -> str:
    """Name the file; a file that holds rows says so.

    >>> file_name(None), file_name({"mode": "rows"})
    ('report.html', 'report-with-account-data.html')
    """
    return f"{stem}-with-account-data.html" if explorer and explorer["mode"] == "rows" else f"{stem}.html"


def _asset(name: str) -> Markup:
    text = files("pql_model.report").joinpath(name).read_text(encoding="utf-8")
    return Markup(text.replace("\r\n", "\n"))  # noqa: S704 (our own file)


def _policy(style: str, script: str) -> Markup:
    return Markup(  # noqa: S704 (hashes only)
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
