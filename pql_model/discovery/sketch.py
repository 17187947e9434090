"""A sketch of a table for `pql init`: names of columns, samples of their values, and how the values are spread."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Literal

from pql_model.discovery.number_marks import PLAIN, Marks
from pql_model.discovery.vocabulary import TIME_WORDS, slug, words
from pql_model.sources.scalars import leading_sign, read_identifier
from pql_model.sources.time_forms import read_time
from pql_model.time import DAY

Kind = Literal["text", "number", "time", "date", "boolean"]

_MOST = 0.95  # share of the samples: a few odd values do not change the kind of a column
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BOOLEAN = {"true", "false", "t", "f", "yes", "no"}


@dataclass(frozen=True)
class ColumnSketch:
    """A column of a sketched table.

    Attributes
    ----------
    samples
        Up to 200 values that are not null, as text, of rows spread over the table.
    distinct
        Number of different values.
    filled
        Share of rows with a value, 0 to 1.
    cells
        The values of up to 10,000 rows spread over the table, the same rows in every column; None for no value.
    counts
        Value -> number of rows.
    zeros
        Where not 0, `counts` holds a hash sample of the values: see `pql_model.sources.column_profile`.
    is_lossy
        Whether it holds floats beyond 2**53, in which different ids have become one.
    """

    name: str
    samples: tuple[str, ...]
    distinct: int
    filled: float
    kind: Kind
    cells: tuple[str | None, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    zeros: int = 0
    is_lossy: bool = False

    @cached_property
    def words(self) -> tuple[str, ...]:
        return words(self.name)

    @property
    def slug(self) -> str:
        """The name in one spelling: `messageId`, `Message ID` and `message_id` are the same."""
        return slug(self.name)

    @cached_property
    def is_time(self) -> bool:
        return self.kind in ("time", "date") or kind_of(self.samples, self.name) in ("time", "date")

    @cached_property
    def is_date(self) -> bool:
        return self.kind == "date" or (self.kind != "time" and kind_of(self.samples, self.name) == "date")

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """The samples that are times, as instants."""
        parsed = (parse_sample(sample) for sample in self.samples)
        return tuple(instant for instant in parsed if instant is not None)

    @cached_property
    def is_integer(self) -> bool:
        """Whether all samples are integers from 0 on."""
        return bool(self.samples) and all(re.fullmatch(r"\d+(\.0+)?", sample.strip()) for sample in self.samples)

    @property
    def may_be_id(self) -> bool:
        """Whether the samples can be ids: texts or integers."""
        return bool(self.samples) and not self.is_time and (self.kind == "text" or self.is_integer)

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """The values as ids -> number of rows; a list stands for each of its members."""
        rows: dict[str, int] = {}
        for value, count in (self.counts or Counter(self.samples)).items():
            for identifier in filter(None, map(read_identifier, list_members(value))):
                rows[identifier] = rows.get(identifier, 0) + count
        return rows

    @cached_property
    def instant_cells(self) -> tuple[int | None, ...]:
        """The cells as instants; None where there is none."""
        return tuple(None if cell is None else parse_sample(cell) for cell in self.cells)


@dataclass(frozen=True)
class TableSketch:
    """A table.

    Attributes
    ----------
    marks
        How it writes its numbers.
    repeats
        Number of rows that are alike another one in every column.
    encoding
        The encoding of its text, where it is not UTF-8.
    """

    path: str
    columns: tuple[ColumnSketch, ...]
    rows: int
    marks: Marks = PLAIN
    repeats: int = 0
    encoding: str | None = None

    @property
    def file(self) -> str:
        """The file's name without its folders, for messages."""
        return re.split(r"[/\\]", self.path)[-1]

    @property
    def stem(self) -> str:
        """The file's name without folder, endings and wildcards.

        >>> TableSketch("data/student_exams.csv.gz", (), 0).stem, TableSketch("logs/events_*.parquet", (), 0).stem
        ('student_exams', 'events')
        """
        endings = r"(\.(csv|tsv|txt|parquet|pq|jsonl|ndjson|json|gz|zst|bz2))+$"
        parts = [re.sub(endings, "", part, flags=re.I) for part in re.split(r"[/\\]", self.path)]
        names = [re.sub(r"[*?\[\]]+", "", part).strip(" ._-") for part in parts]
        return next((name for name in reversed(names) if name), "event")

    def column(self, name: str) -> ColumnSketch:
        """Get a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def is_unique(self, column: ColumnSketch, share: float = 0.98) -> bool:
        """Whether nearly every row has its own value."""
        rows = sum(column.counts.values()) or self.rows * column.filled
        return column.distinct > 1 and (len(column.counts) or column.distinct) >= share * rows

    def together(self, *names: str) -> list[tuple[str | None, ...]]:
        """The cells of several columns, row by row."""
        return list(zip(*(self.column(name).cells for name in names), strict=True))


def list_members(value: str) -> list[str]:
    """Split a list of ids, as JSON or as a database writes it; anything else is one id.

    >>> list_members('["acc_1", "acc_2"]'), list_members("[7, 8]"), list_members("acc_1")
    (['acc_1', 'acc_2'], ['7', '8'], ['acc_1'])
    """
    if not (value.startswith("[") and value.endswith("]")):
        return [value]
    return [member.strip().strip("\"'") for member in value[1:-1].split(",")]


def kind_of(samples: Sequence[str], name: str = "") -> Kind:
    """Tell what most of the texts are. Numbers are times only where the name says so.

    >>> kind_of(["2026-01-31", "2026-02-01"]), kind_of(["2026-01-31 09:00"]), kind_of(["12.5"]), kind_of(["TRUE"])
    ('date', 'time', 'number', 'boolean')
    >>> kind_of(["1767225600"]), kind_of(["1767225601"], "event_time"), kind_of(["20260131"], "event_date")
    ('number', 'time', 'date')
    """
    texts = [leading_sign(stripped) for sample in samples if (stripped := sample.strip())]
    if not texts:
        return "text"
    least = math.ceil(_MOST * len(texts))
    if sum(text.lower() in _BOOLEAN for text in texts) >= least:
        return "boolean"
    if sum(_NUMBER.fullmatch(text) is not None for text in texts) >= least:
        return _kind_of_instants(texts, least) or "number" if sounds_like_time(name) else "number"
    return _kind_of_instants([text for text in texts if not _NUMBER.fullmatch(text)], least) or "text"


def _kind_of_instants(texts: Sequence[str], least: int) -> Kind | None:
    instants = [instant for text in texts if (instant := parse_sample(text)) is not None]
    if len(instants) < least:
        return None
    return "date" if all(instant % DAY == 0 for instant in instants) else "time"


def looks_like_times(values: Iterable[str], name: str) -> bool:
    """Whether the first values of a column are times."""
    return kind_of(list(islice(values, 200)), name) in ("time", "date")


def sounds_like_time(name: str) -> bool:
    """Whether a name suggests a time.

    >>> sounds_like_time("created_at"), sounds_like_time("creationtime"), sounds_like_time("seats")
    (True, True, False)
    """
    parts = words(name)
    return bool(TIME_WORDS.intersection(parts)) or any(part.endswith(("time", "date", "stamp")) for part in parts)


def parse_sample(text: str) -> int | None:
    """Parse a time exactly as the tables are read, in the forms of `pql_model.sources.time_forms`.

    >>> parse_sample("1970-01-02"), parse_sample("soon"), parse_sample("1767225600.0") == parse_sample("2026-01-01 00:00 UTC")
    (86400000000, None, True)
    """
    return read_time(text).instant
