"""Criteria and definitions in YAML."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from pql_model.config.types import Strict, TextsField, WindowField
from pql_model.errors import did_you_mean, nearest
from pql_model.measures import ANY, ENTITY_MEASURES, EVENT_MEASURES, MEASURES
from pql_model.time import EVER, Window

Operator = Literal[">=", ">", "<=", "<", "==", "!="]
_SHORT = {"at_least": ">=", "at_most": "<=", "more_than": ">", "less_than": "<"}


def _with_short_forms(schema: dict[str, Any]) -> None:
    """Let editors accept the short forms."""
    keys = schema["properties"]
    for short, operator in _SHORT.items():
        keys[short] = {"type": "number", "description": f"Short for operator `{operator}` and this threshold."}
    keys["within"] = {**keys["window"], "description": "Short for `window`."}


class Criterion(Strict):
    """One condition: `{event, measure, window, operator, threshold}`, or one about a trait.

    `{event: Teammate Invited, at_least: 2, within: first 7d}` is short for operator `>=`, threshold 2 and
    window `first 7d`. `{trait: company_size, in: [51-200]}` asks for one of the listed values.
    """

    model_config = ConfigDict(json_schema_extra=_with_short_forms)
    shorthands: ClassVar[tuple[str, ...]] = (*_SHORT, "within")
    stub: ClassVar[dict[str, Any]] = {"event": "x", "at_least": 1}

    event: str | None = Field(None, description="Event name, or `any` for all events together.")
    measure: str = Field("count", description="The measure of the event.")
    value: str | None = Field(None, description="The numeric value that sum, max, last and distinct_values read.")
    window: WindowField = Field("ever", validate_default=True, description="`first 7d`, `last 14d` or `ever`.")
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
        return raw

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
        return self


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
    value = {"value": criterion.value} if criterion.value is not None else {}
    window = str(criterion.window)
    return {"event": criterion.event, "measure": criterion.measure, **value, "window": window, **compared}


class Definition(Strict):
    """A PQL rule: criteria joined by `all`, by `any`, or by `at_least_k: 2` with `of:`."""

    all_: list[Criterion] | None = Field(None, alias="all", min_length=1, description="All of these must hold.")
    any_: list[Criterion] | None = Field(None, alias="any", min_length=1, description="One of these must hold.")
    at_least_k: int | None = Field(None, ge=1, description="How many of `of` must hold.")
    of: list[Criterion] | None = Field(None, min_length=1, description="The criteria of `at_least_k`.")

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
        return self

    @classmethod
    def joining(cls, criteria: Sequence[Criterion], least: int) -> Definition:
        """Join criteria of which at least `least` must hold.

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
    def criteria(self) -> list[Criterion]:
        return self.all_ or self.any_ or self.of or []

    @property
    def least(self) -> int:
        """Number of criteria that must hold."""
        if self.all_ is not None:
            return len(self.all_)
        return self.at_least_k or 1


def definition_keys(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as people write it, from its JSON form (`join`, `k` and `conditions`).

    >>> definition_keys({"join": "at_least_k", "k": 1, "conditions": [{"trait": "plan", "in": ["team"]}]})
    {'at_least_k': 1, 'of': [{'trait': 'plan', 'in': ['team']}]}
    """
    conditions = [dict(condition) for condition in payload["conditions"]]
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
