"""Sections 9 to 12: does the score keep its word, are the data sound, what is not known, how it was made."""

from __future__ import annotations

from typing import Any

from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, LEAST_QUALIFIED
from pql_model.report import numbers
from pql_model.report.charts import calibration
from pql_model.report.markup import TableCell, details, esc, figure, marked, paragraph, section, table, tag
from pql_model.report.svg import twice
from pql_model.report.view import View


def keeps_its_word(view: View) -> str:
    """What the model predicted against what was seen."""
    groups = view.growth["calibration"]
    payload = [(at, group) for at, group in enumerate(groups) if group["observed"]["value"] is not None]
    if not payload:
        return section("score", "The score cannot be checked yet", paragraph("No group of later rows is large enough."))
    kept = sum(group["observed"]["low"] <= group["predicted"] <= group["observed"]["high"] for _, group in payload)
    heading = f"The score keeps its word in {kept} of {len(payload)} groups"
    at = max(payload, key=lambda pair: pair[1]["predicted"])[0]
    key = f"calibration.{at}"
    says = paragraph(
        f"Of {view.many} that the model gives about {view.facts.say(f'{key}.predicted', 'of')} in {view.per:,}, "
        f"{view.facts.say(f'{key}.observed.value', 'of')} of {view.per:,} converted {view.facts.likely(f'{key}.observed')}."
    )
    return section("score", heading, says, _calibration(view, payload), _months(view))


def _calibration(view: View, payload: list[tuple[int, dict[str, Any]]]) -> str:
    points = [(float(group["predicted"]), group["observed"]) for _, group in payload]
    title = "Converted against predicted, by group"
    rows = [
        [
            view.facts.say(f"calibration.{at}.predicted", "percent"),
            view.facts.say(f"calibration.{at}.rows", "count"),
            view.facts.say(f"calibration.{at}.conversions", "count"),
            view.facts.say(f"calibration.{at}.observed.value", "percent"),
            view.facts.say(f"calibration.{at}.observed", "percent_span"),
        ]
        for at, _ in payload
    ]
    data = table(
        "Groups of equal size, by predicted probability",
        ["predicted", "rows", "conversions", "converted", "95 % range"],
        rows,
        name="calibration",
    )
    caption = "On the dashed line the score says what happens. Above it more convert than it says, below it fewer."
    return figure(twice(lambda width: calibration(points, view.per, title, width)), caption, data)


def _months(view: View) -> str:
    if not view.growth["months"]:
        return ""
    rows = [
        [
            esc(month["month"]),
            view.facts.say(f"months.{at}.rows", "count"),
            view.facts.say(f"months.{at}.expected", "number"),
            view.facts.say(f"months.{at}.observed", "count"),
        ]
        for at, month in enumerate(view.growth["months"])
    ]
    return details(
        "Month by month",
        table("Conversions expected and seen", ["month", "rows", "expected", "seen"], rows, name="months"),
    )


_LEVELS = {"red": "▲ red", "amber": "◆ amber", "ok": "● fine"}


def health(view: View) -> str:
    """What was seen in the data, what it does to the verdict, what to do."""
    lines = view.growth["health"]
    red, amber = (sum(line["level"] == level for line in lines) for level in ("red", "amber"))
    heading = "Nothing in the data speaks against the verdict"
    if amber:
        heading = f"{numbers.plural(amber, 'thing')} in the data to know about"
    if red:
        heading = f"{numbers.plural(red, 'thing')} in the data {'speaks' if red == 1 else 'speak'} against the verdict"
    rows = [
        [
            tag(
                "span",
                _LEVELS.get(line["level"], esc(line["level"])),
                class_=line["level"] if line["level"] in _LEVELS else None,
            ),
            *(marked(line[what]) for what in ("saw", "does", "todo")),
        ]
        for line in lines
    ]
    inner = table(
        "Data health", ["level", "what we saw", "what it does to the verdict", "what to do"], rows, name="health"
    )
    return section("health", heading, inner if rows else paragraph("No check of the data was made."), _set_aside(view))


def _set_aside(view: View) -> str:
    reasons = view.growth["facts"].get("set_aside", {})
    if not reasons:
        return ""
    rows: list[list[str | TableCell]] = [[esc(reason), f"{count:,}"] for reason, count in reasons.items()]
    return details("Rows that could not be used", table("Rows set aside, by reason", ["reason", "rows"], rows))


def limits(view: View) -> str:
    """What the page cannot tell, and the experiment that would."""
    return section(
        "limits",
        "What this cannot tell you",
        tag(
            "ul",
            "".join(
                tag("li", text)
                for text in (
                    tag("span", numbers.NOT_CAUSES, data_says="no-cause"),
                    "It speaks of the product and the prices of these weeks. After a change of either, make it anew.",
                    "If sales already called some of these accounts, part of their conversions may be the calls’ doing.",
                    "A rule looks best on the weeks it was chosen on. Trust the later weeks, here and in the explorer.",
                )
            ),
        ),
        paragraph(
            tag("strong", "The test that would settle it:"),
            f"take the {view.many} that meet the rule and, by lot, leave one in ten of them alone for {view.growth['horizon_days']} "
            "days. What the others convert more is what the contact is worth.",
        ),
    )


