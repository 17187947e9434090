"""From one entity's raw data to a scored row, in plain Python and one call of the boosters: no table on the way."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import decide
from pql_model.decide.nearest import AGE, NearestMissing
from pql_model.errors import InputError
from pql_model.explain.reason_text import Value
from pql_model.explain.row import Explainer
from pql_model.features.fields import field_path, number_in
from pql_model.features.incoming import Incoming, read_entity
from pql_model.features.online import OnlineFeatures
from pql_model.features.spec import parse_feature
from pql_model.model.columns import trait_name
from pql_model.serve.bundle import Bundle
from pql_model.serve.scope import Scope
from pql_model.serve.trait_encoding import Trait, TraitColumn, number_of, text_of
from pql_model.time import SECOND, iso


@dataclass(frozen=True)
class Answer:
    """A scored row, and what was noticed on the way.

    Attributes
    ----------
    inputs
        The row that the boosters read, in the order of the manifest.
    unknown_values, unknown_traits
        What the product does not have, and the model did not see.
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
        """What a caller gets: the row, and what was noticed."""
        return {
            **self.row,
            "set_aside": dict(self.set_aside),
            "unknown_events": dict(self.unknown_events),
            "unknown_values": dict(self.unknown_values),
            "unknown_traits": list(self.unknown_traits),
        }


