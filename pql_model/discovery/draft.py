"""The first `pql.yaml`, written from guesses: every line says where it comes from and can be corrected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from pql_model.discovery.exports import EntityKind
from pql_model.discovery.recognise import (
    Guess,
    Ids,
    TableSketch,
    ids_of,
    recognise_conversions,
    recognise_entities,
    recognise_events,
)
from pql_model.discovery.traits import may_be_outcome, split_traits
from pql_model.errors import DataError

_WIDTH = 116
_COMMENT_AT = 40
_HEAD = """\
Written by `pql init` from the data: every line is a guess, with its reason behind `#`. Correct what is wrong,
then run `pql check`: it counts what can be used and names what cannot. Paths start from this file's folder."""
_NO_ENTITIES = """\
Missing: who can convert. One row an account (or user), with the time of sign-up. Fill in and take `#` away,
or run `pql init` again with `--entities FILE`."""
_NO_CONVERSIONS = """\
Missing: who paid, and when. Several rows an entity are fine, the first one counts. Fill in and take `#` away,
or run `pql init` again with `--conversions FILE`."""
_DAY = "an event of day D, at midnight for want of a time, would seem to come before a sign-up at 09:00 of that day"


@dataclass(frozen=True)
class Draft:
    """The text of a `pql.yaml`, and one sentence for each guess in it."""

    text: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Guesses:
    events: list[tuple[TableSketch, Guess]]
    entities: tuple[TableSketch, Guess] | None
    conversions: tuple[TableSketch, Guess] | None

    @property
    def kind(self) -> EntityKind:
        kinds = [guess.kind for _, guess in self.events]
        if "account" in kinds or (self.entities and self.entities[1].kind == "account" and "user" not in kinds):
            return "account"
        return "user"


def draft_config(
    name: str, events: Sequence[TableSketch], entities: TableSketch | None, conversions: TableSketch | None
) -> Draft:
    """Write a `pql.yaml` from what the tables look like.

    Parameters
    ----------
    name
        The product; made fit for a model's name.
    events, entities, conversions
        The sketched tables. Without `entities` or `conversions` their blocks are written as comments to fill in.

    Returns
    -------
    Draft
        Its text is a valid config whenever all three are given.

    Raises
    ------
    DataError
        If a table is empty, or no column seems to hold what is needed.
    """
    if not events:
        raise DataError("There is no table of events", remedy="name one with `--events FILE`")
    guesses = _guess_all(events, entities, conversions)
    blocks = [
        _comment(_HEAD),
        [
            _line("name", _fit_name(name), "names the experiment and the model"),
            _line("entity", guesses.kind, "what converts: account | user"),
        ],
        ["events:", "\n\n".join("\n".join(_event_table(sketch, guess)) for sketch, guess in guesses.events)],
    ]
    entity_lines, trait_notes = _entities(guesses.entities)
    resolution, resolution_notes = _resolution(guesses)
    schedule, schedule_notes = _motion(guesses)
    blocks += [entity_lines, _conversions(guesses.conversions), schedule, resolution, _examples()]
    notes = [note for sketch, guess in _tables(guesses) for note in _told(guess, sketch, len(events) > 1)]
    notes += [*trait_notes, *schedule_notes, *resolution_notes, *_gaps(guesses)]
    text = "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    return Draft(text, tuple(dict.fromkeys(_printable(note) for note in notes)))


def _guess_all(
    events: Sequence[TableSketch], entities: TableSketch | None, conversions: TableSketch | None
) -> _Guesses:
    others = [*events, *([conversions] if conversions else [])]
    who = recognise_entities(entities, others) if entities else None
    ids = ids_of(entities, who) if entities and who else None
    paid = recognise_conversions(conversions, ids) if conversions else None
    if ids is None and conversions and paid:
        ids = ids_of(conversions, paid)  # second best: those who paid are some of the entities
    found = _guess_events(events, ids)
    return _Guesses(
        list(zip(events, found, strict=True)),
        (entities, who) if entities and who else None,
        (conversions, paid) if conversions and paid else None,
    )


