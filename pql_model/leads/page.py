"""The list as one HTML file: a pure function of its sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from pql_model.leads import sentences
from pql_model.leads.lead import ListedLead
from pql_model.leads.sections import NEW, OPEN, SECTIONS, Section
from pql_model.page import numbers
from pql_model.page.document import asset, document
from pql_model.page.markup import capitalise, names
from pql_model.page.rendering import Templates, make_environment, without_layout
from pql_model.time import DAY, iso

_PACKAGE = "pql_model.leads"


@dataclass(frozen=True)
class LeadList:
    """What the page says.

    Attributes
    ----------
    entity
        `account` or `user`.
    as_of
        The instant of the scores, microseconds.
    horizon
        In words, such as `30 days`.
    rule
        The policy in words.
    scores
        Name of the file that holds every row.
    newest_event
        The newest event of the data, where the scores are older; None where they are not, or a list of that day is asked for.
    """

    product: str
    entity: str
    as_of: int
    horizon: str
    rule: str
    model_version: str
    scores: str
    bands: tuple[str, ...]
    sections: Mapping[str, Section]
    newest_event: int | None = None

    @property
    def age(self) -> str | None:
        """A sentence on scores that are older than the data."""
        if self.newest_event is None:
            return None
        days = numbers.plural((self.newest_event - self.as_of) // DAY, "day")
        return (
            f"These scores are {days} older than the newest event, of {numbers.day(iso(self.newest_event))}: of what happened "
            "since, only payments are known here. Score again for today's list."
        )

    @property
    def headline(self) -> str:
        return sentences.headline(self.sections)

    @property
    def counts(self) -> dict[str, int]:
        return {key: self.sections[key].rows for key in SECTIONS}

    @property
    def expected(self) -> float:
        """Expected conversions of all scored rows."""
        return sum(section.expected.value for section in self.sections.values())

    @property
    def listed(self) -> Iterable[ListedLead]:
        """Every row that the page names."""
        return (lead for section in self.sections.values() for lead in (*section.leads, *section.brief))


def render_leads(leads: LeadList) -> str:
    """Render the page. The same input gives the same bytes.

    Returns
    -------
    str
        HTML with its own style and script, and a content security policy that lets nothing else in or out. Texts of the data
        are escaped.
    """
    called = [lead for key in SECTIONS for lead in leads.sections[key].leads]
    body = (
        _environment()
        .get_template("body.html.j2")
        .render(
            page=leads,
            entities=f"{leads.entity}s",
            sections=leads.sections,
            day=numbers.day(iso(leads.as_of)),
            has_contact=any(lead.contact for lead in called),
            has_value=any(lead.value for lead in leads.listed),
            has_step=any(lead.next_step for lead in leads.listed),
            worth=_worth(leads),
        )
    )
    title = f"{leads.product}: leads of {numbers.day(iso(leads.as_of))}"
    return document(title, without_layout(body), asset(_PACKAGE, "leads.css"), asset(_PACKAGE, "leads.js"))


def _worth(leads: LeadList) -> float | None:
    """The expected value of the leads to call; None where it is not known or not all of them are listed."""
    to_call = [leads.sections[key] for key in (NEW, OPEN)]
    values = [lead.value for section in to_call for lead in (*section.leads, *section.brief)]
    if not values or None in values or any(section.left_out for section in to_call):
        return None
    return sum(value.value for value in values if value is not None)


@cache
def _environment() -> Templates:
    environment = make_environment(
        _PACKAGE,
        {
            "names": names,
            "capitalise": capitalise,
            "number": numbers.number,
            "sortable": lambda value: f"{value:.6g}",
            "percent": numbers.percent,
            "bounds": lambda estimate: numbers.percent_interval(estimate.to_dict()),
            "amounts": lambda estimate: numbers.number_interval(estimate.to_dict()),
            "band": lambda name: name.replace("_", " "),
            "expected": sentences.expected_text,
            "waiting": sentences.waiting_text,
            "contact": sentences.contact_text,
            "step": sentences.step_text,
            "step_gain": sentences.step_gain,
        },
    )
    environment.globals |= {"status": sentences.status, "plural": numbers.plural}
    return environment
