"""Sections 7 and 8: week by week, and whom to call."""

from __future__ import annotations

from typing import Any

from pql_model.criteria.definition_metrics import LEAST_QUALIFIED, TOO_FEW
from pql_model.report import numbers
from pql_model.report.charts import Week, weeks
from pql_model.report.markup import TableCell, figure, marked, paragraph, section, table, tag
from pql_model.report.svg import twice
from pql_model.report.view import View, capital, rule_text
from pql_model.statistics.estimate import wilson


def cohorts(view: View) -> str:
    """The rate of the rule and of everyone by sign-up week."""
    found = view.growth["weeks"]
    name = _series(view)
    if not found:
        return section("weeks", "Weeks", paragraph("There are no weeks to show."))
    drawn = [_week(view, week, name) for week in found]
    return section("weeks", _finding(drawn), paragraph(_unfinished(view), _thin()), _strip(view, drawn, name))


def _series(view: View) -> str | None:
    if view.best is not None:
        return str(view.facts.get(view.best)["id"])
    return "in_force" if view.rule_in_force else None


def _week(view: View, week: dict[str, Any], name: str | None) -> Week:
    mine = week["by_definition"].get(name, {"qualified": 0, "conversions": 0})
    n, x = mine["qualified"], mine["conversions"]
    everyone = wilson(week["conversions"], week["entities"]).to_dict() if week["entities"] >= LEAST_QUALIFIED else None
    payload = n >= LEAST_QUALIFIED
    return Week(
        numbers.short_day(week["week"]),
        week["finished"],
        wilson(x, n).to_dict() if payload else None,
        x / n if n else None,
        everyone,
    )


def _finding(drawn: list[Week]) -> str:
    payload = [week for week in drawn if week.finished and week.estimate and week.everyone]
    if not payload:
        return "Too few a week to follow the rule week by week"
    above = sum(week.estimate["value"] > week.everyone["value"] for week in payload if week.estimate and week.everyone)
    return (
        f"The rule’s rate was above everyone’s in {above} of {numbers.plural(len(payload), 'week')} that can be judged"
    )


def _unfinished(view: View) -> str:
    open_ = sum(not week["finished"] for week in view.growth["weeks"])
    if not open_:
        return "All weeks are finished."
    verb = "week is" if open_ == 1 else f"{open_} weeks are"
    return f"The last {verb} not finished: their {view.growth['horizon_days']} days are not over. They are hatched and not counted."


def _thin() -> str:
    return f"A small open dot is a week with fewer than {LEAST_QUALIFIED} leads: too few to rank."


def _strip(view: View, drawn: list[Week], name: str | None) -> str:
    rows = [_row(view, at, name) for at in range(len(drawn))]
    start = view.growth["periods"]["later"]["from"]
    later = next((at for at, week in enumerate(view.growth["weeks"]) if start and week["week"] >= start), 0)
    title = "Rate of the rule and of everyone, by week"
    who = "the rule" if view.best is not None else "today’s rule" if name else "the rule"
    data = table(
        "Weeks", ["week of", view.many, "of these convert", f"meet {who}", "of these convert"], rows, name="weeks"
    )
    caption = f"Filled circle with its range: {who}. Open square: everyone."
    if view.best is not None:
        caption += f" Rule: {rule_text(view.facts.get(view.best))}."
    return figure(twice(lambda width: weeks(drawn, later, view.per, title, width)), caption, data)


def _row(view: View, at: int, name: str | None) -> list[str | TableCell]:
    week, key, facts = view.growth["weeks"][at], f"weeks.{at}", view.facts
    when = facts.say(f"{key}.week", "day")
    if not week["finished"]:
        return [f"{when} {tag('small', 'not finished')}", facts.say(f"{key}.entities", "count"), "–", "–", "–"]
    mine = (
        [facts.say(f"{key}.by_definition.{name}.{what}", "count") for what in ("qualified", "conversions")]
        if name in week["by_definition"]
        else ["–", "–"]
    )
    return [when, facts.say(f"{key}.entities", "count"), facts.say(f"{key}.conversions", "count"), *mine]


# ---------------------------------------------------------------- section 8


_WHO = (("call", "Call first"), ("near", "One step short"), ("leave", "Leave for now"))


def whom_to_call(view: View) -> str:
    """Profiles and near misses, as counts: no account is named here."""
    named = paragraph(
        f"This page names no {view.one}. <code>pql score</code> writes the list of those who are at risk now, with reasons."
    )
    heading, near = _near(view)
    rows = [
        [
            capital(marked(one["text"])),
            label,
            view.facts.say(f"profiles.{kind}.{at}.entities", "count"),
            view.cell_rate(f"profiles.{kind}.{at}"),
            view.cell_range(f"profiles.{kind}.{at}"),
        ]
        for kind, label in _WHO
        for at, one in enumerate(view.growth["profiles"][kind])
    ]
    data = table(
        "Kinds of leads in the later weeks",
        ["who", "what to do", view.many, "convert", "95 % range"],
        rows,
        name="profiles",
    )
    return section("call", heading, near, data if rows else "", named)


def _near(view: View) -> tuple[str, str]:
    rule = view.facts.get(view.best) if view.best else None
    if rule is None or not rule.get("near_miss") or not rule["near_miss"]["entities"]:
        return "Whom to call, and whom to leave", ""
    miss, key = rule["near_miss"], f"{view.best}.near_miss"
    count = view.facts.say(f"{key}.entities", "count")
    if not view.says(f"{key}.rate", miss["entities"], miss["conversions"]):
        return "Whom to call, and whom to leave", paragraph(
            f"{count} {view.many} are one step short of the rule: {TOO_FEW}."
        )
    rate = view.facts.say(f"{key}.rate.value", "of")
    says = paragraph(
        f"{count} {view.many} of the later weeks lack exactly one criterion of the rule; {rate} of {view.per:,} of them convert {view.facts.likely(f'{key}.rate')}, "
        f"against {view.everyone()} of {view.per:,} in general. They are the ones to help with the missing step."
    )
    return f"{count} {view.many} are one step short, and convert at {rate} of {view.per:,}", says