def _guess_events(events: Sequence[TableSketch], ids: Ids | None) -> list[Guess]:
    found = [recognise_events(sketch, ids) for sketch in events]
    if ids is None and {guess.kind for guess in found} == {"account", "user"}:  # what all tables have is the user
        return [recognise_events(sketch, ids, prefer="user") for sketch in events]
    return found


# ---------------------------------------------------------------- blocks


def _event_table(sketch: TableSketch, guess: Guess) -> list[str]:
    shape = "a log, one row an event"
    if guess.event is not None:
        shape = "every row is the same event"
    elif guess.counts:
        shape = "already counted, one column an event"
    by = f"; looks like an export of {guess.export}" if guess.export else ""
    lines = _comment(f"{sketch.file}: {shape}{by}", indent="  ")
    lines.append(f"  - table: {_scalar(sketch.path)}")
    if guess.event is not None:
        lines.append(_line("event", guess.event, "named after the file; say what one row is", 4))
    lines += ["    columns:", *_roles(guess, 6)]
    lines += _mapping("values", guess.values, "numbers to sum up, name: column; delete what is not an amount")
    lines += _mapping("counts", guess.counts, "event: column with its count")
    lines += _mapping("users", guess.users, "event: column with its distinct users")
    if guess.covers is not None:
        lines.append(_line("covers", guess.covers, "a row sums up this long from its time; it is known afterwards", 4))
    return lines


def _entities(found: tuple[TableSketch, Guess] | None) -> tuple[list[str], list[str]]:
    if found is None:
        example = ["entities:", "  table: accounts.csv", "  columns: {entity: account_id, signed_up: created_at}"]
        return [*_comment(_NO_ENTITIES), *(f"# {line}" for line in example)], []
    sketch, guess = found
    traits, left_out = split_traits(sketch, guess.roles.values())
    lines = ["entities:", f"  table: {_scalar(sketch.path)}", "  columns:", *_roles(guess, 4)]
    notes = [f"`{name}` of {sketch.file} is not used as a trait: {why}." for name, why in left_out.items()]
    if left_out:
        lines += _comment("Left out of the traits:", indent="  ")
        lines += [line for name, why in left_out.items() for line in _comment(f"  {name}: {why}", indent="  ")]
    if traits:
        lines.append("  traits:  # facts known at sign-up; delete what was filled in later")
        lines += [f"    - {_scalar(trait)}" for trait in traits]
    else:
        lines.append("  traits: []")
    notes += [
        f"Trait `{name}` of {sketch.file} may speak of the outcome itself: look at the leakage audit of `pql check`."
        for name in traits
        if may_be_outcome(name)
    ]
    return lines, notes


def _conversions(found: tuple[TableSketch, Guess] | None) -> list[str]:
    if found is None:
        columns = "{entity: account_id, time: paid_at, value: mrr}"
        example = ["conversions:", "  table: subscriptions.csv", f"  columns: {columns}"]
        return [*_comment(_NO_CONVERSIONS), *(f"# {line}" for line in example)]
    sketch, guess = found
    by = _comment(f"looks like {guess.export}", indent="  ") if guess.export else []
    return ["conversions:", *by, f"  table: {_scalar(sketch.path)}", "  columns:", *_roles(guess, 4)]


def _motion(guesses: _Guesses) -> tuple[list[str], list[str]]:
    horizon = _line("horizon", "30d", "a conversion within so long counts")
    if guesses.entities is not None and "signed_up" not in guesses.entities[1].roles:
        lines = [
            _line("motion", "freemium", "trial needs the time of sign-up (`entities.columns.signed_up`)"),
            "snapshots: {every: 7d, active_within: 28d}  # look once a week at everyone active in four weeks",
        ]
        return [*lines, horizon], ["The motion is freemium, because no time of sign-up was found."]
    lines = [
        _line("motion", "trial", "or freemium, with {every: 7d, active_within: 28d}"),
        "snapshots: {at_days: [3, 7, 14]}  # look at everyone so many days after sign-up; at most the trial's length",
    ]
    why = "because sign-ups have a time" if guesses.entities else "to be checked once the entities are known"
    note = f"The motion is trial with snapshots on days 3, 7 and 14, {why}; a free plan without an end is freemium."
    return [*lines, horizon], [note]


