"""The number that each condition compares, in SQL: a measure of an entity's visible events, or a trait.

`pql_model.features.oracle` defines the correct result; this module must agree with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from sqlglot import exp

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.sql_dialects import Node, SqlDialect
from pql_model.criteria.sql_events import name_in_data
from pql_model.criteria.sql_raw import (
    Cte,
    case_when,
    col,
    descending,
    is_present,
    literal,
    minus,
    number,
    one_of,
    over,
    plus,
    row_number,
)
from pql_model.features.rounding import SUM_DIGITS
from pql_model.features.spec import Feature
from pql_model.measures import ANY
from pql_model.time import DAY, MINUTE, SESSION_GAP, Duration, Window

VISIBLE = "events_seen"
"""Name of the step with the visible events; its alias is `e`, and `r` is the entity at risk."""
_COMPARE = {">=": exp.GTE, ">": exp.GT, "<=": exp.LTE, "<": exp.LT, "==": exp.EQ, "!=": exp.NEQ}


@dataclass(frozen=True)
class MeasureExpression:
    """One number per entity: an aggregate over its events, and the steps it depends on.

    Attributes
    ----------
    number : Node
        Aggregate over `r` (at risk), `e` (visible events) and the joined step.
    ctes : tuple of Cte
        Steps that come before.
    joined : str or None
        Name of the last of these steps, which has one row per entity and is joined.
    """

    number: Node
    ctes: tuple[Cte, ...] = ()
    joined: str | None = None


@dataclass(frozen=True)
class Reader:
    """Builds the measures of one statement.

    Attributes
    ----------
    engine : SqlDialect
    counted, counted_users : bool
        Whether any row stands for several events, and whether it also counts users.
    values : dict
        Value -> its column.
    may_lack_signup : bool
        Whether an entity may lack a sign-up.
    orders : dict
        Event to follow -> the column of the visible events with the time of the last one before.
    shares : dict
        Trait that a measure is divided by -> its column of the entities at risk.
    """

    engine: SqlDialect
    counted: bool
    counted_users: bool
    values: dict[str, str]
    may_lack_signup: bool
    orders: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, str] = field(default_factory=dict)

    def measure(self, feature: Feature, label: str, thresholds: list[float]) -> MeasureExpression:
        """Measure a feature; `label` names its steps, and `thresholds` are what it is compared with."""
        expression = _BY_MEASURE[feature.measure](self, feature, label)
        value = expression.number
        if feature.share_of is not None:
            divisor = col(self.shares[feature.share_of], "r")
            positive = case_when(divisor > number(0), divisor.copy())
            value = exp.Div(this=self.engine.double(value), expression=positive)
        is_rounded = feature.measure == "sum" or feature.share_of is not None
        if is_rounded and (digits := sum_digits(thresholds)) is not None:
            value = self.engine.rounded(value, digits)
        if self.may_lack_signup and feature.window.kind == "first":
            value = case_when(is_present(col("signed_up", "r")), value)
        return MeasureExpression(value, expression.ctes, expression.joined)

    # ------------------------------------------------------------ which events

    def event_tests(self, feature: Feature) -> list[Node]:
        if feature.event == ANY:
            return []
        names = [literal(name_in_data(event)) for event in feature.subject.events]
        name = col("event_name", "e")
        tests: list[Node] = [name.eq(names[0]) if len(names) == 1 else name.isin(*names)]
        if feature.after is not None and feature.gap is not None:
            followed, time = col(self.orders[feature.after], "e"), col("event_time", "e")
            tests.append(time <= plus(followed, self.engine.interval(feature.gap)))
        return tests

    def window_condition(self, feature: Feature) -> Node | None:
        """Whether a visible event counts for the feature; None if all do."""
        tests = [*self.event_tests(feature), *self.window_tests(feature.window)]
        return exp.and_(*tests) if tests else None

    def window_tests(self, window: Window) -> list[Node]:
        if window.length is None:
            return []
        length, time = self.engine.interval(window.length), col("event_time", "e")
        if window.kind == "last":
            return [time >= minus(col("as_of", "e"), length)]
        return [time < plus(col("signed_up", "e"), length)]

    # ------------------------------------------------------------ aggregates

    def count(self, condition: Node | None) -> Node:
        if self.counted:
            return _or_zero(exp.Sum(this=case_when(condition, col("n", "e"))))
        return exp.Count(this=case_when(condition, col("event_time", "e")))

    def distinct(self, condition: Node | None, value: Node) -> Node:
        return exp.Count(this=exp.Distinct(expressions=[case_when(condition, value)]))

    def users(self, condition: Node | None) -> Node:
        people = self.distinct(condition, col("person", "e"))
        if not self.counted_users:
            return people
        largest = _or_zero(exp.Max(this=case_when(condition, col("n_users", "e"))))
        return exp.Anonymous(this="GREATEST", expressions=[people, largest])

    def days(self, start: Node, end: Node) -> Node:
        return exp.Div(this=self.engine.double(self.engine.micros(start, end)), expression=number(DAY))

    def value(self, feature: Feature) -> Node:
        return col(self.values[str(feature.value)], "e")

    def visible(self, *columns: Node, condition: Node | None) -> exp.Select:
        """Select columns of the visible events."""
        events = exp.select(*columns).from_(f"{VISIBLE} AS e")
        return events if condition is None else events.where(condition)


def sum_digits(thresholds: list[float]) -> int | None:
    """Return the decimals to round a sum to, so that the order of addition does not decide whether it meets a threshold.

    pql keeps 12 significant digits, which near a threshold is this many decimals.
    """
    sizes = [SUM_DIGITS - 1 - math.floor(math.log10(abs(t))) for t in thresholds if t]
    return max(sizes) if sizes else None


def holds(criterion: Criterion, value: Node) -> Node:
    """Test the number, or the text of a trait, against the condition; null where it is missing."""
    if criterion.in_ is not None:
        return one_of(value, criterion.in_, truths=True)
    compare = _COMPARE[str(criterion.operator)]
    return compare(this=value, expression=number(float(criterion.threshold or 0.0)))


def joined(definition: Definition, test: Callable[[Criterion], Node]) -> Node:
    """Join the tests of the conditions as the definition does."""
    tests = [joined(member, test) if isinstance(member, Definition) else test(member) for member in definition.members]
    if definition.least == len(tests):
        return exp.and_(*tests)
    if definition.least == 1:
        return exp.or_(*tests)
    points: list[Node] = [exp.case().when(each, number(1)).else_(number(0)) for each in tests]
    return reduce(plus, points) >= number(definition.least)


# ---------------------------------------------------------------- the measures


def _or_zero(node: Node) -> Node:
    return exp.Coalesce(this=node, expressions=[number(0)])


def _plain(aggregate: Callable[[Reader, Feature], Node]) -> Callable[[Reader, Feature, str], MeasureExpression]:
    """A measure that is one aggregate over the visible events."""
    return lambda reader, feature, _: MeasureExpression(aggregate(reader, feature))


def _last_time(reader: Reader, feature: Feature) -> Node:
    latest = exp.Max(this=case_when(reader.window_condition(feature), col("event_time", "e")))
    return reader.days(latest, col("as_of", "r"))


def _first_time(reader: Reader, feature: Feature) -> Node:
    earliest = exp.Min(this=case_when(reader.window_condition(feature), col("event_time", "e")))
    return reader.days(col("signed_up", "r"), earliest)


def _active_days(reader: Reader, feature: Feature) -> Node:
    return reader.distinct(reader.window_condition(feature), reader.engine.day(col("event_time", "e")))


def _joined(label: str, column: str) -> Node:
    """The number of an entity in a joined step."""
    return exp.Max(this=col(column, label))


def _last_value(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    value, entity = reader.value(feature), col("entity", "e")
    latest = exp.alias_(row_number(entity, descending(col("event_time", "e")), descending(value)), "place")
    in_window = reader.window_condition(feature)
    condition = is_present(value) if in_window is None else exp.and_(in_window, is_present(value))
    rows = reader.visible(entity, exp.alias_(value, "latest"), latest, condition=condition)
    last = exp.select("entity", "latest").from_(f"{label}_rows").where(col("place").eq(1))
    return MeasureExpression(_joined(label, "latest"), ((f"{label}_rows", rows), (label, last)), label)


def _gaps(reader: Reader, feature: Feature, label: str) -> Cte:
    """The events of the window, each with the time of the previous one."""
    entity, time = col("entity", "e"), col("event_time", "e")
    before = over(exp.Lag(this=time.copy()), entity, time.copy())
    columns = (entity, time, exp.alias_(before, "time_before"))
    return f"{label}_gaps", reader.visible(*columns, condition=reader.window_condition(feature))


def _sessions(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    time, before = col("event_time", "g"), col("time_before", "g")
    starts_session = exp.or_(before.is_(exp.null()), time > plus(before, _session_gap(reader)))
    session_count = exp.Count(this=case_when(starts_session, number(1)))
    return _of_gaps(reader, feature, label, session_count)


def _session_minutes(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    time, before = col("event_time", "g"), col("time_before", "g")
    together = time <= plus(before, _session_gap(reader))
    total = exp.Sum(this=case_when(together, reader.engine.micros(before, time)))
    minutes = exp.Div(this=reader.engine.double(total), expression=number(MINUTE))
    return _of_gaps(reader, feature, label, minutes)


def _session_gap(reader: Reader) -> Node:
    return reader.engine.interval(Duration(SESSION_GAP))


def _of_gaps(reader: Reader, feature: Feature, label: str, aggregate: Node) -> MeasureExpression:
    gaps = _gaps(reader, feature, label)
    entity = col("entity", "g")
    total = exp.select(entity, exp.alias_(aggregate, "total")).from_(f"{gaps[0]} AS g").group_by(entity.copy())
    return MeasureExpression(_or_zero(_joined(label, "total")), (gaps, (label, total)), label)


def _runs(reader: Reader, feature: Feature, label: str) -> tuple[Cte, ...]:
    """Runs of consecutive active days: within one, day minus place is the same."""
    entity = col("entity", "e")
    as_of, day = col("as_of", "e"), exp.alias_(reader.engine.day(col("event_time", "e")), "active_day")
    days = reader.visible(entity, as_of, day, condition=reader.window_condition(feature)).distinct()
    active = col("active_day", "d")
    run = exp.alias_(minus(reader.engine.day_number(active), row_number(col("entity", "d"), active.copy())), "run")
    marked = exp.select(col("entity", "d"), col("as_of", "d"), active, run).from_(f"{label}_days AS d")
    group = [col("entity", "m"), col("as_of", "m"), col("run", "m")]
    length, last = exp.Count(this=exp.Star()), exp.Max(this=col("active_day", "m"))
    runs = exp.select(*group[:2], exp.alias_(length, "days"), exp.alias_(last, "last_day"))
    runs = runs.from_(f"{label}_marked AS m").group_by(*[node.copy() for node in group])
    return (f"{label}_days", days), (f"{label}_marked", marked), (f"{label}_runs", runs)


def _of_runs(current: bool) -> Callable[[Reader, Feature, str], MeasureExpression]:
    def build(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
        # a streak may end yesterday while today is not over: as_of is at most two midnights after the last active day
        ends = plus(reader.engine.instant(col("last_day", "s")), reader.engine.interval(Duration(2 * DAY)))
        unbroken = ends >= col("as_of", "s") if current else None
        longest = exp.alias_(exp.Max(this=case_when(unbroken, col("days", "s"))), "days")
        best = exp.select(col("entity", "s"), longest).from_(f"{label}_runs AS s").group_by(col("entity", "s"))
        return MeasureExpression(
            _or_zero(_joined(label, "days")), (*_runs(reader, feature, label), (label, best)), label
        )

    return build


def _of_halves(
    reader: Reader, feature: Feature, label: str, compare: Callable[[Node, Node], Node]
) -> MeasureExpression:
    """Compare the events of the window with those of the equally long one before it; in `compare`, null is undefined."""
    window, tests = feature.window, reader.event_tests(feature)
    length = window.length or Duration(DAY)
    time, as_of = col("event_time", "e"), col("as_of", "e")
    start = minus(as_of, reader.engine.interval(length))
    recent = time >= start
    in_period_before = exp.and_(time >= minus(as_of, reader.engine.interval(Duration(2 * length.us))), time < start)
    entity = col("entity", "e")
    halves = reader.visible(
        entity,
        exp.alias_(reader.count(recent), "recent"),
        exp.alias_(reader.count(in_period_before), "earlier"),
        condition=exp.and_(*tests) if tests else None,
    ).group_by(entity.copy())
    change = compare(col("recent", "t"), col("earlier", "t"))
    result = exp.select(col("entity", "t"), exp.alias_(change, feature.measure)).from_(f"{label}_halves AS t")
    return MeasureExpression(_joined(label, feature.measure), ((f"{label}_halves", halves), (label, result)), label)


def _trend(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    def compare(a: Node, b: Node) -> Node:
        total = exp.Nullif(this=exp.Add(this=a.copy(), expression=b.copy()), expression=number(0))
        return exp.Div(this=reader.engine.double(exp.Sub(this=a, expression=b)), expression=total)

    return _of_halves(reader, feature, label, compare)


def _times_before(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    def compare(a: Node, b: Node) -> Node:
        return exp.Div(this=reader.engine.double(a), expression=exp.Nullif(this=b, expression=number(0)))

    return _of_halves(reader, feature, label, compare)


def _by_user(reader: Reader, feature: Feature, label: str) -> Cte:
    """The events of the window by user."""
    entity, person = col("entity", "e"), col("person", "e")
    in_window = reader.window_condition(feature)
    condition = is_present(person) if in_window is None else exp.and_(is_present(person), in_window)
    users = reader.visible(entity, person, exp.alias_(reader.count(None), "times"), condition=condition)
    return f"{label}_users", users.group_by(entity.copy(), person.copy())


def _top_user_count(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    users = _by_user(reader, feature, label)
    most = exp.alias_(exp.Max(this=col("times", "u")), "most")
    top = exp.select(col("entity", "u"), most).from_(f"{label}_users AS u").group_by(col("entity", "u"))
    return MeasureExpression(_or_zero(_joined(label, "most")), (users, (label, top)), label)


def _top_user_share(reader: Reader, feature: Feature, label: str) -> MeasureExpression:
    users = _by_user(reader, feature, label)
    times = col("times", "u")
    all_of_them = exp.Nullif(this=exp.Sum(this=times.copy()), expression=number(0))
    largest_share = exp.Div(this=reader.engine.double(exp.Max(this=times)), expression=all_of_them)
    share = exp.select(col("entity", "u"), exp.alias_(largest_share, "share")).from_(f"{label}_users AS u")
    share = share.group_by(col("entity", "u"))
    return MeasureExpression(_joined(label, "share"), (users, (label, share)), label)


_BY_MEASURE: dict[str, Callable[[Reader, Feature, str], MeasureExpression]] = {
    "count": _plain(lambda reader, f: reader.count(reader.window_condition(f))),
    "active_days": _plain(_active_days),
    "distinct_users": _plain(lambda reader, f: reader.users(reader.window_condition(f))),
    "days_since_last": _plain(_last_time),
    "days_to_first": _plain(_first_time),
    "sum": _plain(lambda reader, f: _or_zero(exp.Sum(this=case_when(reader.window_condition(f), reader.value(f))))),
    "max": _plain(lambda reader, f: exp.Max(this=case_when(reader.window_condition(f), reader.value(f)))),
    "last": _last_value,
    "distinct_values": _plain(lambda reader, f: reader.distinct(reader.window_condition(f), reader.value(f))),
    "current_streak_days": _of_runs(current=True),
    "longest_streak_days": _of_runs(current=False),
    "breadth": _plain(lambda reader, f: reader.distinct(reader.window_condition(f), col("event_name", "e"))),
    "sessions": _sessions,
    "session_minutes": _session_minutes,
    "trend": _trend,
    "times_before": _times_before,
    "top_user_count": _top_user_count,
    "top_user_share": _top_user_share,
    "days_since_signup": _plain(lambda reader, _: reader.days(col("signed_up", "r"), col("as_of", "r"))),
}
