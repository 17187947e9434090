"""Which entities are looked at, and when: everyone at risk, at the same dated instants for both classes."""

from __future__ import annotations

from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.sources.read import Sources
from pql_model.time import DAY, Duration

Table = Any
Column = Any


def landmark_grid(config: Config, sources: Sources) -> Table:
    """Trial: each entity at each landmark day after its sign-up. Columns entity, as_of, signed_up, excluded."""
    entities = _known_facts(sources)
    days = config.schedule.at_days or []
    parts = [entities.mutate(as_of=entities.signed_up + day * DAY) for day in days]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def calendar_grid(config: Config, sources: Sources) -> Table:
    """Freemium: each entity at each multiple of `every` since 1970, while it is active.

    The grid hangs on the calendar, not on the data: more data never move a snapshot.
    """
    every = config.schedule.every
    step = every.us if every is not None else DAY
    entities = _known_facts(sources)
    events = sources.events.table
    if config.schedule.active_within is not None:
        known = ibis.coalesce(events.known_at, events.time)
        cells = events.select(
            "entity",
            first=ibis.greatest(events.time, known) // step + 1,  # as_of > time
            last=(events.time + config.schedule.active_within.us) // step,  # as_of - within <= time
        ).distinct()
    else:
        start = int(events.time.min().to_pyarrow().as_py())
        cells = entities.select(
            "entity", first=ibis.coalesce(entities.signed_up, start) // step + 1, last=sources.observed_until // step
        )
    cells = cells.filter(cells["first"] <= cells["last"])
    points = cells.select("entity", point=ibis.range(cells["first"], cells["last"] + 1).unnest()).distinct()
    grid = points.join(entities, "entity").mutate(as_of=lambda t: t.point * step).drop("point")
    return grid.filter(grid.signed_up.isnull() | (grid.as_of > grid.signed_up))


def _known_facts(sources: Sources) -> Table:
    return sources.entities.table.select("entity", "signed_up", "excluded")


def scoring_grid(config: Config, sources: Sources, as_of: int) -> Table:
    """Every entity once, at `as_of`, with `reason` where it is not scored.

    In a trial the ages scored are the ages trained: from the first landmark to the last plus one day.
    """
    return _judged(config, sources, _known_facts(sources).mutate(as_of=ibis.literal(as_of, "int64")))


def asked_grid(config: Config, sources: Sources, asked: Table) -> Table:
    """The same of single entities, each at its own instants; who is not in the data is not in the grid.

    Parameters
    ----------
    asked
        entity, as_of in the workbench, no pair twice.
    """
    return _judged(config, sources, _known_facts(sources).join(asked, "entity"))


def _judged(config: Config, sources: Sources, t: Table) -> Table:
    """Each row with the reason why it is not scored, where there is one."""
    conversions = sources.conversions.table.select("entity", converted_at="time")
    t = t.left_join(conversions, "entity").drop("entity_right")
    within = config.schedule.active_within
    if within is not None:
        t = t.left_join(_active(sources, t, within), ["entity", "as_of"]).drop("entity_right", "as_of_right")
    cases: list[tuple[Column, str]] = [(t.excluded, "excluded"), (t.converted_at < t.as_of, "converted")]
    if config.motion == "trial":
        days = config.schedule.at_days or [0]
        cases.append((t.signed_up > t.as_of, "not_signed_up_yet"))
        cases.append((t.as_of - t.signed_up < days[0] * DAY, "too_young"))
        cases.append((t.as_of - t.signed_up > (days[-1] + 1) * DAY, "too_old"))
    else:
        cases.append((t.signed_up >= t.as_of, "not_signed_up_yet"))  # as in the grid that was trained on
        if within is not None:
            cases.append((t.active.isnull(), "inactive"))
    return t.mutate(reason=ibis.cases(*cases, else_=ibis.null("string"))).select(
        "entity", "as_of", "signed_up", "reason"
    )


def _active(sources: Sources, asked: Table, within: Duration) -> Table:
    """Entities and instants with an event in the time before that was known by then."""
    t = sources.events.table.select("entity", "time", "known_at").join(asked.select("entity", "as_of"), "entity")
    seen = (t.time < t.as_of) & (t.time >= t.as_of - within.us)
    seen = seen & (t.known_at.isnull() | (t.known_at < t.as_of))
    return t.filter(seen).select("entity", "as_of", active=ibis.literal(True)).distinct()
