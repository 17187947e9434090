"""Small random worlds whose instants fall on the edges, where implementations differ."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from pql_model.features.oracle import Event
from pql_model.features.spec import Feature
from pql_model.measures import ANY, MEASURES
from pql_model.time import DAY, EVER, HOUR, SESSION_GAP, Duration, Window

START = 19_800 * DAY
ENTITIES = ("acme", "Acme", "o'brien & søn 🦊")
VALUES = ("mb", "score")
WINDOWS = (*map(Window.parse, ("first 1d", "first 7d", "last 1d", "last 7d", "last 14d")), EVER)
PLAIN_EVENTS = ("login", "Login", "upload")
ODD_EVENTS = (
    *("login", "Login", "LOGIN ", "any.count.ever", "", " "),
    *('say "hi"', "it's; drop table x --", "a, b, c", "{x}[0]: $1", "50% off", "100%25+1", "v1.2.3", "back\\slash"),
    *("🎉 party", "naïve", "nai\u0308ve", "null", "line\nbreak", "tab\t_", "entity", "as_of"),
)
_MOMENTS = tuple(START + days * DAY + part for days in (0, 1, 2, 7, 14) for part in (0, 1, 5 * HOUR + 7))
_STEPS = tuple(days * DAY for days in (0, 1, 2, 7, 14, 28))
_NUDGES = (0, 0, 0, -1, 1, SESSION_GAP, -SESSION_GAP, SESSION_GAP + 1, -SESSION_GAP - 1, 13 * HOUR)
_GAPS = (0, 0, 1, SESSION_GAP, SESSION_GAP + 1, HOUR, DAY)
_USERS = (None, "ann", "bob", "Ann")
_COUNTS = (1.0, 1.0, 1.0, 2.0, 40.0)
_USER_COUNTS = (None, None, None, 1.0, 5.0)
_AMOUNTS = (0.0, 0.1, 2.5, -3.0, 1000.0)


@dataclass(frozen=True)
class Row:
    """An event and the entity whose log it is in."""

    entity: str
    event: Event


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a world."""

    entity: str
    as_of: int
    signed_up: int | None


@dataclass(frozen=True)
class World:
    """The logs of all entities, and the snapshots to take of them."""

    rows: list[Row]
    snapshots: list[Snapshot]

    def log(self, entity: str) -> list[Event]:
        return [row.event for row in self.rows if row.entity == entity]


def every_feature(event_names: Sequence[str], value_names: Sequence[str]) -> list[Feature]:
    """Every measure of every event name, and of the entity as a whole, in every window that the measure allows."""
    features = []
    for rule in MEASURES.values():
        events = {"event": event_names, "entity": [ANY], "both": [*event_names, ANY]}[rule.scope]
        windows = [w for w in WINDOWS if rule.window in ("any", w.kind)]
        values = value_names if rule.needs_value else [None]
        features += [Feature(e, rule.name, w, v) for e in events for w in windows for v in values]
        if len(event_names) > 2 and rule.scope != "entity":
            first, second, third = event_names[:3]
            groups = [{"event": first, "also": (second,)}, {"event": second, "after": third, "gap": Duration(DAY)}]
            groups += [{"event": first, "also": (third,), "after": second, "gap": Duration(7 * DAY)}]
            features += [
                Feature(measure=rule.name, window=w, value=v, **group)
                for group in groups
                for w in windows
                for v in values
            ]
    return features


