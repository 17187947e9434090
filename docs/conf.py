"""The documentation site: `sphinx-build -W docs site`. Nothing on it is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

import pql_model

project = "pql_model"
author = "pql_model"
release = version = pql_model.__version__
html_title = f"pql_model {version}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["generate.py"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # a configuration of nginx, and lines of cron

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = False

html_theme = "furo"
html_theme_options = {"navigation_with_keys": True}
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False


# Files beside this folder that are pages of the site, too: in a clone their links go to the files, here to the pages.
BESIDE = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}


def link_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    for path, page in BESIDE.items():
        source[0] = source[0].replace(f"](../{path}", f"]({page}")


def link_included(app: Sphinx, relative_path: Path, parent_docname: str, content: list[str]) -> None:
    for before in ("](../docs/", "](docs/"):
        content[0] = content[0].replace(before, "](")
    for path, page in BESIDE.items():
        content[0] = content[0].replace(f"]({path}", f"]({page}")


def setup(app: Sphinx) -> None:
    app.connect("source-read", link_pages)
    app.connect("include-read", link_included)
