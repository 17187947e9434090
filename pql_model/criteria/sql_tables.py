"""The entities at risk, in SQL: entities, conversions and the instant.

`pql_model.sources.entities`, `pql_model.sources.payments` and `pql_model.snapshots.grid` decide which rows count; this module
must agree with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from pql_model.config.people_tables import HistoryTable
from pql_model.config.schema import Config
from pql_model.config.source_tables import ConversionColumns
from pql_model.criteria.sql_dialects import Node, SqlDialect
from pql_model.criteria.sql_raw import (
    Cte,
    Raw,
    ascending,
    col,
    descending,
    is_present,
    minus,
    never_as_null,
    number,
    one_of,
    or_null,
    over,
    plausible_time,
    plus,
    row_number,
)
from pql_model.sources.entities import configured_traits
from pql_model.sources.payments import CANCELED_WITHIN, NEGLIGIBLE
from pql_model.time import DAY, Duration


@dataclass(frozen=True)
class Trait:
    """A trait, read as text where a condition lists values, otherwise as a number."""

    name: str
    as_text: bool


def moment(engine: SqlDialect, as_of: int | None) -> Cte:
    """A step with one row: as_of."""
    return "moment", exp.select(exp.alias_(engine.now() if as_of is None else engine.moment(as_of), "as_of"))


def entities(config: Config, raw: Raw, traits: Mapping[str, Trait]) -> list[Cte]:
    """Rank the rows of each entity; the row with `place` 1 is used.

    Parameters
    ----------
    config : Config
    raw : Raw
    traits : mapping
        Column of the statement -> the trait it holds.
    """
    spec = config.entities.columns
    columns = {"entity": raw.identifier(spec.entity)}
    if spec.signed_up is not None:
        signed = raw.instant(spec.signed_up)
        # in freemium an entity without a sign-up is at risk from the start; one whose sign-up cannot be read is not used
        columns["signed_up"] = never_as_null(raw.engine, signed) if config.motion == "freemium" else signed
    columns["excluded"] = _excluded(config, raw)
    columns |= {name: raw.text(t.name) if t.as_text else raw.number(t.name) for name, t in traits.items()}
    ties = _ties(config, raw, traits)
    entity, signed_up = col("entity"), col("signed_up")
    usable: list[Node] = [is_present(entity)]
    outputs: list[Node] = [entity, col("excluded"), *map(col, traits)]
    ranks = [descending(col("excluded")), *[ascending(col(name)) for name in ("signed_up", *ties)]]
    if spec.signed_up is not None:
        readable = plausible_time(raw.engine, signed_up)
        usable += readable if config.motion == "trial" else [or_null(signed_up, *readable)]
        outputs.insert(1, exp.alias_(over(exp.Max(this=signed_up), entity), "signed_up"))  # another row may have it
    else:
        del ranks[1]
    ranked = exp.select(*outputs, exp.alias_(row_number(entity, *ranks), "place")).from_("entity_rows").where(*usable)
    return [("entity_rows", raw.select(columns | ties, config.entities.where)), ("entities_ranked", ranked)]


def _ties(config: Config, raw: Raw, traits: Mapping[str, Trait]) -> dict[str, Node]:
    """Columns that decide which of several rows of an entity is used: its traits up to the last one that is read.

    pql orders by all traits; if the columns are not known, the statement orders by those it reads.
    """
    trait_columns = {trait.name for trait in traits.values()}
    trait_names = configured_traits(config, raw.columns) if raw.columns is not None else config.entities.traits
    order = list(trait_names) if trait_names is not None else [trait.name for trait in traits.values()]
    last = max((place for place, trait in enumerate(order, 1) if trait in trait_columns), default=0)
    return {f"tie_{place}": raw.plain(trait) for place, trait in enumerate(order[:last], 1)}


def _excluded(config: Config, raw: Raw) -> Node:
    tests = [one_of(raw.text(column), values, truths=True) for column, values in config.exclude.entities.items()]
    return exp.case().when(exp.or_(*tests), number(1)).else_(number(0)) if tests else number(0)


def conversions(config: Config, raw: Raw, until: int | None) -> list[Cte]:
    """Entities with a payment before as_of that was not paid back. `until` is the end of the data, if as_of is later."""
    spec = config.conversions
    columns = {"entity": raw.text(spec.columns.entity)}
    columns["converted_at"] = _payment_time(spec.columns, raw.engine, raw.instant)
    for key, name in (("amount", spec.columns.value), ("refunded", spec.columns.refunded)):
        if name is not None:
            columns[key] = raw.number(name)
    rows = raw.select(columns, spec.where)
    if spec.columns.canceled is not None:
        rows = rows.where(_outlived_trial(spec.columns, spec.columns.canceled, raw))
    ctes: list[Cte] = [("conversion_rows", rows)]
    at = col("converted_at", "c")
    paid: list[Node] = [col("amount", "c") > number(0)]
    if "amount" not in columns:
        tests, source = plausible_time(raw.engine, at), "conversion_rows"
    elif "refunded" in columns:
        back = exp.Coalesce(this=exp.Abs(this=col("refunded", "c")), expressions=[number(0)])
        paid.append(exp.LT(this=back, expression=col("amount", "c")))
        tests, source = [*plausible_time(raw.engine, at), or_null(col("amount", "c"), *paid)], "conversion_rows"
    else:
        ctes += _netted(raw.engine)
        paid.append(exp.paren(exp.or_(col("lowest", "c") >= number(0), _remains())))
        tests, source = [or_null(col("amount", "c"), *paid)], "payments_netted"
    converted = exp.select(col("entity", "c")).distinct().from_(f"{source} AS c")
    converted = converted.join("moment AS m", join_type="cross").where(*tests, at < col("as_of", "m"))
    if until is not None:
        converted = converted.where(at <= raw.engine.moment(until))
    return [*ctes, ("converted", converted)]


def _payment_time(columns: ConversionColumns, engine: SqlDialect, instant: Callable[[str], Node]) -> Node:
    """Return the time of a payment, or its start where the time is missing and a start is mapped."""
    paid_at = instant(columns.time)
    if columns.start is None:
        return paid_at
    return exp.Coalesce(this=never_as_null(engine, paid_at), expressions=[instant(columns.start)])


def _outlived_trial(columns: ConversionColumns, canceled: str, raw: Raw) -> Node:
    """Whether a subscription was not cancelled by the time of its first payment."""

    def uncut(name: str) -> Node:
        return raw.engine.read_instant(raw.plain(name, "time"))

    ended, paid_at = uncut(canceled), uncut(columns.time)
    outlived: Node = ended > plus(paid_at, raw.engine.interval(CANCELED_WITHIN))
    if columns.start is not None:
        paid_at, begun = never_as_null(raw.engine, paid_at), uncut(columns.start)
        had_trial = exp.and_(
            exp.not_(paid_at.is_(exp.null())), exp.or_(begun.is_(exp.null()), paid_at.copy() > begun.copy())
        )
        outlived = exp.case().when(had_trial, outlived).else_(ended.copy() >= begun.copy())
    unreadable = exp.not_(exp.and_(*plausible_time(raw.engine, ended)))
    return exp.paren(exp.or_(ended.is_(exp.null()), unreadable, outlived))


def _netted(engine: SqlDialect) -> list[Cte]:
    """What is left of each payment after the refunds that follow it, the newest payments first."""
    kept, entity, at = [col(name) for name in ("entity", "converted_at", "amount")], col("entity"), col("converted_at")
    signed = exp.Coalesce(this=col("amount"), expressions=[number(0)])
    order = [engine.ordered(at), engine.ordered(signed, desc=True)]
    balances = exp.select(
        *kept,
        exp.alias_(over(exp.Sum(this=signed.copy()), entity, *order, rows=("UNBOUNDED", None)), "balance"),
        exp.alias_(over(exp.Sum(this=exp.Abs(this=signed.copy())), entity), "turnover"),
        exp.alias_(over(exp.Min(this=signed.copy()), entity), "lowest"),
    ).from_("conversion_rows")
    balances = balances.where(*plausible_time(engine, at), at <= engine.now())
    remaining = over(exp.Min(this=col("balance")), entity, *order, rows=(None, "UNBOUNDED"))
    before = exp.Sub(this=col("balance"), expression=signed.copy())
    owed = exp.case().when(before > number(0), before.copy()).else_(number(0))
    netted = exp.select(*kept, col("lowest"), col("turnover"), exp.alias_(minus(remaining, owed), "remaining"))
    return [("payment_balances", balances), ("payments_netted", netted.from_("payment_balances"))]


def _remains() -> Node:
    """More is left than a rounding error."""
    share = exp.Mul(this=col("turnover", "c"), expression=exp.Literal.number(f"{NEGLIGIBLE:g}"))
    return col("remaining", "c") > share


def history(spec: HistoryTable, raw: Raw, traits: Mapping[str, Trait], until: int | None) -> list[Cte]:
    """The traits that change, as the newest row before as_of states them. `traits` are those of the history."""
    at = col("changed_at", "h")
    columns = {"entity": raw.identifier(spec.columns.entity), "changed_at": raw.instant(spec.columns.time)}
    values = {name: raw.text(t.name) if t.as_text else raw.number(t.name) for name, t in traits.items()}
    place = over(exp.Anonymous(this="RANK"), col("entity", "h"), descending(at))
    ranked = exp.select(col("entity", "h"), *[col(n, "h") for n in traits], exp.alias_(place, "place")).from_(
        "history_rows AS h"
    )
    ranked = ranked.join("moment AS m", join_type="cross").where(
        *plausible_time(raw.engine, at), at < col("as_of", "m")
    )
    if until is not None:
        ranked = ranked.where(at <= raw.engine.moment(until))
    latest = exp.select(col("entity", "h"), *[exp.alias_(exp.Max(this=col(n, "h")), n) for n in traits])
    latest = latest.from_("history_ranked AS h").where(col("place", "h") < 2).group_by(col("entity", "h"))
    return [
        ("history_rows", raw.select(columns | values, spec.where)),
        ("history_ranked", ranked),
        ("history_latest", latest),
    ]


def at_risk(config: Config, engine: SqlDialect, traits: Sequence[str], changing: Sequence[str] = ()) -> Cte:
    """Entities that signed up, have not converted and are not excluded; in a trial also of an age that is scored.

    `changing` are the traits of `history_latest`.
    """
    signed = [col("signed_up", "n")] if config.entities.columns.signed_up is not None else []
    columns = [
        *[col("entity", "n"), *signed, col("as_of", "m")],
        *[col(trait, "h" if trait in changing else "n") for trait in traits],
    ]
    entities = exp.select(*columns).from_("entities_ranked AS n").join("moment AS m", join_type="cross")
    entities = entities.join("converted AS c", on=col("entity", "c").eq(col("entity", "n")), join_type="left")
    if changing:
        on = col("entity", "h").eq(col("entity", "n"))
        entities = entities.join("history_latest AS h", on=on, join_type="left")
    # not `= 1`: PostgreSQL assumes that an equality is rare and would join row by row
    tests = [col("place", "n") < 2, col("excluded", "n") < 1, col("entity", "c").is_(exp.null())]
    return "at_risk", entities.where(*tests, *_old_enough(config, engine))


def _old_enough(config: Config, engine: SqlDialect) -> list[Node]:
    signed_up, as_of = col("signed_up", "n"), col("as_of", "m")
    if config.motion == "trial":
        days = config.schedule.at_days or [0]
        youngest = minus(as_of, engine.interval(Duration(days[0] * DAY))) if days[0] else as_of
        oldest = minus(as_of, engine.interval(Duration((days[-1] + 1) * DAY)))
        return [signed_up <= youngest, signed_up >= oldest]
    if config.entities.columns.signed_up is not None:
        return [or_null(signed_up, signed_up < as_of)]
    return []
