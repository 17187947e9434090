"""The templates of the report: a number is printed by a filter, which adds its path in the growth object."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from pql_model.criteria.definition_metrics import LEAST_QUALIFIED
from pql_model.page import numbers
from pql_model.page.markup import capitalise, json_block, names, without_controls
from pql_model.page.rendering import make_environment, without_layout
from pql_model.report.view import GrowthNode, View, rule_lines, rule_text


def render(template: str, view: View, **context: Any) -> Markup:
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
    return without_layout(text)


@cache
def _environment() -> Environment:
    filters: dict[str, Callable[..., Any]] = {
        **{style: pass_context(partial(_as_number, style=style)) for style in numbers.STYLES},
        "as_number": _as_number,
        "names": names,
        "rule_text": rule_text,
        "rule_lines": rule_lines,
        "capitalise": capitalise,
        "level": _level,
        **{f"plain_{style}": pass_context(partial(_as_text, style=style)) for style in numbers.STYLES},
        "json_block": json_block,
    }
    return make_environment("pql_model.report", filters)


@pass_context
def _as_number(context: Context, node: GrowthNode, style: str) -> Markup:
    """Print a number in a style; as a filter of its own, in one that is chosen in the template."""
    view: View = context["view"]
    return view.print_number(node, style)


def _as_text(context: Context, node: GrowthNode, style: str) -> str:
    """A number without its path, for long tables: the paths would be most of the file."""
    view: View = context["view"]
    return without_controls(numbers.STYLES[style](node.raw, view.per))


def _level(node: GrowthNode) -> str:
    """A value of a feature, which may be a text or missing."""
    if node.raw is None:
        return "none"
    return numbers.number(node.raw) if isinstance(node.raw, int | float) else str(node.raw)
