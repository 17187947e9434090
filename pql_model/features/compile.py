"""Features compiled to Ibis: one long group-by per kind, pivoted into a matrix.

`pql_model.features.oracle` defines the right result; this module must equal it.

No measure uses COUNT DISTINCT. A row is the first of its day (user, value, event name) inside a window iff the
previous row of that day lies before the window's start, so one LAG per key serves all windows at once. LAG only
looks back, so it can run once over the log, before the join with the snapshots. Where rows arrive late
(`known_at`), the previous row may not be visible yet, and LAG runs after the join, per snapshot.
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
from pql_model.features.rounding import LEAST_POWER, NUDGE, POWERS, SUM_DIGITS
from pql_model.features.spec import Feature
from pql_model.measures import ANY
from pql_model.sources.duckdb_session import fetch_scalar, row_count
from pql_model.time import DAY, MINUTE, SESSION_GAP, Window

Table = Any  # an Ibis table
Column = Any  # an Ibis column

_ROWS_PER_BUCKET = 25_000_000
_STREAKS = ("current_streak_days", "longest_streak_days")
_SEPARATE = (*_STREAKS, "top_user_share", "days_since_signup")


@dataclass(frozen=True)
class _Matrix:
    """One row per snapshot, sorted by entity and as_of, and one column per feature."""

    entity: pd.Series
    as_of: np.ndarray
    signed_up: np.ndarray  # NaN where unknown
    numbers: np.ndarray

    def write(self, feature: Feature, raw: np.ndarray, rows: np.ndarray, columns: np.ndarray | int) -> None:
        """Write the raw numbers of a feature; column -1 is skipped, and NaN keeps the empty number."""
        numbers = _finish(feature, raw, self.as_of[rows], self.signed_up[rows])
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
    late = bool(fetch_scalar(events.known_at.notnull().any()))
    buckets = _bucket_count(events, len(matrix.as_of), matrix.entity.nunique())
    queries = list(_group_by_query(features))
    for bucket in range(buckets):
        log, rows = _in_bucket(events, bucket, buckets), _in_bucket(snapshots, bucket, buckets)
        for step, (query, columns) in enumerate(queries):
            query(_Job(log, rows, late, columns, matrix))
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


def _in_bucket(table: Table, bucket: int, buckets: int) -> Table:
    return table if buckets == 1 else table.filter((table.entity.hash() % buckets).abs() == bucket)


def _group_by_query(features: Sequence[Feature]) -> Iterator[tuple[Callable[[_Job], None], dict[Feature, int]]]:
    """Group the features by the query that computes them, each with its column in the matrix."""
    at = {feature: column for column, feature in enumerate(features)}
    of_events = {f: c for f, c in at.items() if f.event != ANY}
    of_entity = {f: c for f, c in at.items() if f.event == ANY and f.measure not in _SEPARATE}
    if of_events:
        yield _per_event, of_events
    if of_entity:
        yield _per_entity, of_entity
    for window in {f.window: None for f in at if f.measure in _STREAKS}:
        yield _streaks, {f: c for f, c in at.items() if f.measure in _STREAKS and f.window == window}
    if shares := {f: c for f, c in at.items() if f.measure == "top_user_share"}:
        yield _top_user_share, shares
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


def _joined_with_previous(job: _Job, events: Table, keys: Sequence[str], previous: dict[str, list[str]]) -> Table:
    """Join the log; column `previous_X` is the time of the previous row with the same keys and X."""

    def mark(table: Table, scope: str) -> Table:
        lags = {
            f"previous_{name}": table.time.lag().over(ibis.window(group_by=[scope, *keys, *within], order_by=["time"]))
            for name, within in previous.items()
        }
        return table.mutate(**lags) if lags else table

    if job.late:
        return mark(_visible(job, events), "row")
    return _visible(job, mark(events, "entity"))


def _inside(t: Table, window: Window) -> tuple[Column, Column | None]:
    """Whether a visible row lies in the window, and the window's start (None if unbounded)."""
    start, end = window.bounds(t.signed_up, t.as_of, ibis.least)
    inside = t.time < end
    return (inside if start is None else inside & (t.time >= start)), start


def _first_of(t: Table, name: str, inside: Column, start: Column | None) -> Column:
    """Whether a row is the first with its key inside the window."""
    before = t[f"previous_{name}"]
    return inside & (before.isnull() if start is None else before.isnull() | (before < start))


# ---------------------------------------------------------------- the measures


