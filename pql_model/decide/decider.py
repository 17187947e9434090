"""Everything a model decides by, as plain JSON in its facts: what batch, registry and service all read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pql_model.config.schema import Policy
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.policy import DEFAULT_SHARE, PolicyRule
from pql_model.features.spec import Feature
from pql_model.payload import select_attributes

KEY = "decisions"
"""Where it stands among the facts of a model."""
USUAL = Policy(probability=0.5)
"""Its other keys are what holds without a policy."""


@dataclass(frozen=True)
class Decider:
    """Rule, bands, criteria and definitions of a model.

    Attributes
    ----------
    name
        The product: with the entity it decides on the hold-out.
    band_results
        What the bands promised and what came of them in the test period, as JSON.
    cool_down
        Microseconds.
    exclude, hand_raise
        Any of them is enough.
    criteria
        The model's: found on earlier rows and confirmed on later ones.
    """

    name: str
    rule: PolicyRule
    bands: Bands
    band_results: tuple[Mapping[str, Any], ...] = ()
    cool_down: int = USUAL.cool_down.us
    stay: float = USUAL.stay
    hold_out: float = USUAL.hold_out
    exclude: tuple[BoundCriterion, ...] = ()
    hand_raise: tuple[BoundCriterion, ...] = ()
    criteria: tuple[BoundCriterion, ...] = ()
    recommended: BoundDefinition | None = None
    in_force: BoundDefinition | None = None

    @property
    def definition(self) -> BoundDefinition | None:
        """What `meets_definition` speaks of: the rule in force where there is one, else the recommended one."""
        return self.in_force or self.recommended

    @property
    def qualifying(self) -> BoundDefinition | None:
        """The definition that the policy qualifies by."""
        return {"recommended": self.recommended, "in_force": self.in_force}.get(str(self.rule.definition))

    @property
    def goal(self) -> BoundDefinition | None:
        """What `nearest_missing` speaks of: the definition that qualifies, where one does, else that of `meets_definition`."""
        return self.qualifying or self.definition

    @property
    def conditions(self) -> list[BoundCriterion]:
        """Every condition that a decision reads."""
        definitions = [each for each in (self.recommended, self.in_force) if each is not None]
        return [*self.exclude, *self.hand_raise, *self.criteria, *(c for each in definitions for c in each.conditions)]

    @property
    def features(self) -> list[Feature]:
        """The features that they count, besides those of the model."""
        return list(dict.fromkeys(c.feature for c in self.conditions if c.feature is not None))

    def without_hold_out(self) -> Decider:
        return replace(self, hold_out=0.0)

    def to_dict(self) -> dict[str, Any]:
        bands = zip(self.bands.names[:-1], self.bands.edges[:-1], strict=True)
        return {**select_attributes(self), "bands": [{"name": name, "at_least": edge} for name, edge in bands]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Decider:
        """Read what `to_dict` wrote."""
        exclude, hand_raise, criteria = (
            tuple(BoundCriterion.from_dict(c) for c in raw[name]) for name in ("exclude", "hand_raise", "criteria")
        )
        recommended, in_force = (
            BoundDefinition.from_dict(raw[name]) if raw[name] is not None else None
            for name in ("recommended", "in_force")
        )
        return cls(
            name=str(raw["name"]),
            rule=PolicyRule.from_dict(raw["rule"]),
            bands=Bands.of({band["name"]: band["at_least"] for band in raw["bands"]}),
            band_results=tuple(raw["band_results"]),
            cool_down=int(raw["cool_down"]),
            stay=float(raw["stay"]),
            hold_out=float(raw["hold_out"]),
            exclude=exclude,
            hand_raise=hand_raise,
            criteria=criteria,
            recommended=recommended,
            in_force=in_force,
        )

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], reference: Sequence[float]) -> Decider:
        """What a model decides by; of one of an older release its rule, or the top tenth of its reference population.

        Parameters
        ----------
        facts, reference
            Of a `FittedModel`.
        """
        if KEY in facts:
            return cls.from_dict(facts[KEY])
        top = float(np.quantile(reference, 1 - DEFAULT_SHARE))
        usual = {"probability": top, "leads": None, "words": f"probability at least {top:.3f}, the top tenth"}
        rule = PolicyRule.from_dict({**facts.get("rule", usual)})
        return cls(str(facts.get("name", "")), rule, Bands.of(USUAL.bands))
