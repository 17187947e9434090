"""Sections 1 and 2: what to do, and the new rule against today's."""

from __future__ import annotations

from pql_model.criteria.definition_metrics import TOO_FEW
from pql_model.report import numbers
from pql_model.report.charts import dots, icons
from pql_model.report.markup import bare, esc, figure, paragraph, section, table, tag
from pql_model.report.svg import twice
from pql_model.report.view import View, capital, rule_text

_BADGES = {"use": "Use", "use_with_care": "Use with care", "do_not_use": "Do not use yet"}
_SHAPES = {"use": "●", "use_with_care": "◐", "do_not_use": "○"}


def verdict(view: View) -> str:
    """The first screen: badge, rule, four numbers, and what would change the verdict."""
    badge = view.growth["badge"]
    shape = tag("span", _SHAPES[badge["name"]], aria_hidden="true")
    pill = tag("p", f"{shape} {_BADGES[badge['name']]}", class_=f"badge {badge['name']}")
    why = paragraph(esc(badge["sentence"]), _red(view), class_="why")
    change = paragraph(tag("strong", "What would change this:"), esc(badge["would_change"]), class_="why")
    if view.best is None:
        heading = "No rule can be recommended yet"
        return section("verdict", heading, _without_a_rule(view), why, change, above=pill)
    best = view.facts.get(view.best)
    heading = capital(rule_text(best)) if best["recommended"] else f"The best candidate so far: {rule_text(best)}"
    body = tag("div", tag("div", _sentence(view) + _numbers(view) + why + change) + _icons(view), class_="first")
    return section("verdict", heading, body, above=pill)


def _red(view: View) -> str:
    red = sum(line["level"] == "red" for line in view.growth["health"])
    if not red:
        return ""
    return f'<strong>{numbers.plural(red, "red line")} in the <a href="#health">data health</a> speaks against it.</strong>'


def _without_a_rule(view: View) -> str:
    later = view.growth["periods"]["later"]
    return paragraph(
        f"Of {view.per:,} {view.many} in general, {view.everyone()} convert within {view.growth['horizon_days']} days "
        f"{view.facts.likely('base.later')}; the later weeks hold {numbers.plural(later['conversions'], 'conversion')}.",
        class_="lead",
    )


def _sentence(view: View) -> str:
    key = f"{view.best}.tested"
    if not view.judged(key):
        tested = view.facts.get(key)
        behind = f"{view.facts.say(f'{key}.conversions', 'count')} of {view.facts.say(f'{key}.qualified', 'count')}"
        met = f"{behind} {view.many} that meet this rule converted" if tested["qualified"] else "Nobody meets this rule"
        return paragraph(
            f"{met}: {TOO_FEW}. Of {view.per:,} {view.many} in general, {view.everyone()} convert.", class_="lead"
        )
    return paragraph(
        f"Of {view.per:,} {view.many} that meet this rule {esc(view.growth['rows_words'])}, {view.roughly(f'{key}.rate')} convert within "
        f"{view.growth['horizon_days']} days {view.facts.likely(f'{key}.rate')}, "
        f"{view.facts.say(f'{key}.rate.value', 'left')} do not. "
        f"Of {view.per:,} {view.many} in general, {view.everyone()} do.",
        class_="lead",
    )


def _numbers(view: View) -> str:
    key, facts = f"{view.best}.tested", view.facts
    judged = view.judged(key)
    today = view.rule_in_force and view.judged("in_force.tested")
    recall = judged and facts.get(f"{key}.recall.value") is not None
    leads = facts.get(f"{key}.leads_per_week.value") is not None
    shown = [
        _number(
            f"of {view.per:,} convert",
            facts.say(f"{key}.rate.value", "of") if judged else "–",
            f"range {facts.say(f'{key}.rate', 'span')}" if judged else TOO_FEW,
        ),
        _number(
            "with today’s rule",
            facts.say("in_force.tested.rate.value", "of") if today else "–",
            f"range {facts.say('in_force.tested.rate', 'span')}"
            if today
            else TOO_FEW
            if view.rule_in_force
            else "no rule in force",
        ),
        _number(
            "caught of 100 conversions",
            facts.say(f"{key}.recall.value", "of_100") if recall else "–",
            f"range {facts.say(f'{key}.recall', 'span_of_100')}" if recall else TOO_FEW,
        ),
        _number(
            "leads a week",
            facts.say(f"{key}.leads_per_week.value", "number") if leads else "–",
            f"{facts.say(f'{key}.leads_per_week', 'number_span')} observed" if leads else "no whole week",
        ),
    ]
    return tag("dl", "".join(shown), class_="numbers")


