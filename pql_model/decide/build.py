"""Build a model's decider from the config, the test period and the criteria. Only training needs it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns, check_names, meets
from pql_model.criteria.results import CriteriaResults
from pql_model.decide.bands import Bands, band_table
from pql_model.decide.decider import USUAL, Decider
from pql_model.decide.policy import Period, make_rule
from pql_model.model.columns import as_texts, trait_name
from pql_model.sources.scalars import canonical_value


def exclusions(config: Config) -> list[Criterion]:
    """`policy.exclude` as conditions on traits."""
    asked = config.policy.exclude if config.policy is not None else {}
    return [Criterion.model_validate({"trait": trait, "in": values}) for trait, values in asked.items() if values]


def check_policy(config: Config, events: Sequence[str], traits: Sequence[str]) -> None:
    """Refuse a policy that names an event or trait the data do not have: it would silently do nothing.

    Raises
    ------
    DataError
        With the nearest name.
    """
    raised = config.policy.hand_raise if config.policy is not None else []
    for key, criteria in (("hand_raise", raised), ("exclude", exclusions(config))):
        if criteria:
            rule = Definition.model_validate({"any": criteria})
            check_names(rule, events, traits, f"`policy: {{{key}: ...}}` in the config", key)


def idle_exclusions(config: Config, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Trait and value of `policy.exclude` that no row of the table has: perhaps another spelling, which excludes nobody."""
    asked = [(str(c.trait), value) for c in exclusions(config) for value in c.in_ or ()]
    has = {trait: set(as_texts(table[trait_name(trait)]).dropna()) for trait in dict.fromkeys(t for t, _ in asked)}
    return [(trait, value) for trait, value in asked if canonical_value(value) not in has[trait]]


def build_decider(
    config: Config, later: pd.DataFrame, table: pd.DataFrame, probability: np.ndarray, found: CriteriaResults
) -> Decider:
    """What a model decides by.

    Parameters
    ----------
    later, table, probability
        Snapshots of the test period, their features and the model's probabilities.
    found
        The model's criteria and definitions.
    """
    best, policy = found.recommended, config.policy
    asked = {"recommended": best.definition if best is not None else None, "in_force": config.definition}
    definition = asked.get(str(policy.definition)) if policy is not None else None
    knobs = policy if policy is not None else USUAL
    exclude = tuple(BoundCriterion(criterion) for criterion in exclusions(config))
    counts = ~Columns.of_table(table, exclude).holds_any(exclude)
    if not counts.any():  # there is nobody to learn a threshold from; nobody is a PQL either
        counts = ~counts
    entity, converted = later["entity"].to_numpy(), later["converted"].to_numpy(bool)
    period = Period(
        entity=entity[counts],
        as_of=later["as_of"].to_numpy(np.int64)[counts],
        converted=converted[counts],
        probability=probability[counts],
        stock=config.motion == "freemium",
        met=meets(definition, table)[counts] if definition is not None else None,
    )
    bands = Bands.of(knobs.bands)
    results = band_table(bands, entity, converted, probability)
    return Decider(
        name=config.name,
        rule=make_rule(policy, period),
        bands=bands,
        band_results=tuple(result.to_dict() for result in results),
        cool_down=knobs.cool_down.us,
        stay=knobs.stay,
        hold_out=knobs.hold_out,
        exclude=exclude,
        hand_raise=tuple(BoundCriterion(criterion) for criterion in knobs.hand_raise),
        criteria=tuple(BoundCriterion(c.definition.criteria[0], c.id) for c in found.criteria),
        recommended=BoundDefinition(best.definition, best.id) if best is not None else None,
        in_force=BoundDefinition(config.definition) if config.definition is not None else None,
    )
