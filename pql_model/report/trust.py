"""Sections 9 to 12: calibration, data health, limits, and how the report was made."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, LEAST_QUALIFIED
from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report.charts import calibration
from pql_model.report.view import GrowthNode, View


@dataclass(frozen=True)
class ScoreSection:
    """Groups of rows by predicted probability, and the number whose interval includes the prediction."""

    groups: list[GrowthNode]
    matching: int = 0
    highest: GrowthNode | None = None
    chart: Markup | None = None


def score(view: View) -> ScoreSection:
    """Prepare section 9."""
    groups = [group for group in view.growth["calibration"] if group["observed"]["value"].known]
    if not groups:
        return ScoreSection([])
    points = [(float(group["predicted"].raw), group["observed"].raw) for group in groups]
    matching = sum(observed["low"] <= predicted <= observed["high"] for predicted, observed in points)
    highest = max(groups, key=lambda group: float(group["predicted"].raw))
    title = "Converted against predicted, by group"
    chart = both_widths(lambda width: calibration(points, view.per, title, width))
    return ScoreSection(groups, matching, highest, chart)


@dataclass(frozen=True)
class HealthSection:
    """Findings about the data; the heading names the worst."""

    heading: str
    levels: dict[str, str] = field(default_factory=lambda: {"red": "▲ red", "amber": "◆ amber", "ok": "● fine"})


def health(view: View) -> HealthSection:
    """Prepare section 10."""
    red, amber = (sum(line["level"] == level for line in view.data["health"]) for level in ("red", "amber"))
    if red:
        verb = "speaks" if red == 1 else "speak"
        return HealthSection(f"{numbers.plural(red, 'thing')} in the data {verb} against the verdict")
    if amber:
        return HealthSection(f"{numbers.plural(amber, 'thing')} in the data to know about")
    return HealthSection("Nothing in the data speaks against the verdict")


@dataclass(frozen=True)
class LimitsSection:
    """The limits of the page, and the experiment that would overcome them."""

    not_causes: str = numbers.NOT_CAUSES


def limits(_: View) -> LimitsSection:
    """Prepare section 11."""
    return LimitsSection()


_FORMULAS = (
    "Intervals of rates: Wilson’s score interval (1927).",
    "Intervals of lifts: delta method on the logarithm of the ratio of a part and the whole it belongs to (Agresti 2013, 16.1).",
    "What the next 100 leads may bring: beta-binomial with Jeffreys’ prior, as a quantile dotplot (Fernandes et al. 2018).",
    "Share of the model: share of the sum of absolute SHAP values on held-out rows.",
)
_GLOSSARY = {
    "95 % interval": "the likely range of a number, computed so that such intervals contain the real rate about 95 times in "
    "100, if the next months resemble these",
    "convert": "pay for the first time within the horizon",
    "lift": "the rate of those who meet a rule divided by the rate of everyone; never shown without both",
    "caught": "of all conversions, the share that met the rule beforehand",
    "leads a week": "mean of the whole weeks, with the lowest and the highest of them",
    "too few to judge": f"fewer than {LEAST_QUALIFIED} meet it, or fewer than {LEAST_CONVERSIONS} conversions both observed "
    "and expected",
    "earlier and later weeks": "rules are chosen on the earlier weeks; every rate on this page is of the later ones unless it "
    "says otherwise",
}
_PRIVACY = {
    "counts": "This page holds counts, not rows: how many meet each combination of criteria, and how many of these convert. In the "
    "explorer, groups of fewer than 10 are merged (1 to 4, 5 to 9). That is a courtesy, not a formal guarantee: the difference of "
    "two larger groups can still be small.",
    "rows": "This page holds one anonymous row of criteria per row of data. It names nobody, but somebody who knows an account can "
    "recognise it if no other has the same pattern: do not forward it.",
    "off": "This page holds only the counts you can read.",
}


@dataclass(frozen=True)
class MethodSection:
    """The model card: formulas, terms, excluded columns, versions, and the contents of the file."""

    leaks: str
    formulas: list[str]
    versions: str
    privacy: str
    glossary: dict[str, str] = field(default_factory=lambda: _GLOSSARY)


def method(view: View) -> MethodSection:
    """Prepare section 12."""
    facts = view.data["facts"]
    leaks = [f"{leak['column']} ({leak['reason']})" for leak in facts["leakage"] if leak["action"] == "quarantined"]
    correction = f"Several rules: {view.data['tried']['correction'].rstrip('.')}."
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return MethodSection("; ".join(leaks), [*_FORMULAS, correction], versions, _PRIVACY[view.mode])
