"""Write a definition as one SQL statement that returns the same entities in a warehouse as pql does.

The statement reads the raw tables of `pql.yaml` step by step: the entities at risk, their visible events, the number that
each condition compares, and the entities that meet the definition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from sqlglot import exp

from pql_model.config.definition import Definition
from pql_model.config.schema import Config
from pql_model.criteria import sql_events, sql_people, sql_tables
from pql_model.criteria.column_names import column_names, criterion_subject
from pql_model.criteria.sql_checks import changing_traits, check_forms, check_lists, check_mapped
from pql_model.criteria.sql_dialects import Node, SqlDialect, dialect_of
from pql_model.criteria.sql_header import header
from pql_model.criteria.sql_measures import VISIBLE, MeasureExpression, Reader, holds, joined
from pql_model.criteria.sql_raw import RAW, Cte, Raw, col, minus, table_names
from pql_model.errors import DataError
from pql_model.features.spec import Feature
from pql_model.measures import ANY
from pql_model.sources.events import value_names

_WIDTH = 110


@dataclass(frozen=True)
class Statement:
    """A definition as one SQL statement, before it is written as text.

    Attributes
    ----------
    query : sqlglot.exp.Select
        Its first step, `moment`, holds as_of. Its raw tables carry `RAW` in `meta`.
    comment : str
        The comment on top.
    engine : SqlDialect
    labels : dict
        Feature or trait that a condition reads -> its column in the result.
    raws : mapping
        Table of the config -> the raw table, which records what was read.
    """

    query: exp.Select
    comment: str
    engine: SqlDialect
    labels: dict[Feature | str, str]
    raws: Mapping[str, Raw]

    def body(self) -> str:
        """Return the text without the comment."""
        return self.query.sql(self.engine.dialect, pretty=True, max_text_width=_WIDTH)

    def text(self) -> str:
        return f"{self.comment}\n{self.body()}\n"


def definition_sql(
    config: Config,
    definition: Definition,
    dialect: str,
    as_of: int | None = None,
    columns: Mapping[str, Collection[str]] | None = None,
    lists: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Write the statement as text; see `definition_statement`."""
    return definition_statement(config, definition, dialect, as_of, columns, lists).text()


def definition_statement(
    config: Config,
    definition: Definition,
    dialect: str,
    as_of: int | None = None,
    columns: Mapping[str, Collection[str]] | None = None,
    lists: Mapping[str, Mapping[str, str]] | None = None,
) -> Statement:
    """Build the statement. It returns entity, as_of, and the number that each condition compares.

    Parameters
    ----------
    config : Config
    definition : Definition
    dialect : str
        One of `pql_model.criteria.sql_dialects.DIALECTS`.
    as_of : int, optional
        An instant; default: the moment the statement runs.
    columns : mapping, optional
        Table of the config -> its columns, if known. Only then are columns read that the config does not name, such as
        `is_bot`.
    lists : mapping, optional
        Table of the config -> its columns of ids whose cells hold lists -> `array`, or `json` for their text.

    Raises
    ------
    DataError
        If the dialect is unknown, or the definition reads what the config does not map.
    """
    engine = dialect_of(dialect)
    check_forms(config)
    check_mapped(config, definition)
    check_lists(config, lists or {})
    names = table_names(_tables(config))
    raws = {
        table: Raw(
            engine, table, name, config.resolution == "day", (columns or {}).get(table), (lists or {}).get(table, {})
        )
        for table, name in names.items()
    }
    plan = _plan(config, definition, engine, as_of)
    statement = exp.select("entity", "as_of", *plan.labels.values()).from_("measures").where(_met(plan))
    statement = statement.order_by(col("entity"))
    for name, select in _ctes(plan, raws):
        hint = True if engine.materialize and name == VISIBLE else None
        statement = statement.with_(name, as_=select, materialized=hint, copy=False)
    _mark_recursive(statement)
    used_names = {name.lower() for name in names.values()}
    query = cast("exp.Select", _rename_clashing(statement, used_names).transform(_without_parentheses))
    comment = header(config, definition, engine, as_of, raws, columns is not None)
    return Statement(query, comment, engine, plan.labels, raws)


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True)
class _Plan:
    """The content of the statement.

    Attributes
    ----------
    labels : dict
        Feature or trait that a condition reads -> its column in the result.
    thresholds : dict
        Feature or trait -> all thresholds it is compared with.
    """

    config: Config
    definition: Definition
    engine: SqlDialect
    as_of: int | None
    labels: dict[Feature | str, str]
    thresholds: dict[Feature | str, list[float]]

    @property
    def features(self) -> list[Feature]:
        return [subject for subject in self.labels if isinstance(subject, Feature)]

    @property
    def traits(self) -> dict[str, str]:
        return {subject: label for subject, label in self.labels.items() if isinstance(subject, str)}

    @property
    def shares(self) -> dict[str, str]:
        """Trait that a measure is divided by -> its column in the steps."""
        traits = dict.fromkeys(f.share_of for f in self.features if f.share_of is not None)
        return {trait: f"divisor_{place}" for place, trait in enumerate(traits, 1)}

    @property
    def orders(self) -> dict[str, str]:
        """Event that others must follow -> the column of the visible events with the time of the last one before."""
        events = dict.fromkeys(f.after for f in self.features if f.after is not None)
        return {event: f"followed_{place}" for place, event in enumerate(events, 1)}

    @property
    def until(self) -> int | None:
        """The end of the data if as_of is later, since pql reads nothing after it."""
        until = self.config.observed_until
        return until if until is not None and self.as_of is not None and self.as_of > until else None

    @property
    def active(self) -> bool:
        return self.config.schedule.active_within is not None


