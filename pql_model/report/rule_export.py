"""Conditions as text to copy: a line of YAML that `pql.yaml` reads back, and an outline in the manner of SQL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_KEYS = ("event", "trait", "measure", "value", "window", "operator", "threshold", "in")
# YAML breaks lines at these, or does not allow them, inside quotes too
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def yaml_line(condition: Mapping[str, Any]) -> str:
    """A condition as an item of `all:`, `any:` or `of:`.

    >>> yaml_line({"event": "Teammate Invited", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3.0})
    '{event: "Teammate Invited", measure: "count", window: "first 7d", operator: ">=", threshold: 3}'
    >>> yaml_line({"trait": "company_size", "in": ["51-200"]})
    '{trait: "company_size", in: ["51-200"]}'
    """
    known = [key for key in _KEYS if condition.get(key) is not None]
    return "{" + ", ".join(f"{key}: {_quoted(condition[key])}" for key in known) + "}"


def _quoted(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_quoted(item) for item in value) + "]"
    if isinstance(value, int | float):
        return _number(value)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(str(value), ensure_ascii=False))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def sql_text(condition: Mapping[str, Any]) -> str:
    """A condition in the manner of SQL, for people; `pql criteria sql` writes a statement that runs.

    >>> print(sql_text({"event": "Teammate Invited", "window": "first 7d", "operator": ">=", "threshold": 3}))
    count("Teammate Invited", 'first 7d') >= 3
    >>> print(sql_text({"trait": "plan", "in": ["it's"]}))
    "plan" IN ('it''s')
    """
    if condition.get("trait") is not None:
        name = _name(condition["trait"])
        if condition.get("in") is not None:
            return f"{name} IN ({', '.join(_text(value) for value in condition['in'])})"
    else:
        value = [_name(condition["value"])] if condition.get("value") is not None else []
        parts = [_name(condition["event"]), *value, _text(condition.get("window", "ever"))]
        name = f"{condition.get('measure', 'count')}({', '.join(parts)})"
    operator = {"==": "=", "!=": "<>"}.get(condition["operator"], condition["operator"])
    return f"{name} {operator} {_number(condition['threshold'])}"


def _name(text: object) -> str:
    return '"' + _one_line(text).replace('"', '""') + '"'


def _text(text: object) -> str:
    return "'" + _one_line(text).replace("'", "''") + "'"


def _one_line(text: object) -> str:
    """A line break in a name would end a comment or start a new line of the outline."""
    return re.sub(r"\s+", " ", str(text))
