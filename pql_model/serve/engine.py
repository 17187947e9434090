"""Score one entity from its raw data, in plain Python and one call of the boosters, without building a table."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import decide
from pql_model.decide.suggest import Suggester
from pql_model.errors import InputError
from pql_model.explain.reason_text import Value
from pql_model.explain.row import Explainer
from pql_model.features.contacts import Contact, contacts
from pql_model.features.fields import TIME_SCHEMA, ObjectFields, field_path, keyed, nullable, number_in, shown
from pql_model.features.incoming import ENTITY_SCHEMA, TRAITS_SCHEMA, Incoming, read_entity
from pql_model.features.online import OnlineFeatures
from pql_model.features.oracle import share
from pql_model.features.spec import parse_feature
from pql_model.features.trait_columns import trait_name
from pql_model.model.age_level import AGE
from pql_model.model.artifact import FittedModel
from pql_model.model.conversion_value import ConversionValue, value_columns
from pql_model.payload import to_payload
from pql_model.serve.bundle import Bundle
from pql_model.serve.scope import Scope
from pql_model.serve.trait_encoding import Trait, TraitColumn, number_of, text_of
from pql_model.time import SECOND, iso

FINISHED = ObjectFields(
    required={"entity": ENTITY_SCHEMA, "features": {"type": "object"}},
    optional={"as_of": nullable(TIME_SCHEMA), "traits": TRAITS_SCHEMA},
)
"""Fields of a request with finished features; `model_features` lists the features."""


@dataclass(frozen=True)
class Answer:
    """A scored row with remarks on the request.

    Attributes
    ----------
    set_aside, unknown_events
        Reason, or unknown name -> number of events.
    inputs
        Inputs of the model, in the order of the manifest.
    unknown_values, unknown_traits
        Values and traits that the product does not have, and that were ignored.
    """

    row: dict[str, Any]
    set_aside: Mapping[str, int]
    unknown_events: Mapping[str, int]
    inputs: np.ndarray
    model_name: str
    unknown_values: Mapping[str, int] = field(default_factory=dict)
    unknown_traits: Sequence[str] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """The response: the row with the remarks."""
        return {
            **self.row,
            "set_aside": dict(self.set_aside),
            "unknown_events": dict(self.unknown_events),
            "unknown_values": dict(self.unknown_values),
            "unknown_traits": list(self.unknown_traits),
        }


class ScoringEngine:
    """Scores single entities with the model of a bundle.

    An engine keeps no state between calls and may be shared by threads.
    """

    def __init__(self, bundle: Bundle) -> None:
        model = bundle.model
        self.bundle, self.model = bundle, model
        self.scope = Scope.of_facts(model.facts)
        self.decider = Decider.of_facts(model.facts)
        columns = model.manifest.columns
        self._features = [parse_feature(name) for name in model_features(model)[1]]
        self._online = OnlineFeatures([feature.amount for feature in self._features])
        self._shares = [(k, trait) for k, f in enumerate(self._features) if (trait := f.share_of) is not None]
        position = {feature.name: k for k, feature in enumerate(self._features)}
        self._position = position
        self._from_feature = [(j, position[c.name]) for j, c in enumerate(columns) if c.kind == "feature"]
        trait_of = {trait_name(trait): trait for trait in self.scope.rules.known_traits or ()}
        self._from_trait = [
            (j, trait_of.get(c.name), TraitColumn(c)) for j, c in enumerate(columns) if c.kind != "feature"
        ]
        deciding = dict.fromkeys([*(feature.name for feature in self.decider.features), AGE])
        self._deciding_features = [(name, position[name]) for name in deciding]
        self._trait_conditions: list[BoundCriterion] = [c for c in self.decider.conditions if c.feature is None]
        self._explainer = Explainer(model.manifest, model.calibration)
        self._suggester = Suggester(self.decider, model)
        self._width = len(columns)
        model.predictor.contributions(np.zeros((1, self._width)))  # the first call is slow: make it before any request
        self._value, self._level_error = ConversionValue.of_facts(model.facts), model.level_error
        self._feature_set = model.manifest.hash  # computing it takes a millisecond

    def score(self, raw: object, now: int) -> Answer:
        """Score the entity of a request, with raw events or finished features.

        Parameters
        ----------
        raw
            Parsed JSON: `entity, signed_up, as_of?, traits?, events` or `entity, features, as_of?, traits?`.
        now
            The present instant, microseconds.

        Raises
        ------
        InputError
            For the first invalid field, or an entity that the model does not cover.
        """
        if isinstance(raw, dict) and "features" in raw:
            return self._of_features(raw, now)
        incoming = read_entity(raw, self.scope.rules, now)
        self.scope.refuse_outside(incoming)
        return self.of_incoming(incoming, now)

    def of_incoming(self, incoming: Incoming, now: int) -> Answer:
        """Score an entity that was read and checked before."""
        numbers = self._online.compute(incoming.events, incoming.signed_up, incoming.as_of)
        for k, trait in self._shares:
            part = share(numbers[k], number_of(incoming.traits.get(trait)))
            numbers[k] = math.nan if part is None else part
        people = [] if self.scope.rules.entity_acts else contacts(incoming.events, incoming.as_of)
        row, inputs = self._row(incoming.entity, incoming.as_of, numbers, incoming.traits, now, people=people)
        return Answer(
            row,
            incoming.set_aside,
            incoming.unknown_events,
            inputs,
            self.bundle.name,
            incoming.unknown_values,
            incoming.unknown_traits,
        )

    def _row(
        self,
        entity: str,
        as_of: int | None,
        numbers: Sequence[float],
        traits: Mapping[str, Trait],
        now: int,
        present: Container[str] | None = None,
        people: Sequence[Contact] = (),
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Build the scored row and the inputs of the model.

        Conditions on features that are not in `present` are undecided; None means that all are present.
        """
        inputs = [0.0] * self._width
        values: list[Value] = [None] * self._width
        for j, position in self._from_feature:
            number = numbers[position]
            inputs[j] = number
            values[j] = None if number != number else number
        for j, trait, column in self._from_trait:
            values[j], inputs[j] = column.read(traits.get(trait) if trait is not None else None)
        x = np.array([inputs])
        contributions = self.model.predictor.contributions(x)
        probability = self.model.calibration.apply(contributions.sum(axis=1))
        age = numbers[self._position[AGE]]
        explanation = self._explainer.explain(contributions[0].tolist(), values, None if age != age else age)
        columns = self._columns(numbers, traits, present)
        decisions = decide(self.decider, [entity], probability, columns)
        [suggestion] = self._suggester.suggest(columns, x, np.array([as_of]) if as_of is not None else None)
        row_values = self._value.of(x, self.model.manifest) if self._value is not None else None
        worth = value_columns(row_values, probability, self._level_error)
        return {
            "entity": entity,
            "as_of": iso(as_of) if as_of is not None else None,
            "probability": float(probability[0]),
            "score": float(self.model.score(probability)[0]),
            **{name: None if math.isnan(column[0]) else float(column[0]) for name, column in worth.items()},
            "band": str(decisions.band[0]),
            "is_pql": _first(decisions.is_pql),
            "usage": explanation.usage,
            "fit": explanation.fit,
            "timing": explanation.timing,
            "reasons": [reason.to_dict() for reason in explanation.reasons],
            "criteria_met": None
            if decisions.criteria_met is None
            else self.decider.criteria_met(decisions.criteria_met[0]),
            "meets_definition": _first(decisions.meets_definition),
            "meets_in_force": _first(decisions.meets_in_force),
            "nearest_missing": to_payload(suggestion.nearest_missing),
            "next_step": to_payload(suggestion.next_step),
            "contact": to_payload(people[0]) if people else None,
            "contacts": to_payload(people) if people else None,
            "newly_qualified": None,
            "suppressed": decisions.suppressed[0],
            "model_version": self.bundle.version,
            "feature_set": self._feature_set,
            "scored_at": iso(now // SECOND * SECOND),
        }, x[0]

    def _columns(
        self, numbers: Sequence[float], traits: Mapping[str, Trait], present: Container[str] | None
    ) -> Columns:
        """Arrays of one value that the conditions read; an absent feature is an absent column."""
        columns = {
            name: np.array([numbers[position]])
            for name, position in self._deciding_features
            if present is None or name in present
        }
        texts = {}
        for condition in self._trait_conditions:
            raw = traits.get(str(condition.criterion.trait))
            if condition.reads_text:
                texts[condition.column] = np.array([text_of(raw)], object)
            else:
                number = number_of(raw)
                columns[condition.column] = np.array([np.nan if number is None else number])
        return Columns(1, columns, texts)

    def _of_features(self, raw: Mapping[str, Any], now: int) -> Answer:
        """Score finished features, as a feature store has them: column name -> number."""
        body = keyed(raw, "", FINISHED)
        features = body["features"]
        if not isinstance(features, dict):
            raise InputError("features", received=shown(features), allowed="an object of column names and numbers")
        entity = read_entity(
            {"entity": raw.get("entity"), "events": [], **{k: raw[k] for k in ("traits", "as_of") if k in raw}},
            replace(self.scope.rules, needs_signup=False),
            now,
        )
        self.scope.refuse_excluded(entity)
        missing = [self._features[k].name for _, k in self._from_feature if self._features[k].name not in features]
        if missing:
            raise InputError(
                f"features.{missing[0]}",
                received=f"nothing; {len(missing)} of {len(self._from_feature)} are missing",
                allowed="a number or null for each feature of GET /model",
            )
        unknown = sorted(set(features) - set(self._position))
        if unknown:
            raise InputError(
                field_path("features", unknown[0]), received="an unknown feature", allowed="the features of GET /model"
            )
        numbers = [_number(features.get(name), name) for name in self._position]
        self.scope.refuse_age(numbers[self._position[AGE]], field_path("features", AGE))
        as_of = entity.as_of if raw.get("as_of") is not None else None
        row, inputs = self._row(entity.entity, as_of, numbers, entity.traits, now, features)
        return Answer(row, {}, {}, inputs, self.bundle.name, unknown_traits=entity.unknown_traits)


def model_features(model: FittedModel) -> tuple[list[str], list[str]]:
    """List the features that a request needs, and all features that it may have: also those of conditions, and the age."""
    required = [column.name for column in model.manifest.columns if column.kind == "feature"]
    deciding = [feature.name for feature in Decider.of_facts(model.facts).features]
    return required, list(dict.fromkeys([*required, *deciding, AGE]))


def _first(values: np.ndarray | None) -> bool | None:
    return bool(values[0]) if values is not None else None


def _number(raw: object, name: str) -> float:
    return float("nan") if raw is None else number_in(raw, "features", name)
