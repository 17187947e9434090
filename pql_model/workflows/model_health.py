"""What the outcome ledger says of a model: level, ranking, drift of scores, and the definitions over time."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from pql_model.config.schema import Config
from pql_model.criteria.definition_metrics import DefinitionMetrics
from pql_model.decide.decider import Decider
from pql_model.errors import NotEnoughDataError
from pql_model.evaluation.age import age_groups, ages
from pql_model.evaluation.drift import DRIFT
from pql_model.model.artifact import REFIT
from pql_model.monitoring.band_level import band_findings
from pql_model.monitoring.early import EarlyEstimate, TimeToConvert, early_estimate, with_due_share
from pql_model.monitoring.finding import Finding
from pql_model.monitoring.ledger_rows import due_rows
from pql_model.monitoring.level import level_findings
from pql_model.monitoring.ranking import (
    Ranking,
    Rival,
    TestRanking,
    compare_with_rivals,
    rank_realised,
    ranking_findings,
    sampled,
)
from pql_model.monitoring.rivals import hopeless
from pql_model.monitoring.score_drift import drift_findings
from pql_model.monitoring.shifts import Judged, shift_findings, shifted_columns
from pql_model.monitoring.staleness import DefinitionOverTime, definitions_over_time, stale_findings
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.read import Sources
from pql_model.statistics.estimate import Estimate
from pql_model.workflows.growth import CRITERIA
from pql_model.workflows.model_then import ModelThen, learnt_from_newest
from pql_model.workflows.report import run_file
from pql_model.workflows.rivals import realised_features, rival_scores
from pql_model.workflows.run_files import METRICS

Table = Any


@dataclass(frozen=True)
class ModelHealth:
    """What the ledger says of the model.

    Attributes
    ----------
    rows
        Versions whose rows were judged, in words.
    final
        Final rows among them, one per entity and age.
    """

    rows: str
    final: int
    findings: tuple[Finding, ...]
    early: EarlyEstimate | None
    ranking: Ranking | None
    rivals: Mapping[str, Rival]
    definitions: tuple[DefinitionOverTime, ...]
    hopeless: str | None


def judge_model(
    con: Connection,
    config: Config,
    sources: Sources,
    tracking: Tracking,
    then: ModelThen,
    ledger: Table,
    labelled: pd.DataFrame,
) -> ModelHealth:
    """Judge a model by what came of rows that it has not learnt from.

    Parameters
    ----------
    labelled
        See `labelled_snapshots`.
    """
    model, facts = then.registered.model, then.registered.model.facts
    until, horizon = sources.observed_until, config.horizon.us
    rows, whose = _unseen_rows(ledger, config, sources, then)
    final = rows[rows["final"].astype(bool) & rows["known"].astype(bool)]
    delays = TimeToConvert.of(labelled["delay"].dropna().to_numpy(np.int64))
    counted = with_due_share(rows, delays, until, horizon)
    learnt = facts.get(REFIT) or facts["train"]
    delay_error = delays.relative_error(counted["due_share"].to_numpy(float), counted["probability"].to_numpy(float))
    level = level_findings(
        counted,
        model.level_error,
        learnt["conversions"] / learnt["rows"],
        float(np.hypot(1 / np.sqrt(max(1, learnt["converting_entities"])), DRIFT)),
        delay_error if np.isfinite(delay_error) else 0.0,
        whose,
    )
    is_off = any(finding.kind == "calibration_off" for finding in level)
    bands = () if is_off else band_findings(final, model.level_error, whose)
    test = _test_ranking(tracking, then.registered, sources)
    ranking = rank_realised(final, test, config.seed)
    shifts = _shifts(con, config, sources, then, final, test, ranking.fell) if ranking is not None else ()
    rivals: Mapping[str, Rival] = {}
    if ranking is not None and ranking.fell:
        judged = final[final["as_of"] >= ranking.since].reset_index(drop=True)
        known = labelled[labelled["as_of"] <= then.seen_to]
        rivals = compare_with_rivals(judged, rival_scores(con, config, sources, model, judged, known), config.seed)
    decider = Decider.of_facts(facts)
    definitions = definitions_over_time(final, *_definitions(tracking, then.registered, decider), config.motion)
    own = rows[rows["model_version"] == then.registered.version]
    drift = drift_findings(own, model.answers or model.reference, int(facts["test"]["entities"]), until)
    early = early_estimate(rows, delays, until, horizon)
    return ModelHealth(
        whose,
        len(final),
        (
            *level,
            *bands,
            *ranking_findings(ranking),
            *shifts,
            *drift,
            *stale_findings(definitions, decider.rule.definition),
        ),
        replace(early, found=bool(level)) if early is not None else None,
        ranking,
        rivals,
        definitions,
        hopeless(ranking, rivals, _retrained(tracking, then, ranking, final)),
    )


def _shifts(
    con: Connection,
    config: Config,
    sources: Sources,
    then: ModelThen,
    final: pd.DataFrame,
    test: TestRanking,
    ranking_fell: bool,
) -> tuple[Finding, ...]:
    """Behaviours and traits that count otherwise than in the test, where both its rows and the final ones are in the data."""
    now, before = sampled(final), sampled(test.frame)
    rows = pd.concat([now, before], ignore_index=True)
    model = then.registered.model
    X = model.manifest.matrix(realised_features(con, config, sources, model, rows))
    numeric = [k for k, column in enumerate(model.manifest.columns) if column.kind != "category"]
    words = [model.manifest.columns[k].text for k in numeric]
    parts = [X[: len(now), numeric], X[len(now) :, numeric]]
    judged = [
        Judged(
            part["converted"].to_numpy(float),
            logit(part["probability"].to_numpy(float)),
            columns,
            pd.factorize(part["entity"])[0],
            age_groups(ages(part)),
        )
        for part, columns in zip((now, before), parts, strict=True)
    ]
    shifts = shifted_columns(judged[0], judged[1], words)
    converting = now.loc[now["converted"].astype(bool), "entity"].nunique()
    return shift_findings(shifts, int(now["as_of"].min()), now["entity"].nunique(), converting, ranking_fell)


def labelled_snapshots(con: Connection, config: Config, sources: Sources) -> pd.DataFrame:
    """Past snapshots with a final outcome, and the time to the conversion of those that converted.

    Returns
    -------
    pandas.DataFrame
        entity, as_of, converted, delay (microseconds; missing where not converted). Empty where nothing is final, or nobody
        converted.
    """
    try:
        frame = label_snapshots(con, config, sources).frame
    except NotEnoughDataError:  # there is nothing to know yet
        return pd.DataFrame({"entity": [], "as_of": [], "converted": [], "delay": []})
    paid = sources.conversions.table.select("entity", "time").to_pandas()
    converted_at = frame["entity"].map(dict(zip(paid["entity"], paid["time"], strict=True)))
    return frame.assign(delay=(converted_at - frame["as_of"]).where(frame["converted"]))


def _unseen_rows(ledger: Table, config: Config, sources: Sources, then: ModelThen) -> tuple[pd.DataFrame, str]:
    """Rows that the model has not learnt from: its own, or those of earlier versions while none of its own is final."""
    version = then.registered.version
    rows = due_rows(ledger, sources.entities.table, config, None, then.new_from)
    own = rows[rows["model_version"] == version]
    if own["final"].any() or not rows["final"].any():
        return own.reset_index(drop=True), f"version {version}"
    versions = sorted(rows["model_version"].unique(), key=lambda name: (len(name), name))
    return rows, f"versions {versions[0]} to {versions[-1]}" if len(versions) > 1 else f"version {versions[0]}"


def _test_ranking(tracking: Tracking, registered: RegisteredModel, sources: Sources) -> TestRanking:
    """The ranking in the test of a version, read back from its run."""
    test = json.loads(run_file(tracking, registered, METRICS))["test"]
    numbers = test.get("roc_auc_within_age", test["roc_auc"])
    estimate = Estimate(*(float("nan") if numbers[end] is None else numbers[end] for end in ("value", "low", "high")))
    frame = pd.read_parquet(io.BytesIO(run_file(tracking, registered, "test_predictions.parquet")))
    signed_up = sources.entities.table.select("entity", "signed_up").to_pandas().set_index("entity")["signed_up"]
    frame = frame.assign(
        as_of=frame["as_of"].dt.tz_convert(None).to_numpy("datetime64[us]").astype(np.int64),
        signed_up=frame["entity"].map(signed_up).astype("Int64"),
    )
    return TestRanking(estimate, frame)


def _definitions(
    tracking: Tracking, registered: RegisteredModel, decider: Decider
) -> tuple[dict[str, str], dict[str, DefinitionMetrics]]:
    """Text and test figures of the definitions whose columns are in the ledger."""
    results = json.loads(run_file(tracking, registered, CRITERIA))
    tested = {
        "recommended": next((d for d in results["definitions"] if d.get("recommended")), None),
        "in_force": results.get("in_force"),
    }
    found = {name: raw for name, raw in tested.items() if raw is not None}
    if decider.recommended is None:  # `meets_definition` is then about the one in force
        found.pop("recommended", None)
    return (
        {name: str(raw["text"]) for name, raw in found.items()},
        {name: DefinitionMetrics.from_dict(raw["tested"]) for name, raw in found.items()},
    )


def _retrained(tracking: Tracking, then: ModelThen, ranking: Ranking | None, final: pd.DataFrame) -> str | None:
    """What became of a newer version that has learnt from at least half of the rows on which the ranking fell."""
    if ranking is None or not ranking.fell:
        return None
    newest = learnt_from_newest(tracking)
    about = final.loc[final["as_of"] >= ranking.since, "as_of"]
    if newest.version == then.registered.version or (about <= newest.to).mean() < 0.5:
        return None
    return f"version {newest.version}, {newest.promotion or 'not promoted'}"
