"""The sentences of the list. Texts from the data are passed on; the templates escape them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pql_model.decide.select import CAPACITY, COOL_DOWN, EXCLUDED, HELD_OUT
from pql_model.leads.lead import ListedLead
from pql_model.leads.sections import NEW, OPEN, WAITING, Section
from pql_model.page.numbers import day, join_words, number, number_interval, percent, plural
from pql_model.time import DAY, iso

_WHY = {
    EXCLUDED: "Do not contact: excluded by the policy",
    HELD_OUT: "Do not contact: in the hold-out, which measures what contact brings",
    CAPACITY: "Waits for a place",
    COOL_DOWN: "No second alert within the cool-down",
}
_COUNTED = {
    EXCLUDED: ("is excluded", "are excluded"),
    HELD_OUT: ("is held out", "are held out"),
    CAPACITY: ("waits for a place", "wait for a place"),
}


def headline(sections: Mapping[str, Section]) -> str:
    """Say what is to be done today.

    >>> from pql_model.statistics.estimate import Estimate
    >>> parts = {"new": (7, {}), "open": (18, {}), "waiting": (3, {"capacity": 3})}
    >>> headline({k: Section(k, n, Estimate(0, 0, 0), (), (), why) for k, (n, why) in parts.items()})
    '7 new leads to call today, 18 still open; 3 wait for a place'
    """
    new, still_open, waiting = (sections[key] for key in (NEW, OPEN, WAITING))
    if new.rows:
        text = f"{plural(new.rows, 'new lead')} to call today"
        text += f", {still_open.rows:,} still open" if still_open.rows else ""
    elif still_open.rows:
        text = f"No new leads today; {still_open.rows:,} {'is' if still_open.rows == 1 else 'are'} still open"
    else:
        text = "Nobody to call today"
    waits = waiting.suppressed.get(CAPACITY, 0)
    return f"{text}; {waits:,} {_COUNTED[CAPACITY][waits != 1]}" if waits else text


def waiting_text(section: Section) -> str:
    """Count the rows of the waiting section by their reason."""
    known = {reason: n for reason, n in section.suppressed.items() if reason in _COUNTED}
    counts = [f"{n:,} {_COUNTED[reason][n != 1]}" for reason, n in known.items()]
    rest = section.rows - sum(known.values())
    return join_words([*counts, *([f"{rest:,} for another reason"] if rest else [])])


def status(lead: ListedLead, section: str, as_of: int) -> str:
    """Say since when a lead is one, or why it is not to be called.

    >>> from pql_model.statistics.estimate import Estimate
    >>> lead = ListedLead("a", None, Estimate(0.3, 0.2, 0.4), "high", since=0)
    >>> status(lead, "open", 3 * DAY), status(lead, "new", 0)
    ('PQL since 1 Jan 1970 (3 days)', 'New today')
    """
    if lead.paid is not None:
        return f"Do not contact: has paid on {_day(lead.paid)}, after it was scored"
    if section == NEW:
        return "New today"
    since = _since(lead, as_of)
    if lead.suppressed is None:
        return since
    why = _WHY.get(lead.suppressed, lead.suppressed.replace("_", " ").capitalize())
    if lead.suppressed == COOL_DOWN and lead.alerted is not None:
        why += f": last alerted {_day(lead.alerted)}"
    return f"{since}. {why}" if section == OPEN else why


def _since(lead: ListedLead, as_of: int) -> str:
    if lead.since is None:
        return "PQL since an earlier run"
    days = (as_of - lead.since) // DAY
    return f"PQL since {_day(lead.since)} ({plural(days, 'day')})" if days else f"PQL since {_day(lead.since)}"


def _day(instant: int) -> str:
    return day(iso(instant))


def contact_text(contact: Mapping[str, Any]) -> str:
    """Describe a contact, without the name.

    >>> contact_text({"user": "u1", "share": 0.62, "last_seen": "2026-03-02", "brought_in_by": None})
    'did 62 % of the activity, last seen 2 Mar 2026'
    """
    share, seen = contact.get("share"), contact.get("last_seen")
    parts = [f"did {percent(share)} of the activity" if share is not None else ""]
    parts.append(f"last seen {day(seen)}" if seen else "")
    return ", ".join(filter(None, parts))


def step_text(step: Mapping[str, Any]) -> str:
    """Say what to help with, and how far the account is.

    >>> step_text({"words": "invite 1 more teammate"})
    'invite 1 more teammate'
    """
    if step.get("words"):
        return str(step["words"])
    return f"{step['criterion']}: {number(step.get('value'))} of {number(step.get('needed'))} so far"


def step_gain(step: Mapping[str, Any]) -> str:
    """The prediction that goes with a step.

    >>> step_gain({"probability": 0.51, "gain": {"value": 0.09, "low": 0.03, "high": 0.15}})
    'predicted then: 51 %, 9 points more (3 to 15)'
    """
    if step.get("probability") is None:
        return ""
    gain = step.get("gain")
    text = f"predicted then: {percent(step['probability'])}"
    if not gain:
        return text
    points = {key: 100 * gain[key] if gain.get(key) is not None else None for key in ("value", "low", "high")}
    return f"{text}, {number(points['value'])} points more ({number_interval(points)})"


def expected_text(section: Section) -> str:
    """Expected conversions of a section, with their interval."""
    return f"about {number(section.expected.value)} (95 % interval {number_interval(section.expected.to_dict())})"
