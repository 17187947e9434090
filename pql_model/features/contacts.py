"""The users of an account whom to contact, as known at an instant: who did most, and who brought them in.

Of the events that name a user and are visible at as_of, those of the last 28 days count, or all of them if none lies in
these days. `pql_model.features.contact_query` computes the same for many snapshots in one query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pql_model.discovery.vocabulary import vocabulary, words
from pql_model.features.timeline import EventRow, visible
from pql_model.payload import select_attributes
from pql_model.time import DAY, Duration, Window, iso

MOST = 3
"""Number of contacts of an account, at most."""
RECENT = Window("last", Duration(28 * DAY))
INVITED_WITHIN = Duration(14 * DAY)
"""How long before the first event of a user an invitation counts as theirs."""

_INVITATIONS = vocabulary("invite invites invited inviting invitation invitations")
_NOT_SENT = (
    *("accept", "declin", "reject", "revok", "cancel", "expir", "remov", "delet", "fail", "bounc", "error", "limit"),
    *("receiv", "join", "view", "open", "seen", "click", "start", "dismiss", "skip", "abandon", "remind", "copied"),
    *("page", "modal", "dialog", "screen", "button", "banner", "link"),
)
"""Beginnings of words that make an event the answer to an invitation, or a look at one."""


@dataclass(frozen=True)
class Contact:
    """A user of an account.

    Attributes
    ----------
    share
        Share of the account's events that count and name a user, 0 to 1.
    last_seen
        The user's newest visible event, microseconds.
    brought_in_by
        The user who invited this one, where the log shows it; see `contacts`.
    """

    user: str
    share: float
    last_seen: int
    brought_in_by: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the contact as a scored row holds it."""
        return {**select_attributes(self), "last_seen": iso(self.last_seen)}


@lru_cache(maxsize=10_000)  # a service reads the same few names in every request
def is_invitation(event: str) -> bool:
    """Tell whether the name of an event says that its user invited somebody.

    >>> [is_invitation(name) for name in ("Teammate Invited", "inviteSent", "Invitation Accepted", "Invite Page Viewed")]
    [True, True, False, False]
    """
    parts = words(event)
    return not _INVITATIONS.isdisjoint(parts) and not any(part.startswith(_NOT_SENT) for part in parts)


def contacts(events: Iterable[EventRow], as_of: int) -> list[Contact]:
    """List the most active users of one account, the most active first; ties are broken by the newest event, then by id.

    A user was brought in by the only other user whose invitations (see `is_invitation`) lie in the 14 days before the
    user's first event. With invitations by several users in these days it is unknown.

    Parameters
    ----------
    events
        The account's events in any order. Events that are not visible at `as_of` are ignored.

    Examples
    --------
    >>> log = [EventRow("Teammate Invited", 0, "ann"), EventRow("login", DAY, "bob"), EventRow("login", 2 * DAY, "bob")]
    >>> [(contact.user, round(contact.share, 2), contact.brought_in_by) for contact in contacts(log, as_of=9 * DAY)]
    [('bob', 0.67, 'ann'), ('ann', 0.33, None)]
    """
    named = [row for row in visible(events, as_of) if row.user is not None]
    start, _ = RECENT.bounds(None, as_of)
    recent = [row for row in named if row.time >= start]
    totals: dict[str, float] = defaultdict(float)
    for row in recent or named:
        totals[str(row.user)] += row.n
    everything = sum(totals.values())
    first = {str(row.user): row.time for row in reversed(named)}
    last = {str(row.user): row.time for row in named}
    most_active = sorted(totals, key=lambda user: (-totals[user], -last[user], user))[:MOST]
    invitations = _invitations(named)
    return [
        Contact(user, totals[user] / everything, last[user], _inviter(user, first[user], invitations))
        for user in most_active
    ]


def _invitations(named: Sequence[EventRow]) -> list[EventRow]:
    sent = {name for name in {row.event for row in named} if is_invitation(name)}
    return [row for row in named if row.event in sent] if sent else []


def _inviter(user: str, first: int, invitations: Sequence[EventRow]) -> str | None:
    """Return the only other user whose invitations precede the first event of a user."""
    inviters = {row.user for row in invitations if row.user != user and first - INVITED_WITHIN.us <= row.time < first}
    return inviters.pop() if len(inviters) == 1 else None
