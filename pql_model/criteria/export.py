"""Write criteria as text to copy: YAML that `pql.yaml` reads back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pql_model.config.definition import JOINS, definition_keys
from pql_model.criteria.metrics_text import rate_text
from pql_model.statistics.estimate import Estimate

_KEYS = [
    "event",
    "also",
    "after",
    "gap",
    "trait",
    "measure",
    "value",
    "share_of",
    "window",
    "operator",
    "threshold",
    "in",
]
# YAML does not allow these characters inside quotes, or breaks lines at them
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def criteria_yaml(criteria: Mapping[str, Any], product: str) -> str:
    """Write the recommended definition under `definition:`, then all others, each with its figures as a comment.

    Parameters
    ----------
    criteria : mapping
        The object that `pql criteria list --json` prints.
    product : str

    Examples
    --------
    >>> none = {"definitions": [], "criteria": [], "rows": "as of day 14 of the trial"}
    >>> print(criteria_yaml(none, "boards"))
    # Criteria of boards, as of day 14 of the trial. All figures are from later accounts, which the search did not use.
    # No rule was confirmed on them.
    <BLANKLINE>
    """
    lines = [
        f"# Criteria of {_one_line(product)}, {criteria['rows']}. "
        "All figures are from later accounts, which the search did not use."
    ]
    best = next((d for d in criteria["definitions"] if d["recommended"]), None)
    if best is not None:
        lines += [f"# {_figures(best)}", definition_yaml("definition", best)]
    elif not criteria["criteria"]:
        lines.append("# No rule was confirmed on them.")
    for section in ("definitions", "criteria"):
        if criteria[section]:
            lines.append(f"\n{section}:")
        for definition in criteria[section]:
            block = definition_yaml(definition["id"], definition)
            lines += [f"  # {_figures(definition)}", *(f"  {line}" for line in block.splitlines())]
    return "\n".join(lines) + "\n"


def definition_yaml(name: str, definition: Mapping[str, Any]) -> str:
    """Write a definition in YAML under a key, each condition on a line of its own.

    >>> conditions = [{"trait": "size", "in": ["51-200"]}]
    >>> print(definition_yaml("definition", {"join": "all", "k": None, "conditions": conditions}))
    definition:
      all:
        - {trait: "size", in: ["51-200"]}
    """
    lines = [f"{name}:"]
    for key, value in definition_keys(definition).items():
        if isinstance(value, list):
            lines += [f"  {key}:", *(f"    - {condition_yaml(condition)}" for condition in value)]
        else:
            lines.append(f"  {key}: {value}")
    return "\n".join(lines)


def _figures(definition: Mapping[str, Any]) -> str:
    metrics, text = definition["tested"], _one_line(definition["text"])
    rate = metrics["rate"]
    if rate["value"] is None:
        return f"{text}: nobody meets it"
    converted = rate_text(Estimate(rate["value"], rate["low"], rate["high"]))
    return f"{text}: {converted} converted, {metrics['qualified']:,} of {metrics['rows']:,} meet it"


def condition_yaml(condition: Mapping[str, Any]) -> str:
    """Write a condition as an item of `all:`, `any:` or `of:`.

    >>> condition_yaml({"event": "Teammate Invited", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3.0})
    '{event: "Teammate Invited", measure: "count", window: "first 7d", operator: ">=", threshold: 3}'
    >>> condition_yaml({"trait": "company_size", "in": ["51-200"]})
    '{trait: "company_size", in: ["51-200"]}'
    >>> both = [{"trait": "seats", "operator": ">=", "threshold": n} for n in (1, 2)]
    >>> condition_yaml({"join": "any", "k": None, "conditions": both})
    '{any: [{trait: "seats", operator: ">=", threshold: 1}, {trait: "seats", operator: ">=", threshold: 2}]}'
    """
    if "conditions" in condition:
        joined = definition_keys(condition).items()
        return "{" + ", ".join(f"{key}: {_joined_yaml(value)}" for key, value in joined) + "}"
    keys = [key for key in (*_KEYS, *JOINS) if condition.get(key) is not None]
    return "{" + ", ".join(f"{key}: {_joined_yaml(condition[key])}" for key in keys) + "}"


def _joined_yaml(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "[" + ", ".join(map(condition_yaml, value)) + "]"
    return _yaml_value(value)


def _yaml_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_yaml_value(item) for item in value) + "]"
    if isinstance(value, int | float):
        return _number(value)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(str(value), ensure_ascii=False))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _one_line(text: object) -> str:
    """Join lines, since a line break in a name would end a comment."""
    return re.sub(r"\s+", " ", str(text))
