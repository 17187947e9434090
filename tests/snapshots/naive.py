"""Snapshots and labels in plain Python, and small random worlds whose instants fall on the edges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from pql_model.config.schema import Config
from pql_model.sources.conversions import Conversions
from pql_model.sources.entities import Entities
from pql_model.sources.events import EventLog
from pql_model.sources.read import Sources
from pql_model.time import DAY, WEEKDAYS

START = 19_800 * DAY + 5 * 3_600_000_000
HORIZON_DAYS = 14
BEGINNING, END = START - 201 * DAY, START + 120 * DAY
"""Everything in a random world happens between these two."""


@dataclass(frozen=True)
class Account:
    entity: str
    signed_up: int | None
    converted: int | None = None
    excluded: bool = False


@dataclass(frozen=True)
class Act:
    entity: str
    time: int
    known_at: int | None = None


@dataclass(frozen=True)
class World:
    accounts: tuple[Account, ...]
    acts: tuple[Act, ...]
    observed_until: int

    @property
    def usable_acts(self) -> list[Act]:
        """Events that reading the sources keeps: of listed entities, not before sign-up, not after the end."""
        signed_up = {a.entity: BEGINNING if a.signed_up is None else a.signed_up for a in self.accounts}
        return [x for x in self.acts if x.entity in signed_up and signed_up[x.entity] <= x.time <= self.observed_until]


ANCHORS = (
    Account("anchor that converts", START - 200 * DAY, START - 188 * DAY),
    Account("anchor that does not", START - 200 * DAY),
)
"""Guarantees both classes in every random world."""
ANCHOR_ACTS = tuple(Act(a.entity, START - (200 - day) * DAY) for a in ANCHORS for day in range(9))


# ---------------------------------------------------------------- the meaning


def snapshots_of(config: Config, world: World) -> list[tuple[Account, int]]:
    """Every (account, as_of) of the grid, used or not."""
    if config.motion == "trial":
        return [(a, a.signed_up + day * DAY) for a in world.accounts for day in config.schedule.at_days]
    every = config.schedule.every.us
    start = first_point(config)
    points = [start + k * every for k in range(BEGINNING // every - 1, END // every + 1)]
    return [(a, as_of) for a in world.accounts for as_of in points if looked_at(config, world, a, as_of)]


def first_point(config: Config) -> int:
    """Where the calendar starts: in 1970, which began on a Thursday, or on the first weekday that `on` names."""
    return (WEEKDAYS.index(config.schedule.on) - 3) % 7 * DAY if config.schedule.on else 0


def looked_at(config: Config, world: World, account: Account, as_of: int) -> bool:
    """Whether a freemium account is looked at on a calendar point."""
    if account.signed_up is not None and as_of <= account.signed_up:
        return False
    if config.schedule.active_within is not None:
        return is_active(config, world, account, as_of)
    since = min(act.time for act in world.usable_acts) if account.signed_up is None else account.signed_up
    return since < as_of <= world.observed_until


def is_active(config: Config, world: World, account: Account, as_of: int) -> bool:
    """Whether there was an event in the time before as_of that was known by then."""
    return any(
        act.entity == account.entity
        and as_of - config.schedule.active_within.us <= act.time < as_of
        and (act.known_at is None or act.known_at < as_of)
        for act in world.usable_acts
    )


def why_left_out(config: Config, world: World, account: Account, as_of: int) -> str | None:
    """Why a snapshot is not used, or None."""
    if as_of > world.observed_until:
        return "not_reached"
    if account.excluded:
        return "excluded"
    if account.converted is not None and account.converted < as_of:
        return "converted_before"
    return "immature" if as_of + config.horizon.us > world.observed_until else None


def labels_of(config: Config, world: World) -> tuple[dict[tuple[str, int], tuple[int | None, bool]], dict[str, int]]:
    """(entity, as_of) -> (signed_up, converted) for every snapshot used, and the rest counted by reason."""
    used, left_out = {}, Counter()
    for account, as_of in snapshots_of(config, world):
        reason = why_left_out(config, world, account, as_of)
        if reason is not None:
            left_out[reason] += 1
            continue
        converted = account.converted is not None and as_of <= account.converted < as_of + config.horizon.us
        used[account.entity, as_of] = (account.signed_up, converted)
    return used, dict(left_out)


def why_not_scored(config: Config, world: World, account: Account, as_of: int) -> str | None:
    """Why an account is not scored at as_of, or None."""
    if account.excluded:
        return "excluded"
    if account.converted is not None and account.converted < as_of:
        return "converted"
    if config.motion == "trial":
        first, last = config.schedule.at_days[0] * DAY, (config.schedule.at_days[-1] + 1) * DAY
        age = as_of - account.signed_up
        return "not_signed_up_yet" if age < 0 else "too_young" if age < first else "too_old" if age > last else None
    if account.signed_up is not None and account.signed_up >= as_of:
        return "not_signed_up_yet"
    if config.schedule.active_within is not None and not is_active(config, world, account, as_of):
        return "inactive"
    return None


# ---------------------------------------------------------------- into a session


def config_of(motion: str, **snapshots: Any) -> Config:
    """A config for canonical tables; its files are never read."""
    return Config.model_validate(
        {
            "name": "naive",
            "events": [{"table": "e.csv", "columns": {"entity": "e", "event": "n", "time": "t"}}],
            "entities": {"table": "a.csv", "columns": {"entity": "e", "signed_up": "s"}},
            "conversions": {"table": "c.csv", "columns": {"entity": "e", "time": "t"}},
            "motion": motion,
            "snapshots": {name: value for name, value in snapshots.items() if value is not None},
            "horizon": f"{HORIZON_DAYS}d",
        }
    )


def into(con: Any, world: World) -> Sources:
    """Stage the world's canonical tables in a session, replacing those of another world."""
    for left_over in ("checked_snapshots", "snapshots"):
        con.drop_table(left_over, force=True)
    accounts = [{"entity": a.entity, "signed_up": a.signed_up, "excluded": a.excluded} for a in world.accounts]
    acts = [{"entity": x.entity, "time": x.time, "known_at": x.known_at} for x in world.usable_acts]
    converting = [a for a in world.accounts if a.converted is not None]
    paid = [{"entity": a.entity, "time": a.converted, "value": float(i)} for i, a in enumerate(converting, 1)]
    whole = [("time", pa.int64()), ("known_at", pa.int64())]
    tables = {
        "entities": _table(accounts, [("signed_up", pa.int64()), ("excluded", pa.bool_())]),
        "events": _table(
            [{**act, "event": "used", "n": 1.0} for act in acts], [("event", pa.string()), *whole, ("n", pa.float64())]
        ),
        "conversions": _table(paid, [*whole[:1], ("value", pa.float64())]),
    }
    made = {name: con.create_table(name, table, overwrite=True) for name, table in tables.items()}
    return Sources(
        EventLog(made["events"], len(acts), {}, made["events"].limit(0)),
        Entities(made["entities"], (), {}),
        Conversions(made["conversions"], len(paid), {}),
        world.observed_until,
        (),
    )


