"""What changed since the last report: the rule, its rate, the rate of everyone, today's rule and the behaviours that count most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pql_model.page import numbers
from pql_model.report.view import GrowthNode, View, rule_meaning, shown_definition

MOST_BEHAVIOURS = 5


def changes(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, Any] | None:
    """Compare two growth objects; None without an earlier one.

    Parameters
    ----------
    before, now
        Of the model that was in force until now, and of this one.

    Returns
    -------
    dict
        `version, made_at` of the earlier report; `rule` and `today`: `same`, and `before` and `now` (`text, parts, conditions, join, k,
        tested`) or None; `base`: `before` and `now`; `behaviours`: the first five of each, `before` and `now`.
    """
    if before is None:
        return None
    rules = {
        "rule": (shown_definition(before["definitions"]), shown_definition(now["definitions"])),
        "today": (before["in_force"], now["in_force"]),
    }
    return {
        "version": before["model"]["version"],
        "made_at": before["made_at"],
        **{
            name: {"same": _same(old, new), "before": _summary(old), "now": _summary(new)}
            for name, (old, new) in rules.items()
        },
        "base": {"before": before["base"]["later"], "now": now["base"]["later"]},
        "behaviours": {"before": _first(before), "now": _first(now)},
    }


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    if old is None or new is None:
        return old is new
    return rule_meaning(old) == rule_meaning(new)


def _summary(rule: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    tested = {key: rule["tested"][key] for key in ("qualified", "conversions", "rate", "leads_per_week", "note")}
    return {**{key: rule[key] for key in ("text", "parts", "conditions", "join", "k")}, "tested": tested}


def _first(growth: Mapping[str, Any]) -> list[str]:
    return [behaviour["behaviour"] for behaviour in growth["behaviours"][:MOST_BEHAVIOURS]]


@dataclass(frozen=True)
class Line:
    """A rate then and now, and whether the two can be told apart."""

    words: str
    before: GrowthNode | None
    now: GrowthNode | None
    same: bool
    verdict: str


@dataclass(frozen=True)
class ChangesSection:
    """The rules then and now, rates, and behaviours that are new among the first or no longer there; empty in a first report.

    Attributes
    ----------
    heading
        The most important change.
    """

    heading: str = ""
    lines: tuple[Line, ...] = ()
    risen: str = ""
    gone: str = ""


def changes_section(view: View) -> ChangesSection:
    """Prepare the section."""
    if not view.data["changes"]:
        return ChangesSection()
    node = view.growth["changes"]
    lines = []
    for words, name in (("the rule", "rule"), ("today’s rule", "today")):
        before, now = (node[name][when] if node[name][when].known else None for when in ("before", "now"))
        if before is not None or now is not None:
            same = node[name]["same"].raw
            lines.append(Line(words, before, now, same, _compared(view, same, before, now)))
    old, new = (node["behaviours"][when].raw for when in ("before", "now"))
    risen, gone = ([name for name in names if name not in others] for names, others in ((new, old), (old, new)))
    same = node["rule"]["same"].raw
    heading = (
        "The rule is the same as in the last report" if same else "The rule is another one than in the last report"
    )
    if node["rule"]["now"].raw is None:
        heading = "There is no rule now" if not same else "There is still no rule"
    return ChangesSection(heading, tuple(lines), numbers.join_words(risen), numbers.join_words(gone))


def _compared(view: View, same: bool, before: GrowthNode | None, now: GrowthNode | None) -> str:
    if before is None:
        return "new"
    if now is None:
        return "gone"
    if not same:
        return "another rule"
    if not (view.is_judged(before["tested"]) and view.is_judged(now["tested"])):
        return "too few to judge"
    old, new = before["tested"]["rate"].raw, now["tested"]["rate"].raw
    if numbers.overlap(old, new):
        return "cannot be told apart"
    return "higher now" if new["value"] > old["value"] else "lower now"
