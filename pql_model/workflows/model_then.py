"""The model that was in force at an instant, and what it has learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.model.artifact import REFIT
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.time import iso, parse_instant

_MOST_LOOKED_AT = 20
"""Versions that are loaded to find the one of then."""


@dataclass(frozen=True)
class ModelThen:
    """A registered model, as the monitor uses it.

    Attributes
    ----------
    seen_to
        The newest snapshot that it was trained or tested on.
    new_from
        The end of the outcomes that it knows: what it says of an instant from then on is a prediction.
    note
        Which model this is, where it is not simply the champion.
    """

    registered: RegisteredModel
    seen_to: int
    new_from: int
    note: str | None


def model_then(tracking: Tracking, champion: RegisteredModel, config: Config, as_of: int) -> ModelThen:
    """The champion; for an earlier instant, the newest promoted version that had learnt from nothing later.

    Instants are those of the data, not of the clock on which a version was trained: a product that is replayed on old data
    has models whose training is newer than everything they speak about.
    """
    if seen_until(champion.model.facts, config) <= as_of:
        return _model(champion, config, None)
    earlier = [v for v in tracking.versions() if v.promoted_at is not None and v.version != champion.version]
    for version in earlier[:_MOST_LOOKED_AT]:
        registered = tracking.load(version.version)
        if seen_until(registered.model.facts, config) <= as_of:
            note = (
                f"Version {registered.version} was the newest champion that had learnt from nothing after {iso(as_of)}; "
                f"it is the one that is judged, not version {champion.version}, the champion of today."
            )
            return _model(registered, config, note)
    note = (
        f"No version had been promoted on data of before {iso(as_of)}: version {champion.version} has learnt from outcomes up "
        f"to {iso(seen_until(champion.model.facts, config))}, so nothing that is final by then can judge it."
    )
    return _model(champion, config, note)


def _model(registered: RegisteredModel, config: Config, note: str | None) -> ModelThen:
    facts = registered.model.facts
    return ModelThen(registered, seen_to(facts), seen_until(facts, config), note)


def seen_to(facts: Mapping[str, Any]) -> int:
    """The newest snapshot among those a model was trained, tested or refitted on."""
    parts = [facts[name]["to"] for name in ("train", "test", REFIT) if facts.get(name, {}).get("to")]
    return max(parse_instant(str(to)) for to in parts)


def seen_until(facts: Mapping[str, Any], config: Config) -> int:
    """The instant up to which a model knows outcomes, those of its test included: its figures were chosen among by them."""
    return seen_to(facts) + config.horizon.us


@dataclass(frozen=True)
class NewestVersion:
    """The newest version, promoted or not: the newest snapshot that it knows, and what the gate said."""

    version: str
    to: int
    promotion: str | None


def learnt_from_newest(tracking: Tracking) -> NewestVersion:
    """What the newest version has learnt from."""
    newest = tracking.versions()[0]
    return NewestVersion(newest.version, seen_to(tracking.load(newest.version).model.facts), newest.promotion)
