"""Sections 4 and 6: the rules that were tested, and how many leads at which rate."""

from __future__ import annotations

import math
from typing import Any

from pql_model.criteria.definition_metrics import TOO_FEW
from pql_model.criteria.export import condition_yaml
from pql_model.report import numbers
from pql_model.report.behaviours import KINDS
from pql_model.report.charts import Point, curve, dotplot, futures
from pql_model.report.markup import TableCell, details, esc, figure, marked, paragraph, section, table, tag
from pql_model.report.svg import twice
from pql_model.report.view import View, capital, rule_text

MOST = 8
_SIGNIFICANT = 0.05
_GOOD = ("better", "above")


def shown(view: View) -> list[str]:
    """Where the rows of the table stand: definitions, then single criteria, then the rule in force."""
    growth = view.growth
    best = [view.best] if view.best else []
    rules = [f"{kind}.{at}" for kind in ("definitions", "criteria") for at in range(len(growth[kind]))]
    said = [_parts(growth["in_force"])] if view.rule_in_force else []
    said += [_parts(view.facts.get(key)) for key in best]
    found = list(best)
    for key in rules:
        if _parts(view.facts.get(key)) not in said:  # a definition of one criterion is that criterion
            said.append(_parts(view.facts.get(key)))
            found.append(key)
    return found[: MOST - view.rule_in_force] + (["in_force"] if view.rule_in_force else [])


def _parts(rule: dict[str, Any]) -> tuple[list[str], int]:
    """What two rules share if they say the same."""
    lines = sorted(condition_yaml(condition) for condition in rule["conditions"])
    join = rule.get("join", "all")
    return lines, len(lines) if join == "all" else rule["k"] if join == "at_least_k" else 1


def candidates(view: View) -> str:
    """The table of rules, scored on the later weeks only."""
    keys = shown(view)
    new = [key for key in keys if key != "in_force"]
    if not new:
        parts = [rules_table(view, keys)] if keys else []
        none = paragraph(_tried(view), "None of them held beyond what chance alone gives.")
        return section("rules", "No rule was found that holds", none, *parts, _not_confirmed(view))
    stands = [standing(view, key) for key in new]
    whom = "today’s" if any(one.endswith("today’s") for one in stands) else "everyone’s"
    good = sum(one.startswith(_GOOD) for one in stands)
    heading = f"On the later weeks {good or 'none'} of {numbers.plural(len(new), 'rule')} {'has' if good == 1 else 'have'} a better rate than {whom}"
    table_, notes = rules_table(view, keys), _notes(view, new)
    return section("rules", heading, paragraph(_chosen(view), _tried(view)), table_, notes, _not_confirmed(view))


def _chosen(view: View) -> str:
    facts = view.facts
    earlier, later = (
        f"{facts.say(f'periods.{name}.from', 'day')} to {facts.say(f'periods.{name}.to', 'day')}"
        for name in ("earlier", "later")
    )
    return f"Every row was picked on {earlier} and is scored here on {later}, which had no part in the choice."


def _tried(view: View) -> str:
    return (
        f"{view.facts.say('tried.definitions', 'count')} combinations were tried on the earlier weeks; "
        f"{view.facts.say('tried.tested', 'count')} rules were tested on the later ones."
    )


def standing(view: View, key: str) -> str:
    """What the later weeks say of a rule, in a few numbers."""
    rule = view.facts.get(key)
    if not view.judged(f"{key}.tested"):
        return str(rule["tested"]["note"] or TOO_FEW)
    rate, base = rule["tested"]["rate"], view.growth["base"]["later"]
    if rule.get("adjusted_p", 0) > _SIGNIFICANT:
        return "could be chance"
    if key != "in_force" and view.rule_in_force and view.judged("in_force.tested"):
        today = view.growth["in_force"]["tested"]["rate"]
        if numbers.overlap(rate, today):
            return "cannot tell from today’s"
        return "better rate than today’s" if rate["value"] > today["value"] else "lower rate than today’s"
    if numbers.overlap(rate, base):
        return "cannot tell from everyone"
    return "above everyone" if rate["value"] > base["value"] else "below everyone"


