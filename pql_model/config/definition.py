"""Criteria and definitions in YAML."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol, Union

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from pql_model.config.types import DurationField, NamesField, Strict, TextsField, WindowField
from pql_model.errors import did_you_mean, listed, nearest
from pql_model.measures import AMOUNTS, ANY, ENTITY_MEASURES, EVENT_MEASURES, MEASURES
from pql_model.time import EVER, Duration, Window

Operator = Literal[">=", ">", "<=", "<", "==", "!="]
_SHORT = {"at_least": ">=", "at_most": "<=", "more_than": ">", "less_than": "<"}
JOINS = ("all", "any", "at_least_k", "of")
DEEPEST = 3
"""How many joins a definition may nest."""
Truth = Any
"""A bool, or an array of bool."""


def _with_short_forms(schema: dict[str, Any]) -> None:
    """Let editors accept the short forms."""
    keys = schema["properties"]
    for short, operator in _SHORT.items():
        keys[short] = {"type": "number", "description": f"Short for operator `{operator}` and this threshold."}
    keys["within"] = {**keys["window"], "description": "Short for `window`."}
    listed_events = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    keys["event"] = {**keys["event"], "anyOf": [*keys["event"]["anyOf"], listed_events]}


class Criterion(Strict):
    """One condition: `{event, measure, window, operator, threshold}`, or one about a trait.

    `{event: Teammate Invited, at_least: 2, within: first 7d}` is short for operator `>=`, threshold 2 and
    window `first 7d`. `{trait: company_size, in: [51-200]}` asks for one of the listed values. `event: [Help Read, Guide Read]`
    counts several events as one.
    """

    model_config = ConfigDict(json_schema_extra=_with_short_forms)
    shorthands: ClassVar[tuple[str, ...]] = (*_SHORT, "within")
    stub: ClassVar[dict[str, Any]] = {"event": "x", "at_least": 1}

    event: str | None = Field(
        None, description="Event name, a list of names that count as one event, or `any` for all events together."
    )
    also: NamesField = Field((), description="More events that count as the same one.")
    after: str | None = Field(None, description="Only events that follow this one, at most `gap` later, count.")
    gap: DurationField | None = Field(None, description="How long after `after` an event may happen.")
    measure: str = Field("count", description="The measure of the event.")
    value: str | None = Field(None, description="The numeric value that sum, max, last and distinct_values read.")
    window: WindowField = Field("ever", validate_default=True, description="`first 7d`, `last 14d` or `ever`.")
    share_of: str | None = Field(None, description="A numeric trait, such as a quota: the measure is divided by it.")
    trait: str | None = Field(None, description="A column of the entities table, instead of an event.")
    operator: Operator | None = Field(None, description="The comparison.")
    threshold: float | None = Field(None, allow_inf_nan=False, description="The number to compare with.")
    in_: TextsField | None = Field(None, alias="in", min_length=1, description="Allowed values of the trait.")

    @model_validator(mode="before")
    @classmethod
    def _expand_shorthand(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        raw = dict(raw)
        for short, operator in _SHORT.items():
            if short in raw:
                if "operator" in raw or "threshold" in raw:
                    raise ValueError(f"`{short}` already sets operator and threshold: use one form or the other")
                raw["operator"], raw["threshold"] = operator, raw.pop(short)
        if "within" in raw:
            if "window" in raw:
                raise ValueError("`within` is short for `window`: use one of them")
            raw["window"] = raw.pop("within")
        return expand_events(raw)

    @field_validator("threshold", mode="before")
    @classmethod
    def _is_a_number(cls, raw: Any) -> Any:
        if isinstance(raw, bool):
            raise ValueError("a threshold is a number; YAML reads on, off, yes and no as true or false")
        return raw

    @model_validator(mode="after")
    def _complete(self) -> Criterion:
        if (self.event is None) == (self.trait is None):
            raise ValueError("a condition needs either `event` or `trait`")
        if self.trait is not None:
            if (self.in_ is None) == (self.threshold is None):
                raise ValueError(f"trait `{self.trait}` needs either `in: [...]` or `operator` with `threshold`")
            if self.in_ is not None and self.operator is not None:
                raise ValueError(f"trait `{self.trait}` has `in` and `operator`: use one of them")
        elif self.in_ is not None:
            raise ValueError("`in` is for traits: an event needs `at_least` or `operator` with `threshold`")
        if self.in_ is None and (self.operator is None or self.threshold is None):
            raise ValueError("needs `operator` with `threshold`, or the short form `at_least: 2`")
        if self.event is not None:
            check_measure(self.event, self.measure, self.value, self.window)
            check_subject(self.events, self.after, self.gap)
            check_share(self.measure, self.share_of)
        elif self.also or self.after or self.gap or self.share_of:
            raise ValueError("`also`, `after`, `gap` and `share_of` are about an event, not a trait")
        return self

    @property
    def events(self) -> tuple[str, ...]:
        """The events that count as one; none for a trait."""
        return (self.event, *self.also) if self.event is not None else ()

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits that it reads."""
        return tuple(trait for trait in (self.trait, self.share_of) if trait is not None)


