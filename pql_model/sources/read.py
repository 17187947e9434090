"""All sources of a product, read and checked once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pql_model import time
from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.sources.aliases import read_aliases
from pql_model.sources.arrival import measure_arrival, warn_of_late_arrival
from pql_model.sources.conversions import Conversions, no_conversions_error, read_conversions
from pql_model.sources.data_end import DataEnd, find_data_end
from pql_model.sources.dated_columns import DatedColumns, read_dated_columns
from pql_model.sources.duckdb_session import Connection, fetch_scalar, row_count
from pql_model.sources.entities import Entities, read_entities
from pql_model.sources.events import EventLog, StagedEvents, finish_events, refuse_unusable, stage_events
from pql_model.sources.history import read_history
from pql_model.sources.known_before import conversions_before, events_before
from pql_model.sources.memberships import HARMLESS, Memberships, read_memberships, refuse_strange_users
from pql_model.sources.people import NOBODY, People, excluded_users
from pql_model.sources.unknown_ids import IdColumn, refuse_foreign_ids, unknown_id_warnings, unmatched_user_warnings
from pql_model.sources.zone_check import warn_of_time_zone
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
        The instant at which the data end.
    warnings
        Sentences a person should read.
    dated
        Tables of dated columns, and the history of traits.
    events_until
        The instant up to which behaviour is known, which payments may pass; None where it is `observed_until`.
    people
        Merged users, and the accounts that users belong to.
    """

    events: EventLog
    entities: Entities
    conversions: Conversions
    observed_until: int
    warnings: tuple[str, ...]
    dated: tuple[DatedColumns, ...] = ()
    events_until: int | None = None
    people: People = NOBODY

    @property
    def more_set_aside(self) -> dict[str, dict[str, int]]:
        """Reason -> rows of `members`, `aliases` and `history`, for those that the config has."""
        history = [part.set_aside for part in self.dated if part.states_all]
        return {**self.people.set_aside, **({"history": history[0]} if history else {})}

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits of the entities, then the dated columns, which are read as traits that change."""
        return (*self.entities.traits, *(name for part in self.dated for name in part.names))


def read_sources(
    con: Connection, config: Config, *, may_lack_conversions: bool = False, known_before: int | None = None
) -> Sources:
    """Read and check every table of the config.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    may_lack_conversions : bool
        Continue without conversions, for a caller that only reports what the data hold.
    known_before : int, optional
        Read the data as they were known before this instant: later events and payments, and those that arrived later, do not
        exist. Entities and their traits are those of today.

    Raises
    ------
    DataError
        If a table is missing, cannot be read, or is mostly unusable.
    NotEnoughDataError
        If there are no conversions.
    """
    aliases = read_aliases(con, config)
    entities = read_entities(con, config, aliases)
    lost = {reason: n for reason, n in entities.set_aside.items() if reason != "merged"}
    refuse_unusable(config.entities.table, _total(entities.table, lost), lost, config.max_set_aside)
    memberships = read_memberships(con, config, entities.roster, aliases)
    people = People(aliases, memberships, excluded_users(config, aliases))
    _check_memberships(config, people.memberships)
    staged = [stage_events(con, config, index, people) for index in range(len(config.events))]
    _refuse_foreign_ids(config, staged, entities.table, people.memberships)
    conversions = read_conversions(con, config, entities, aliases)
    if known_before is not None:
        staged, conversions = events_before(staged, known_before), conversions_before(conversions, known_before)
    lacking = no_conversions_error(config.conversions.table, conversions)
    if lacking is None:
        refuse_unusable(config.conversions.table, conversions.rows, conversions.set_aside, config.max_set_aside)
    elif not may_lack_conversions:
        raise lacking
    end = _data_end(config, staged, entities.table, conversions, known_before)
    observed_until = end.observed_until
    conversions = _until(conversions, observed_until)
    _refuse_early_end(config, staged, observed_until)
    events = finish_events(con, staged, entities.roster, observed_until, config.max_set_aside)
    dated = [
        *read_dated_columns(con, config, entities.roster, entities.traits, aliases),
        *read_history(con, config, entities.roster, observed_until, aliases),
    ]
    warnings = (
        *entities.warnings,
        *conversions.warnings,
        *people.warnings,
        *(sentence for part in dated for sentence in (part.warning, *part.notes) if sentence),
        *(sentence for part in staged for sentence in part.warnings),
        *unknown_id_warnings(con, config, _id_columns(con, config, staged), entities.roster),
        *unmatched_user_warnings(con, config, people, [part.as_written for part in staged]),
        *_warn_of_arrival(staged),
        *_warn_of_useless_exclusion(config),
        *_warn_of_dates(config, events.table, entities.table),
        *filter(None, [warn_of_time_zone(config, entities, events), end.warning]),
        *_warn_of_sparse_end(config, events.table, end.events_until),
    )
    return Sources(events, entities, conversions, observed_until, warnings, tuple(dated), end.events_until, people)


def _id_columns(con: Connection, config: Config, staged: list[StagedEvents]) -> list[IdColumn]:
    """The columns of ids of the events and the conversions, with their ids."""
    columns = [
        IdColumn(
            spec.table, spec.encoding, spec.columns.entity, f"events[{i}].columns.entity", part.table.select("entity")
        )
        for i, (spec, part) in enumerate(zip(config.events, staged, strict=True))
        if spec.columns.entity is not None
    ]
    paid, ids = config.conversions, con.table("checked_conversions").select("entity")
    return [*columns, IdColumn(paid.table, paid.encoding, paid.columns.entity, "conversions.columns.entity", ids)]


def _total(table: Table, set_aside: dict[str, int]) -> int:
    return row_count(table) + sum(set_aside.values())


def _data_end(
    config: Config, staged: list[StagedEvents], entities: Table, conversions: Conversions, known_before: int | None
) -> DataEnd:
    """The end of the data: that of the config, or that of the tables."""
    now = time.now() if known_before is None else min(time.now(), known_before)
    if config.observed_until is not None:
        until = config.observed_until if known_before is None else min(config.observed_until, known_before)
        return DataEnd(until, until)
    counted = entities.filter(~entities.excluded).select("entity")
    end = find_data_end(staged, counted, conversions, config.conversions.table, config.horizon, now)
    if end is not None:
        return end
    others = [fetch_scalar(c.max(where=c <= now)) for c in (entities.signed_up, conversions.table.time)]
    newest = max((int(instant) for instant in others if instant is not None), default=None)
    if newest is None:
        raise DataError("No table has a time in the past", remedy="check the time columns, or set `observed_until`")
    return DataEnd(newest, newest)


def _warn_of_arrival(staged: list[StagedEvents]) -> Iterator[str]:
    for part in staged:
        if part.spec.columns.known_at is not None:
            arrival = measure_arrival(part.table, part.spec.covers.us if part.spec.covers is not None else 0)
            warning = warn_of_late_arrival(arrival, part.source, part.spec.columns.known_at)
            if warning is not None:
                yield warning


def _until(conversions: Conversions, observed_until: int) -> Conversions:
    """Set aside conversions after the end of the data, as is done with events."""
    before = conversions.table.filter(conversions.table.time <= observed_until)
    late = row_count(conversions.table) - row_count(before)
    if not late:
        return conversions
    return replace(conversions, table=before, set_aside={**conversions.set_aside, "after_observed_until": late})


def _refuse_early_end(config: Config, staged: list[StagedEvents], observed_until: int) -> None:
    firsts = [fetch_scalar(part.table.time.min()) for part in staged]
    first = min((instant for instant in firsts if instant is not None), default=None)
    if first is not None and first > observed_until:
        raise DataError(
            "All events are later than observed_until",
            received=f"observed_until {iso(observed_until)}, first event {iso(first)}",
            remedy="correct `observed_until`, or remove it to use the newest event",
        )


def _check_memberships(config: Config, memberships: Memberships | None) -> None:
    """Refuse memberships that mostly cannot be used."""
    if memberships is not None:
        lost = {reason: n for reason, n in memberships.set_aside.items() if reason not in HARMLESS}
        refuse_unusable(memberships.source, memberships.rows, lost, config.max_set_aside)


def _refuse_foreign_ids(
    config: Config, staged: list[StagedEvents], entities: Table, memberships: Memberships | None
) -> None:
    """Refuse event tables without a single known entity: mismatched ids are the most common and most silent mistake."""
    for part in staged:
        if part.spec.columns.entity is None and memberships is not None:
            refuse_strange_users(memberships, part.source, part.table)
        refuse_foreign_ids(config, part.source, part.table, entities)


def _warn_of_useless_exclusion(config: Config) -> list[str]:
    if config.exclude.users and config.entity == "account" and not any(t.columns.user for t in config.events):
        return ["`exclude.users` has no effect: no table of events maps `columns.user`."]
    return []


def _warn_of_dates(config: Config, events: Table, entities: Table) -> list[str]:
    """Dates beside sign-ups with a time of day lose the events of the sign-up day and leak those of the day of as_of."""
    if config.resolution == "day":
        return []
    signups_with_time = fetch_scalar(entities.count(where=(entities.signed_up % DAY) != 0))
    if signups_with_time and not fetch_scalar(events.count(where=(events.time % DAY) != 0)):
        return [
            "Events have dates only while sign-ups have a time of day: events of the sign-up day count as earlier "
            "than the sign-up, and events of the day of as_of as already known. Set `resolution: day`."
        ]
    return []


def _warn_of_sparse_end(config: Config, events: Table, events_until: int) -> list[str]:
    """A stray late timestamp makes immature snapshots look like final negatives."""
    recent = fetch_scalar(events.count(where=events.time >= events_until - config.horizon.us))
    total = row_count(events)
    if recent > total * 0.0001:
        return []
    return [
        f"Only {recent:,} of {total:,} events lie in the last {config.horizon.text} before observed_until "
        f"({iso(events_until)}). If the data end earlier, set `observed_until`; otherwise snapshots near "
        "the end count as not converted."
    ]