def rules_table(view: View, keys: list[str], name: str = "rules") -> str:
    """One row a rule; sortable where scripts run."""
    headings = ["rule", "convert", "95 % range", "lift", "caught of all conversions", "leads a week", "verdict"]
    caption = "Rules on the later weeks" if name == "rules" else "The rules of the table above"
    return table(caption, headings, [_row(view, key) for key in keys], sortable=name == "rules", name=name)


def _row(view: View, key: str) -> list[TableCell]:
    rule, facts, tested = view.facts.get(key), view.facts, f"{key}.tested"
    found, judged = rule["tested"], view.judged(f"{key}.tested")
    label = capital(rule_text(rule)) + (tag("small", "today’s rule") if key == "in_force" else _kind(rule))

    def cell(what: str, shows: str, small: str) -> TableCell:
        value = found[what]["value"]
        if not judged or value is None:
            return TableCell("–")
        return TableCell(
            facts.say(f"{tested}.{what}.value", shows) + tag("small", facts.say(f"{tested}.{what}", small)), value
        )

    leads = found["leads_per_week"]["value"]
    weekly = facts.say(f"{tested}.leads_per_week.value", "number") + tag(
        "small", facts.say(f"{tested}.leads_per_week", "number_span")
    )
    verdict = standing(view, key)
    return [
        TableCell(label),
        TableCell(view.rate_of(tested), found["rate"]["value"] if judged else None),
        TableCell(
            facts.say(f"{tested}.rate", "percent_span") if judged else "–", found["rate"]["low"] if judged else None
        ),
        cell("lift", "number", "number_span"),
        cell("recall", "percent", "percent_span"),
        TableCell(weekly, leads) if leads is not None else TableCell("–"),
        TableCell(tag("span", esc(verdict), class_="good" if verdict.startswith(_GOOD) else None)),
    ]


def _kind(rule: dict[str, Any]) -> str:
    return tag("small", esc(str(KINDS.get(rule["kind"], rule["kind"])).split(":")[0])) if "kind" in rule else ""


def _notes(view: View, keys: list[str]) -> str:
    rows = []
    for key in keys:
        rule, facts = view.facts.get(key), view.facts
        rows.append(
            [
                capital(rule_text(rule)),
                view.rate_of(f"{key}.earlier"),
                view.rate_of(f"{key}.tested"),
                facts.say(f"{key}.adjusted_p", "p"),
                _threshold(view, key, rule),
            ]
        )
    intent = (
        "Intent (they look at prices or the checkout) tells who is about to decide. Value (they invite, share, build) tells who "
        "gets use out of the product. Leads of the first kind come late, leads of the second can be helped along."
    )
    heads = ["rule", "chosen on", "checked on", "p, corrected", "threshold"]
    return details(
        "How sure each threshold is, and what it was chosen on",
        table("Earlier and later weeks, and thresholds", heads, rows, name="notes"),
        paragraph(intent),
    )


def _not_confirmed(view: View) -> str:
    """What looked well on the earlier weeks only."""
    found = view.growth.get("not_confirmed", [])
    if not found:
        return ""
    rows = [
        [
            capital(rule_text(rule)),
            view.rate_of(f"not_confirmed.{at}.earlier"),
            view.rate_of(f"not_confirmed.{at}.tested"),
            view.facts.say(f"not_confirmed.{at}.adjusted_p", "p"),
        ]
        for at, rule in enumerate(found)
    ]
    heads = ["rule", "chosen on", "checked on", "p, corrected"]
    return details(
        f"Found on the earlier weeks, not confirmed on the later ones: {numbers.plural(len(found), 'rule')}",
        table("Rules that were not confirmed", heads, rows, name="not-confirmed"),
    )


def _threshold(view: View, key: str, rule: dict[str, Any]) -> str:
    if rule.get("threshold_interval") is None:
        return "–"
    low, high = (view.facts.say(f"{key}.threshold_interval.{at}", "number") for at in (0, 1))
    also = "; ".join(
        f"{marked(other['text'])} ({esc(numbers.percent(other['share']))})" for other in rule.get("also", [])
    )
    says = f"{low} to {high}, the same in {view.facts.say(f'{key}.threshold_agreement', 'percent')} of resamples"
    return says + (tag("div", f"Or, hardly told apart: {also}", class_="also") if also else "")


