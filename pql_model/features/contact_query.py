"""The contacts of many snapshots in one Ibis query. `pql_model.features.contacts` must give the same for one account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis

from pql_model.features.contacts import INVITED_WITHIN, MOST, RECENT, Contact, is_invitation

Table = Any  # an Ibis table


def snapshot_contacts(events: Table, snapshots: Table) -> Mapping[tuple[str, int], list[Contact]]:
    """Compute the contacts of each snapshot as known at its instant.

    Parameters
    ----------
    events
        Canonical events (see `pql_model.sources.events`).
    snapshots
        Columns entity and as_of, unique.

    Returns
    -------
    Mapping
        (entity, as_of) -> contacts, the most active first; without the snapshots that have none.
    """
    seen = _visible(events, snapshots)
    start, _ = RECENT.bounds(None, seen.as_of)
    users = seen.group_by("entity", "as_of", "user").aggregate(
        recent=seen.n.sum(where=seen.time >= start).fill_null(0.0),
        total=seen.n.sum(),
        first=seen.time.min(),
        last_seen=seen.time.max(),
    )
    account = ibis.window(group_by=["entity", "as_of"])
    users = users.mutate(recent_of_all=users.recent.sum().over(account), total_of_all=users.total.sum().over(account))
    users = users.mutate(
        n=(users.recent_of_all > 0).ifelse(users.recent, users.total),
        of_all=(users.recent_of_all > 0).ifelse(users.recent_of_all, users.total_of_all),
    ).filter(lambda t: t.n > 0)
    order = ibis.window(
        group_by=["entity", "as_of"], order_by=[ibis.desc("n"), ibis.desc("last_seen"), ibis.asc("user")]
    )
    users = users.mutate(place=ibis.row_number().over(order)).filter(lambda t: t.place < MOST)
    users = users.mutate(share=users.n / users.of_all)
    inviters = _inviters(users, seen)
    columns = ["entity", "as_of", "place", "user", "share", "last_seen"]
    found = users.left_join(inviters, ["entity", "as_of", "user"]).select(
        *[users[name] for name in columns], inviters.first_inviter, inviters.last_inviter
    )
    contacts: dict[tuple[str, int], list[Contact]] = {}
    for row in found.order_by("entity", "as_of", "place").to_pyarrow().to_pylist():
        inviter = row["first_inviter"] if row["first_inviter"] == row["last_inviter"] else None
        contact = Contact(row["user"], row["share"], row["last_seen"], inviter)
        contacts.setdefault((row["entity"], row["as_of"]), []).append(contact)
    return contacts


def _visible(events: Table, snapshots: Table) -> Table:
    """Join each snapshot with the events of known users that are visible from it."""
    events = events.filter(events.user.notnull()).select("entity", "user", "event", "time", "known_at", "n")
    snapshots = snapshots.select("entity", "as_of")
    joined = snapshots.join(
        events,
        [
            snapshots.entity == events.entity,
            events.time < snapshots.as_of,
            events.known_at.isnull() | (events.known_at < snapshots.as_of),
        ],
    )
    return joined.select(snapshots.entity, snapshots.as_of, events.user, events.event, events.time, events.n)


def _inviters(users: Table, seen: Table) -> Table:
    """The least and the greatest id among the users whose invitations precede the first event of another user."""
    names = seen.filter(seen.event.lower().contains("invit")).select("event").distinct().to_pyarrow()["event"]
    sent = [name for name in names.to_pylist() if is_invitation(name)]
    invitations = (seen.filter(seen.event.isin(sent)) if sent else seen.limit(0)).select(
        "entity", "as_of", "time", inviter="user"
    )
    pairs = users.join(
        invitations,
        [
            users.entity == invitations.entity,
            users.as_of == invitations.as_of,
            users.user != invitations.inviter,
            invitations.time < users["first"],
            invitations.time >= users["first"] - INVITED_WITHIN.us,
        ],
    ).select(users.entity, users.as_of, users.user, invitations.inviter)
    return pairs.group_by("entity", "as_of", "user").aggregate(
        first_inviter=pairs.inviter.min(), last_inviter=pairs.inviter.max()
    )
