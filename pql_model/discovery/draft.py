"""The first `pql.yaml`, drafted from guesses: every line gives its reason and can be corrected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from pql_model.discovery.exports import EntityKind
from pql_model.discovery.keys import EntityIds
from pql_model.discovery.recognise import (
    Guess,
    entity_ids,
    recognise_conversions,
    recognise_entities,
    recognise_events,
)
from pql_model.discovery.sketch import TableSketch
from pql_model.discovery.traits import may_be_outcome, split_traits
from pql_model.errors import DataError

_WIDTH = 116
_COMMENT_AT = 40
_HEAD = """\
Written by `pql init` from the data: every line is a guess, with its reason after `#`. Correct what is wrong, then
run `pql check`, which counts the usable rows and names the others. Paths start from this file's folder."""
_NO_ENTITIES = """\
Missing: the entities that can convert, one row per account (or user) with its sign-up time. Fill in and remove `#`,
or run `pql init` again with `--entities FILE`."""
_NO_CONVERSIONS = """\
Missing: the conversions with their time. Several rows per entity are fine; the first one counts. Fill in and remove
`#`, or run `pql init` again with `--conversions FILE`."""
_DAY = "an event of day D counts as midnight, which is earlier than a sign-up at 09:00 of that day"


@dataclass(frozen=True)
class Draft:
    """The text of a `pql.yaml`, and one sentence per guess."""

    text: str
    notes: tuple[str, ...]


_Table = tuple[TableSketch, Guess]


@dataclass(frozen=True)
class _Guesses:
    events: list[_Table]
    entities: _Table | None
    conversions: _Table | None

    @property
    def tables(self) -> list[_Table]:
        return [*self.events, *(table for table in (self.entities, self.conversions) if table)]

    @property
    def kind(self) -> EntityKind:
        kinds = [guess.kind for _, guess in self.events]
        if "account" in kinds or (self.entities and self.entities[1].kind == "account" and "user" not in kinds):
            return "account"
        return "user"


def draft_config(
    name: str, events: Sequence[TableSketch], entities: TableSketch | None, conversions: TableSketch | None
) -> Draft:
    """Draft a `pql.yaml` from sketches of the tables.

    Parameters
    ----------
    name : str
        The product; adapted to a valid model name.
    events : sequence of TableSketch
        The event tables.
    entities, conversions : TableSketch, optional
        The other tables. Without one, its block is a comment to fill in.

    Returns
    -------
    Draft
        Its text is a valid config if all three are passed.

    Raises
    ------
    DataError
        If a table is empty, or a required column cannot be recognised.
    """
    if not events:
        raise DataError("There is no event table", remedy="name one with `--events FILE`")
    guesses = _guess_all(events, entities, conversions)
    blocks = [
        _comment(_HEAD),
        [
            _line("name", _valid_name(name), "names the experiment and the model"),
            _line("entity", guesses.kind, "what converts: account | user"),
        ],
        ["events:", "\n\n".join("\n".join(_event_table(sketch, guess)) for sketch, guess in guesses.events)],
    ]
    entity_lines, trait_notes = _entities(guesses.entities)
    resolution, resolution_notes = _resolution(guesses)
    schedule, schedule_notes = _motion(guesses)
    blocks += [entity_lines, _conversions(guesses.conversions), schedule, resolution, _examples()]
    notes = [note for sketch, guess in guesses.tables for note in _reasons(guess, sketch, len(events) > 1)]
    notes += [*trait_notes, *schedule_notes, *resolution_notes, *_gaps(guesses)]
    text = "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    return Draft(text, tuple(dict.fromkeys(_printable(note) for note in notes)))


def _guess_all(
    events: Sequence[TableSketch], entities: TableSketch | None, conversions: TableSketch | None
) -> _Guesses:
    others = [*events, *([conversions] if conversions else [])]
    entity_table = (entities, recognise_entities(entities, others)) if entities else None
    ids = entity_ids(*entity_table) if entity_table else None
    conversion_table = (conversions, recognise_conversions(conversions, ids)) if conversions else None
    if ids is None and conversion_table:
        ids = entity_ids(*conversion_table)  # second best: the entities that paid
    return _Guesses(_guess_events(events, ids), entity_table, conversion_table)


