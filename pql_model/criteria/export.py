"""Criteria as YAML that loads back as `definition:` of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from pql_model.criteria.phrasing import rate_text
from pql_model.statistics.estimate import Estimate


def criteria_yaml(found: Mapping[str, Any], product: str) -> str:
    """The recommended definition under `definition:`, then all others, each with its figures as a comment.

    Parameters
    ----------
    found
        What `pql criteria list --json` prints.

    Examples
    --------
    >>> none = {"definitions": [], "criteria": [], "rows": "as of day 14 of the trial"}
    >>> print(criteria_yaml(none, "boards"))
    # Criteria of boards, as of day 14 of the trial. Figures are of later accounts, which played no part in finding them.
    # No rule was confirmed on them.
    <BLANKLINE>
    """
    lines = [
        f"# Criteria of {_plain(product)}, {found['rows']}. Figures are of later accounts, which played no part in finding them."
    ]
    best = next((d for d in found["definitions"] if d["recommended"]), None)
    if best is not None:
        lines += [f"# {_said(best)}", _block("definition", _condensed(best))]
    elif not found["criteria"]:
        lines.append("# No rule was confirmed on them.")
    for name, rules in (("definitions", found["definitions"]), ("criteria", found["criteria"])):
        if rules:
            lines.append(f"\n{name}:")
        for rule in rules:
            entry = _block(rule["id"], _condensed(rule))
            lines += [f"  # {_said(rule)}", *(f"  {line}" for line in entry.splitlines())]
    return "\n".join(lines) + "\n"


def _condensed(rule: Mapping[str, Any]) -> dict[str, Any]:
    conditions = [dict(condition) for condition in rule["conditions"]]
    if rule["join"] == "at_least_k":
        return {"at_least_k": rule["k"], "of": conditions}
    return {rule["join"]: conditions}


def _block(name: str, rule: dict[str, Any]) -> str:
    """Each condition on a line of its own."""
    lines = [f"{name}:"]
    for key, value in rule.items():
        if not isinstance(value, list):
            lines.append(f"  {key}: {value}")
            continue
        lines.append(f"  {key}:")
        for condition in value:
            text = yaml.safe_dump(condition, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
            lines.append(f"    - {text.strip()}")
    return "\n".join(lines)


def _said(rule: Mapping[str, Any]) -> str:
    tested = rule["tested"]
    rate = tested["rate"]
    if rate["value"] is None:
        return f"{_plain(rule['text'])}: nobody meets it"
    said = rate_text(Estimate(rate["value"], rate["low"], rate["high"]))
    return f"{_plain(rule['text'])}: {said} converted, {tested['qualified']:,} of {tested['rows']:,} meet it"


def _plain(text: str) -> str:
    """On one line: what stands in a comment must not break out of it."""
    return " ".join(text.split())