def expand_events(raw: dict[str, Any]) -> dict[str, Any]:
    """Write `event: [A, B]` as `event: A` with `also: [B]`.

    Raises
    ------
    ValueError
        If it lists none, or `also` stands beside it.

    Examples
    --------
    >>> expand_events({"event": ["Help Read", "Guide Read"]})
    {'event': 'Help Read', 'also': ['Guide Read']}
    """
    names = raw.get("event")
    if not isinstance(names, list):
        return raw
    if raw.get("also"):
        raise ValueError("`event` already lists the events that `also` would add: use one of them")
    if not names:
        raise ValueError("`event` lists no event")
    return {**raw, "event": names[0], "also": names[1:]}


def check_measure(event: str, measure: str, value: str | None, window: Window | None = None) -> None:
    """Refuse a measure that does not exist or does not fit the event, value or window.

    Raises
    ------
    ValueError
        With the nearest name and all allowed ones.
    """
    allowed = ENTITY_MEASURES if event == ANY else EVENT_MEASURES
    if measure not in allowed:
        hint = did_you_mean(nearest(measure, allowed))
        of = "all events together" if event == ANY else "one event"
        raise ValueError(f"`{measure}` is not a measure of {of}{hint} Allowed: {', '.join(allowed)}")
    if window is not None:
        rule = MEASURES[measure].window
        if (rule == "ever" and window != EVER) or (rule == "last" and window.kind != "last"):
            raise ValueError(f"measure `{measure}` needs a `{rule}` window. Received: {window}")
    if MEASURES[measure].needs_value != (value is not None):
        need = "needs" if MEASURES[measure].needs_value else "takes no"
        raise ValueError(f"measure `{measure}` {need} `value:`")


def check_subject(events: Sequence[str], after: str | None, gap: Duration | None) -> None:
    """Refuse a group of events, or an order of two, that means nothing.

    Raises
    ------
    ValueError
        Saying what is allowed.
    """
    if len(events) > 1 and ANY in events:
        raise ValueError(f"`{ANY}` already stands for all events: list it alone, or list the events that count as one")
    if repeated := sorted({event for event in events if events.count(event) > 1}):
        raise ValueError(f"the same event is listed twice: {listed(repeated)}")
    if (after is None) != (gap is None):
        raise ValueError("`after: Report Created` and `gap: 3d` belong together")
    if after == ANY or (ANY in events and after is not None):
        raise ValueError(f"an order is between two named events, not `{ANY}`")
    if after is not None and after in events:
        raise ValueError(f"`after` names `{after}`, which is counted itself: name another event")


def check_share(measure: str, share_of: str | None) -> None:
    """Refuse a share of a trait by a measure that is not an amount.

    Raises
    ------
    ValueError
        With the measures that are.
    """
    if share_of is not None and measure not in AMOUNTS:
        raise ValueError(f"`share_of` divides an amount, not `{measure}`. Allowed: {', '.join(AMOUNTS)}")


