"""`pql funnel`: from sign-up to payment, by cohort and segment, and PQLs beside MQLs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model import time
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import BoundDefinition, definition_features, meets
from pql_model.decide.decider import Decider
from pql_model.errors import DataError, NotEnoughDataError, did_you_mean, listed, nearest
from pql_model.features.table import feature_table, trait_table
from pql_model.progress import Listener, Stages
from pql_model.progression.funnel_counts import (
    ACTIVATED,
    PAID,
    PQL,
    SIGNED_UP,
    FollowedEntities,
    StageFigures,
    by_cohort,
    by_segment,
    follow,
    stage_figures,
)
from pql_model.progression.lead_overlap import LeadOverlap, lead_overlap
from pql_model.registry.connection import has_store
from pql_model.registry.tracking import Tracking
from pql_model.snapshots.grid import calendar_grid, landmark_grid
from pql_model.sources.duckdb_session import fetch_scalar, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.time import DAY, DURATION_HELP, Duration
from pql_model.workflows.ledger import build_ledger
from pql_model.workflows.prepare import trait_names

_FREEMIUM_WITHIN = Duration(90 * DAY)
_USUAL_ORDER = ("mql", "sal", "sql")
_KNOWN = (SIGNED_UP, ACTIVATED, PQL, PAID)
_BEGINNING = 0.01
"""A table of stages begins with this quantile of its times: one row with a wrong date must not move every denominator."""


@dataclass(frozen=True)
class FunnelResult:
    """The stages that entities reached within a fixed time after their sign-up.

    Attributes
    ----------
    cohorts, segments
        The same by month of sign-up, and by the values of a trait.
    overlap
        PQLs beside MQLs; None without both.
    definition
        The definition of `activated`, in words.
    """

    within: Duration
    until: int
    stages: list[StageFigures]
    too_young: int
    cohorts: Mapping[str, list[StageFigures]]
    segments: Mapping[str, list[StageFigures]]
    segmented_by: str | None
    overlap: LeadOverlap | None
    definition: str | None
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql funnel --json` prints."""

        def table(key: str, parts: Mapping[str, list[StageFigures]]) -> list[dict[str, Any]]:
            return [{key: name, "stages": [stage.to_dict() for stage in stages]} for name, stages in parts.items()]

        return {
            "within": str(self.within),
            "outcomes_until": time.iso(self.until),
            "stages": [stage.to_dict() for stage in self.stages],
            "too_young": self.too_young,
            "cohorts": table("cohort", self.cohorts),
            "segmented_by": self.segmented_by,
            "segments": table("segment", self.segments),
            "pql_and_mql": self.overlap.to_dict() if self.overlap is not None else None,
            "definition": self.definition,
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def funnel(
    config: Config | str | Path,
    *,
    within: str | None = None,
    segment: str | None = None,
    listener: Listener | None = None,
) -> FunnelResult:
    """Count who reached which stage: sign-up, activated, PQL, the stages of `stages:`, paid; with rates, times and intervals.

    Every entity is followed for the same time after its sign-up; those that signed up later than that before the end of the data
    are left out and counted.

    Parameters
    ----------
    within
        How long each entity is followed; default: a trial's last landmark and the horizon, 90 days in freemium.
    segment
        A trait, by whose values the funnel is shown too.

    Raises
    ------
    DataError
        If the entities have no sign-up date, there is no such trait, or `within` is not a time.
    NotEnoughDataError
        If no entity was followed long enough.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> result = funnel(folder / "pql.yaml", within="44d")
    >>> [stage.stage for stage in result.stages]
    ['signed_up', 'activated', 'paid']
    """
    config = config if isinstance(config, Config) else load_config(config)
    if config.entities.columns.signed_up is None:
        raise DataError(
            "A funnel begins with the sign-up, and the entities have no date of it",
            received=f"{config.entities.table} without `entities.columns.signed_up`",
            remedy="map the column with the time of the sign-up",
        )
    length = _within(config, within)
    stages = Stages(listener)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config, may_lack_conversions=True)
            _check_segment(sources, segment)
            definition = _definition(config)
        built = build_ledger(con, config, sources, stages)
        ledger = built.table
        with stages("count"):
            frame = _entities(sources)
            columns, known_from, names = _reached_columns(built.stages, frame)
            leads = ledger.filter(ledger.is_pql).group_by("entity").agg(at=ledger.as_of.epoch_seconds().min())
            first_run = fetch_scalar(ledger.as_of.epoch_seconds().min())
            if first_run is not None:
                columns[PQL] = _times(
                    leads.to_pandas().assign(at=lambda t: t["at"].astype("int64") * time.SECOND), frame
                )
                known_from[PQL] = int(first_run) * time.SECOND
            if definition is not None:
                columns[ACTIVATED] = _activated(config, sources, definition, frame, stages)
            frame = frame.assign(**columns)
            order = [name for name in (ACTIVATED, PQL) if name in columns] + names + [PAID]
            followed = follow(frame, order, length, sources.observed_until, known_from)
            if followed.frame.empty:
                raise NotEnoughDataError(
                    f"No entity was followed for {length.text} after its sign-up",
                    received=f"{followed.too_young:,} entities that signed up later; outcomes are known until {time.iso(sources.observed_until)}",
                    remedy="name a shorter `--within`",
                )
            segments = by_segment(followed, _values(sources, segment, followed)) if segment is not None else {}
            other = next((name for name in names if name.casefold() == "mql"), next(iter(names), None))
            overlap = lead_overlap(followed, other) if other is not None and PQL in columns else None
    notes = (*_notes(config, followed, definition, first_run), *built.warnings)
    return FunnelResult(
        length,
        sources.observed_until,
        stage_figures(followed),
        followed.too_young,
        by_cohort(followed),
        segments,
        segment,
        overlap,
        definition.text if definition is not None else None,
        notes,
        stages.seconds,
    )