def _aggregate(t: Table, feature: Feature) -> Column:
    """The raw number of a feature; times stay instants, which `_finish` turns into days."""
    inside, start = _inside(t, feature.window)
    measure = feature.measure
    if measure == "count":
        return t.n.sum(where=inside)
    if measure == "active_days":
        return t.count(where=_first_of(t, "day", inside, start))
    if measure == "breadth":
        return t.count(where=_first_of(t, "event", inside, start))
    if measure == "distinct_users":
        logged = t.count(where=_first_of(t, "user", inside & t.user.notnull(), start))
        return ibis.greatest(logged.cast("float64"), t.users.max(where=inside).fill_null(0.0))
    if measure == "days_since_last":
        return t.time.max(where=inside)
    if measure == "days_to_first":
        return t.time.min(where=inside)
    if measure == "sessions":
        begins = _first_of(t, "time", inside, start) | (inside & (t.time - t.previous_time > SESSION_GAP))
        return t.count(where=begins)
    if measure == "session_minutes":
        gap = t.time - t.previous_time
        same_session = inside & (gap <= SESSION_GAP)
        return gap.sum(where=same_session if start is None else same_session & (t.previous_time >= start))
    if measure == "trend":
        recent, before = _halves(t, feature.window)
        a, b = t.n.sum(where=recent).fill_null(0.0), t.n.sum(where=before).fill_null(0.0)
        return (a - b) / (a + b).nullif(0.0)
    return _aggregate_value(t, feature, inside, start)


def _halves(t: Table, window: Window) -> tuple[Column, Column]:
    start, _ = window.bounds(t.signed_up, t.as_of, ibis.least)
    earlier = start - (t.as_of - start)
    return t.time >= start, (t.time >= earlier) & (t.time < start)


def _aggregate_value(t: Table, feature: Feature, inside: Column, start: Column | None) -> Column:
    value = t[f"value_{feature.value}"]
    inside = inside & value.notnull()
    if feature.measure == "sum":
        return value.sum(where=inside)
    if feature.measure == "max":
        return value.max(where=inside)
    if feature.measure == "last":
        return value.argmax(t[f"order_{feature.value}"], where=inside)
    return t.count(where=_first_of(t, f"value_{feature.value}", inside, start))


def _finish(feature: Feature, raw: np.ndarray, as_of: np.ndarray, signed_up: np.ndarray) -> np.ndarray:
    if feature.measure == "days_since_last":
        return np.asarray((as_of - raw) / DAY)
    if feature.measure == "days_to_first":
        return np.asarray((raw - signed_up) / DAY)
    if feature.measure == "session_minutes":
        return raw / MINUTE
    return raw


def _gross(t: Table, feature: Feature) -> Column:
    """The sum of absolute values, which tells how many digits of the sum are meaningful."""
    value = t[f"value_{feature.value}"]
    return value.abs().sum(where=_inside(t, feature.window)[0] & value.notnull())


def _rounded(sums: np.ndarray, gross: np.ndarray) -> np.ndarray:
    """Vectorise `rounding.rounded`: the same operations in the same order, hence the same bits."""
    powers = np.array(POWERS)
    rounds = np.isfinite(gross) & (gross > 0)
    finite, total = np.where(rounds, gross, 1.0), np.where(rounds, sums, 0.0)
    exponent = SUM_DIGITS - np.searchsorted(powers, finite * NUDGE, side="right") - LEAST_POWER
    half = exponent // 2
    one, other = powers[half - LEAST_POWER], powers[exponent - half - LEAST_POWER]
    return np.where(rounds, np.round(total * one * other) / one / other, sums)


# ---------------------------------------------------------------- the queries


