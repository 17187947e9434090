"""The first half of every run: from raw tables to an audited feature table of dated, final snapshots."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pql_model.audit.audit import Finding, audit, quarantined
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import check_names, definition_features
from pql_model.decide.build import check_policy, idle_exclusions
from pql_model.decide.decider import Decider
from pql_model.decide.rows import Contacts
from pql_model.errors import DataError, listed
from pql_model.features.catalogue import OfferedEvents, offer_events, offer_features
from pql_model.features.contact_query import snapshot_contacts
from pql_model.features.spec import Feature, declared_feature, parse_feature
from pql_model.features.table import feature_table, has_value, trait_table
from pql_model.features.trait_columns import trait_name
from pql_model.measures import ANY
from pql_model.model.columns import (
    Manifest,
    ModelColumn,
    Typed,
    drop_uninformative,
    group_copies,
    looks_like_id,
    type_traits,
)
from pql_model.model.monotone import check_monotone, idle_names, monotone_directions
from pql_model.model.split import Split, out_of_time
from pql_model.progress import Stages
from pql_model.snapshots.grid import requested_grid
from pql_model.snapshots.labels import LabelledSnapshots, label_snapshots
from pql_model.sources.dated_columns import check_event_features
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.leak_evidence import LeakEvidence, read_leak_evidence
from pql_model.sources.read import Sources
from pql_model.workflows.known_outcomes import read_for_training


@dataclass(frozen=True)
class ColumnSelection:
    """The columns a model may read, chosen by the training rows alone, and the table with its traits typed."""

    table: pd.DataFrame
    manifest: Manifest
    findings: tuple[Finding, ...]
    typed: Typed
    dropped: dict[str, int]


@dataclass(frozen=True)
class TrainingData(ColumnSelection):
    """The data of a training, and what was left out."""

    sources: Sources
    snapshots: LabelledSnapshots
    split: Split
    offered: OfferedEvents

    @property
    def converted(self) -> np.ndarray:
        return self.snapshots.frame["converted"].to_numpy(bool)


def prepare(con: Connection, config: Config, stages: Stages, also: Manifest | None = None) -> TrainingData:
    """Read, snapshot, split, compute features, audit.

    Parameters
    ----------
    con
        An open DuckDB session.
    also
        The manifest of another model (the champion) whose features are computed too, so that both can be compared.
    """
    sources, _ = read_for_training(con, config, stages)
    return prepare_from(con, config, sources, stages, also)


def prepare_from(
    con: Connection, config: Config, sources: Sources, stages: Stages, also: Manifest | None = None
) -> TrainingData:
    """Snapshot, split, compute features and audit sources that are already read."""
    with stages("snapshots"):
        snapshots = label_snapshots(con, config, sources)
        split = out_of_time(snapshots.frame, config.horizon, config.motion)
    with stages("features"):
        offered = offer_events(sources.events.table, snapshots.table, config, split.test_start)
        stages.listener.say(offered.text + ".")
        traits = sources.traits
        check_names(config.definition, offered.known, traits)
        check_policy(config, offered.known, traits)
        check_monotone(config.monotone, offered.known, traits)
        check_event_features(config, offered.known)
        candidates = candidate_features(config, offered)
        extra = [feature for feature in features_of(also) if has_value(sources, feature)]
        features = dict.fromkeys([*candidates, Feature(ANY, "count"), *definition_features(config.definition), *extra])
        table = feature_table(sources, snapshots.table, list(features), trait_names(traits), stages.listener.share)
    with stages("audit"):
        evidence = read_leak_evidence(con, config, sources, split.test_start, sources.observed_until)
        selection = choose_columns(
            config, table, split.train, snapshots.frame["converted"].to_numpy(bool), candidates, traits, evidence
        )
        for name in idle_names(config.monotone, selection.manifest):
            stages.listener.say(f"`monotone` names `{name}`, of which this model reads nothing that it could hold.")
        for trait, value in idle_exclusions(config, table):
            stages.listener.say(f"`policy: {{exclude: ...}}` names `{value}` of `{trait}`, which no snapshot has.")
    return TrainingData(**vars(selection), sources=sources, snapshots=snapshots, split=split, offered=offered)


def choose_columns(
    config: Config,
    table: pd.DataFrame,
    train: np.ndarray,
    converted: np.ndarray,
    candidates: Sequence[Feature],
    traits: Sequence[str],
    evidence: LeakEvidence,
) -> ColumnSelection:
    """Type the traits, drop uninformative columns, and quarantine those that leak the outcome.

    Parameters
    ----------
    table
        Feature table of all snapshots; the choice uses only those in `train`.
    train, converted
        Training rows and outcomes, bool, (rows,).
    candidates
        Features the model may have.
    evidence
        Evidence of leaks in the sources, beyond the table.
    """
    typed = _typed(config, table[train], traits, config.dated_names)
    table = Manifest(typed.columns).conform(table)
    names = [feature.name for feature in candidates]
    informative, dropped = drop_uninformative(table[train], names)
    manifest = Manifest((*(ModelColumn(name, "feature") for name in informative), *typed.columns))
    monotone_directions(config.monotone, manifest)  # refuses categories now, before anything slow
    copies = group_copies(table[train], names)
    findings = audit(table[train], converted[train], manifest, typed.unused, config.allow, evidence, copies)
    guilty = quarantined(findings)
    shares = [f.name for f in candidates if f.share_of is not None and trait_name(f.share_of) in guilty]
    return ColumnSelection(table, manifest.without([*guilty, *shares]), tuple(findings), typed, dropped)


def audit_entities(con: Connection, config: Config, sources: Sources) -> tuple[list[Finding], Typed]:
    """Run the part of the audit that needs no snapshots, for data that cannot be trained on.

    The outcome is whether an entity converted at any time.
    """
    table = trait_table(sources, trait_names(sources.entities.traits)).rename_axis("entity").reset_index()
    typed = _typed(config, table, sources.entities.traits)
    table = Manifest(typed.columns).conform(table)
    converted = table["entity"].isin(sources.conversions.table.select("entity").to_pandas()["entity"]).to_numpy(bool)
    if not converted.any():
        return [], typed
    evidence = read_leak_evidence(con, config, sources, sources.observed_until)
    return audit(table, converted, Manifest(typed.columns), typed.unused, config.allow, evidence), typed


def candidate_features(config: Config, offered: OfferedEvents) -> list[Feature]:
    """Return the features that a model may use, given the events offered to it."""
    offers = offer_features(config, offered.events, config.entities.columns.signed_up is not None, has_users(config))
    return list(dict.fromkeys([*offers, *declared_features(config)]))


def declared_features(config: Config) -> list[Feature]:
    """Return the features that the config declares under `features:`."""
    return [declared_feature(f) for f in config.features if f.event is not None]


def trait_names(traits: Sequence[str]) -> dict[str, str]:
    """Trait -> its column in the feature table."""
    return {trait: trait_name(trait) for trait in traits}


def features_at(
    con: Connection, config: Config, sources: Sources, features: Sequence[Feature], rows: pd.DataFrame
) -> pd.DataFrame:
    """Compute the features and traits of single entities, each at its own instant.

    Parameters
    ----------
    features
        Those that read a value that the log no longer has are left out.
    rows
        entity, as_of (int64 microseconds).

    Returns
    -------
    pandas.DataFrame
        In the order of the rows; empty cells where the data do not have the entity.
    """
    entity, as_of = rows["entity"].astype(str), rows["as_of"].astype(np.int64)
    requested = pa.table({"entity": pa.array(entity, pa.string()), "as_of": pa.array(as_of, pa.int64())})
    distinct = con.create_table("requested_rows", requested, overwrite=True).distinct()
    grid = con.create_table("requested_grid", requested_grid(config, sources, distinct), overwrite=True)
    known = [feature for feature in features if has_value(sources, feature)]
    table = feature_table(sources, grid.drop("reason"), known, trait_names(sources.traits))
    table = table.set_index([table["entity"].astype(str), table["as_of"]])
    return table.reindex(pd.MultiIndex.from_arrays([entity, as_of])).reset_index(drop=True)


def contacts_of(config: Config, sources: Sources, snapshots: Any) -> Contacts:
    """The users to contact of each snapshot, by entity and as_of; none where the entities are users."""
    return snapshot_contacts(sources.events.table, snapshots) if config.entity == "account" else {}


def refuse_missing(decider: Decider, columns: Collection[str]) -> None:
    """Refuse data without a trait that decisions read: they would silently differ.

    Raises
    ------
    DataError
        Naming the traits.
    """
    missing = sorted({str(c.criterion.trait) for c in decider.conditions if c.column not in columns})
    if missing:
        raise DataError(
            f"The entities lack traits that the model decides by: {listed(missing)}",
            received=listed(name.removeprefix("trait.") for name in columns if name.startswith("trait.")),
            remedy="restore them, name dated columns under `features:` of the config, or train again",
        )


def has_users(config: Config) -> bool:
    """Whether events say which user of an account did them."""
    return config.entity == "account" and any(table.columns.user or table.users for table in config.events)


def features_of(manifest: Manifest | None) -> list[Feature]:
    """The features a manifest reads."""
    return [parse_feature(c.name) for c in manifest.columns if c.kind == "feature"] if manifest is not None else []


def _typed(config: Config, train: pd.DataFrame, traits: Sequence[str], dated: Sequence[str] = ()) -> Typed:
    """Type the traits; columns whose name says `id` or `email` are used only if the config lists them."""
    ids = [t for t in traits if config.entities.traits is None and looks_like_id(t) and t not in dated]
    first = train.drop_duplicates("entity")
    for column in map(trait_name, dated):  # missing at the first snapshot, perhaps, and known at a later one
        first = first.assign(**{column: first["entity"].map(train.groupby("entity")[column].last())})
    typed = type_traits(first, [t for t in traits if t not in ids])
    return Typed(
        typed.columns,
        {**typed.unused, **{t: "its name suggests an identifier; list it under `traits` to use it" for t in ids}},
    )
