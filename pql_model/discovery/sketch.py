"""What `pql init` sees of a table: names, some values as text, and how they are spread."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pql_model.time import DAY, SECOND, to_instant

Kind = Literal["text", "number", "time", "date", "boolean"]


def vocabulary(text: str) -> frozenset[str]:
    """Words written as a text, which reads better than forty quoted ones."""
    return frozenset(text.split())


SKETCH_ROWS = 10_000
"""So many rows are looked at; `distinct` is counted over them."""

_MOST = 0.95  # of the samples: a few odd values do not change what a column is
_ISO = re.compile(r"(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[ T](\d\d?:\d\d.*))?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BOOLEAN = {"true", "false", "t", "f", "yes", "no"}
_TIME_WORDS = vocabulary(
    "time timestamp tstamp ts stamp date datetime at on when day week month period hour utc occurred received loaded "
    "created updated epoch start end signup registered ms micros"
)
_JOINED = re.compile(
    r"(user|account|customer|company|team|tenant|workspace|org|client|member|student|group)(id|uuid|key)|(user)(agent)"
)
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800
_EPOCH_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)  # s, ms, us, ns


@dataclass(frozen=True)
class ColumnSketch:
    """A column of a sketched table.

    Attributes
    ----------
    samples
        Up to 200 values that are not null, as text.
    distinct
        Different values in the rows looked at (at most 10,000).
    filled
        Share of rows with a value, 0 to 1.
    """

    name: str
    samples: tuple[str, ...]
    distinct: int
    filled: float
    kind: Kind

    @cached_property
    def words(self) -> tuple[str, ...]:
        return words(self.name)

    @property
    def plain(self) -> str:
        """The name in one spelling: `messageId`, `Message ID` and `message_id` are one."""
        return "_".join(self.words)

    @cached_property
    def is_time(self) -> bool:
        return self.kind in ("time", "date") or kind_of(self.samples, self.name) in ("time", "date")

    @cached_property
    def is_date(self) -> bool:
        return self.kind == "date" or (self.kind != "time" and kind_of(self.samples, self.name) == "date")

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """The samples that are times, as instants."""
        read = (instant_of(sample) for sample in self.samples)
        return tuple(instant for instant in read if instant is not None)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all samples are whole numbers from 0 on."""
        return bool(self.samples) and all(re.fullmatch(r"\d+(\.0+)?", sample.strip()) for sample in self.samples)


@dataclass(frozen=True)
class TableSketch:
    """A table: the path as given, its columns, its number of rows."""

    path: str
    columns: tuple[ColumnSketch, ...]
    rows: int

    @property
    def file(self) -> str:
        """The file's name without its folders, for sentences."""
        return re.split(r"[/\\]", self.path)[-1]

    @property
    def looked(self) -> int:
        return min(self.rows, SKETCH_ROWS)

    @property
    def stem(self) -> str:
        """The file's name without folder, endings and wildcards.

        >>> TableSketch("data/student_exams.csv.gz", (), 0).stem, TableSketch("logs/events_*.parquet", (), 0).stem
        ('student_exams', 'events')
        """
        endings = r"(\.(csv|tsv|txt|parquet|pq|jsonl|ndjson|json|gz|zst|bz2))+$"
        parts = [re.sub(endings, "", part, flags=re.I) for part in re.split(r"[/\\]", self.path)]
        plain = [re.sub(r"[*?\[\]]+", "", part).strip(" ._-") for part in parts]
        return next((part for part in reversed(plain) if part), "event")

    def unique(self, column: ColumnSketch, share: float = 0.98) -> bool:
        """Whether nearly every row has its own value."""
        return column.distinct > 1 and column.distinct >= share * self.looked * column.filled


def words(name: str) -> tuple[str, ...]:
    """The words of a column name, in lower case.

    >>> words("messageId"), words("USERS_EMAIL"), words("Created (UTC)"), words("domain_userid")
    (('message', 'id'), ('users', 'email'), ('created', 'utc'), ('domain', 'user', 'id'))
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    found: list[str] = []
    for word in re.findall(r"[^\W_]+", spaced.lower()):
        joined = _JOINED.fullmatch(word)
        found += [part for part in joined.groups() if part] if joined else [word]
    return tuple(found)


def kind_of(samples: Sequence[str], name: str = "") -> Kind:
    """What most of the texts are. Numbers are times only under the name of a time.

    >>> kind_of(["2026-01-31", "2026-02-01"]), kind_of(["2026-01-31 09:00"]), kind_of(["12.5"]), kind_of(["TRUE"])
    ('date', 'time', 'number', 'boolean')
    >>> kind_of(["1767225600"]), kind_of(["1767225601"], "event_time"), kind_of(["20260131"], "event_date")
    ('number', 'time', 'date')
    """
    texts = [stripped for sample in samples if (stripped := sample.strip())]
    if not texts:
        return "text"
    least = math.ceil(_MOST * len(texts))
    if sum(text.lower() in _BOOLEAN for text in texts) >= least:
        return "boolean"
    if sum(_NUMBER.fullmatch(text) is not None for text in texts) >= least:
        return _kind_of_instants(texts, least) or "number" if sounds_like_time(name) else "number"
    return _kind_of_instants([text for text in texts if not _NUMBER.fullmatch(text)], least) or "text"


def _kind_of_instants(texts: Sequence[str], least: int) -> Kind | None:
    instants = [instant for text in texts if (instant := instant_of(text)) is not None]
    if len(instants) < least:
        return None
    return "date" if all(instant % DAY == 0 for instant in instants) else "time"


def sounds_like_time(name: str) -> bool:
    """Whether a name speaks of a time.

    >>> sounds_like_time("created_at"), sounds_like_time("creationtime"), sounds_like_time("seats")
    (True, True, False)
    """
    found = words(name)
    return bool(_TIME_WORDS.intersection(found)) or any(w.endswith(("time", "date", "stamp")) for w in found)


def instant_of(text: str) -> int | None:
    """A time as our tables are read: ISO texts, 20260131, or epoch seconds, milli-, micro-, nanoseconds.

    >>> instant_of("1970-01-02"), instant_of("soon"), instant_of("1767225600.0") == instant_of("2026-01-01 00:00 UTC")
    (86400000000, None, True)
    """
    text = text.strip()
    try:
        if _NUMBER.fullmatch(text):
            return _from_number(float(text))
        iso = _ISO.fullmatch(text)
        if iso is None:
            return None
        year, month, day, clock = iso.groups()
        clock = re.sub(r"\s*(UTC|GMT|z)$", "+00:00", clock or "00:00").replace(" +", "+")
        return to_instant(dt.datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{clock:0>5}"))
    except (ValueError, OverflowError):  # 2026-02-30, or year 0
        return None


def _from_number(value: float) -> int | None:
    if value.is_integer() and 19_000_101 <= value <= 21_001_231:
        return to_instant(dt.datetime.strptime(str(int(value)), "%Y%m%d"))
    for unit in _EPOCH_UNITS:
        if _YEAR_2000 <= value / unit < _YEAR_2100:
            return round(value * SECOND / unit)
    return None
