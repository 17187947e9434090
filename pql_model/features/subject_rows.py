"""The rows of a log that count for subjects, in Ibis: events of a name, of several names, or those that follow another event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from pql_model.features.spec import Subject
from pql_model.measures import ANY

Table = Any  # an Ibis table


def subject_keys(subjects: Sequence[Subject]) -> list[str]:
    """Name each subject in the column `event` of `subject_rows`."""
    return [s.events[0] for s in subjects] if subjects[0].plain else [str(k) for k in range(len(subjects))]


def subject_rows(table: Table, subjects: Sequence[Subject], scope: str) -> Table:
    """Return the rows of the subjects, whose keys replace the names of the events (which `any` keeps in `name`).

    Parameters
    ----------
    table : ibis.Table
        event, time, and what else is read.
    subjects : sequence of Subject
        All plain events, only `any`, or none of these.
    scope : str
        Column whose rows belong together: `entity` of a log, `row` where it is joined with the snapshots.
    """
    if subjects[0].events == (ANY,):
        return table.mutate(name=table.event, event=ibis.literal(ANY))
    if subjects[0].plain:
        return table.filter(table.event.isin([subject.events[0] for subject in subjects]))
    keys = subject_keys(subjects)
    parts = [
        _rows_of(table, subject, scope).mutate(event=ibis.literal(k)) for subject, k in zip(subjects, keys, strict=True)
    ]
    return parts[0] if len(parts) == 1 else ibis.union(*parts, distinct=False)


def _rows_of(table: Table, subject: Subject, scope: str) -> Table:
    if subject.after is None or subject.gap is None:
        return table.filter(table.event.isin(subject.events))
    both = table.filter(table.event.isin([*subject.events, subject.after]))
    leads = both.event == subject.after
    # rows at one instant: those that count come before those they could follow, so that only earlier ones are followed
    order = ibis.cumulative_window(group_by=scope, order_by=[both.time, leads.cast("int8")])
    both = both.mutate(followed=ibis.ifelse(leads, both.time, ibis.null("int64")).max().over(order))
    follows = both.event.isin(subject.events) & (both.time - both.followed <= subject.gap.us)
    return both.filter(follows).drop("followed")
