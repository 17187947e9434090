"""The comment on top of the statement: what it answers, what the tables must be, and what SQL cannot know."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from pql_model.config.definition import Definition
from pql_model.config.schema import Config
from pql_model.criteria.definition_text import definition_text
from pql_model.criteria.sql_dialects import SqlDialect
from pql_model.criteria.sql_raw import Raw
from pql_model.time import iso

_WIDTH = 110
_KINDS = {"text": "text or whole numbers", "time": "TIMESTAMP", "number": "numbers", "JSON": "JSON"}


def header(
    config: Config, definition: Definition, engine: SqlDialect, as_of: int | None, raws: Mapping[str, Raw], known: bool
) -> str:
    """The lines of the comment; `known` says whether all columns of the tables are known."""
    lines = [
        f"The {config.entity}s of {config.name} that meet, {_when(as_of)}:",
        f"  {definition_text(definition)}",
        f"among those at risk: {_at_risk(config)}.",
        "",
        "It reads these tables. Times are in UTC, and an id is written the same way in all of them.",
        *[f"  {line}" for raw in raws.values() if raw.read for line in [_described(raw)]],
        *_sentences(config, engine, as_of, known),
    ]
    return "\n".join(f"-- {line}".rstrip() for line in _wrapped(lines))


def _wrapped(lines: list[str]) -> Iterator[str]:
    for line in lines:
        # a name may hold a line break, which would end the comment
        plain = "".join(c if c.isprintable() else " " for c in line)
        indent = " " * (len(plain) - len(plain.lstrip()))
        yield from textwrap.wrap(plain, _WIDTH, subsequent_indent=indent + "  " if indent else "") or [""]


def _when(as_of: int | None) -> str:
    return "at the moment it is run" if as_of is None else f"as of {iso(as_of)}"


def _at_risk(config: Config) -> str:
    days = config.schedule.at_days
    if config.motion == "trial" and days is not None:
        began = f"signed up {days[0]} to {days[-1] + 1} days before, the ages that are scored"
    else:
        began = "signed up before" if config.entities.columns.signed_up is not None else "listed"
        within = config.schedule.active_within
        began += f", active in the last {within.text}" if within is not None else ""
    return f"{began}, not converted, not excluded"


def _described(raw: Raw) -> str:
    file = f" ({raw.table})" if raw.table != raw.name else ""
    kinds: dict[str, list[str]] = {}
    for column, kind in raw.read.items():
        kinds.setdefault(_KINDS[kind], []).append(column)
    return f"{raw.name}{file}: " + "; ".join(f"{', '.join(columns)} ({kind})" for kind, columns in kinds.items())


def _sentences(config: Config, engine: SqlDialect, as_of: int | None, known: bool) -> Iterator[str]:
    if engine.in_utc:
        yield f"Run it in a session in UTC: {engine.in_utc}"
    if not engine.lenient:
        yield "A text that is no time or number stops it: load such values as NULL."
    if config.resolution == "day":
        yield "Times are cut to their date, as `resolution: day` says."
    if not known:
        yield (
            "The tables were not looked at: a column such as is_bot is not read, and where an account has several rows "
            "with different traits, another one may count."
        )
    if config.observed_until is not None and (as_of is None or as_of <= config.observed_until):
        yield "`observed_until` plays no part here: whatever the tables hold before as_of counts."
