"""The templates of the report: the one door to Jinja.

Everything is escaped unless it is `Markup`. A number is printed by a filter, which adds its path in the growth object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from pql_model.criteria.definition_metrics import LEAST_QUALIFIED
from pql_model.report import numbers
from pql_model.report.markup import capitalise, json_block, names, without_controls
from pql_model.report.view import GrowthNode, View, rule_text

_LINE_BREAKS = re.compile(r"(?<=>)\s*\n\s*|\s*\n\s*(?=<)")
"""As in JSX, line breaks next to an element are only layout of the template."""


def render(template: str, view: View, *, keep_line_breaks: bool = False, **context: Any) -> Markup:
    """Render a template with a view of the growth object; the same input gives the same text."""
    text = (
        _environment()
        .get_template(template)
        .render(
            view=view,
            growth=view.growth,
            entity=view.entity,
            entities=view.entities,
            per=f"{view.per:,}",
            horizon=view.growth["horizon_days"],
            everyone=view.print_number(view.growth["base"]["later"]["value"], "frequency"),
            least_qualified=LEAST_QUALIFIED,
            **context,
        )
    )
    return Markup(text if keep_line_breaks else _LINE_BREAKS.sub("", text))  # noqa: S704 (autoescaped)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pql_model.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {style: _number_filter(style) for style in numbers.STYLES}
    environment.filters |= {
        "names": names,
        "rule_text": rule_text,
        "capitalise": capitalise,
        "level": _level,
        "plain_day": lambda node: numbers.day(str(node)),
        "plain_percent": lambda node: numbers.percent(node.raw),
        "json_block": json_block,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Text from the data without characters that could reverse the sentence around it."""
    return value if isinstance(value, Markup) else without_controls(str(value))


def _number_filter(style: str) -> Callable[[Context, GrowthNode], Markup]:
    @pass_context
    def print_number(context: Context, node: GrowthNode) -> Markup:
        view: View = context["view"]
        return view.print_number(node, style)

    return print_number


def _level(node: GrowthNode) -> str:
    """A value of a feature, which may be a text or missing."""
    if node.raw is None:
        return "none"
    return numbers.number(node.raw) if isinstance(node.raw, int | float) else str(node.raw)
