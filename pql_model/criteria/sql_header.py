"""Write the comment on top of the statement: the question it answers, its requirements on the tables, and its assumptions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from pql_model.config.definition import Definition
from pql_model.config.schema import Config
from pql_model.criteria.definition_text import definition_text
from pql_model.criteria.sql_dialects import SqlDialect
from pql_model.criteria.sql_raw import Raw
from pql_model.time import iso

_WIDTH = 110
_KINDS = {"text": "text or whole numbers", "time": "TIMESTAMP", "number": "numbers", "JSON": "JSON", "list": "lists"}


def header(
    config: Config, definition: Definition, engine: SqlDialect, as_of: int | None, raws: Mapping[str, Raw], known: bool
) -> str:
    """Write the comment; `known` says whether all columns of the tables are known."""
    lines = [
        f"The {config.entity}s of {config.name} that meet, {_when(as_of)}:",
        f"  {definition_text(definition)}",
        f"among {config.entity}s at risk: {_at_risk(config)}.",
        "",
        "The statement reads these tables. Times must be in UTC, and an id must be written the same way in every table.",
        *[f"  {line}" for raw in raws.values() if raw.read for line in [_described(raw)]],
        *_sentences(config, engine, as_of, known),
    ]
    return comment(lines)


def comment(lines: Sequence[str]) -> str:
    """Write lines as comments, the long ones wrapped.

    >>> print(comment(["who meets it", "", "since when"]))
    -- who meets it
    --
    -- since when
    """
    return "\n".join(f"-- {line}".rstrip() for line in _wrapped(lines))


def _wrapped(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        # a line break in a name would end the comment
        plain = "".join(c if c.isprintable() else " " for c in line)
        indent = " " * (len(plain) - len(plain.lstrip()))
        yield from textwrap.wrap(plain, _WIDTH, subsequent_indent=indent + "  " if indent else "") or [""]


def _when(as_of: int | None) -> str:
    return "at the moment the statement runs" if as_of is None else f"as of {iso(as_of)}"


def _at_risk(config: Config) -> str:
    days = config.schedule.at_days
    if config.motion == "trial" and days is not None:
        began = f"signed up {days[0]} to {days[-1] + 1} days before (the ages that are scored)"
    else:
        began = "signed up before" if config.entities.columns.signed_up is not None else "listed"
        active_within = config.schedule.active_within
        began += f", active in the last {active_within.text}" if active_within is not None else ""
    return f"{began}, not converted, not excluded"


def _described(raw: Raw) -> str:
    file = f" ({raw.table})" if raw.table != raw.name else ""
    kinds: dict[str, list[str]] = {}
    for column, kind in raw.read.items():
        kinds.setdefault(_KINDS[kind], []).append(column)
    return f"{raw.name}{file}: " + "; ".join(f"{', '.join(columns)} ({kind})" for kind, columns in kinds.items())


def _sentences(config: Config, engine: SqlDialect, as_of: int | None, known: bool) -> Iterator[str]:
    if engine.in_utc:
        yield f"Run it in a UTC session: {engine.in_utc}"
    if not engine.safe_casts:
        yield "A text that is not a valid time or number makes it fail: load such values as NULL."
    if config.resolution == "day":
        yield "Times are truncated to their date because of `resolution: day`."
    if not known:
        yield (
            f"The columns of the tables were not known: a column such as is_bot is not read, and if one {config.entity} has "
            "several rows with different traits, a different row may be used."
        )
    if config.observed_until is not None and (as_of is None or as_of <= config.observed_until):
        yield "`observed_until` has no effect here: all rows before as_of count."