def criterion_json(criterion: Criterion) -> dict[str, Any]:
    """Format a condition in its long form, which reads back as the same condition.

    >>> criterion_json(Criterion.model_validate({"event": "Export Made", "at_least": 2, "within": "first 7d"}))
    {'event': 'Export Made', 'measure': 'count', 'window': 'first 7d', 'operator': '>=', 'threshold': 2}
    """
    if criterion.in_ is not None:
        return {"trait": criterion.trait, "in": list(criterion.in_)}
    threshold = float(criterion.threshold or 0.0)
    compared = {"operator": criterion.operator, "threshold": int(threshold) if threshold.is_integer() else threshold}
    if criterion.trait is not None:
        return {"trait": criterion.trait, **compared}
    return {**subject_json(criterion), "window": str(criterion.window), **compared}


class Measured(Protocol):
    """What a condition about events and a feature have in common."""

    @property
    def event(self) -> str | None: ...
    @property
    def also(self) -> tuple[str, ...]: ...
    @property
    def after(self) -> str | None: ...
    @property
    def gap(self) -> Duration | None: ...
    @property
    def measure(self) -> str: ...
    @property
    def value(self) -> str | None: ...
    @property
    def share_of(self) -> str | None: ...


def subject_json(measured: Measured) -> dict[str, Any]:
    """Format what a condition or a feature measures, without window and threshold."""
    return {
        "event": measured.event,
        **({"also": list(measured.also)} if measured.also else {}),
        **({"after": measured.after, "gap": str(measured.gap)} if measured.after is not None else {}),
        "measure": measured.measure,
        **({"value": measured.value} if measured.value is not None else {}),
        **({"share_of": measured.share_of} if measured.share_of is not None else {}),
    }


def _kind_of_member(raw: Any) -> str:
    if isinstance(raw, dict):
        return "definition" if any(key in raw for key in JOINS) else "criterion"
    return "definition" if isinstance(raw, Definition) else "criterion"


Member = Annotated[
    Union[Annotated[Criterion, Tag("criterion")], Annotated["Definition", Tag("definition")]],  # noqa: UP007
    Discriminator(_kind_of_member),
]
"""A condition, or conditions joined in turn."""