def _plan(config: Config, definition: Definition, engine: SqlDialect, as_of: int | None) -> _Plan:
    thresholds: dict[Feature | str, list[float]] = {}
    for criterion in definition.criteria:
        if criterion.threshold is not None:
            thresholds.setdefault(criterion_subject(criterion), []).append(criterion.threshold)
    return _Plan(config, definition, engine, as_of, column_names(definition), thresholds)


def _tables(config: Config) -> list[str]:
    more = [spec.table for spec in (config.members, config.aliases, config.history) if spec is not None]
    return [config.entities.table, config.conversions.table, *(table.table for table in config.events), *more]


# ---------------------------------------------------------------- the steps


def _ctes(plan: _Plan, raws: Mapping[str, Raw]) -> Iterator[Cte]:
    config = plan.config
    traits = {label: _trait(plan, trait) for trait, label in plan.traits.items()}
    traits |= {label: sql_tables.Trait(trait, as_text=False) for trait, label in plan.shares.items()}
    changing = {label: trait for label, trait in traits.items() if trait.name in changing_traits(config)}
    fixed = {label: trait for label, trait in traits.items() if label not in changing}
    yield sql_tables.moment(plan.engine, plan.as_of)
    yield from sql_tables.entities(config, raws[config.entities.table], fixed)
    yield from sql_tables.conversions(config, raws[config.conversions.table], plan.until)
    if config.history is not None and changing:
        yield from sql_tables.history(config.history, raws[config.history.table], changing, plan.until)
    yield sql_tables.at_risk(config, plan.engine, list(traits), list(changing))
    needs, reader = _needs(plan), _reader(plan)
    if plan.features or plan.active:
        yield from _people_ctes(config, raws)
        yield from _event_ctes(plan, needs, raws)
    measured = {
        label: reader.measure(feature, label, plan.thresholds[feature])
        for feature, label in ((f, plan.labels[f]) for f in plan.features)
    }
    for expression in measured.values():
        yield from expression.ctes
    yield "measures", _measures(plan, measured)


def _people_ctes(config: Config, raws: Mapping[str, Raw]) -> Iterator[Cte]:
    """Merged users and memberships, where the config has them."""
    if config.aliases is not None:
        yield from sql_people.alias_steps(config.aliases, raws[config.aliases.table])
    if config.members is not None:
        yield from sql_people.member_steps(config.members, raws[config.members.table], config.aliases is not None)


def _trait(plan: _Plan, trait: str) -> sql_tables.Trait:
    uses_in = {criterion.in_ is not None for criterion in plan.definition.criteria if criterion.trait == trait}
    if len(uses_in) > 1:
        raise DataError(
            f"Trait `{trait}` is compared both as a text and as a number",
            remedy="write all its conditions with `in:`, or all with `operator`",
        )
    return sql_tables.Trait(trait, as_text=True in uses_in)


def _needs(plan: _Plan) -> sql_events.Needs:
    features, config = plan.features, plan.config
    event_names = frozenset(event for feature in features for event in feature.reads)
    measures = {feature.measure for feature in features}
    values = sql_events.value_columns(value_names(config.events))
    count_events, counted_users = _counted(config)
    return sql_events.Needs(
        events=None if plan.active or ANY in event_names else event_names,
        person=bool(measures & {"distinct_users", "top_user_share", "top_user_count"}),
        n=count_events and bool(measures & {"count", "trend", "times_before", "top_user_share", "top_user_count"}),
        n_users=counted_users and "distinct_users" in measures,
        values={value: column for value, column in values.items() if value in {f.value for f in features}},
        signed_up=config.entities.columns.signed_up is not None,
        until=plan.until,
    )


