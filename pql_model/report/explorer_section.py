"""Section 5: the controls of the definition explorer. The script only fills in what stands here."""

from __future__ import annotations

import re
from typing import Any

from pql_model.criteria.export import condition_yaml
from pql_model.report import numbers
from pql_model.report.candidates import rules_table, shown
from pql_model.report.markup import data_block, esc, marked, paragraph, section, tag
from pql_model.report.view import View

_JOINS = (("all", "all of them"), ("any", "any of them"), ("at_least_k", "at least"))
_HALVES = (("later", "Checked on the later weeks"), ("earlier", "Chosen on the earlier weeks"))
_FIGURES = (("rate", "convert"), ("lift", "lift"), ("recall", "caught"), ("leads", "leads a week"))
_COPIES = (("sentence", "As a sentence"), ("yaml", "As a definition for pql.yaml"), ("sql", "As an outline in SQL"))


def explorer(view: View) -> str:
    """The explorer, folded away until the script has shown that it runs."""
    data = view.explorer
    heading = "Try your own rule"
    if not data or data["mode"] == "off":
        return section(
            "explorer",
            heading,
            paragraph(
                "The explorer was left out of this file. <code>pql criteria test FILE</code> answers for any rule you write."
            ),
        )
    keys = shown(view)
    still = paragraph(
        "To try rules of your own here, open this file in a browser that runs scripts: save it first if you see it as a preview."
    ) + (rules_table(view, keys, "still") if keys else "")
    how = paragraph(
        "Tick what a lead must meet. The large number is of the later weeks, which had no part in choosing the rules above."
    )
    live = tag("div", how + _controls(data) + _result(), id="x", hidden=True)
    return section("explorer", heading, tag("div", still, id="x-still"), live) + data_block(
        "x-data", for_the_script(view)
    )


def _controls(data: dict[str, Any]) -> str:
    radios = [
        tag("label", f'<input type="radio" name="join" value="{name}"{" checked" if name == "all" else ""}>{label}')
        for name, label in _JOINS
    ]
    number = '<input type="number" id="x-k" min="1" value="1" aria-label="how many of them at least"> of them'
    radios[-1] += tag("span", number)
    join = tag("fieldset", tag("legend", "A lead meets") + "".join(radios), class_="join")
    starts = "".join(
        tag("button", label, type="button", data_start=name)
        for name, label in (("best", "Recommended rule"), ("today", "Today’s rule"), ("clear", "Clear"))
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    for criterion in data["criteria"]:
        groups.setdefault(criterion["group"], []).append(criterion)
    boxes = "".join(
        tag("fieldset", tag("legend", esc(name)) + "".join(map(_box, sorted(group, key=_natural))))
        for name, group in groups.items()
    )
    limit = (
        paragraph(f"This file answers for rules of at most {data['most']} criteria.", class_="limit")
        if data["most"]
        else ""
    )
    return tag(
        "div",
        tag("div", starts, class_="buttons") + join + tag("div", boxes, class_="groups") + limit,
        class_="controls",
    )


def _natural(criterion: dict[str, Any]) -> list[tuple[int, str]]:
    """So that `10 or more` comes after `5 or more`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", criterion["short"])]


def _box(criterion: dict[str, Any]) -> str:
    box = f'<input type="checkbox" name="criterion" value="{esc(criterion["id"])}">'
    return tag("label", box + marked(criterion["short"]))


def _result() -> str:
    halves = "".join(tag("div", tag("h3", label) + _figures(name), class_=name) for name, label in _HALVES)
    tables = "".join(tag("div", "", id=f"x-{name}") for name in ("cells", "without", "strip"))
    copies = "".join(
        tag("label", label, for_=f"x-{name}")
        + f'<textarea id="x-{name}" readonly rows="4"></textarea>'
        + tag("button", "Copy", type="button", data_copy=name, aria_label=f"Copy: {label.lower()}")
        for name, label in _COPIES
    )
    download = tag("div", tag("button", "Download these numbers as CSV", type="button", id="x-csv"), class_="buttons")
    copied = tag("p", "", id="x-copied", role="status")
    return tag(
        "div",
        tag("p", "", id="x-rule", class_="rule")
        + tag("p", "", id="x-live", role="status", aria_live="polite")
        + tag("p", "", id="x-honest", class_="honest", hidden=True)
        + tag("div", halves, class_="halves")
        + tag("p", "", id="x-near")
        + tables
        + tag("details", tag("summary", "Copy this rule") + copies + copied, class_="copy")
        + download,
        class_="result",
    )


def _figures(period: str) -> str:
    """Leads a week are a promise for later: of the earlier weeks they are not shown."""
    shown = [figure for figure in _FIGURES if (period, figure[0]) != ("earlier", "leads")]
    return tag("dl", "".join(tag("dt", what) + tag("dd", "", id=f"x-{period}-{key}") for key, what in shown))


# ---------------------------------------------------------------- what the script reads


def for_the_script(view: View) -> dict[str, Any]:
    """The explorer's data, and what it must know of the page."""
    data = dict(view.explorer or {})
    ids = {criterion["id"] for criterion in data["criteria"]}
    definitions = [rule for rule in view.growth["definitions"] if set(rule["criteria"]) <= ids]
    best = view.facts.get(view.best) if view.best else None
    data["starts"] = {
        "best": _start(best) if best is not None and best in definitions else None,
        "today": _today(view, data["criteria"]),
    }
    data["strips"] = [
        {**_start(rule), "weeks": _strip(view, rule["id"])} for rule in definitions if data["mode"] == "counts"
    ]
    data["weeks"] = [
        {
            "week": week["week"],
            "label": numbers.short_day(week["week"]),
            "finished": week["finished"],
            "rows": week["entities"],
            "conversions": week["conversions"],
        }
        for week in view.growth["weeks"]
    ]
    horizon, base = view.growth["horizon_days"], view.growth["base"]["later"]["value"]
    return data | {
        "per": view.per,
        "many": view.many,
        "horizon": horizon,
        "product": view.growth["product"],
        "everyone": base,
    }


def _start(rule: dict[str, Any]) -> dict[str, Any]:
    return {"criteria": rule["criteria"], "join": rule["join"], "k": rule["k"] or 1}


def _strip(view: View, name: str) -> list[list[int]]:
    none = {"qualified": 0, "conversions": 0}
    found = (week["by_definition"].get(name, none) for week in view.growth["weeks"])
    return [[week["qualified"], week["conversions"]] for week in found]


def _today(view: View, criteria: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The rule in force in the explorer's criteria, if they can say it."""
    force = view.growth["in_force"]
    if force is None or view.explorer is None:
        return None
    known = {criterion["yaml"]: criterion["id"] for criterion in reversed(criteria)}
    wanted = [condition_yaml(condition) for condition in force["conditions"]]
    if not all(line in known for line in wanted):
        return None
    return {"criteria": [known[line] for line in wanted], "join": force["join"], "k": force["k"] or 1}
