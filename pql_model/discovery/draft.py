"""The first `pql.yaml`, drafted from guesses: every line gives its reason and can be corrected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pql_model.discovery.conversions import recognise_conversions
from pql_model.discovery.exports import EntityKind
from pql_model.discovery.id_spelling import FORMS
from pql_model.discovery.keys import EntityIds
from pql_model.discovery.recognise import entity_ids, recognise_entities, recognise_events
from pql_model.discovery.roles import Guess
from pql_model.discovery.sketch import TableSketch
from pql_model.discovery.traits import may_be_outcome, split_traits
from pql_model.discovery.yaml_text import comment, line, printable, scalar, scalars, with_reason
from pql_model.errors import DataError

_HEAD = """\
Written by `pql init` from the data: every line is a guess, with its reason after `#`. Correct what is wrong, then
run `pql check`, which counts the usable rows and names the others. Paths start from this file's folder."""
_NO_ENTITIES = """\
Missing: the entities that can convert, one row per account (or user) with its sign-up time. Fill in and remove `#`,
or run `pql init` again with `--entities FILE`."""
_NO_CONVERSIONS = """\
Missing: the conversions with their time. Several rows per entity are fine; the first one counts. Fill in and remove
`#`, or run `pql init` again with `--conversions FILE`."""
_DAY = "a date counts as midnight, which is earlier than everything else that happened on that day"


@dataclass(frozen=True)
class Draft:
    """The text of a `pql.yaml`, one sentence per guess, and what the data cannot tell."""

    text: str
    notes: tuple[str, ...]
    questions: tuple[str, ...] = ()


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
        comment(_HEAD),
        [
            line("name", _valid_name(name), "names the experiment and the model"),
            line("entity", guesses.kind, "what converts: account | user"),
        ],
        ["events:", "\n\n".join("\n".join(_event_table(sketch, guess)) for sketch, guess in guesses.events)],
    ]
    entity_lines, trait_notes = _entities(guesses.entities)
    resolution, resolution_notes = _resolution(guesses)
    schedule, schedule_notes = _motion(guesses)
    blocks += [entity_lines, _conversions(guesses.conversions), _normalise(guesses), schedule, resolution, _examples()]
    notes = [note for sketch, guess in guesses.tables for note in _reasons(guess, sketch, len(events) > 1)]
    notes += [note for sketch, _ in guesses.tables for note in _writing(sketch)]
    notes += [*trait_notes, *schedule_notes, *resolution_notes, *_gaps(guesses)]
    text = "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    questions = [question for table in guesses.tables for question in _questions(*table)]
    return Draft(text, _sentences(notes), _sentences(questions))


def _sentences(sentences: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(printable, sentences)))


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
    lines = comment(f"{sketch.file}: {shape}{by}", indent="  ")
    lines.append(f"  - table: {scalar(sketch.path)}")
    lines += _reading(sketch, guess, 4)
    if guess.event is not None:
        lines.append(line("event", guess.event, "named after the file; rename it to what a row is", 4))
    lines += ["    columns:", *_roles(guess, 6)]
    lines += _mapping("values", guess.values, "name: column of numbers to sum up; delete what is not an amount")
    lines += _mapping("counts", guess.counts, "event: column of its count")
    lines += _mapping("users", guess.users, "event: column of its distinct users")
    if guess.covers is not None:
        lines.append(
            line("covers", guess.covers, "a row sums up this period from its time on, and is known at its end", 4)
        )
    return lines


def _entities(table: _Table | None) -> tuple[list[str], list[str]]:
    if table is None:
        example = ["entities:", "  table: accounts.csv", "  columns: {entity: account_id, signed_up: created_at}"]
        return [*comment(_NO_ENTITIES), *(f"# {line}" for line in example)], []
    sketch, guess = table
    traits, left_out = split_traits(sketch, guess.roles.values())
    lines = [
        "entities:",
        f"  table: {scalar(sketch.path)}",
        *_reading(sketch, guess, 2),
        "  columns:",
        *_roles(guess, 4),
    ]
    notes = [f"`{name}` of {sketch.file} is not used as a trait: {why}." for name, why in left_out.items()]
    if left_out:
        lines += comment("Left out of the traits:", indent="  ")
        lines += [line for name, why in left_out.items() for line in comment(f"  {name}: {why}", indent="  ")]
    if traits:
        lines.append("  traits:  # known at sign-up; delete what was filled in later")
        lines += [f"    - {scalar(trait)}" for trait in traits]
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
        return [*comment(_NO_CONVERSIONS), *(f"# {line}" for line in example)]
    sketch, guess = table
    by = comment(f"looks like {guess.export}", indent="  ") if guess.export else []
    table_line = f"  table: {scalar(sketch.path)}"
    return ["conversions:", *by, table_line, *_reading(sketch, guess, 2), "  columns:", *_roles(guess, 4)]


def _reading(sketch: TableSketch, guess: Guess, indent: int) -> list[str]:
    """Which rows of a table count, and how its text is read; the questions about it stand above."""
    blank = " " * indent
    lines = [part for question in _questions(sketch, guess) for part in comment(f"Question: {question}", blank)]
    marks = sketch.marks
    if sketch.encoding:
        reason = "the file is not UTF-8; look whether its letters are right in this encoding"
        lines.append(line("encoding", sketch.encoding, reason, indent))
    if marks.decimal:
        lines.append(line("decimal", marks.decimal, f"the decimal mark in {', '.join(marks.columns)}", indent))
    if marks.thousands:
        lines.append(line("thousands", marks.thousands, "the mark between thousands", indent))
    if marks.ambiguous:
        lines += [f'{blank}# decimal: ","', f'{blank}# thousands: "."']
    if guess.drop_repeats:
        lines.append(with_reason("drop_repeats: true", "rows that are alike in every column count once", indent))
    if guess.conditions:
        lines.append(f"{blank}where:  # only these rows count")
        for condition in guess.conditions:
            values = scalars(condition.values, flags=True)
            pair = f"{scalar(condition.column)}: {f'{{not: {values}}}' if condition.excludes else values}"
            lines.append(with_reason(pair, condition.reason, indent + 2))
    return lines


