"""Explain the score of one entity at one instant by a registered model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model import time
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import BoundDefinition, holds, meets
from pql_model.decide.decider import Decider, InForceStatus
from pql_model.decide.rows import Contacts, decided_rows, json_row
from pql_model.explain.condition_text import condition_text
from pql_model.explain.entity import ExplainedRow, explain_row
from pql_model.explain.reason_text import AGE
from pql_model.features.table import feature_table
from pql_model.payload import select_attributes, to_payload
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.snapshots.eligibility import Eligibility, eligibility
from pql_model.sources.coverage import newest_event
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.id_forms import read_entity_id
from pql_model.sources.read import read_sources
from pql_model.sources.select_entity import select_entity
from pql_model.workflows.prepare import contacts_of, features_of, refuse_missing, trait_names

_OF_SCORED_ROW = [
    "criteria_met",
    "meets_definition",
    "meets_in_force",
    "nearest_missing",
    "next_step",
    "contact",
    "contacts",
]


@dataclass(frozen=True)
class CriterionStatus:
    """One condition of a definition: whether it holds, and its text with the actual value."""

    held: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, "held", words="text")


@dataclass(frozen=True)
class DefinitionStatus:
    """How an entity stands to a definition.

    Attributes
    ----------
    source
        `recommended` or `in_force`.
    verdict
        What the outcomes say of a definition in force; None for the recommended one.
    """

    source: str
    text: str
    meets: bool
    conditions: tuple[CriterionStatus, ...]
    verdict: InForceStatus | None


@dataclass(frozen=True)
class EntityExplanation:
    """The score of one entity and its explanation.

    Attributes
    ----------
    explained
        None if the entity had not signed up yet.
    row
        The scored row of the entity, decided alone; empty if the entity had not signed up yet.
    definition, in_force
        How the entity stands to the definition of `meets_definition`, and to the one in force. They are the same where no
        definition is recommended.
    """

    entity: str
    eligibility: Eligibility
    explained: ExplainedRow | None
    row: Mapping[str, Any]
    definition: DefinitionStatus | None
    in_force: DefinitionStatus | None
    model: RegisteredModel
    horizon: time.Duration
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql explain --json` prints."""
        row, at = self.explained, self.eligibility
        parts = {step.part: step.log_odds for step in row.steps} if row else {}
        return {
            "entity": self.entity,
            "as_of": time.iso(at.as_of),
            "signed_up": None if at.signed_up is None else time.iso(at.signed_up),
            "probability": row.probability if row else None,
            "score": row.score if row else None,
            **{part: parts.get(part) for part in ("usage", "fit", "timing", "base")},
            "steps": to_payload(row.steps) if row else [],
            "base_rate": row.base_rate if row else None,
            "average_probability": row.average if row else None,
            "horizon": str(self.horizon),
            "horizon_words": self.horizon.text,
            "reasons": to_payload(row.reasons) if row else [],
            "behaviours": [
                select_attributes(reason, "behaviour", "part", "effect", contribution="log_odds", words="text")
                for reason in (row.behaviours if row else [])
            ],
            "at_risk": at.why_not is None,
            "why_not": at.why_not,
            "why_not_words": at.text,
            **{name: self.row.get(name) for name in _OF_SCORED_ROW},
            "conditions": to_payload(self.definition.conditions) if self.definition is not None else [],
            **select_attributes(self, "definition", "in_force"),
            "model": {"name": self.model.name, "version": self.model.version},
            "seconds": self.seconds,
        }


def explain_entity(
    config: Config | str | Path,
    entity: str,
    *,
    as_of: InstantLike | None = None,
    model: str = "champion",
    listener: Listener | None = None,
) -> EntityExplanation:
    """Explain the score of one entity as of `as_of`.

    An entity that is not at risk (converted, excluded, of an age that is not scored) is explained too; `why_not` says why.

    Parameters
    ----------
    entity
        Id of the entity, read as in the tables; one that was merged into another is explained as that one.
    as_of
        A date or ISO time; default: the newest event of the data.
    model
        `champion`, `challenger` or a version number.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    DataError
        If there is no such entity, or `as_of` is not a time.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> explanation = explain_entity(folder / "pql.yaml", "acc-00007", as_of="2025-02-01")
    >>> row = explanation.explained
    >>> [step.part for step in row.steps], bool(0 < row.probability < 1)
    (['base', 'fit', 'timing', 'usage'], True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    instant, name = read_optional_instant(as_of), read_entity_id(entity, config.normalise) or entity.strip()
    stages = Stages(listener)
    with stages("load model"):
        registered = Tracking(config).load(model)
        decider = Decider.of_facts(registered.model.facts)
    with open_session() as con:
        with stages("read"):
            everyone = read_sources(con, config)
            name = everyone.people.entity_that_counts(config, name)
            sources = select_entity(con, config, everyone, name)
            at, grid = eligibility(
                config, sources, instant if instant is not None else newest_event(everyone.events.table)
            )
        with stages("features"):
            features = dict.fromkeys([*features_of(registered.model.manifest), *decider.features, AGE])
            traits = trait_names(sources.traits)
            refuse_missing(decider, [*(feature.name for feature in features), *traits.values()])
            one_row = con.create_table("one_row", grid)
            table = feature_table(sources, one_row, list(features), traits) if at.begun else None
            contacts = contacts_of(config, sources, one_row)
    with stages("explain"):
        explained = explain_row(registered.model, table) if table is not None else None
        row = _scored_row(registered, decider, table, contacts) if table is not None else {}
        definition, in_force = _statuses(decider, table)
    return EntityExplanation(name, at, explained, row, definition, in_force, registered, config.horizon, stages.seconds)


def _scored_row(
    registered: RegisteredModel, decider: Decider, table: pd.DataFrame, contacts: Contacts
) -> dict[str, Any]:
    [row] = decided_rows(registered.model, table, decider, contacts=contacts).rows.to_dict("records")
    return json_row(row)


def _statuses(decider: Decider, table: pd.DataFrame | None) -> tuple[DefinitionStatus | None, DefinitionStatus | None]:
    """How the row stands to the definition that counts, and to the one in force."""
    if table is None:
        return None, None
    recommended = _status("recommended", decider.recommended, table)
    in_force = _status("in_force", decider.in_force, table, decider.in_force_verdict)
    return recommended or in_force, in_force


def _status(
    source: str, bound: BoundDefinition | None, table: pd.DataFrame, verdict: InForceStatus | None = None
) -> DefinitionStatus | None:
    if bound is None:
        return None
    conditions = tuple(
        CriterionStatus(bool(holds(criterion, table)[0]), condition_text(criterion, table))
        for criterion in bound.definition.criteria
    )
    return DefinitionStatus(source, bound.text, bool(meets(bound.definition, table)[0]), conditions, verdict)