def _table(rows: list[dict[str, Any]], columns: list[tuple[str, pa.DataType]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema([("entity", pa.string()), *columns]))


# ---------------------------------------------------------------- random worlds

_nudge = st.sampled_from((0, 0, -1, 1))
_DAYS = (0, 1, 2, 3, 7, 10, 14, 17, 21, 30)


def trial_configs() -> st.SearchStrategy[Config]:
    days = st.sampled_from(([0], [3, 7], [0, 1, 7], [7, 3, 14]))
    return st.builds(lambda at_days: config_of("trial", at_days=at_days), days)


def freemium_configs() -> st.SearchStrategy[Config]:
    every, within = st.sampled_from(("7d", "36h", "1d")), st.sampled_from((None, "1d", "10d", "28d"))
    plain = st.builds(lambda e, w: config_of("freemium", every=e, active_within=w), every, within)
    weekly = st.builds(
        lambda e, on, w: config_of("freemium", every=e, on=on, active_within=w),
        st.just("7d"),
        st.sampled_from(WEEKDAYS),
        within,
    )
    return st.one_of(plain, weekly)


@st.composite
def edges(draw, config: Config, since: int):
    """An instant on, or a microsecond beside, something that decides: sign-up, a snapshot, the end of a horizon."""
    anchor = since + draw(st.sampled_from(_DAYS)) * DAY
    if config.motion == "freemium" and draw(st.booleans()):
        start, every = first_point(config), config.schedule.every.us
        anchor = (anchor - start) // every * every + start
    within = config.schedule.active_within
    step = draw(st.sampled_from((0, config.horizon.us, within.us if within else DAY)))
    return anchor + step + draw(_nudge)


@st.composite
def worlds(draw, config: Config):
    """Up to six accounts: converted at the edges, before sign-up or never, with and without events and sign-up."""
    accounts, acts = list(ANCHORS), list(ANCHOR_ACTS)
    for number in range(draw(st.integers(1, 6))):
        signed_up = START + draw(st.sampled_from(_DAYS)) * DAY + draw(_nudge)
        before = st.sampled_from((signed_up, signed_up - 1, signed_up - 3 * DAY))
        converted = draw(st.one_of(st.none(), before, edges(config, signed_up)))
        times = draw(st.lists(edges(config, signed_up), max_size=5))
        late = st.one_of(st.none(), st.sampled_from((0, 1, DAY, 9 * DAY)))
        acts += [Act(f"a{number}", t, None if (lag := draw(late)) is None else t + lag) for t in times]
        unknown = config.motion == "freemium" and draw(st.booleans())
        excluded = draw(st.sampled_from((False, False, False, True)))
        accounts.append(Account(f"a{number}", None if unknown else signed_up, converted, excluded))
    observed_until = draw(edges(config, START + draw(st.sampled_from((0, 20, 40))) * DAY))
    return World(tuple(draw(st.permutations(accounts))), tuple(draw(st.permutations(acts))), observed_until)


@st.composite
def later(draw, config: Config, world: World, since: int):
    """The same world in which more happened at or after `since`: events, sign-ups, conversions."""
    instants = st.builds(lambda days, us: since + days * DAY + us, st.integers(0, 30), st.sampled_from((0, 1)))
    names = [a.entity for a in world.accounts]
    acts = [Act(draw(st.sampled_from(names)), draw(instants)) for _ in range(draw(st.integers(1, 8)))]
    acts += [Act(draw(st.sampled_from(names)), since - DAY, draw(instants))]  # happened before, known only then
    accounts = [
        replace(a, converted=draw(st.one_of(st.none(), instants))) if a.converted is None else a for a in world.accounts
    ]
    accounts += [Account(f"new{n}", draw(instants), draw(st.one_of(st.none(), instants))) for n in range(2)]
    return World(tuple(accounts), (*world.acts, *acts), world.observed_until)