def _guess_events(events: Sequence[TableSketch], ids: EntityIds | None) -> list[_Table]:
    guesses = [recognise_events(sketch, ids) for sketch in events]
    if ids is None and {guess.kind for guess in guesses} == {"account", "user"}:  # all tables have the user
        guesses = [recognise_events(sketch, ids, prefer="user") for sketch in events]
    return list(zip(events, guesses, strict=True))


# ---------------------------------------------------------------- blocks


def _event_table(sketch: TableSketch, guess: Guess) -> list[str]:
    shape = "a log, one row per event"
    if guess.event is not None:
        shape = "every row is the same event"
    elif guess.counts:
        shape = "already counted, one column per event"
    by = f"; looks like an export of {guess.export}" if guess.export else ""
    lines = _comment(f"{sketch.file}: {shape}{by}", indent="  ")
    lines.append(f"  - table: {_scalar(sketch.path)}")
    if guess.event is not None:
        lines.append(_line("event", guess.event, "named after the file; rename it to what a row is", 4))
    lines += ["    columns:", *_roles(guess, 6)]
    lines += _mapping("values", guess.values, "name: column of numbers to sum up; delete what is not an amount")
    lines += _mapping("counts", guess.counts, "event: column of its count")
    lines += _mapping("users", guess.users, "event: column of its distinct users")
    if guess.covers is not None:
        lines.append(
            _line("covers", guess.covers, "a row sums up this period from its time on, and is known at its end", 4)
        )
    return lines


def _entities(table: _Table | None) -> tuple[list[str], list[str]]:
    if table is None:
        example = ["entities:", "  table: accounts.csv", "  columns: {entity: account_id, signed_up: created_at}"]
        return [*_comment(_NO_ENTITIES), *(f"# {line}" for line in example)], []
    sketch, guess = table
    traits, left_out = split_traits(sketch, guess.roles.values())
    lines = ["entities:", f"  table: {_scalar(sketch.path)}", "  columns:", *_roles(guess, 4)]
    notes = [f"`{name}` of {sketch.file} is not used as a trait: {why}." for name, why in left_out.items()]
    if left_out:
        lines += _comment("Left out of the traits:", indent="  ")
        lines += [line for name, why in left_out.items() for line in _comment(f"  {name}: {why}", indent="  ")]
    if traits:
        lines.append("  traits:  # known at sign-up; delete what was filled in later")
        lines += [f"    - {_scalar(trait)}" for trait in traits]
    else:
        lines.append("  traits: []")
    notes += [
        f"Trait `{name}` of {sketch.file} may contain the outcome: see the leakage audit of `pql check`."
        for name in traits
        if may_be_outcome(name)
    ]
    return lines, notes


def _conversions(table: _Table | None) -> list[str]:
    if table is None:
        columns = "{entity: account_id, time: paid_at, value: mrr}"
        example = ["conversions:", "  table: subscriptions.csv", f"  columns: {columns}"]
        return [*_comment(_NO_CONVERSIONS), *(f"# {line}" for line in example)]
    sketch, guess = table
    by = _comment(f"looks like {guess.export}", indent="  ") if guess.export else []
    return ["conversions:", *by, f"  table: {_scalar(sketch.path)}", "  columns:", *_roles(guess, 4)]


def _motion(guesses: _Guesses) -> tuple[list[str], list[str]]:
    horizon = _line("horizon", "30d", "a conversion within this time counts")
    if guesses.entities is not None and "signed_up" not in guesses.entities[1].roles:
        lines = [
            _line("motion", "freemium", "a trial needs the sign-up time (`entities.columns.signed_up`)"),
            "snapshots: {every: 7d, active_within: 28d}  # once a week, entities active in the last four weeks",
        ]
        return [*lines, horizon], ["The motion is freemium, because there is no sign-up time."]
    lines = [
        _line("motion", "trial", "or freemium, with {every: 7d, active_within: 28d}"),
        "snapshots: {at_days: [3, 7, 14]}  # days after sign-up, at most the length of the trial",
    ]
    why = "because there are sign-up times" if guesses.entities else "to be checked once the entities are known"
    note = f"The motion is trial with snapshots on days 3, 7 and 14, {why}; an unlimited free plan is freemium."
    return [*lines, horizon], [note]