class ScoringEngine:
    """Scores one entity after the other with a bundle.

    Made once; it holds no state between calls and may be used by several threads.
    """

    def __init__(self, bundle: Bundle) -> None:
        model = bundle.model
        self.bundle, self.model = bundle, model
        self.intake = Scope.of_facts(model.facts)
        self.decider = Decider.of_facts(model.facts, model.reference)
        columns = model.manifest.columns
        own = [parse_feature(c.name) for c in columns if c.kind == "feature"]
        self._features = list(dict.fromkeys([*own, *self.decider.features, parse_feature(AGE)]))
        self._online = OnlineFeatures(self._features)
        at = {feature.name: k for k, feature in enumerate(self._features)}
        self._place = at
        self._from_feature = [(j, at[c.name]) for j, c in enumerate(columns) if c.kind == "feature"]
        traits = self.intake.rules.known_traits or ()
        named = {trait_name(trait): trait for trait in traits}
        self._from_trait = [
            (j, named.get(c.name), TraitColumn(c)) for j, c in enumerate(columns) if c.kind != "feature"
        ]
        self._decided_by = [(name, at[name]) for name in dict.fromkeys([*(f.name for f in self.decider.features), AGE])]
        self._asked: list[BoundCriterion] = [c for c in self.decider.conditions if c.feature is None]
        self._explainer = Explainer(model.manifest, model.calibration)
        book = self.decider.goal
        self._nearest = NearestMissing(book, model.manifest) if book is not None else None
        self._width = len(columns)
        model.predictor.contributions(np.zeros((1, self._width)))  # no request waits for what the first row makes
        self._feature_set = model.manifest.hash  # takes a millisecond

    def score(self, raw: object, now: int) -> Answer:
        """Score what a request says of an entity: raw events, or finished features.

        Parameters
        ----------
        raw
            `entity, signed_up, as_of?, traits, events` or `entity, features, traits?`, as a JSON parser gives it.
        now
            The present instant, microseconds.

        Raises
        ------
        InputError
            For the first field that cannot be used, and where the model does not speak of the entity's age.
        """
        if isinstance(raw, dict) and "features" in raw:
            return self._of_features(raw, now)
        incoming = read_entity(raw, self.intake.rules, now)
        self.intake.refuse_outside(incoming)
        return self.of_incoming(incoming, now)

    def of_incoming(self, incoming: Incoming, now: int) -> Answer:
        """Score what was read and judged already."""
        numbers = self._online.compute(incoming.events, incoming.signed_up, incoming.as_of)
        row, inputs = self._row(incoming.entity, incoming.as_of, numbers, incoming.traits, now)
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
        given: Container[str] | None = None,
    ) -> tuple[dict[str, Any], np.ndarray]:
        """The scored row, and what the boosters read. Of features that are not `given` (None: all are) nothing is decided."""
        read = [0.0] * self._width
        values: list[Value] = [None] * self._width
        for j, place in self._from_feature:
            number = numbers[place]
            read[j] = number
            values[j] = None if number != number else number
        for j, trait, column in self._from_trait:
            values[j], read[j] = column.read(traits.get(trait) if trait is not None else None)
        x = np.array([read])
        contributions = self.model.predictor.contributions(x)
        probability = self.model.calibration.apply(contributions.sum(axis=1))
        age = numbers[self._place[AGE]]
        payload = self._explainer.tell(contributions[0].tolist(), values, None if age != age else age)
        columns = self._conditions(numbers, traits, given)
        found = decide(self.decider, [entity], probability, columns)
        return {
            "entity": entity,
            "as_of": iso(as_of) if as_of is not None else None,
            "probability": float(probability[0]),
            "score": float(self.model.score(probability)[0]),
            "band": str(found.band[0]),
            "is_pql": bool(found.is_pql[0]) if found.is_pql is not None else None,
            "usage": payload.usage,
            "fit": payload.fit,
            "timing": payload.timing,
            "reasons": [reason.to_dict() for reason in payload.reasons],
            "criteria_met": None
            if found.criteria_met is None
            else [
                {"id": c.id, "text": c.text}
                for c, held in zip(self.decider.criteria, found.criteria_met[0].tolist(), strict=True)
                if held
            ],
            "meets_definition": bool(found.meets_definition[0]) if found.meets_definition is not None else None,
            "nearest_missing": self._missing(columns, x, as_of),
            "newly_qualified": None,
            "suppressed": found.suppressed[0],
            "model_version": self.bundle.version,
            "feature_set": self._feature_set,
            "scored_at": iso(now // SECOND * SECOND),
        }, x[0]

    def _missing(self, columns: Columns, x: np.ndarray, as_of: int | None) -> dict[str, Any] | None:
        if self._nearest is None:
            return None
        [missing] = self._nearest.find(
            columns,
            x,
            lambda X: self.model.calibration.apply(self.model.predictor.margin(X)),
            np.array([as_of]) if as_of is not None else None,
        )
        return missing.to_dict() if missing is not None else None

    def _conditions(
        self, numbers: Sequence[float], traits: Mapping[str, Trait], given: Container[str] | None
    ) -> Columns:
        """What the conditions read, as arrays of one; what is not given is not there, as in a table without the column."""
        read = {name: np.array([numbers[place]]) for name, place in self._decided_by if given is None or name in given}
        texts = {}
        for condition in self._asked:
            raw = traits.get(str(condition.criterion.trait))
            if condition.reads_text:
                texts[condition.column] = np.array([text_of(raw)], object)
            else:
                number = number_of(raw)
                read[condition.column] = np.array([np.nan if number is None else number])
        return Columns(1, read, texts)

    def _of_features(self, raw: Mapping[str, Any], now: int) -> Answer:
        """Finished features, as a feature store has them: every feature of the model, by its column name."""
        unknown = sorted(set(raw) - {"entity", "features", "traits", "as_of"})
        if unknown:
            raise InputError(
                field_path("", unknown[0]), received="an unknown key", allowed="entity, features, traits, as_of"
            )
        given = raw["features"]
        if not isinstance(given, dict):
            raise InputError("features", received=type(given).__name__, allowed="an object of column names and numbers")
        empty = read_entity(
            {"entity": raw.get("entity"), "events": [], **{k: raw[k] for k in ("traits", "as_of") if k in raw}},
            replace(self.intake.rules, needs_signup=False),
            now,
        )
        self.intake.refuse_excluded(empty)
        own = [self._features[place].name for _, place in self._from_feature]
        missing = [name for name in own if name not in given]
        if missing:
            raise InputError(
                f"features.{missing[0]}",
                received=f"nothing; {len(missing)} of {len(own)} are missing",
                allowed="a number or null for each feature of GET /model",
            )
        strange = sorted(set(given) - set(self._place))
        if strange:
            raise InputError(
                field_path("features", strange[0]), received="an unknown feature", allowed="the features of GET /model"
            )
        numbers = [_number(given.get(name), name) for name in self._place]
        self.intake.refuse_age(numbers[self._place[AGE]], field_path("features", AGE))
        as_of = empty.as_of if raw.get("as_of") is not None else None
        row, inputs = self._row(empty.entity, as_of, numbers, empty.traits, now, given)
        return Answer(row, {}, {}, inputs, self.bundle.name, unknown_traits=empty.unknown_traits)


def _number(raw: object, name: str) -> float:
    return float("nan") if raw is None else number_in(raw, "features", name)