def _counted(config: Config) -> tuple[bool, bool]:
    """Whether any table of events holds counts, and whether any of them also counts users."""
    return any(table.counts for table in config.events), any(table.users for table in config.events)


def _reader(plan: _Plan) -> Reader:
    count_events, counted_users = _counted(plan.config)
    values = sql_events.value_columns(value_names(plan.config.events))
    may_lack_signup = plan.config.motion == "freemium"
    return Reader(plan.engine, count_events, counted_users, values, may_lack_signup, plan.orders, plan.shares)


def _event_ctes(plan: _Plan, needs: sql_events.Needs, raws: Mapping[str, Raw]) -> Iterator[Cte]:
    tables = [table for table in plan.config.events if sql_events.concerns(table, needs)]
    parts: list[exp.Select] = []
    for place, spec in enumerate(tables, 1):
        raw = raws[spec.table]
        part = sql_events.event_part(plan.config, spec, raw, needs, f"_{place}" if len(tables) > 1 else "")
        yield from part.ctes
        parts += part.parts
    visible = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
    if plan.orders:
        yield "events_read", visible
        visible = sql_events.with_followed("events_read", plan.orders)
    yield VISIBLE, visible


def _measures(plan: _Plan, measured: Mapping[str, MeasureExpression]) -> exp.Select:
    has_signup = plan.config.entities.columns.signed_up is not None
    traits = [col(label, "r") for label in plan.traits.values()]
    divisors = [col(label, "r") for label in plan.shares.values()]
    keys = [col("entity", "r"), col("as_of", "r"), *([col("signed_up", "r")] if has_signup else []), *traits, *divisors]
    columns = [exp.alias_(expression.number, label) for label, expression in measured.items()]
    if plan.active:
        columns.append(exp.alias_(exp.Max(this=col("event_time", "e")), "last_event_at"))
    table = exp.select(col("entity", "r"), col("as_of", "r"), *traits, *columns).from_("at_risk AS r")
    if not columns:
        return table
    table = table.join(f"{VISIBLE} AS e", on=col("entity", "e").eq(col("entity", "r")), join_type="left")
    for expression in measured.values():
        if expression.joined is not None:
            on = col("entity", expression.joined).eq(col("entity", "r"))
            table = table.join(expression.joined, on=on, join_type="left")
    return table.group_by(*[key.copy() for key in keys])


def _met(plan: _Plan) -> Node:
    """What the definition asks for; in freemium with `active_within` also recent activity."""
    condition = joined(plan.definition, lambda c: holds(c, col(plan.labels[criterion_subject(c)])))
    active_within = plan.config.schedule.active_within
    if active_within is None:
        return condition
    return exp.and_(condition, col("last_event_at") >= minus(col("as_of"), plan.engine.interval(active_within)))


def _without_parentheses(node: exp.Expr) -> exp.Expr:
    """Drop the parentheses of arithmetic beside a comparison."""
    plain = isinstance(node, exp.Paren) and isinstance(node.this, exp.Add | exp.Sub)
    return node.this if plain and isinstance(node.parent, exp.GT | exp.GTE | exp.LT | exp.LTE) else node


def _mark_recursive(statement: exp.Select) -> None:
    """Say which step refers to itself, with the names of its columns, which some dialects need."""
    for cte in statement.ctes:
        if cte.alias == sql_people.RECURSIVE and isinstance(cte.parent, exp.With):
            cte.parent.set("recursive", True)
            cte.args["alias"].set("columns", [exp.to_identifier(column) for column in ("alias", "person")])


def _rename_clashing(statement: exp.Select, used_names: Collection[str]) -> exp.Select:
    """Rename steps whose name is also that of a raw table."""
    clashing = {cte.alias: f"{cte.alias}_step" for cte in statement.ctes if cte.alias.lower() in used_names}
    for cte in statement.ctes:
        cte.args["alias"].set("this", exp.to_identifier(clashing.get(cte.alias, cte.alias)))
    for table in statement.find_all(exp.Table):
        if table.name in clashing and not table.meta.get(RAW):
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(clashing[table.this.name]))
    return statement