def _number(what: str, value: str, note: str) -> str:
    return tag("div", tag("dt", what) + tag("dd", value) + tag("dd", note, class_="note"))


def _icons(view: View) -> str:
    key = f"{view.best}.tested"
    if not view.judged(key):
        return ""
    rate = view.facts.get(f"{key}.rate.value")
    says = f"{capital(numbers.about(rate, view.per))} convert"
    return tag(
        "figure",
        icons(rate, view.per, says) + tag("figcaption", f"{says}, {numbers.left_over(rate, view.per)} do not"),
        class_="icons",
    )


# ---------------------------------------------------------------- section 2


_CELLS = (
    ("both", "Both rules"),
    ("only_new", "Only the new rule"),
    ("only_today", "Only today’s rule"),
    ("neither", "Neither"),
)


def against_today(view: View) -> str:
    """The four cells of the new rule and today's."""
    if not view.rule_in_force:
        return section(
            "today",
            "There is no rule in force to compare with",
            paragraph(
                f"The config names no <code>definition:</code>, so nothing is compared. Of {view.per:,} {view.many} in "
                f"general, {view.everyone()} convert."
            ),
        )
    force = view.growth["in_force"]
    own = paragraph(
        f"Today’s rule: {rule_text(force)}. Verdict: <strong>{esc(force['verdict'])}</strong>. {esc(force['sentence'])}"
    )
    if view.best is None or not force.get("against"):
        heading = f"Today’s rule: {esc(force['verdict'])}"
        return section("today", heading, own, paragraph(f"On the later weeks: {_own_rate(view)}."))
    return section("today", _finding(view), _who(view), _cells(view), own)


def _own_rate(view: View) -> str:
    if not view.judged("in_force.tested"):
        return view.rate_of("in_force.tested")
    key = "in_force.tested.rate"
    return f"{view.facts.about(key)} who meet it convert {view.facts.likely(key)}, {view.everyone()} of all"


def _readable(view: View, name: str) -> bool:
    cell = view.growth["in_force"]["against"][name]
    return view.says(f"in_force.against.{name}.rate", cell["entities"], cell["conversions"])


def _finding(view: View) -> str:
    if not (_readable(view, "only_new") and _readable(view, "only_today")):
        return f"The new rule against today’s: {TOO_FEW}"
    cells = view.growth["in_force"]["against"]
    new, today = cells["only_new"]["rate"], cells["only_today"]["rate"]
    if numbers.overlap(new, today):
        return f"What only one of the two rules finds: {numbers.CANNOT_TELL}"
    better = (
        "The new rule finds better leads than today’s"
        if new["value"] > today["value"]
        else "Today’s rule finds better leads than the new one"
    )
    return f"{better}: {_of(view, 'only_new' if new['value'] > today['value'] else 'only_today')} against {_of(view, 'only_today' if new['value'] > today['value'] else 'only_new')} of {view.per:,}"


def _of(view: View, name: str) -> str:
    return view.facts.say(f"in_force.against.{name}.rate.value", "of")


def _who(view: View) -> str:
    parts = []
    for name, whom in (("only_new", "only the new rule"), ("only_today", "only today’s rule")):
        key = f"in_force.against.{name}"
        count = view.facts.say(f"{key}.entities", "count")
        if _readable(view, name):
            parts.append(
                f"The {count} {view.many} that {whom} finds convert at {_of(view, name)} of {view.per:,} {view.facts.likely(f'{key}.rate')}"
            )
        else:
            parts.append(f"{count} {view.many} are found by {whom}: {TOO_FEW}")
    return paragraph(f"{parts[0]}; {parts[1][0].lower()}{parts[1][1:]}.")


def _cells(view: View) -> str:
    cells = view.growth["in_force"]["against"]
    kinds = {"only_new": "rule", "only_today": "today", "both": "rule", "neither": "all"}
    rows = [
        (
            f"{bare(label)}: {cells[name]['entities']:,} {view.many}",
            [view.mark(cells[name]["rate"], cells[name]["entities"], cells[name]["conversions"], kinds[name])],
        )
        for name, label in _CELLS
    ]
    title = "How many convert among those that both rules, one of them or neither finds"
    data = table(
        "New rule and today’s rule on the same later weeks",
        ["found by", view.many, "convert", "95 % range"],
        [
            [
                label,
                view.facts.say(f"in_force.against.{name}.entities", "count"),
                view.cell_rate(f"in_force.against.{name}"),
                view.cell_range(f"in_force.against.{name}"),
            ]
            for name, label in _CELLS
        ],
        name="against",
    )
    return figure(
        twice(lambda width: dots(rows, view.per, title, width)),
        "Dot: the rate. Dark band: the likelier half. Light band: the whole likely range.",
        data,
    )