def _per_event(job: _Job) -> None:
    features = job.features
    names = sorted({feature.event for feature in features})
    measures = {feature.measure for feature in features}
    values = {f.value for f in features if f.measure == "distinct_values"}
    previous = {"day": ["day"]} if "active_days" in measures else {}
    previous |= {"user": ["user"]} if "distinct_users" in measures else {}
    previous |= {f"value_{value}": [f"value_{value}"] for value in values}
    log = job.events.filter(job.events.event.isin(names)).mutate(day=job.events.time // DAY)
    log = log.mutate(
        **{
            f"order_{value}": ibis.row_number().over(
                ibis.window(group_by=["entity", "event"], order_by=["time", f"value_{value}"])
            )
            for value in {f.value for f in features if f.measure == "last"}
        }
    )
    t = _joined_with_previous(job, log, ["event"], previous)
    shapes = list({(f.measure, f.value, f.window): f for f in features}.values())
    aggregates = {f"a{i}": _aggregate(t, feature) for i, feature in enumerate(shapes)}
    aggregates |= {f"gross{i}": _gross(t, feature) for i, feature in enumerate(shapes) if feature.measure == "sum"}
    column_of = {
        f"a{i}": np.array(
            [features.get(Feature(name, f.measure, f.window, f.value), -1) for name in names], dtype=np.int64
        )
        for i, f in enumerate(shapes)
    }
    value_set = pa.array(names, type=pa.string())
    for batch in t.group_by("row", "event").agg(**aggregates).to_pyarrow().to_batches():
        rows = batch.column("row").to_numpy()
        codes = pc.index_in(batch.column("event"), value_set=value_set).to_numpy(zero_copy_only=False)
        for i, feature in enumerate(shapes):
            raw = _numbers(batch.column(f"a{i}"))
            if feature.measure == "sum":
                raw = _rounded(raw, _numbers(batch.column(f"gross{i}")))
            job.matrix.write(feature, raw, rows, column_of[f"a{i}"][codes])


def _per_entity(job: _Job) -> None:
    needs = {
        "active_days": "day",
        "distinct_users": "user",
        "breadth": "event",
        "sessions": "time",
        "session_minutes": "time",
    }
    within = {"day": ["day"], "user": ["user"], "event": ["event"], "time": []}
    previous = {needs[f.measure]: within[needs[f.measure]] for f in job.features if f.measure in needs}
    t = _joined_with_previous(job, job.events.mutate(day=job.events.time // DAY), [], previous)
    aggregates = {f"a{i}": _aggregate(t, feature) for i, feature in enumerate(job.features)}
    _spread(job, t.group_by("row").agg(**aggregates))


def _streaks(job: _Job) -> None:
    window = next(iter(job.features)).window
    t = _joined_with_previous(job, job.events.mutate(day=job.events.time // DAY), [], {"day": ["day"]})
    inside, start = _inside(t, window)
    days = t.filter(_first_of(t, "day", inside, start)).select("row", "day")
    in_order = ibis.row_number().over(ibis.window(group_by="row", order_by="day"))
    ordered = days.mutate(position=in_order)
    islands = ordered.mutate(island=ordered.day - ordered.position)
    runs = islands.group_by("row", "island").agg(length=islands.count(), last=islands.day.max())
    best = runs.group_by("row").agg(
        longest=runs.length.max(), last=runs.last.max(), current=runs.length.argmax(runs.last)
    )
    for batch in best.to_pyarrow().to_batches():
        rows = batch.column("row").to_numpy()
        today = (job.matrix.as_of[rows] - 1) // DAY
        unbroken = batch.column("last").to_numpy() >= today - 1
        current = np.where(unbroken, _numbers(batch.column("current")), 0.0)
        for feature, column in job.features.items():
            longest = feature.measure == "longest_streak_days"
            job.matrix.numbers[rows, column] = _numbers(batch.column("longest")) if longest else current


def _top_user_share(job: _Job) -> None:
    t = _visible(job, job.events.filter(job.events.user.notnull()))
    sums = {f"a{i}": t.n.sum(where=_inside(t, feature.window)[0]) for i, feature in enumerate(job.features)}
    users = t.group_by("row", "user").agg(**sums)
    shares = {name: users[name].max() / users[name].sum().nullif(0.0) for name in sums}
    _spread(job, users.group_by("row").agg(**shares))


def _ages(job: _Job) -> None:
    for column in job.features.values():
        job.matrix.numbers[:, column] = (job.matrix.as_of - job.matrix.signed_up) / DAY


def _spread(job: _Job, query: Table) -> None:
    for batch in query.to_pyarrow().to_batches():
        rows = batch.column("row").to_numpy()
        for i, (feature, column) in enumerate(job.features.items()):
            job.matrix.write(feature, _numbers(batch.column(f"a{i}")), rows, column)


def _numbers(column: pa.Array) -> np.ndarray:
    """Convert to float64, NaN for null. Instants of this millennium are exact in float64."""
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _blank_unknown_signups(features: Sequence[Feature], matrix: _Matrix) -> None:
    """Blank features that are undefined without a sign-up time."""
    unknown = np.isnan(matrix.signed_up)
    columns = [i for i, f in enumerate(features) if f.needs_signup]
    matrix.numbers[np.ix_(unknown, columns)] = np.nan
