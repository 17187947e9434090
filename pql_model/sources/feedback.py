"""What sales did and found: dispositions, read as contacted, accepted, rejected or won."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis

from pql_model.config.outcome_tables import FeedbackTable
from pql_model.config.schema import Config
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.sources.casts import identifier
from pql_model.sources.crm_tables import CrmTable, read_crm_table
from pql_model.sources.duckdb_session import Connection, fetch_row, fetch_scalar, row_count
from pql_model.sources.read import Sources
from pql_model.sources.row_filter import one_of
from pql_model.time import DAY

Table = Any
Column = Any

_SHOWN = 8
"""Dispositions that a message lists."""


def read_feedback(con: Connection, config: Config, sources: Sources) -> CrmTable | None:
    """Stage the feedback of sales as table `feedback` (entity, time, meaning, reason, owner); None where the config has none.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data: rows of unlisted entities are set aside, and merged users are resolved.

    Raises
    ------
    DataError
        If a column is missing, no id or no disposition is known, or most rows cannot be used.
    """
    spec = config.feedback
    if spec is None:
        return None
    columns = {"disposition": spec.columns.disposition, "reason": spec.columns.reason, "owner": spec.columns.owner}
    part = read_crm_table(
        con, config, sources, "feedback", spec, {name: column for name, column in columns.items() if column is not None}
    )
    names = {name: identifier(part.table[f"value_{i}"]) for i, name in enumerate(part.names)}
    rows = part.table.select("entity", "time", **{name: names.get(name, ibis.null("string")) for name in columns})
    rows = con.create_table("feedback_rows", rows.mutate(meaning=_meaning(rows.disposition, spec)))
    known = rows.filter(rows.meaning.notnull())
    _refuse_other_words(rows, spec)
    distinct = con.create_table("distinct_feedback", known.drop("disposition").distinct())
    window = ibis.window(group_by=["entity", "time"])
    opposed = (distinct.meaning == "accepted").any().over(window) & (distinct.meaning == "rejected").any().over(window)
    marked = distinct.mutate(contradictory=opposed & distinct.meaning.isin(["accepted", "rejected"]))
    table = con.create_table("feedback", marked.filter(~marked.contradictory).drop("contradictory"))
    counts = {
        **part.set_aside,
        "no_disposition": fetch_scalar(rows.count(where=rows.disposition.isnull())),
        "unknown_disposition": fetch_scalar(rows.count(where=rows.disposition.notnull() & rows.meaning.isnull())),
        "repeated": row_count(known) - row_count(distinct),
        "contradictory": row_count(distinct) - row_count(table),
    }
    warnings = (*part.notes, *_warn_of_words(rows, spec), *_warn_of_dates(config, sources, table, spec.table))
    return CrmTable("feedback", spec.table, table, {reason: n for reason, n in counts.items() if n}, warnings)


def _meaning(disposition: Column, spec: FeedbackTable) -> Column:
    listed_words = {meaning: words for meaning, words in spec.means.words.items() if words}
    cases = [(one_of(disposition, words), meaning) for meaning, words in listed_words.items()]
    return ibis.cases(*cases, else_=ibis.null("string"))


def _dispositions(rows: Table) -> dict[str, int]:
    """Disposition -> rows, the most frequent first."""
    present = rows.filter(rows.disposition.notnull())
    counts = present.group_by("disposition").agg(rows=present.count())
    return {
        row["disposition"]: row["rows"]
        for row in counts.order_by(ibis.desc("rows"), "disposition").to_pyarrow().to_pylist()
    }


def _refuse_other_words(rows: Table, spec: FeedbackTable) -> None:
    """Refuse `means` that lists none of the dispositions of the table."""
    words = [word for of_meaning in spec.means.words.values() for word in of_meaning]
    present = _dispositions(rows)
    if present and not fetch_scalar(rows.count(where=rows.meaning.notnull())):
        close = next((near for word in words if (near := nearest(word, [*present]))), None)
        raise DataError(
            f"`feedback.means` lists only dispositions that do not occur in {spec.table}{did_you_mean(close)}",
            received=listed(words),
            allowed=_shown(present),
            remedy=f"list the values of `{spec.columns.disposition}` as the table writes them",
        )


def _warn_of_words(rows: Table, spec: FeedbackTable) -> Iterator[str]:
    """Name the dispositions that have no meaning, and the words that do not occur."""
    unknown = _dispositions(rows.filter(rows.meaning.isnull()))
    if unknown:
        yield (
            f"`feedback.means` does not list these dispositions of {spec.table}, and their rows are set aside: "
            f"{_shown(unknown)}."
        )
    words = [word for of_meaning in spec.means.words.values() for word in of_meaning]
    found = fetch_row(
        rows.aggregate(**{f"n{i}": rows.count(where=one_of(rows.disposition, [w])) for i, w in enumerate(words)})
    )
    absent = [word for i, word in enumerate(words) if not found[f"n{i}"]]
    if absent and row_count(rows):
        hint = did_you_mean(nearest(absent[0], [*unknown])) or "."
        yield f"`feedback.means` lists dispositions that do not occur in {spec.table}: {listed(absent)}{hint}"


def _shown(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{word} ({rows:,})" for word, rows in [*counts.items()][:_SHOWN])
    return f"{shown} and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else shown


def _warn_of_dates(config: Config, sources: Sources, table: Table, source: str) -> Iterator[str]:
    """Feedback with dates only counts as of midnight, and so as earlier than a score of the same day."""
    if config.resolution == "day" or not row_count(table):
        return
    events = sources.events.table
    if not fetch_scalar(table.count(where=table.time % DAY != 0)) and fetch_scalar(
        events.count(where=events.time % DAY != 0)
    ):
        yield (
            f"{source} has dates without a time of day: its feedback counts as of midnight, before the scores of the same "
            "day. Export the times, or set `resolution: day`."
        )
