"""The monitor's page as one HTML file, which says in its first line whether anything must be done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pql_model.monitoring.advice import Advice
from pql_model.monitoring.charts import predicted_observed
from pql_model.monitoring.early import EarlyEstimate
from pql_model.monitoring.finding import Finding
from pql_model.monitoring.last_look import Changes
from pql_model.monitoring.ranking import Ranking
from pql_model.monitoring.realised import Realised
from pql_model.monitoring.staleness import DefinitionOverTime
from pql_model.page import numbers
from pql_model.page.document import asset, document
from pql_model.page.markup import capitalise, names
from pql_model.page.rendering import Templates, make_environment, without_layout
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY, iso

_PACKAGE = "pql_model.monitoring"


@dataclass(frozen=True)
class MonitorPage:
    """What the page says.

    Attributes
    ----------
    entities
        `accounts` or `users`.
    as_of
        Microseconds.
    horizon
        In words, such as `30 days`.
    """

    product: str
    entities: str
    as_of: int
    horizon: str
    model_version: str
    advice: Advice
    findings: tuple[Finding, ...]
    changes: Changes
    realised: Realised | None
    early: EarlyEstimate | None
    ranking: Ranking | None
    definitions: tuple[DefinitionOverTime, ...]
    notes: tuple[str, ...]

    @property
    def nothing_found(self) -> str:
        """What is known where nothing was found; outcomes are said to keep up only where they do."""
        words = "Nothing: the data arrive as before, and scores are distributed as in the test."
        results = [*([self.realised.total.ratio] if self.realised else []), *([self.early.ratio] if self.early else [])]
        known = [ratio for ratio in results if ratio.value == ratio.value]
        if not known:
            return f"{words} No outcome is known yet."
        if all(ratio.low <= 1 <= ratio.high for ratio in known):
            return f"{words} Outcomes keep up with them as far as they are known."
        return f"{words} Outcomes depart from them, by less than makes a finding: see below."


def render_monitor(page: MonitorPage) -> str:
    """Render the page. The same input gives the same bytes.

    Returns
    -------
    str
        HTML with its own style and script, and a content security policy that lets nothing else in or out. It holds no names
        of entities.
    """
    realised = page.realised
    months = bands = None
    if realised is not None:
        months = predicted_observed(realised.months, "Predicted and observed conversion rate by month of the score")
        bands = predicted_observed(realised.bands, "Predicted and observed conversion rate by band")
    body = (
        _environment()
        .get_template("body.html.j2")
        .render(page=page, realised=realised, months=months, bands=bands, day=_day(page.as_of))
    )
    title = f"{page.product}: monitor of {_day(page.as_of)}"
    return document(title, without_layout(body), asset(_PACKAGE, "monitor.css"))


def _day(instant: int | None) -> str:
    return numbers.day(iso(instant // DAY * DAY)) if instant is not None else ""


def _rate(estimate: Estimate) -> str:
    return numbers.percent(None if estimate.value != estimate.value else estimate.value)


def _range(estimate: Estimate) -> str:
    return numbers.percent_interval(estimate.to_dict())


def _two(value: float) -> str:
    return "unknown" if value != value else f"{value:.2f}"


@cache
def _environment() -> Templates:
    return make_environment(
        _PACKAGE,
        {
            "names": names,
            "capitalise": capitalise,
            "count": lambda value: f"{value:,.0f}",
            "percent": numbers.percent,
            "rate": _rate,
            "range": _range,
            "two": _two,
            "day": _day,
            "band": lambda name: name.replace("_", " "),
        },
    )
