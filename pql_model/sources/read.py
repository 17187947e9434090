"""All sources of a product: read once, judged once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pql_model import time
from pql_model.config.schema import Config
from pql_model.errors import DataError, listed
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.entities import Conversions, Entities, no_conversions, read_conversions, read_entities
from pql_model.sources.events import EventLog, Staged, finish_events, refuse_unusable, stage_events
from pql_model.time import DAY, iso

Table = Any


@dataclass(frozen=True)
class Sources:
    """A product's data, ready for snapshots.

    Attributes
    ----------
    events, entities, conversions
        Canonical tables with their counts.
    observed_until
        The instant the data end; nothing later is known.
    warnings
        Sentences a person should read.
    """

    events: EventLog
    entities: Entities
    conversions: Conversions
    observed_until: int
    warnings: tuple[str, ...]


def read_sources(con: Connection, config: Config, *, may_lack_conversions: bool = False) -> Sources:
    """Read and judge every table that the config names.

    Parameters
    ----------
    con
        An open workbench.
    config
        The product.
    may_lack_conversions
        Read on where there is not one conversion, for those who only want to see what the data hold.

    Raises
    ------
    DataError
        If a table is missing, cannot be read, or is mostly unusable.
    NotEnoughDataError
        If there are no conversions.
    """
    entities = read_entities(con, config)
    refuse_unusable(
        config.entities.table, _total(entities.table, entities.set_aside), entities.set_aside, config.max_set_aside
    )
    staged = [stage_events(con, config, index) for index in range(len(config.events))]
    _refuse_foreign_ids(config, staged, entities.table)
    conversions = read_conversions(con, config, entities.table)
    lacking = no_conversions(config.conversions.table, conversions)
    if lacking is None:
        refuse_unusable(config.conversions.table, conversions.rows, conversions.set_aside, config.max_set_aside)
    elif not may_lack_conversions:
        raise lacking
    observed_until = config.observed_until
    if observed_until is None:
        observed_until = _newest_instant(staged, entities.table, conversions.table)
    conversions = _until(conversions, observed_until)
    _refuse_early_end(config, staged, observed_until)
    events = finish_events(con, staged, entities.table, observed_until, config.max_set_aside)
    warnings = (
        *entities.warnings,
        *(sentence for part in staged for sentence in part.warnings),
        *_nobody_to_exclude(config),
        *_dates_only(config, events.table, entities.table),
        *_silent_end(config, events.table, observed_until),
    )
    return Sources(events, entities, conversions, observed_until, warnings)


def _total(table: Table, set_aside: dict[str, int]) -> int:
    return _count(table) + sum(set_aside.values())


def _count(table: Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def _newest_instant(staged: list[Staged], entities: Table, conversions: Table) -> int:
    """The newest instant that is not in the future: a 2099 timestamp must not move it."""
    now = time.now()
    columns = [entities.signed_up, conversions.time]
    for part in staged:
        usable = part.table.filter(part.table.entity.notnull())
        columns += [usable.time, usable.known_at]
    found = [column.max(where=column <= now).to_pyarrow().as_py() for column in columns]
    newest = max((instant for instant in found if instant is not None), default=None)
    if newest is None:
        raise DataError("No table holds a time in the past", remedy="check the time columns, or give `observed_until`")
    return int(newest)


def _until(conversions: Conversions, observed_until: int) -> Conversions:
    """Nobody knew of a conversion after the end of the data: it is set aside like an event."""
    kept = conversions.table.filter(conversions.table.time <= observed_until)
    late = _count(conversions.table) - _count(kept)
    if not late:
        return conversions
    return replace(conversions, table=kept, set_aside={**conversions.set_aside, "after_observed_until": late})


def _refuse_early_end(config: Config, staged: list[Staged], observed_until: int) -> None:
    firsts = [part.table.time.min().to_pyarrow().as_py() for part in staged]
    first = min((instant for instant in firsts if instant is not None), default=None)
    if first is not None and first > observed_until:
        raise DataError(
            "All events are later than observed_until",
            received=f"observed_until {iso(observed_until)}, first event {iso(first)}",
            remedy="correct `observed_until`, or leave it out to take the newest instant of the data",
        )


def _refuse_foreign_ids(config: Config, staged: list[Staged], entities: Table) -> None:
    """Ids that never meet are the commonest fault of a join and the most silent one."""
    for part in staged:
        theirs = part.table.filter(part.table.entity.notnull()).select("entity").distinct()
        some = theirs.limit(1).to_pyarrow().num_rows
        if some and not theirs.semi_join(entities, "entity").limit(1).to_pyarrow().num_rows:
            left = theirs.order_by("entity").limit(3).to_pyarrow()["entity"].to_pylist()
            right = entities.select("entity").order_by("entity").limit(3).to_pyarrow()["entity"].to_pylist()
            raise DataError(
                f"No entity of {part.source} is listed in {config.entities.table}: the ids never meet",
                received=f"{listed(left)} in {part.source}",
                allowed=f"ids such as {listed(right)}",
                remedy="map `columns.entity` of both tables to the same kind of id",
            )


def _nobody_to_exclude(config: Config) -> list[str]:
    if config.exclude.users and config.entity == "account" and not any(t.columns.user for t in config.events):
        return ["`exclude.users` has no effect: no table of events maps `columns.user`."]
    return []


def _dates_only(config: Config, events: Table, entities: Table) -> list[str]:
    """Dates beside sign-ups with a time of day: the day of sign-up would be lost, the day of as_of leak."""
    if config.resolution == "day":
        return []
    timed = int(entities.count(where=(entities.signed_up % DAY) != 0).to_pyarrow().as_py())
    dated = not int(events.count(where=(events.time % DAY) != 0).to_pyarrow().as_py())
    if timed and dated:
        return [
            "All events are dates without a time of day but sign-ups have one: events of the sign-up day count as "
            "earlier than it, and events of the day of as_of as known. Set `resolution: day`."
        ]
    return []


def _silent_end(config: Config, events: Table, observed_until: int) -> list[str]:
    """A stray late timestamp makes unfinished snapshots look like final negatives."""
    recent = int(events.count(where=events.time >= observed_until - config.horizon.us).to_pyarrow().as_py())
    everything = _count(events)
    if recent > everything * 0.0001:
        return []
    return [
        f"Only {recent:,} of {everything:,} events lie in the last {config.horizon.text} before observed_until "
        f"({iso(observed_until)}). If the data end earlier, set `observed_until`: snapshots near the end would "
        "otherwise count as not converted."
    ]
