"""The instants at which entities are observed: the same dated grid for both classes."""

from __future__ import annotations

from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import fetch_scalar
from pql_model.sources.read import Sources
from pql_model.time import DAY, Duration, first_weekday

Table = Any
Column = Any


def landmark_grid(config: Config, sources: Sources) -> Table:
    """Lay the grid of a trial: each entity at each landmark day after its sign-up.

    Returns
    -------
    Table
        entity, as_of, signed_up, excluded.
    """
    entities = _entities(sources)
    days = config.schedule.at_days or []
    parts = [entities.mutate(as_of=entities.signed_up + day * DAY) for day in days]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def calendar_grid(config: Config, sources: Sources) -> Table:
    """Lay the grid of freemium: each entity at each multiple of `every` since 1970, while it is active.

    The grid follows the calendar and not the data, so more data never move a snapshot. With `on`, the multiples count from
    the first such weekday of 1970.
    """
    every = config.schedule.every
    step = every.us if every is not None else DAY
    start = first_weekday(config.schedule.on) if config.schedule.on is not None else 0
    entities = _entities(sources)
    events = sources.events.table
    if config.schedule.active_within is not None:
        known = ibis.coalesce(events.known_at, events.time)
        cells = events.select(
            "entity",
            first=(ibis.greatest(events.time, known) - start) // step + 1,  # as_of > time
            last=(events.time + config.schedule.active_within.us - start) // step,  # as_of - within <= time
        ).distinct()
    else:
        began = ibis.coalesce(entities.signed_up, int(fetch_scalar(events.time.min())))
        last = (sources.observed_until - start) // step
        cells = entities.select("entity", first=(began - start) // step + 1, last=ibis.literal(last, "int64"))
    cells = cells.filter(cells["first"] <= cells["last"])
    points = cells.select("entity", point=ibis.range(cells["first"], cells["last"] + 1).unnest()).distinct()
    grid = points.join(entities, "entity").mutate(as_of=lambda t: t.point * step + start).drop("point")
    return grid.filter(grid.signed_up.isnull() | (grid.as_of > grid.signed_up))


def _entities(sources: Sources) -> Table:
    return sources.entities.table.select("entity", "signed_up", "excluded")


def scoring_grid(config: Config, sources: Sources, *instants: int) -> Table:
    """List every entity once at each instant, with a `reason` where it is not scored.

    In a trial, scores cover the ages of training: from the first landmark to one day after the last.
    """
    points = ibis.memtable({"as_of": list(instants)}, schema={"as_of": "int64"})
    return _with_reason(config, sources, _entities(sources).cross_join(points))


def requested_grid(config: Config, sources: Sources, requested: Table) -> Table:
    """List single entities, each at its own instants, like `scoring_grid`; unknown entities are left out.

    Parameters
    ----------
    config : Config
        The product.
    sources : Sources
        Its data.
    requested : Table
        entity, as_of; each pair once.
    """
    return _with_reason(config, sources, _entities(sources).join(requested, "entity"))


def _with_reason(config: Config, sources: Sources, t: Table) -> Table:
    """Add the reason why a row is not scored; null where it is scored."""
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
        cases.append((t.signed_up >= t.as_of, "not_signed_up_yet"))  # as in the grid of training
        if within is not None:
            cases.append((t.active.isnull(), "inactive"))
    return t.mutate(reason=ibis.cases(*cases, else_=ibis.null("string"))).select(
        "entity", "as_of", "signed_up", "reason"
    )


def _active(sources: Sources, grid: Table, within: Duration) -> Table:
    """The rows of the grid with a recent event that was known by then."""
    t = sources.events.table.select("entity", "time", "known_at").join(grid.select("entity", "as_of"), "entity")
    recent = (t.time < t.as_of) & (t.time >= t.as_of - within.us)
    known = t.known_at.isnull() | (t.known_at < t.as_of)
    return t.filter(recent & known).select("entity", "as_of", active=ibis.literal(True)).distinct()
