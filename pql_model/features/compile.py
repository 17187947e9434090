"""Features compiled to Ibis: one long group-by per kind, pivoted into a matrix.

`pql_model.features.oracle` defines the right result; this module must equal it.

No measure uses COUNT DISTINCT. A row is the first of its day (user, value, event name) inside a window iff the
previous row of that day lies before the window's start, so one LAG per key serves all windows at once. LAG only
looks back, so it can run once over the log, before the join with the snapshots, for all queries (`previous_times`).
Where rows arrive late (`known_at`), the previous row may not be visible yet, and LAG runs after the join, per snapshot.
The queries read a compact copy of the log: numbers in place of the entities, and no row that no snapshot sees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pql_model.errors import DataError, listed
from pql_model.features.aggregates import aggregate, finish, first_in_window, gross, in_window, rounded_sums
from pql_model.features.compact_log import CodedLog, LogShape, looking_back
from pql_model.features.look_back import looked_back, previous_times
from pql_model.features.spec import Feature, Subject
from pql_model.features.subject_rows import subject_keys, subject_rows
from pql_model.measures import ANY
from pql_model.sources.duckdb_session import row_count
from pql_model.time import DAY

Table = Any  # an Ibis table

_ROWS_PER_BUCKET = 25_000_000
_STREAKS = ("current_streak_days", "longest_streak_days")
_OF_USERS = ("top_user_share", "top_user_count")
_SEPARATE = (*_STREAKS, *_OF_USERS, "days_since_signup")


@dataclass(frozen=True)
class _Matrix:
    """One row per snapshot, sorted by entity and as_of, and one column per feature."""

    entity: pd.Series
    as_of: np.ndarray
    signed_up: np.ndarray  # NaN where unknown
    numbers: np.ndarray

    def write(self, feature: Feature, raw: np.ndarray, rows: np.ndarray, columns: np.ndarray | int) -> None:
        """Write the raw numbers of a feature; column -1 is skipped, and NaN keeps the empty number."""
        numbers = finish(feature, raw, self.as_of[rows], self.signed_up[rows])
        columns = np.broadcast_to(columns, rows.shape)
        defined = (columns >= 0) & ~np.isnan(numbers)
        self.numbers[rows[defined], columns[defined]] = numbers[defined]


@dataclass(frozen=True)
class _Job:
    """What one query reads, and the columns of the matrix that it fills."""

    events: Table
    snapshots: Table
    late: bool  # whether rows may become known after they happened
    features: dict[Feature, int]
    matrix: _Matrix
    codes: dict[str, int]  # name of an event -> its number in the log

    @property
    def subjects(self) -> list[Subject]:
        """Whose rows are read: all plain events, only `any`, or none of these."""
        return list(dict.fromkeys(feature.subject for feature in self.features))

    @property
    def prefix(self) -> str | None:
        """How the columns of the log are called that look back for these subjects; None where the log has none."""
        if self.late or not self.subjects[0].plain:
            return None
        return "any" if self.subjects[0].events == (ANY,) else "event"

    @property
    def shapes(self) -> list[Feature]:
        """One feature of each measure, value and window: what differs is the subject."""
        return list({(f.measure, f.value, f.window): f for f in self.features}.values())

    def columns_of(self, shape: Feature) -> np.ndarray:
        """The column of the matrix for each subject; -1 where a subject has no such feature."""
        columns = {
            f.subject: c
            for f, c in self.features.items()
            if (f.measure, f.value, f.window) == (shape.measure, shape.value, shape.window)
        }
        return np.array([columns.get(subject, -1) for subject in self.subjects], dtype=np.int64)


def build_features(
    events: Table, snapshots: Table, features: Sequence[Feature], progress: Callable[[float], None] | None = None
) -> pd.DataFrame:
    """Compute the features of each snapshot as known at its instant.

    Parameters
    ----------
    events : ibis.Table
        Canonical events (see `pql_model.sources.events`), on any engine.
    snapshots : ibis.Table
        Columns entity, as_of, signed_up (microseconds), unique by entity and as_of.
    features : sequence of Feature
        What to compute; the columns have this order.
        A feature with `share_of` is not divided yet; see `pql_model.features.table`.
    progress : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        `entity`, `as_of` (int64 microseconds), then one float64 column per feature; NaN where a feature is
        undefined. One row per snapshot, sorted by entity and as_of. Sums have 12 significant digits.

    Raises
    ------
    DataError
        If a feature is listed twice.

    Examples
    --------
    >>> from pql_model.features.spec import parse_feature
    >>> columns = dict(entity="string", user="string", event="string", time="int64", known_at="int64", n="float64",
    ...                users="float64")
    >>> row = dict(entity="a", user="u1", event="Invited", time=5 * DAY, known_at=None, n=1.0, users=None)
    >>> events = ibis.memtable([row, {**row, "time": 6 * DAY}], schema=columns)
    >>> snapshots = ibis.memtable([dict(entity="a", as_of=6 * DAY, signed_up=4 * DAY)])
    >>> table = build_features(events, snapshots, [parse_feature("Invited.count.ever")])
    >>> table["Invited.count.ever"].tolist()  # the second is not before as_of
    [1.0]
    """
    _refuse_repeats(features)
    snapshots = snapshots.select("entity", "as_of", "signed_up").mutate(
        row=ibis.row_number().over(ibis.window(order_by=["entity", "as_of"]))
    )
    matrix = _empty_matrix(snapshots, features)
    shape = LogShape.of(events)
    buckets = _bucket_count(events, len(matrix.as_of), matrix.entity.nunique())
    queries = list(_group_by_query(features))
    with CodedLog.of(events, snapshots) as coded:
        for bucket in range(buckets):
            rows, log = coded.bucket(bucket, buckets)
            with looking_back(log, features, shape).cache() as log:
                for step, (query, columns) in enumerate(queries):
                    query(_Job(shape.completed(log), rows, shape.late, columns, matrix, coded.events))
                    if progress is not None:
                        progress((bucket * len(queries) + step + 1) / (buckets * len(queries)))
    _blank_unknown_signups(features, matrix)
    table = pd.DataFrame(matrix.numbers, columns=[feature.name for feature in features])
    table.insert(0, "as_of", matrix.as_of)
    table.insert(0, "entity", matrix.entity)
    return table


def _refuse_repeats(features: Sequence[Feature]) -> None:
    counts = Counter(features)
    if len(counts) < len(features):
        repeated = [feature.name for feature, count in counts.items() if count > 1]
        raise DataError(f"Features are listed twice: {listed(repeated)}", remedy="list each feature once")


def _empty_matrix(snapshots: Table, features: Sequence[Feature]) -> _Matrix:
    keys = snapshots.order_by("row").to_pyarrow()
    empty = [np.nan if feature.rule.empty is None else feature.rule.empty for feature in features]
    return _Matrix(
        entity=keys["entity"].to_pandas(),
        as_of=keys["as_of"].to_numpy().astype(np.int64),
        signed_up=keys["signed_up"].cast(pa.float64()).to_numpy(),
        numbers=np.tile(np.array(empty, dtype=np.float64), (len(keys), 1)),
    )


def _bucket_count(events: Table, snapshots: int, entities: int) -> int:
    joined = row_count(events) * snapshots / max(entities, 1)
    return max(1, int(np.ceil(joined / _ROWS_PER_BUCKET)))


def _group_by_query(features: Sequence[Feature]) -> Iterator[tuple[Callable[[_Job], None], dict[Feature, int]]]:
    """Group the features by the query that computes them, each with its column in the matrix."""
    at = {feature: column for column, feature in enumerate(features)}
    for of_subject in (
        lambda f: f.event != ANY and f.subject.plain,
        lambda f: f.event == ANY,
        lambda f: not f.subject.plain,
    ):
        part = {f: c for f, c in at.items() if of_subject(f)}
        if plain := {f: c for f, c in part.items() if f.measure not in _SEPARATE}:
            yield _aggregates, plain
        for window in {f.window: None for f in part if f.measure in _STREAKS}:
            yield _streaks, {f: c for f, c in part.items() if f.measure in _STREAKS and f.window == window}
        if of_users := {f: c for f, c in part.items() if f.measure in _OF_USERS}:
            yield _top_users, of_users
    if ages := {f: c for f, c in at.items() if f.measure == "days_since_signup"}:
        yield _ages, ages


# ---------------------------------------------------------------- the joined log


def _visible(job: _Job, events: Table) -> Table:
    """Join every snapshot with the events that are visible from it."""
    snapshots = job.snapshots
    conditions = [snapshots.entity == events.entity, events.time < snapshots.as_of]
    if job.late:
        conditions.append(events.known_at.isnull() | (events.known_at < snapshots.as_of))
    columns = [name for name in events.columns if name not in ("entity", "known_at")]
    return snapshots.join(events, conditions).select(
        snapshots.row, snapshots.as_of, snapshots.signed_up, *[events[name] for name in columns]
    )


def _joined(job: _Job, values: Sequence[str] = (), ordered: Sequence[str] = ()) -> Table:
    """Join the rows of the features' subjects with the snapshots.

    Column `previous_X` is the time of the previous row with the same subject and X, and `order_V` the place of a row by time
    and value V.

    Parameters
    ----------
    values, ordered
        Values V to look back to as well (`previous_value_V`), and those whose place is needed.
    """
    measures = {feature.measure for feature in job.features}

    def prepare(table: Table, scope: str) -> Table:
        t = subject_rows(table, job.subjects, scope, job.codes)
        before = (
            {name: t[f"{job.prefix}_{name}"] for name in looked_back(measures)}
            if job.prefix is not None
            else previous_times(t, [scope, "event"], measures)
        )
        columns = {f"previous_{name}": column for name, column in before.items()}
        by_value = [(f"value_{value}", [scope, "event", f"value_{value}"]) for value in values]
        columns |= {
            f"previous_{v}": t.time.lag().over(ibis.window(group_by=keys, order_by="time")) for v, keys in by_value
        }
        columns |= {
            f"order_{value}": ibis.row_number().over(
                ibis.window(group_by=[scope, "event"], order_by=["time", f"value_{value}"])
            )
            for value in ordered
        }
        return t.mutate(**columns) if columns else t

    if job.late:
        return prepare(_visible(job, job.events), "row")
    return _visible(job, prepare(job.events, "entity"))


# ---------------------------------------------------------------- the queries


def _aggregates(job: _Job) -> None:
    of_value = {
        measure: sorted({f.value for f in job.features if f.measure == measure and f.value is not None})
        for measure in ("distinct_values", "last")
    }
    t = _joined(job, of_value["distinct_values"], of_value["last"])
    aggregates = {f"a{i}": aggregate(t, shape) for i, shape in enumerate(job.shapes)}
    aggregates |= {f"gross{i}": gross(t, shape) for i, shape in enumerate(job.shapes) if shape.measure == "sum"}
    _spread(job, t.group_by("row", "event").agg(**aggregates))


def _streaks(job: _Job) -> None:
    window = next(iter(job.features)).window
    t = _joined(job).mutate(day=lambda t: t.time // DAY)
    inside, start = in_window(t, window)
    days = t.filter(first_in_window(t, "day", inside, start)).select("row", "event", "day")
    in_order = ibis.row_number().over(ibis.window(group_by=["row", "event"], order_by="day"))
    ordered = days.mutate(position=in_order)
    islands = ordered.mutate(island=ordered.day - ordered.position)
    runs = islands.group_by("row", "event", "island").agg(length=islands.count(), last=islands.day.max())
    best = runs.group_by("row", "event").agg(
        longest=runs.length.max(), last=runs.last.max(), current=runs.length.argmax(runs.last)
    )
    for batch, rows, codes in _batches(job, best):
        today = (job.matrix.as_of[rows] - 1) // DAY
        unbroken = batch.column("last").to_numpy() >= today - 1
        current = np.where(unbroken, _numbers(batch.column("current")), 0.0)
        for shape in job.shapes:
            longest = shape.measure == "longest_streak_days"
            raw = _numbers(batch.column("longest")) if longest else current
            job.matrix.write(shape, raw, rows, job.columns_of(shape)[codes])


def _top_users(job: _Job) -> None:
    t = _joined(job).filter(lambda t: t.user.notnull())
    sums = {f"a{i}": t.n.sum(where=in_window(t, shape.window)[0]) for i, shape in enumerate(job.shapes)}
    users = t.group_by("row", "event", "user").agg(**sums)
    most = {
        f"a{i}": users[f"a{i}"].max()
        if shape.measure == "top_user_count"
        else users[f"a{i}"].max() / users[f"a{i}"].sum().nullif(0.0)
        for i, shape in enumerate(job.shapes)
    }
    _spread(job, users.group_by("row", "event").agg(**most))


def _ages(job: _Job) -> None:
    for column in job.features.values():
        job.matrix.numbers[:, column] = (job.matrix.as_of - job.matrix.signed_up) / DAY


def _spread(job: _Job, query: Table) -> None:
    """Write the aggregates `a0`, `a1` and so on of the shapes, by row and subject."""
    columns = [job.columns_of(shape) for shape in job.shapes]
    for batch, rows, codes in _batches(job, query):
        for i, shape in enumerate(job.shapes):
            raw = _numbers(batch.column(f"a{i}"))
            if shape.measure == "sum":
                raw = rounded_sums(raw, _numbers(batch.column(f"gross{i}")))
            job.matrix.write(shape, raw, rows, columns[i][codes])


def _batches(job: _Job, query: Table) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """The result of a query in batches, each with its rows of the matrix and the positions of their subjects."""
    keys = pa.array(subject_keys(job.subjects, job.codes), type=pa.int32())
    for batch in query.to_pyarrow().to_batches():
        codes = pc.index_in(batch.column("event").cast(pa.int32()), value_set=keys).to_numpy(zero_copy_only=False)
        yield batch, batch.column("row").to_numpy(), codes


def _numbers(column: pa.Array) -> np.ndarray:
    """Convert to float64, NaN for null. Instants of this millennium are exact in float64."""
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _blank_unknown_signups(features: Sequence[Feature], matrix: _Matrix) -> None:
    """Blank features that are undefined without a sign-up time."""
    unknown = np.isnan(matrix.signed_up)
    columns = [i for i, f in enumerate(features) if f.needs_signup]
    matrix.numbers[np.ix_(unknown, columns)] = np.nan
