"""A page as one HTML file: its own style and script, and a policy that lets nothing else in or out."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from pql_model.atomic import atomic_write_text
from pql_model.page.rendering import make_environment

_STYLE, _SCRIPT = "base.css", "base.js"


def document(title: str, body: Markup, style: str = "", script: str = "") -> str:
    """Render a whole page. The same input gives the same bytes.

    Parameters
    ----------
    title
        Untrusted text.
    body
        The content of `<body>`, escaped.
    style, script
        What the page adds to the common style sheet and script, from `asset`.

    Examples
    --------
    >>> html = document("<Boards>", Markup("<main></main>"))
    >>> "<title>&lt;Boards&gt;</title>" in html, "default-src 'none'" in html
    (True, True)
    """
    style, script = asset("pql_model.page", _STYLE) + style, asset("pql_model.page", _SCRIPT) + script
    # one line break less in the style or the script, and the policy would reject them
    return (
        make_environment("pql_model.page")
        .get_template("frame.html.j2")
        .render(title=title, body=body, style=style, script=script, policy=_policy(style, script))
    )


def asset(package: str, name: str) -> Markup:
    """Read a style sheet or a script of a package, with LF."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return Markup(text.replace("\r\n", "\n"))  # noqa: S704 (our own file)


def write_page(path: Path, html: str) -> None:
    """Write the page atomically, as UTF-8 with LF: otherwise the policy would reject the page's own script."""
    atomic_write_text(path, html)


def _policy(style: str, script: str) -> Markup:
    return Markup(  # noqa: S704 (hashes only)
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