# ---------------------------------------------------------------- section 6


def volume(view: View) -> str:
    """How many leads a week, at which rate."""
    line = view.growth["volume"]
    if not line:
        return section(
            "volume",
            "Leads a week against their rate",
            paragraph("There is no model to rank by, so there is no curve."),
        )
    at = _nearest(view, line)
    rate = view.facts.say(f"volume.{at}.rate.value", "of")
    leads = view.facts.say(f"volume.{at}.leads_per_week", "number")
    heading = f"If the team can work {leads} leads a week, the best rate to expect is {rate} of {view.per:,}"
    says = paragraph(
        f"That is the model’s own best list {view.facts.likely(f'volume.{at}.rate')}; a written rule can at most come near it."
    )
    return section("volume", heading, says, _frontier(view, line), _next_leads(view))


def _nearest(view: View, line: list[dict[str, Any]]) -> int:
    wanted = view.facts.get(f"{view.best}.tested.leads_per_week.value") if view.best else None
    if wanted is None:
        return len(line) // 2
    return min(
        range(len(line)), key=lambda at: abs(math.log(line[at]["leads_per_week"] or 1e-9) - math.log(wanted or 1e-9))
    )


def _points(view: View) -> list[tuple[str, str, str]]:
    """Where a rule stands, its kind and its label."""
    named = [
        (key, "rule", chr(ord("A") + at))
        for at, key in enumerate(k for k in shown(view) if k.startswith("definitions"))
    ]
    named += [("in_force", "today", "today")] if view.rule_in_force else []
    return [
        (key, kind, label)
        for key, kind, label in named
        if view.judged(f"{key}.tested") and view.facts.get(f"{key}.tested.leads_per_week.value") is not None
    ]


def _frontier(view: View, line: list[dict[str, Any]]) -> str:
    named = _points(view)
    points = [
        Point(rule["leads_per_week"]["value"], rule["rate"], kind, label)
        for key, kind, label in named
        for rule in [view.facts.get(f"{key}.tested")]
    ]
    most = max([2 * point.x for point in points], default=math.inf)  # nothing to compare lies beyond
    along = [(float(step["leads_per_week"]), step["rate"]) for step in line]
    along = [step for step in along if step[0] <= most] or along
    title = "The more leads a week, the lower their rate"
    rows = [
        [
            f"the model’s best {view.facts.say(f'volume.{at}.share', 'percent')}",
            view.facts.say(f"volume.{at}.leads_per_week", "number"),
            view.facts.say(f"volume.{at}.rate.value", "percent"),
            view.facts.say(f"volume.{at}.rate", "percent_span"),
        ]
        for at in range(len(line))
    ]
    rows += [
        [
            f"{label}: {rule_text(view.facts.get(key))}",
            view.facts.say(f"{key}.tested.leads_per_week.value", "number"),
            view.facts.say(f"{key}.tested.rate.value", "percent"),
            view.facts.say(f"{key}.tested.rate", "percent_span"),
        ]
        for key, _, label in named
    ]
    data = table("Leads a week and their rate", ["list", "leads a week", "convert", "95 % range"], rows, name="volume")
    letters = "; ".join(f"{label}: {rule_text(view.facts.get(key))}" for key, kind, label in named if kind == "rule")
    caption = f"Line: the model’s best list of each size. {letters}"
    return figure(twice(lambda width: curve(along, points, view.per, title, "leads a week", width)), caption, data)


def _next_leads(view: View) -> str:
    key = f"{view.best}.tested"
    if view.best is None or not view.judged(key):
        return ""
    found = view.facts.get(key)
    values = futures(found["conversions"], found["qualified"])
    low, high = values[1], values[-2]
    title = f"Of the next 100 leads, {low} to {high} convert in about 19 of 20 futures"
    rows = [[str(value), f"{values.count(value) * 2} of 100"] for value in sorted(set(values))]
    data = table("Fifty equally likely futures", ["of the next 100 leads convert", "chance"], rows, name="futures")
    caption = f"{title}, if next months resemble these. Each of the 50 dots is equally likely."
    drawn = twice(lambda width: dotplot(values, title, "of the next 100 leads convert", width))
    return tag("h3", "What the next 100 leads may bring") + figure(drawn, caption, data)
