"""The rule, bands and criteria behind a model's decisions, stored as JSON among its facts for batch, registry and service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pql_model.config.policy_settings import Policy
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.policy import PolicyRule
from pql_model.decide.steps import Slopes
from pql_model.features.spec import Feature
from pql_model.model.artifact import require_fact
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate

KEY = "decisions"
"""Key among the facts of a model."""
DEFAULTS = Policy(probability=0.5)
"""Defaults of bands, cool-down, stay and hold-out, which also hold without a policy."""


@dataclass(frozen=True)
class InForceStatus:
    """How the definition in force stands: the verdict of `pql_model.criteria.in_force`, why, and whether it is stale."""

    verdict: str
    sentence: str
    stale: bool


@dataclass(frozen=True)
class Decider:
    """Rule, bands, criteria and definitions of a model.

    Attributes
    ----------
    name
        The product's name; with the entity's id it decides the hold-out.
    band_results
        Expected and observed rates of the bands in the test period, as JSON.
    cool_down
        Microseconds.
    exclude, hand_raise
        Any one of them is enough.
    criteria
        Those of the model: mined on earlier rows and confirmed on later ones.
    in_force_verdict
        What the outcomes say of the definition in force; None without one.
    slopes
        How far the model's contributions of the behaviours behind `criteria` came true on later rows.
    """

    name: str
    rule: PolicyRule
    bands: Bands
    band_results: tuple[Mapping[str, Any], ...] = ()
    cool_down: int = DEFAULTS.cool_down.us
    stay: float = DEFAULTS.stay
    hold_out: float = DEFAULTS.hold_out
    exclude: tuple[BoundCriterion, ...] = ()
    hand_raise: tuple[BoundCriterion, ...] = ()
    criteria: tuple[BoundCriterion, ...] = ()
    recommended: BoundDefinition | None = None
    in_force: BoundDefinition | None = None
    in_force_verdict: InForceStatus | None = None
    slopes: Slopes = field(default_factory=dict)

    @property
    def definition(self) -> BoundDefinition | None:
        """The definition of `meets_definition`: the recommended one, or the one in force if none is recommended."""
        return self.recommended or self.in_force

    @property
    def qualifying(self) -> BoundDefinition | None:
        """The definition that qualifies, under `policy: {definition: ...}`."""
        return {"recommended": self.recommended, "in_force": self.in_force}.get(str(self.rule.definition))

    @property
    def goal(self) -> BoundDefinition | None:
        """The definition of `nearest_missing`: that of `meets_definition`, unless it is judged stale."""
        stale = self.in_force_verdict is not None and self.in_force_verdict.stale
        return self.recommended or (None if stale else self.in_force)

    @property
    def conditions(self) -> list[BoundCriterion]:
        """Every condition that a decision reads."""
        definitions = [rule for rule in (self.recommended, self.in_force) if rule is not None]
        return [
            *self.exclude,
            *self.hand_raise,
            *self.criteria,
            *(c for rule in definitions for c in rule.conditions),
        ]

    @property
    def features(self) -> list[Feature]:
        """The features that the conditions count."""
        return list(dict.fromkeys(c.feature for c in self.conditions if c.feature is not None))

    def criteria_met(self, row_met: np.ndarray) -> list[dict[str, str | None]]:
        """List id and text of the criteria that one row meets.

        Parameters
        ----------
        row_met
            Bool (criteria,).
        """
        return [{"id": c.id, "text": c.text} for c, holds in zip(self.criteria, row_met.tolist(), strict=True) if holds]

    def to_dict(self) -> dict[str, Any]:
        bands = zip(self.bands.names[:-1], self.bands.edges[:-1], strict=True)
        return {**select_attributes(self), "bands": [{"name": name, "at_least": edge} for name, edge in bands]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Decider:
        """Read what `to_dict` wrote."""
        criteria = {
            name: tuple(BoundCriterion.from_dict(criterion) for criterion in raw[name])
            for name in ("exclude", "hand_raise", "criteria")
        }
        definitions = {
            name: BoundDefinition.from_dict(raw[name]) if raw[name] is not None else None
            for name in ("recommended", "in_force")
        }
        bands = Bands.of({band["name"]: band["at_least"] for band in raw["bands"]})
        rule, band_results = PolicyRule.from_dict(raw["rule"]), tuple(raw["band_results"])
        verdict = raw.get("in_force_verdict")
        slopes = {name: Estimate(**slope) for name, slope in raw.get("slopes", {}).items()}
        known = {key: value for key, value in raw.items() if key not in ("in_force_verdict", "slopes")}
        return cls(
            **{**known, **criteria, **definitions, "bands": bands, "rule": rule, "band_results": band_results},
            in_force_verdict=InForceStatus(**verdict) if verdict is not None else None,
            slopes=slopes,
        )

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Decider:
        """Read the decider of a `FittedModel` from its facts.

        Raises
        ------
        DataError
            If the facts hold none.
        """
        return cls.from_dict(require_fact(facts, KEY))