# ---------------------------------------------------------------- section 12


_FORMULAS = (
    "Ranges of rates: Wilson’s score interval (1927).",
    "Ranges of lifts: delta method on the logarithm of the ratio of a part and the whole it belongs to (Agresti 2013, 16.1).",
    "What the next 100 leads may bring: beta-binomial with Jeffreys’ prior, as a quantile dotplot (Fernandes et al. 2018).",
    "Part in the model: share of the sum of absolute SHAP values on held-out rows.",
)
_GLOSSARY = (
    (
        "likely range",
        "computed so that such ranges contain the real rate about 95 times in 100, if next months resemble these",
    ),
    ("convert", "pays for the first time within the horizon"),
    ("lift", "the rate of those who meet a rule divided by the rate of everyone; never shown without both"),
    ("caught", "of all conversions, those who met the rule beforehand"),
    ("leads a week", "mean of the whole weeks, with the lowest and the highest of them"),
    (
        "too few to judge",
        f"fewer than {LEAST_QUALIFIED} meet it, or fewer than {LEAST_CONVERSIONS} conversions both seen and to be expected",
    ),
    (
        "earlier and later weeks",
        "rules are chosen on the earlier weeks; every rate on this page is of the later ones unless it says otherwise",
    ),
)


def method(view: View) -> str:
    """The model card: what, when, how, with which versions."""
    growth, facts = view.growth, view.facts
    model, kept = growth["model"], growth["facts"]
    version = f", version {esc(model['version'])}" if model["version"] else ""
    rows: list[list[str | TableCell]] = [
        [
            "what is predicted",
            f"an {view.one} pays within {facts.say('horizon_days', 'count')} days".replace("an user", "a user"),
        ],
        ["rows", f"{esc(growth['rows_words'])} ({esc(growth['motion'])})"],
        ["earlier weeks", _period(view, "earlier")],
        ["later weeks", _period(view, "later")],
        ["model", f"{esc(model['name'])}{version}, trained {facts.say('model.trained_at', 'day')}"],
        ["its verdict", f"{esc(model['verdict'])}: {esc(model['verdict_sentence'])}"],
        [
            "ROC-AUC on later rows",
            f"{facts.say('model.roc_auc.value', 'two')} ({facts.say('model.roc_auc', 'two_span')})",
        ],
        ["features", esc(f"{kept.get('features', 0):,}")],
        ["columns kept out as leaks", _leaks(kept.get("leakage", []))],
        ["config", f"<code>{esc(growth['config_digest'])}</code>, seed {esc(kept.get('seed', 'none'))}"],
        ["made", esc(growth["made_at"])],
    ]
    if kept.get("versions"):
        rows.append(["versions", esc(", ".join(f"{name} {version}" for name, version in kept["versions"].items()))])
    correction = f"Several rules: {growth['tried']['correction'].rstrip('.')}."
    lists = (
        tag("h3", "Formulas")
        + _list([*_FORMULAS, correction, *kept.get("formulas", [])])
        + tag("h3", "What the badge asks for")
        + _list(growth["badge"]["thresholds"])
    )
    glossary = tag("h3", "Words") + tag(
        "dl", "".join(tag("dt", word) + tag("dd", says) for word, says in _GLOSSARY), class_="glossary"
    )
    return section(
        "method", "How it was made", table("Model card", ["what", "value"], rows), lists, glossary, _privacy(view)
    )


def _period(view: View, name: str) -> str:
    key, say = f"periods.{name}", view.facts.say
    return (
        f"{say(f'{key}.from', 'day')} to {say(f'{key}.to', 'day')}: {say(f'{key}.rows', 'count')} rows of "
        f"{say(f'{key}.entities', 'count')} {view.many}, {say(f'{key}.conversions', 'count')} conversions"
    )


def _leaks(found: list[dict[str, Any]]) -> str:
    out = [leak for leak in found if leak.get("action", "quarantined") == "quarantined"]
    return "; ".join(esc(f"{leak['column']} ({leak['reason']})") for leak in out) or "none"


def _list(texts: list[str]) -> str:
    return tag("ul", "".join(tag("li", marked(text)) for text in texts)) if texts else paragraph("None given.")


_PRIVACY = {
    "counts": "This page holds counts, not rows: how many meet each combination of criteria. Counts below 10 are withheld in the "
    "explorer. That is a courtesy, not a formal guarantee: the difference of two larger counts can still be small.",
    "rows": "This page holds one anonymous row of criteria per row of data. It names nobody, but a pattern that only one account "
    "has can be recognised by who knows that account: do not forward it.",
    "off": "This page holds only the counts you can read.",
}


def _privacy(view: View) -> str:
    mode = view.explorer["mode"] if view.explorer else "off"
    return tag("h3", "What is in this file") + paragraph(_PRIVACY[mode])
