"""The growth report as one HTML file: a pure function of the growth object and the explorer's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from pql_model.page.document import asset, document
from pql_model.report.behaviours import behaviours
from pql_model.report.candidates import rules
from pql_model.report.changes import changes_section
from pql_model.report.explorer_section import explorer_section
from pql_model.report.fit_section import fit
from pql_model.report.handover import handover
from pql_model.report.over_time import call, weeks
from pql_model.report.rendering import render
from pql_model.report.trust import health, limits, method, score
from pql_model.report.verdict import today, verdict
from pql_model.report.view import View
from pql_model.report.volume import volume

SECTIONS: dict[str, Callable[[View], object]] = {
    "verdict": verdict,
    "volume": volume,
    "today": today,
    "changes": changes_section,
    "behaviours": behaviours,
    "fit": fit,
    "rules": rules,
    "explorer": explorer_section,
    "weeks": weeks,
    "call": call,
    "handover": handover,
    "score": score,
    "health": health,
    "limits": limits,
    "method": method,
}
"""Name of a section, its template and its anchor -> the function that prepares it, in the order of the page."""
CONTENTS = {
    "volume": "What a week brings",
    "today": "New rule and today’s",
    "changes": "What changed",
    "behaviours": "Behaviours",
    "fit": "Who they are",
    "rules": "Rules",
    "explorer": "Try your own",
    "weeks": "Over time",
    "call": "Whom to call",
    "handover": "Put it to work",
    "score": "Probabilities",
    "health": "Data",
    "limits": "Limits",
    "method": "Method",
}
"""Anchor -> its words in the list of contents, which stands under the decision."""
SCRIPTS = ("figures.js", "capacity.js", "counting.js", "rule_text.js", "explorer.js")
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
    sections = {name: prepare(view) for name, prepare in SECTIONS.items()}
    contents = {anchor: words for anchor, words in CONTENTS.items() if anchor != "changes" or growth["changes"]}
    body = render("body.html.j2", view, sections=sections, contents=contents, rows_warning=ROWS_WARNING)
    package = "pql_model.report"
    script = Markup().join(asset(package, name) for name in SCRIPTS)
    return document(f"{growth['product']}: growth report", body, asset(package, "page.css"), script)


def render_section(name: str, view: View) -> str:
    """Render one section of `SECTIONS`."""
    return render(f"{name}.html.j2", view, section=SECTIONS[name](view))


def file_name(explorer: dict[str, Any] | None, stem: str = "report") -> str:
    """Name the file; a file that holds rows says so.

    >>> file_name(None), file_name({"mode": "rows"})
    ('report.html', 'report-with-account-data.html')
    """
    return f"{stem}-with-account-data.html" if explorer and explorer["mode"] == "rows" else f"{stem}.html"