def _within(config: Config, within: str | None) -> Duration:
    if within is None:
        days = config.schedule.at_days
        return Duration(days[-1] * DAY + config.horizon.us) if days else _FREEMIUM_WITHIN
    try:
        return Duration.parse(within)
    except ValueError:
        raise DataError("`within` is not a time", received=within, allowed=DURATION_HELP) from None


def _check_segment(sources: Sources, segment: str | None) -> None:
    known = sources.entities.traits
    if segment is not None and segment not in known:
        raise DataError(
            f"There is no trait `{segment}`{did_you_mean(nearest(segment, known))}",
            allowed=listed(known) or "no traits",
        )


def _definition(config: Config) -> BoundDefinition | None:
    """The recommended definition of the champion, or the one in force."""
    champion = Tracking(config).load_if_registered() if has_store(config) else None
    best = Decider.of_facts(champion.model.facts).definition if champion is not None else None
    return best or (BoundDefinition(config.definition) if config.definition is not None else None)


def _entities(sources: Sources) -> pd.DataFrame:
    """entity, signed_up and paid of everybody who is not excluded."""
    entities = sources.entities.table
    entities = entities.filter(~entities.excluded & entities.signed_up.notnull()).select("entity", "signed_up")
    paid = sources.conversions.table.select("entity", paid="time")
    t = entities.left_join(paid, "entity").select("entity", "signed_up", "paid")
    frame: pd.DataFrame = t.order_by("entity").to_pandas().astype({"paid": "float64"})
    return frame


def _times(rows: pd.DataFrame, frame: pd.DataFrame) -> np.ndarray:
    """`at` of each entity; NaN without one."""
    at = pd.Series(rows["at"].to_numpy(np.float64), rows["entity"].astype(str))
    return frame["entity"].astype(str).map(at).to_numpy(np.float64)


def _reached_columns(reached: Any, frame: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, int], list[str]]:
    """Times of the stages of the config, since when each is known, and their order: MQL, SAL, SQL, then by time.

    A stage that was reached before the sign-up is not of this entity's funnel, and says nothing of when the table begins.
    """
    rows = reached.to_pandas()
    rows = rows.assign(at=rows["at"].dt.as_unit("us").astype("int64"))
    begun = frame["signed_up"].to_numpy(np.float64)
    columns, known_from, typical = {}, {}, {}
    for stage, part in rows.groupby("stage"):
        name = str(stage) if str(stage) not in _KNOWN else f"{stage} (stages)"
        at = _times(part, frame)
        after = at[at >= begun]
        columns[name] = at
        if len(after):
            known_from[name] = int(np.quantile(after, _BEGINNING, method="lower"))
        typical[name] = float(np.median(after - begun[at >= begun])) if len(after) else math.inf
    usual = {name: place for place, name in enumerate(_USUAL_ORDER)}
    order = sorted(columns, key=lambda name: (usual.get(name.casefold(), len(usual)), typical[name]))
    return columns, known_from, order


def _activated(
    config: Config, sources: Sources, definition: BoundDefinition, frame: pd.DataFrame, stages: Stages
) -> np.ndarray:
    """The first snapshot, not after a payment, at which an entity met the definition."""
    grid = landmark_grid(config, sources) if config.motion == "trial" else calendar_grid(config, sources)
    paid = sources.conversions.table.select("entity", paid="time")
    until = sources.observed_until if sources.events_until is None else sources.events_until
    rows = grid.left_join(paid, "entity").drop("entity_right")
    rows = rows.filter(~rows.excluded & (rows.as_of <= until) & (rows.paid.isnull() | (rows.paid >= rows.as_of)))
    traits = [trait for c in definition.definition.criteria for trait in c.traits]
    table = feature_table(
        sources,
        rows.select("entity", "as_of", "signed_up"),
        definition_features(definition.definition),
        trait_names(list(dict.fromkeys(traits))),
        stages.listener.share,
    )
    met = table[meets(definition.definition, table)] if len(table) else table
    return _times(met.groupby("entity", as_index=False).agg(at=("as_of", "min")), frame)


def _values(sources: Sources, segment: str, followed: FollowedEntities) -> np.ndarray:
    values = trait_table(sources, {segment: segment})[segment]
    values.index = values.index.astype(str)
    return followed.frame["entity"].astype(str).map(values).to_numpy(object)


def _notes(
    config: Config,
    followed: FollowedEntities,
    definition: BoundDefinition | None,
    first_run: float | None,
) -> Iterator[str]:
    """Say which stages are missing, and since when others are known."""
    if definition is None:
        yield "There is no definition, so no stage `activated`: add one under `definition:`, or train a model."
    if first_run is None:
        yield "Nothing was scored yet, so there is no stage `PQL`."
    if config.stages is None:
        yield "There are no MQLs or SQLs: name their table under `stages:`."
    first = int(followed.frame["signed_up"].min())
    for stage, known in followed.known_from.items():
        if known > first:
            yield f"`{stage}` is known of entities that signed up from {time.iso(known)[:10]} on, and counted among those."