def _writing(sketch: TableSketch) -> Iterator[str]:
    """How the texts of a table are read, where they are not plain."""
    if sketch.encoding:
        yield f"{sketch.file} is not UTF-8 and is read as {sketch.encoding}: look whether its letters are right (`encoding:`)."
    marks = [f"{name} mark `{mark}`" for name in ("decimal", "thousands") if (mark := getattr(sketch.marks, name))]
    if marks:
        yield f"Numbers of {sketch.file} such as those in `{sketch.marks.columns[0]}` are read with the {' and the '.join(marks)}."


def _questions(sketch: TableSketch, guess: Guess) -> list[str]:
    if not sketch.marks.ambiguous:
        return list(guess.questions)
    names = ", ".join(f"`{name}`" for name in sketch.marks.ambiguous)
    unclear = (
        f"Is `{sketch.marks.example}` in {names} of {sketch.file} a number of thousands, or a decimal fraction? No value "
        "says so: name the marks with `decimal:` and `thousands:`."
    )
    return [*guess.questions, unclear]


def _roles(guess: Guess, indent: int) -> list[str]:
    return [line(role, column, guess.role_reasons[role], indent) for role, column in guess.roles.items()]


def _mapping(key: str, columns: dict[str, str], about: str) -> list[str]:
    if not columns:
        return []
    lines = [f"      {scalar(name)}: {scalar(column)}" for name, column in columns.items()]
    return [f"    {key}:  # {about}", *lines]


def _normalise(guesses: _Guesses) -> list[str]:
    """The forms that bring the ids of all tables to one spelling."""
    forms = list(dict.fromkeys(form for _, guess in guesses.tables for form in guess.normalise))
    reason = f"ids match without regard to {' and '.join(FORMS[form] for form in forms)}"
    return [with_reason(f"normalise: {scalars(forms)}", reason)] if forms else []


def _motion(guesses: _Guesses) -> tuple[list[str], list[str]]:
    horizon = line("horizon", "30d", "a conversion within this time counts")
    if guesses.entities is not None and "signed_up" not in guesses.entities[1].roles:
        lines = [
            line("motion", "freemium", "a trial needs the sign-up time (`entities.columns.signed_up`)"),
            "snapshots: {every: 7d, active_within: 28d}  # once a week, entities active in the last four weeks",
        ]
        return [*lines, horizon], ["The motion is freemium, because there is no sign-up time."]
    lines = [
        line("motion", "trial", "or freemium, with {every: 7d, active_within: 28d}"),
        "snapshots: {at_days: [3, 7, 14]}  # days after sign-up, at most the length of the trial",
    ]
    why = "because there are sign-up times" if guesses.entities else "to be checked once the entities are known"
    note = f"The motion is trial with snapshots on days 3, 7 and 14, {why}; an unlimited free plan is freemium."
    return [*lines, horizon], [note]


def _resolution(guesses: _Guesses) -> tuple[list[str], list[str]]:
    """Cut times to days where sign-ups or others are dates: a date is midnight, and earlier than the hours of its day."""
    tables = [(s, g, "signed_up" if (s, g) == guesses.entities else "time") for s, g in guesses.tables]
    timed = [(s, g, role) for s, g, role in tables if role in g.roles and g.covers in (None, "1d")]
    dated = [sketch.file for sketch, guess, role in timed if _dates_only(sketch, guess, role)]
    if not dated or guesses.entities is None or "signed_up" not in guesses.entities[1].roles:
        return [], []
    if len(dated) == len(timed):
        why = "all times are dates"
    else:
        why = f"{' and '.join(dated)} {'has' if len(dated) == 1 else 'have'} dates only while other times have a time of day"
    note = f"Times are cut to days (`resolution: day`): {why}, and {_DAY}."
    return [*comment(f"{why}: {_DAY}"), "resolution: day"], [note]


def _dates_only(sketch: TableSketch, guess: Guess, role: str) -> bool:
    return sketch.column(guess.roles[role]).is_date


def _examples() -> list[str]:
    lines = [
        "observed_until: 2026-06-30  # default: the newest event that is not in the future",
        "definition:  # the PQL rule in force today",
        "  all: [{event: any, measure: active_days, at_least: 3, within: first 7d}]",
        "policy: {capacity: {leads: 50, per: 7d}}  # how many leads can be worked",
    ]
    return [*comment("More keys:"), *(f"# {line}" for line in lines)]


def _reasons(guess: Guess, sketch: TableSketch, several: bool) -> list[str]:
    """The reasons, each with its table where there are several event tables."""
    return [f"{sketch.file}: {reason}" if several and reason[0] == "`" else reason for reason in guess.reasons]


def _gaps(guesses: _Guesses) -> Iterable[str]:
    if guesses.entities is None:
        yield "There is no entities table: fill in `entities:` or run `pql init` again with `--entities FILE`."
    if guesses.conversions is None:
        yield "There is no conversions table: fill in `conversions:` or run `pql init` again with `--conversions FILE`."


def _valid_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._") or "my-product"
