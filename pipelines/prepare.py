"""The first half of every run: from raw tables to an audited feature table of dated, final snapshots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.config.schema import Config
from pql_model.criteria.evaluate import check_names, definition_features
from pql_model.features.catalogue import Offered, offer_events, offer_features
from pql_model.features.spec import Feature, parse_feature
from pql_model.features.table import feature_table, has_value
from pql_model.measures import ANY
from pql_model.model.audit import Finding, audit, quarantined
from pql_model.model.columns import (
    Manifest,
    ModelColumn,
    Typed,
    drop_uninformative,
    looks_like_id,
    trait_name,
    type_traits,
)
from pql_model.model.split import Split, out_of_time
from pql_model.progress import Stages
from pql_model.snapshots.labels import LabelledSnapshots, label_snapshots
from pql_model.sources.read import Sources, read_sources
from pql_model.sources.workbench import Connection


@dataclass(frozen=True)
class Prepared:
    """Everything a model needs, and what was left out on the way."""

    sources: Sources
    snapshots: LabelledSnapshots
    split: Split
    table: pd.DataFrame
    manifest: Manifest
    findings: tuple[Finding, ...]
    offered: Offered
    typed: Typed
    dropped: dict[str, int]

    @property
    def converted(self) -> np.ndarray:
        return self.snapshots.frame["converted"].to_numpy(bool)


def prepare(con: Connection, config: Config, stages: Stages, also: Manifest | None = None) -> Prepared:
    """Read, snapshot, split, compute features, audit.

    Parameters
    ----------
    con
        An open workbench.
    also
        The manifest of another model (the champion) whose features are computed too, so that both can be compared.
    """
    with stages("read"):
        sources = read_sources(con, config)
        for warning in sources.warnings:
            stages.listener.say(warning)
    with stages("snapshots"):
        snapshots = label_snapshots(con, config, sources)
        split = out_of_time(snapshots.frame, config.horizon, config.motion)
    with stages("features"):
        offered = offer_events(sources.events.table, snapshots.table, config, split.test_start)
        stages.listener.say(offered.words + ".")
        traits = sources.entities.traits
        check_names(config.definition, offered.known, traits)
        candidates = offer_features(
            config, offered.events, config.entities.columns.signed_up is not None, has_users(config)
        )
        theirs = [feature for feature in features_of(also) if has_value(sources, feature)]
        wanted = dict.fromkeys([*candidates, Feature(ANY, "count"), *definition_features(config.definition), *theirs])
        names = {trait: trait_name(trait) for trait in traits}
        table = feature_table(sources, snapshots.table, list(wanted), names, stages.listener.share)
    with stages("audit"):
        typed = _typed(config, table[split.train], traits)
        table = Manifest(typed.columns).conform(table)
        train = table[split.train]
        kept, dropped = drop_uninformative(train, [feature.name for feature in candidates])
        manifest = Manifest((*(ModelColumn(name, "feature") for name in kept), *typed.columns))
        converted = snapshots.frame["converted"].to_numpy(bool)[split.train]
        findings = audit(train, converted, manifest, typed.unused, config.allow)
    return Prepared(
        sources,
        snapshots,
        split,
        table,
        manifest.without(quarantined(findings)),
        tuple(findings),
        offered,
        typed,
        dropped,
    )


def has_users(config: Config) -> bool:
    """Whether events say which user of an account did them."""
    return config.entity == "account" and any(table.columns.user or table.users for table in config.events)


def features_of(manifest: Manifest | None) -> list[Feature]:
    """The features a manifest reads."""
    return [parse_feature(c.name) for c in manifest.columns if c.kind == "feature"] if manifest is not None else []


def _typed(config: Config, train: pd.DataFrame, traits: tuple[str, ...]) -> Typed:
    """Traits by type; columns whose name says `id` or `email` are used only if the config lists them."""
    ids = [t for t in traits if config.entities.traits is None and looks_like_id(t)]
    typed = type_traits(train.drop_duplicates("entity"), [t for t in traits if t not in ids])
    return Typed(
        typed.columns,
        {**typed.unused, **{t: "its name says that it identifies; list it under `traits` to use it" for t in ids}},
    )
