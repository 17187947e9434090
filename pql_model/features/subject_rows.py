"""The rows of a log that count for subjects, in Ibis: events of a name, of several names, or those that follow another event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis

from pql_model.features.spec import Subject
from pql_model.measures import ANY

Table = Any  # an Ibis table


NOBODY = -1
"""Stands for an event that the log does not have."""


def subject_keys(subjects: Sequence[Subject], codes: Mapping[str, int]) -> list[int]:
    """Number each subject as the column `event` of `subject_rows` does."""
    if subjects[0].plain:
        return [codes.get(subject.events[0], NOBODY) if subject.events != (ANY,) else 0 for subject in subjects]
    return list(range(len(subjects)))


def subject_rows(table: Table, subjects: Sequence[Subject], scope: str, codes: Mapping[str, int]) -> Table:
    """Return the rows of the subjects, whose numbers replace those of the events (which `any` keeps in `name`).

    Parameters
    ----------
    table : ibis.Table
        event (its number), time, and what else is read.
    subjects : sequence of Subject
        All plain events, only `any`, or none of these.
    scope : str
        Column whose rows belong together: `entity` of a log, `row` where it is joined with the snapshots.
    codes : mapping
        Name of an event -> its number.
    """
    if subjects[0].events == (ANY,):
        return table.mutate(name=table.event, event=ibis.literal(0, "int32"))
    if subjects[0].plain:
        return table.filter(table.event.isin(subject_keys(subjects, codes)))
    parts = [
        _rows_of(table, subject, scope, codes).mutate(event=ibis.literal(key, "int32"))
        for key, subject in enumerate(subjects)
    ]
    return parts[0] if len(parts) == 1 else ibis.union(*parts, distinct=False)


def _rows_of(table: Table, subject: Subject, scope: str, codes: Mapping[str, int]) -> Table:
    events = [codes.get(event, NOBODY) for event in subject.events]
    if subject.after is None or subject.gap is None:
        return table.filter(table.event.isin(events))
    after = codes.get(subject.after, NOBODY)
    both = table.filter(table.event.isin([*events, after]))
    leads = both.event == after
    # rows at one instant: those that count come before those they could follow, so that only earlier ones are followed
    order = ibis.cumulative_window(group_by=scope, order_by=[both.time, leads.cast("int8")])
    both = both.mutate(followed=ibis.ifelse(leads, both.time, ibis.null("int64")).max().over(order))
    follows = both.event.isin(events) & (both.time - both.followed <= subject.gap.us)
    return both.filter(follows).drop("followed")
