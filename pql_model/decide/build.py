"""Build the decider of a model from the config, the test period and the mined criteria. Only training needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.config.policy_settings import Policy
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns, check_names, meets
from pql_model.criteria.results import CriteriaResults
from pql_model.decide.bands import Bands, band_table
from pql_model.decide.decider import DEFAULTS, Decider, InForceStatus
from pql_model.decide.policy import Period, make_rule
from pql_model.decide.steps import Slopes
from pql_model.features.spec import Feature
from pql_model.features.trait_columns import trait_name
from pql_model.model.columns import as_texts
from pql_model.sources.scalars import canonical_value


def exclusions(policy: Policy | None) -> list[Criterion]:
    """Read `policy.exclude` as criteria on traits."""
    excluded = policy.exclude if policy is not None else {}
    return [Criterion.model_validate({"trait": trait, "in": values}) for trait, values in excluded.items() if values]


def check_policy(config: Config, events: Sequence[str], traits: Sequence[str]) -> None:
    """Refuse a policy that names an event or trait which the data lack: it would silently do nothing.

    Raises
    ------
    DataError
        With the nearest existing name.
    """
    hand_raise = config.policy.hand_raise if config.policy is not None else []
    for key, criteria in (("hand_raise", hand_raise), ("exclude", exclusions(config.policy))):
        if criteria:
            definition = Definition.model_validate({"any": criteria})
            check_names(definition, events, traits, f"`policy: {{{key}: ...}}` in the config", key)


def idle_exclusions(config: Config, table: pd.DataFrame) -> list[tuple[str, str]]:
    """List traits and values of `policy.exclude` that no row of the table has: a misspelt value excludes nobody."""
    excluded = [(str(c.trait), value) for c in exclusions(config.policy) for value in c.in_ or ()]
    traits = dict.fromkeys(trait for trait, _ in excluded)
    present = {trait: set(as_texts(table[trait_name(trait)]).dropna()) for trait in traits}
    return [(trait, value) for trait, value in excluded if canonical_value(value) not in present[trait]]


def build_decider(
    config: Config,
    test_frame: pd.DataFrame,
    table: pd.DataFrame,
    probability: np.ndarray,
    results: CriteriaResults,
    served: np.ndarray | None = None,
    slopes: Slopes | None = None,
) -> Decider:
    """Build the decider of a model.

    Parameters
    ----------
    test_frame, table, probability
        Snapshots of the test period, their features and the tested model's probabilities.
    results
        The model's criteria and definitions.
    served
        What the model that is served says of these rows without having seen them; thresholds are set on its probabilities.
        Default: `probability`.
    slopes
        See `pql_model.decide.step_evidence`.
    """
    best, policy = results.recommended, config.policy
    verdict = results.in_force.verdict if results.in_force is not None else None
    recommended = BoundDefinition(best.definition, best.id) if best is not None else None
    entity, converted = test_frame["entity"].to_numpy(), test_frame["converted"].to_numpy(bool)
    parts = policy_parts(config, policy, recommended, test_frame, table, probability if served is None else served)
    settings = policy if policy is not None else DEFAULTS
    bands = Bands.of(settings.bands)
    band_results = band_table(bands, entity, converted, probability)
    return Decider(
        name=config.name,
        **parts,
        bands=bands,
        band_results=tuple(result.to_dict() for result in band_results),
        criteria=tuple(BoundCriterion(c.definition.criteria[0], c.id) for c in results.criteria),
        recommended=recommended,
        in_force=BoundDefinition(config.definition) if config.definition is not None else None,
        in_force_verdict=InForceStatus(verdict.verdict, verdict.sentence, verdict.stale)
        if verdict is not None
        else None,
        slopes=slopes or {},
    )


def policy_parts(
    config: Config,
    policy: Policy | None,
    recommended: BoundDefinition | None,
    test_frame: pd.DataFrame,
    table: pd.DataFrame,
    probability: np.ndarray,
) -> dict[str, Any]:
    """Build what a `Decider` owes to its policy: its rule, with thresholds from the test period, and its conditions.

    Parameters
    ----------
    policy
        That of the config, or another one to compare.
    test_frame, table, probability
        Snapshots of the test period, their features, and what a model says of them without having seen them.
    """
    settings = policy if policy is not None else DEFAULTS
    definitions = {
        "recommended": recommended.definition if recommended is not None else None,
        "in_force": config.definition,
    }
    definition = definitions.get(str(policy.definition)) if policy is not None else None
    exclude = tuple(BoundCriterion(criterion) for criterion in exclusions(policy))
    counts = ~Columns.of_table(table, exclude).holds_any(exclude)
    if not counts.any():  # all are excluded: the threshold does not matter
        counts = ~counts
    period = Period(
        entity=test_frame["entity"].to_numpy()[counts],
        as_of=test_frame["as_of"].to_numpy(np.int64)[counts],
        converted=test_frame["converted"].to_numpy(bool)[counts],
        probability=probability[counts],
        repeated=config.motion == "freemium",
        met=meets(definition, table)[counts] if definition is not None else None,
    )
    return {
        "rule": make_rule(policy, period),
        "cool_down": settings.cool_down.us,
        "stay": settings.stay,
        "hold_out": settings.hold_out,
        "exclude": exclude,
        "hand_raise": tuple(BoundCriterion(criterion) for criterion in settings.hand_raise),
    }


def policy_features(policy: Policy | None) -> list[Feature]:
    """The features that the conditions of a policy count."""
    conditions = map(BoundCriterion, policy.hand_raise if policy is not None else [])
    return [condition.feature for condition in conditions if condition.feature is not None]