class Definition(Strict):
    """A PQL rule: criteria joined by `all`, by `any`, or by `at_least_k: 2` with `of:`. Each may be joined criteria in turn."""

    stub: ClassVar[dict[str, Any]] = {"all": [Criterion.stub]}

    all_: list[Member] | None = Field(None, alias="all", min_length=1, description="All of these must hold.")
    any_: list[Member] | None = Field(None, alias="any", min_length=1, description="One of these must hold.")
    at_least_k: int | None = Field(None, ge=1, description="How many of `of` must hold.")
    of: list[Member] | None = Field(None, min_length=1, description="The criteria of `at_least_k`.")

    @model_validator(mode="after")
    def _one_join(self) -> Definition:
        if (self.at_least_k is None) != (self.of is None):
            raise ValueError("`at_least_k` and `of` belong together")
        if sum(part is not None for part in (self.all_, self.any_, self.of)) != 1:
            raise ValueError(
                "a definition has exactly one of `all: [...]`, `any: [...]`, `at_least_k: 2` with `of: [...]`"
            )
        if self.of is not None and self.at_least_k is not None and self.at_least_k > len(self.of):
            raise ValueError(f"`at_least_k: {self.at_least_k}` of only {len(self.of)} conditions can never be met")
        if self.depth > DEEPEST:
            raise ValueError(f"a definition nests at most {DEEPEST} joins. Received: {self.depth}")
        return self

    @classmethod
    def joining(cls, criteria: Sequence[Criterion | Definition], least: int) -> Definition:
        """Join criteria, or definitions, of which at least `least` must hold.

        >>> criteria = [Criterion.model_validate({"trait": "seats", "at_least": n}) for n in (1, 2, 3)]
        >>> [Definition.joining(criteria, least).join for least in (3, 1, 2)]
        ['all', 'any', 'at_least_k']
        """
        if least == len(criteria):
            return cls.model_validate({"all": criteria})
        return cls.model_validate({"any": criteria} if least == 1 else {"at_least_k": least, "of": criteria})

    @property
    def join(self) -> Literal["all", "any", "at_least_k"]:
        if self.all_ is not None:
            return "all"
        return "any" if self.any_ is not None else "at_least_k"

    @property
    def members(self) -> list[Criterion | Definition]:
        """What is joined."""
        return list(self.all_ or self.any_ or self.of or [])

    @property
    def criteria(self) -> list[Criterion]:
        """Every condition, in the order in which they are read, also those inside a joined definition."""
        return [
            criterion
            for member in self.members
            for criterion in (member.criteria if isinstance(member, Definition) else [member])
        ]

    @property
    def nested(self) -> bool:
        """Whether it joins definitions."""
        return self.depth > 1

    @property
    def depth(self) -> int:
        """How many joins are nested; 1 where only criteria are joined."""
        return 1 + max((member.depth for member in self.members if isinstance(member, Definition)), default=0)

    @property
    def least(self) -> int:
        """Number of members that must hold."""
        return len(self.all_) if self.all_ is not None else self.at_least_k or 1

    def met(self, truths: Iterable[Truth]) -> Truth:
        """Join what the conditions give.

        Parameters
        ----------
        truths
            Whether each of `criteria` holds, in their order: bools, or arrays of bool.

        Examples
        --------
        >>> seats = [{"trait": "seats", "at_least": n} for n in (1, 2, 3)]
        >>> definition = Definition.model_validate({"any": [seats[2], {"all": seats[:2]}]})
        >>> [bool(definition.met(c.threshold <= n for c in definition.criteria)) for n in (1, 2, 3)]
        [False, True, True]
        """
        rest = iter(truths)
        count = sum(1 * (member.met(rest) if isinstance(member, Definition) else next(rest)) for member in self.members)
        return count >= self.least


def joined_json(definition: Definition) -> dict[str, Any]:
    """Format how a definition joins its conditions: `join`, `k` and `conditions`, of which each may join others in turn."""
    return {
        "join": definition.join,
        "k": definition.at_least_k,
        "conditions": [
            joined_json(member) if isinstance(member, Definition) else criterion_json(member)
            for member in definition.members
        ],
    }


def definition_keys(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as people write it, from its JSON form (`join`, `k` and `conditions`).

    >>> definition_keys({"join": "at_least_k", "k": 1, "conditions": [{"trait": "plan", "in": ["team"]}]})
    {'at_least_k': 1, 'of': [{'trait': 'plan', 'in': ['team']}]}
    """
    conditions = [
        definition_keys(condition) if "conditions" in condition else dict(condition)
        for condition in payload["conditions"]
    ]
    if payload["join"] == "at_least_k":
        return {"at_least_k": payload["k"], "of": conditions}
    return {payload["join"]: conditions}


def unreadable(definition: Definition, values: Collection[str], has_signup: bool) -> Iterator[str]:
    """Yield a sentence for everything that a definition needs and the tables of a product lack.

    Parameters
    ----------
    values
        The names under `values` of the event tables.
    has_signup
        Whether the config maps a sign-up time.
    """
    for criterion in definition.criteria:
        if criterion.value is not None and criterion.value not in values:
            hint = did_you_mean(nearest(criterion.value, values))
            yield f"the definition reads the value `{criterion.value}`, which no table has in `values`{hint}"
        signup = criterion.window.kind == "first" or MEASURES[criterion.measure].needs_signup
        if criterion.event is not None and signup and not has_signup:
            what = f"`{criterion.measure}` of window `{criterion.window}`"
            yield f"the definition uses {what}, which needs `entities.columns.signed_up`"