def _resolution(guesses: _Guesses) -> tuple[list[str], list[str]]:
    who = guesses.entities
    if who is None or "signed_up" not in who[1].roles or _dates_only(*who, "signed_up"):
        return [], []
    tables = [*guesses.events, *([guesses.conversions] if guesses.conversions else [])]
    daily = [(sketch, guess) for sketch, guess in tables if guess.covers in (None, "1d")]
    dated = [sketch.file for sketch, guess in daily if _dates_only(sketch, guess, "time")]
    if not dated:
        return [], []
    why = f"{' and '.join(dated)} {'has' if len(dated) == 1 else 'have'} dates only while sign-ups have times of day"
    note = f"Times are cut to days (`resolution: day`): {why}, and {_DAY}."
    return [*_comment(f"{why}: {_DAY}"), "resolution: day"], [note]


def _dates_only(sketch: TableSketch, guess: Guess, role: str) -> bool:
    return next(column for column in sketch.columns if column.name == guess.roles[role]).is_date


def _examples() -> list[str]:
    lines = [
        "observed_until: 2026-06-30  # default: the newest time in the data that is not in the future",
        "definition:  # the rule in force today",
        "  all: [{event: any, measure: active_days, at_least: 3, within: first 7d}]",
        "policy: {capacity: {leads: 50, per: 7d}}  # how many leads can be worked",
    ]
    return [*_comment("More that can be said:"), *(f"# {line}" for line in lines)]


def _told(guess: Guess, sketch: TableSketch, several: bool) -> list[str]:
    """The reasons, each with its table where there are several of events."""
    return [f"{sketch.file}: {reason}" if several and reason[0] == "`" else reason for reason in guess.reasons]


def _gaps(guesses: _Guesses) -> Iterable[str]:
    if guesses.entities is None:
        yield "No table of entities was given: fill in `entities:` or run `pql init` again with `--entities FILE`."
    if guesses.conversions is None:
        yield "No conversions were given: fill in `conversions:` or run `pql init` again with `--conversions FILE`."


def _tables(guesses: _Guesses) -> list[tuple[TableSketch, Guess]]:
    return [*guesses.events, *(found for found in (guesses.entities, guesses.conversions) if found)]


# ---------------------------------------------------------------- writing


def _roles(guess: Guess, indent: int) -> list[str]:
    return [_line(role, column, guess.why.get(role, ""), indent) for role, column in guess.roles.items()]


def _mapping(key: str, columns: dict[str, str], comment: str) -> list[str]:
    if not columns:
        return []
    lines = [f"      {_scalar(name)}: {_scalar(column)}" for name, column in columns.items()]
    return [f"    {key}:  # {comment}", *lines]


def _line(key: str, value: str, comment: str = "", indent: int = 0) -> str:
    """`key: value  # comment`; a comment too long for the line stands above."""
    blank = " " * indent
    plain = f"{blank}{key}: {_scalar(value)}"
    comment = _printable(comment)
    if not comment:
        return plain
    beside = f"{plain:<{_COMMENT_AT}}  # {comment}"
    return beside if len(beside) <= 120 else "\n".join([*_comment(comment, blank), plain])


def _comment(text: str, indent: str = "") -> list[str]:
    """Comment lines no wider than the file; what was written as a line stays one if it fits."""
    lines: list[str] = []
    for written in text.split("\n"):
        line = ""
        for word in re.findall(r"\s*\S+", _printable(written)):
            if line and len(indent) + len(line) + len(word) > _WIDTH:
                lines.append(line)
                line = "  "
                word = word.strip()
            line += word
        lines.append(line)
    return [f"{indent}# {line}" for line in lines]


def _scalar(text: str) -> str:
    """A text as YAML on one line, quoted where it must be, anywhere in the file."""
    plain = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**9)[1:-2]
    if text == _printable(text) and "\n" not in plain:
        return plain
    return str(yaml.safe_dump([text], default_flow_style=True, default_style='"', width=10**9))[1:-2]


def _printable(text: str) -> str:
    """For comments and notes: one line, and nothing that YAML forbids."""
    return "".join(char if char.isprintable() else " " for char in text)


def _fit_name(name: str) -> str:
    fit = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")
    return fit or "my-product"
