"""The templates of the pages: the one door to Jinja.

Everything is escaped unless it is `Markup`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pql_model.page.markup import without_controls

_LINE_BREAKS = re.compile(r"(?<=>)\s*\n\s*|\s*\n\s*(?=<)")
"""As in JSX, line breaks next to an element are only layout of the template."""
_SHARED = "pql_model.page"
Templates = Environment
"""The type, for those who do not import Jinja."""


def make_environment(package: str, filters: Mapping[str, Callable[..., Any]] | None = None) -> Environment:
    r"""Make the Jinja environment of a package: its `templates` folder, then the shared one.

    >>> make_environment("pql_model.page").from_string("{{ name }}").render(name="<b>\u202e")
    '&lt;b&gt;�'
    """
    folders = dict.fromkeys([package, _SHARED])
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters or {}
    return environment


def without_layout(text: str) -> Markup:
    r"""Drop the line breaks of a rendered template that are next to an element.

    >>> without_layout("<ul>\n  <li>one\n  two</li>\n</ul>")
    Markup('<ul><li>one\n  two</li></ul>')
    """
    return Markup(_LINE_BREAKS.sub("", text))  # noqa: S704 (autoescaped)


def _finalize(value: Any) -> Any:
    """Text from the data without characters that could reverse the sentence around it."""
    return value if isinstance(value, Markup) else without_controls(str(value))
