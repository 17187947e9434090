"""Small sketches of tables of 400 rows to recognise."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from itertools import cycle, islice

from pql_model.discovery.sketch import ColumnSketch, TableSketch, kind_of

ROWS = 400
START = dt.datetime(2026, 1, 1, 9, 30)


def column(name: str, values: Sequence[str], filled: float = 1.0) -> ColumnSketch:
    """The values repeat until there are 200 samples; if none repeats, every row has its own."""
    samples = tuple(islice(cycle(values), 200)) if values else ()
    distinct = round(ROWS * filled) if len(set(values)) == 200 else len(set(values))
    return ColumnSketch(name, samples, distinct, filled, kind_of(samples, name), samples, Counter(samples))


def table(path: str, *columns: ColumnSketch, rows: int = ROWS) -> TableSketch:
    return TableSketch(path, columns, rows)


def ids(prefix: str, count: int) -> list[str]:
    """200 of them count as unique."""
    return [f"{prefix}{number}" for number in range(100, 100 + count)]


def instants(minutes_later: float = 0) -> list[dt.datetime]:
    return [START + dt.timedelta(hours=7 * i, minutes=minutes_later) for i in range(200)]


def times(minutes_later: float = 0) -> list[str]:
    return [when.isoformat(sep=" ") for when in instants(minutes_later)]


def dates(count: int = 30, step: int = 1) -> list[str]:
    return [(START + dt.timedelta(days=step * i)).date().isoformat() for i in range(count)]


def epochs(unit: int = 1, minutes_later: float = 0) -> list[str]:
    utc = (when.replace(tzinfo=dt.UTC) for when in instants(minutes_later))
    return [str(round(when.timestamp()) * unit) for when in utc]


ACTS = ["Teammate Invited", "File Uploaded", "Project Created"]
SLUGS = ["teammate_invited", "file_uploaded", "project_created"]
UUIDS = [f"0b8f{number:04d}-aaaa-4bbb-8ccc-123456789abc" for number in range(200)]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Macintosh)"]
SECONDS = ["3", "17", "17", "40", "5"]


def segment(path: str = "tracks.csv") -> TableSketch:
    return table(
        path,
        column("id", UUIDS),
        column("anonymous_id", ids("anon-", 60)),
        column("context_group_id", ids("acc_", 20)),
        column("context_user_agent", AGENTS),
        column("context_screen_width", ["1280", "1920"]),
        column("event", SLUGS),
        column("event_text", ACTS),
        column("original_timestamp", times(-1)),
        column("received_at", times(2)),
        column("sent_at", times(1)),
        column("timestamp", times()),
        column("user_id", ids("u_", 50)),
        column("file_size_mb", ["1.5", "20", "7.25"]),
    )


def workspaces(path: str = "workspaces.csv") -> TableSketch:
    return table(
        path,
        column("workspace", ids("acc_", 200)),
        column("created", times()),
        column("seats", ["3", "12", "5"]),
        column("region", ["emea", "amer"]),
    )


def subscriptions(path: str = "subscriptions.csv") -> TableSketch:
    return table(
        path, column("workspace", ids("acc_", 40)), column("paid_at", times(600)), column("mrr", ["49", "99.5", "199"])
    )