def instants(anchors: Sequence[int]) -> st.SearchStrategy[int]:
    """Instants on, whole days around, a session gap from, or a microsecond beside the anchors, and midnights."""
    days = st.sampled_from(_STEPS).flatmap(lambda step: st.sampled_from((step, -step)))
    beside = st.builds(lambda anchor, step, nudge: anchor + step + nudge, st.sampled_from(anchors), days, _nudge)
    midnights = st.builds(lambda instant, nudge: instant // DAY * DAY + nudge, beside, _nudge)
    return st.one_of(beside, midnights)


_nudge = st.sampled_from(_NUDGES)


def known_ats(time: int, as_ofs: Sequence[int]) -> st.SearchStrategy[int | None]:
    """Unknown when, at once, later, or around one of the as_ofs."""
    around = st.builds(lambda as_of, nudge: as_of + nudge, st.sampled_from(as_ofs), st.sampled_from((-1, 0, 1)))
    return st.one_of(st.none(), st.sampled_from((time, time + HOUR, time + 7 * DAY)), around)


@st.composite
def logs(draw, times: st.SearchStrategy[int], names: Sequence[str], as_ofs: Sequence[int], late: bool, most: int = 9):
    """A log whose rows come in clusters: each is at a drawn time, or shortly after the row before it."""
    log: list[Event] = []
    for _ in range(draw(st.integers(0, most))):
        time = draw(times)
        if log and draw(st.booleans()):
            time = log[-1].time + draw(st.sampled_from(_GAPS))
        known_at = draw(known_ats(time, as_ofs)) if late else None
        log.append(draw(one_event(time, names, known_at)))
    return log


def one_event(time: int, names: Sequence[str], known_at: int | None) -> st.SearchStrategy[Event]:
    """An event at a given time: logged or pre-counted, of a user or nobody, with all, some or no values."""
    return st.builds(
        Event,
        event=st.sampled_from(names),
        time=st.just(time),
        user=st.sampled_from(_USERS),
        known_at=st.just(known_at),
        n=st.sampled_from(_COUNTS),
        users=st.sampled_from(_USER_COUNTS),
        values=st.fixed_dictionaries({}, optional={name: st.sampled_from(_AMOUNTS) for name in VALUES}),
    )


@st.composite
def worlds(draw, names: Sequence[str] = PLAIN_EVENTS, late: bool | None = None, shared_as_of: int | None = None):
    """Three entities with short logs, some of them empty, some never signed up, each seen at up to three as_ofs.

    `late` says whether rows carry a known_at (None: drawn), `shared_as_of` is one as_of that all entities are seen at.
    """
    late = draw(st.booleans()) if late is None else late
    rows, snapshots = [], []
    for entity in ENTITIES:
        signed_up = draw(st.one_of(st.none(), st.sampled_from(_MOMENTS)))
        as_ofs = draw(st.lists(st.sampled_from(_MOMENTS), min_size=1, max_size=3, unique=True))
        if shared_as_of is not None:
            as_ofs = [shared_as_of, *(as_of for as_of in as_ofs if as_of != shared_as_of)]
        anchors = [*as_ofs, *([] if signed_up is None else [signed_up])]
        log = draw(logs(instants(anchors), names, as_ofs, late))
        rows += [Row(entity, event) for event in log]
        snapshots += [Snapshot(entity, as_of, signed_up) for as_of in as_ofs]
    return World(draw(st.permutations(rows)), snapshots)


def crowd(size: int, late: bool, names: Sequence[str] = PLAIN_EVENTS) -> World:
    """A world with many entities of the same kind, always the same one: what one query can check at once."""
    dice = random.Random(7)
    rows, snapshots = [], []
    for entity in map(str, range(size)):
        signed_up, as_ofs = dice.choice((None, *_MOMENTS)), dice.sample(_MOMENTS, 3)
        name, time = names[0], START
        for _ in range(dice.randrange(9)):
            edge = dice.choice([*as_ofs, signed_up or START]) + dice.choice((1, -1)) * dice.choice(_STEPS)
            time = dice.choice((edge + dice.choice(_NUDGES), edge // DAY * DAY, time + dice.choice(_GAPS)))
            known_at = dice.choice((None, time + DAY, *(as_of + dice.choice((-1, 0)) for as_of in as_ofs)))
            values = {name: dice.choice(_AMOUNTS) for name in dice.sample(VALUES, dice.randrange(3))}
            name = dice.choice((name, dice.choice(names)))
            row = (name, time, dice.choice(_USERS), known_at if late else None)
            rows.append(Row(entity, Event(*row, dice.choice(_COUNTS), dice.choice(_USER_COUNTS), values)))
        snapshots += [Snapshot(entity, as_of, signed_up) for as_of in as_ofs]
    return World(rows, snapshots)


def futures(as_of: int, names: Sequence[str] = PLAIN_EVENTS) -> st.SearchStrategy[list[Row]]:
    """Rows that nobody could have known about before as_of: they happen then, or are known only then."""
    later = st.sampled_from((0, 1, HOUR, DAY))
    happens = st.builds(lambda a, b: (as_of + a, as_of + b - DAY), later, later)
    known = st.builds(lambda a, b: (as_of - a, as_of + b), later, later)
    events = st.one_of(happens, known).flatmap(lambda when: one_event(when[0], names, when[1]))
    return st.lists(st.builds(Row, st.sampled_from(ENTITIES), events), max_size=12)


def is_future(event: Event, as_of: int) -> bool:
    """Whether nobody could have known of the event before as_of."""
    return event.time >= as_of or (event.known_at is not None and event.known_at >= as_of)
