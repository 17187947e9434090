"""Which events are those of bots, by the user name, the user agent or a column that marks bots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ibis

from pql_model.config.source_tables import EventTable
from pql_model.sources.casts import identifier, text
from pql_model.sources.files import RawTable
from pql_model.sources.scalars import AGENT_COLUMNS, BOT_AGENTS, BOT_COLUMNS, BOT_FLAGS, BOT_USERS

Column = Any


def bot_columns(spec: EventTable, columns: Iterable[str]) -> tuple[str | None, str | None]:
    """Find the column with the user agent and the one that marks bots; either may be None."""
    by_lower = {name.lower(): name for name in columns}
    agent = spec.columns.user_agent or next((by_lower[n] for n in AGENT_COLUMNS if n in by_lower), None)
    named = [spec.columns.entity, spec.columns.time, spec.columns.event, spec.columns.id, spec.columns.known_at]
    mapped = {*spec.values.values(), *(spec.counts or {}).values(), *named, *(spec.columns.user or ())}
    flag = next((by_lower[n] for n in BOT_COLUMNS if n in by_lower and by_lower[n] not in mapped), None)
    return agent, flag


def is_bot(raw: RawTable, spec: EventTable, at: str, person: Column | None) -> Column:
    """Whether the user name, the user agent or a bot column marks a bot."""
    marks = [] if person is None else [person.re_search(BOT_USERS)]
    agent, flag = bot_columns(spec, raw.columns)
    if agent is not None:
        marks.append(text(raw.column(agent, f"{at}.columns.user_agent")).re_search(BOT_AGENTS))
    if flag is not None:
        marks.append(identifier(raw.column(flag, "bot")).lower().isin(BOT_FLAGS))
    return ibis.or_(*[mark.fill_null(False) for mark in marks], ibis.literal(False))