def _resolution(guesses: _Guesses) -> tuple[list[str], list[str]]:
    entities = guesses.entities
    if entities is None or "signed_up" not in entities[1].roles or _dates_only(*entities, "signed_up"):
        return [], []
    daily = [(s, g) for s, g in guesses.tables if "time" in g.roles and g.covers in (None, "1d")]
    dated = [sketch.file for sketch, guess in daily if _dates_only(sketch, guess, "time")]
    if not dated:
        return [], []
    why = f"{' and '.join(dated)} {'has' if len(dated) == 1 else 'have'} dates only while sign-ups have a time of day"
    note = f"Times are cut to days (`resolution: day`): {why}, and {_DAY}."
    return [*_comment(f"{why}: {_DAY}"), "resolution: day"], [note]


def _dates_only(sketch: TableSketch, guess: Guess, role: str) -> bool:
    return sketch.column(guess.roles[role]).is_date


def _examples() -> list[str]:
    lines = [
        "observed_until: 2026-06-30  # default: the newest time in the data that is not in the future",
        "definition:  # the PQL rule in force today",
        "  all: [{event: any, measure: active_days, at_least: 3, within: first 7d}]",
        "policy: {capacity: {leads: 50, per: 7d}}  # how many leads can be worked",
    ]
    return [*_comment("More keys:"), *(f"# {line}" for line in lines)]


def _reasons(guess: Guess, sketch: TableSketch, several: bool) -> list[str]:
    """The reasons, each with its table where there are several event tables."""
    return [f"{sketch.file}: {reason}" if several and reason[0] == "`" else reason for reason in guess.reasons]


def _gaps(guesses: _Guesses) -> Iterable[str]:
    if guesses.entities is None:
        yield "There is no entities table: fill in `entities:` or run `pql init` again with `--entities FILE`."
    if guesses.conversions is None:
        yield "There is no conversions table: fill in `conversions:` or run `pql init` again with `--conversions FILE`."


# ---------------------------------------------------------------- writing


def _roles(guess: Guess, indent: int) -> list[str]:
    return [_line(role, column, guess.role_reasons[role], indent) for role, column in guess.roles.items()]


def _mapping(key: str, columns: dict[str, str], comment: str) -> list[str]:
    if not columns:
        return []
    lines = [f"      {_scalar(name)}: {_scalar(column)}" for name, column in columns.items()]
    return [f"    {key}:  # {comment}", *lines]


def _line(key: str, value: str, comment: str = "", indent: int = 0) -> str:
    """Format `key: value  # comment`; a comment that is too long goes above."""
    blank = " " * indent
    pair = f"{blank}{key}: {_scalar(value)}"
    comment = _printable(comment)
    if not comment:
        return pair
    beside = f"{pair:<{_COMMENT_AT}}  # {comment}"
    return beside if len(beside) <= 120 else "\n".join([*_comment(comment, blank), pair])


def _comment(text: str, indent: str = "") -> list[str]:
    """Wrap a text into comment lines; a line of the text stays one line if it fits."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in re.findall(r"\s*\S+", _printable(paragraph)):
            if line and len(indent) + len(line) + len(word) > _WIDTH:
                lines.append(line)
                line = "  "
                word = word.strip()
            line += word
        lines.append(line)
    return [f"{indent}# {line}" for line in lines]


def _scalar(text: str) -> str:
    """Format a text as YAML on one line, quoted where necessary."""
    plain = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**9)[1:-2]
    if text == _printable(text) and "\n" not in plain:
        return plain
    return str(yaml.safe_dump([text], default_flow_style=True, default_style='"', width=10**9))[1:-2]


def _printable(text: str) -> str:
    """Replace line breaks and characters that YAML forbids, for comments and notes."""
    return "".join(char if char.isprintable() else " " for char in text)


def _valid_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._") or "my-product"
