"""`pql backtest`: what the model would have been worth, had it been retrained at past cut-offs.

Read it from top to bottom: `backtest` is the whole run. At each cut-off, a model is trained on the outcomes that were
final by then and nothing later. It is tested on the entities at risk from then until the next cut-off.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model import time
from pql_model.config.instant import InstantLike
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import check_names, definition_features, meets
from pql_model.errors import NotEnoughDataError
from pql_model.evaluation.backtest_metrics import FoldMetrics, fold_metrics
from pql_model.evaluation.backtest_schedule import (
    Cutoff,
    CutoffRequest,
    Schedule,
    SkippedCutoff,
    no_usable_cutoff,
    plan_schedule,
    read_cutoffs,
)
from pql_model.features.catalogue import OfferedEvents, offer_events
from pql_model.features.spec import Feature
from pql_model.features.table import feature_table
from pql_model.measures import ANY
from pql_model.model.baselines import ACTIVITY, logistic_regression
from pql_model.model.learner import Budget, Learner
from pql_model.model.monotone import check_monotone, monotone_directions
from pql_model.model.split import describe
from pql_model.model.train import fit_model, learner_digest
from pql_model.payload import select_attributes, to_payload
from pql_model.progress import Listener, Stages, tuning_progress
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.dated_columns import check_event_features
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.leak_evidence import LeakEvidence, read_leak_evidence
from pql_model.time import iso
from pql_model.workflows.backtest_files import (
    FinishedFold,
    FoldStore,
    FoldTask,
    fingerprint,
    fold_key,
    write_backtest_files,
)
from pql_model.workflows.extensions import extend_config
from pql_model.workflows.known_outcomes import read_for_training
from pql_model.workflows.prepare import candidate_features, choose_columns, trait_names

DEFAULT_TRIALS = 10
"""Fewer than in training: every fold is tuned separately, and on most data the first trial is kept."""


@dataclass(frozen=True)
class BacktestFold:
    """One cut-off: the figures on its scored rows, and facts about its model."""

    figures: FoldMetrics
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """An element of `folds` of `pql backtest --json`."""
        return {**self.facts, **self.figures.to_dict(), "baselines": to_payload(self.figures.baselines, 6)}


@dataclass(frozen=True)
class BacktestResult:
    """A finished back-test.

    Attributes
    ----------
    folds
        One for each cut-off, in order.
    skipped
        Cut-offs without a model, with the reason.
    pooled, unseen
        All folds together, and the part of it whose entities were in no training (None where that is all or none).
    predictions
        The scored rows of all folds.
    folder
        Folder of the files.
    """

    folds: tuple[BacktestFold, ...]
    skipped: tuple[SkippedCutoff, ...]
    pooled: FoldMetrics
    unseen: FoldMetrics | None
    predictions: pd.DataFrame
    trials: int
    seconds: dict[str, float]
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql backtest --json` prints."""
        unseen = self.unseen.to_dict() if self.unseen else None
        return {
            **select_attributes(self, "folds", "skipped", "trials", "seconds"),
            "pooled": {**self.pooled.to_dict(), "folds": len(self.folds), "unseen_entities": unseen},
            "baselines": to_payload(self.pooled.baselines, 6),
            "files": {path.stem: str(path) for path in sorted(self.folder.iterdir())},
        }


def backtest(
    config: Config | str | Path,
    *,
    cutoffs: InstantLike | Sequence[InstantLike] | None = None,
    every: str | None = None,
    trials: int = DEFAULT_TRIALS,
    learner: str | Learner | None = None,
    params: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    features: Sequence[Feature | Mapping[str, Any]] = (),
    listener: Listener | None = None,
) -> BacktestResult:
    """Train at past cut-offs on what was known then, and test on the entities at risk until the next cut-off.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.
    cutoffs
        Dates or times, as a list or a text with commas. The last model is used as long as the one before it; a single
        one for one horizon.
    every
        Instead of `cutoffs`, a step such as `30d`, counted back from the end of the data while at least 50 conversions
        remain to train on.
    trials
        Number of hyperparameter trials in each fold.
    learner, params, search, features
        As of `train`.
    listener
        Receives progress.

    Raises
    ------
    ConfigError, DataError, LearnerError
        If the config, the data or the cut-offs cannot be used. Re-running the same call resumes an interrupted run.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1500)
    >>> result = pql_model.backtest(folder / "pql.yaml", cutoffs=["2025-07-01", "2025-08-01"], trials=1)
    >>> [fold["cutoff"] for fold in result.to_dict()["folds"]], result.pooled.model["roc_auc"].value > 0.5
    (['2025-07-01', '2025-08-01'], True)
    """
    request = read_cutoffs(cutoffs, every)
    config, learner = extend_config(config, learner=learner, params=params, search=search, features=features)
    stages = Stages(listener)
    with open_session() as con:
        history = _read_past(con, config, request, stages)

    store, finished, skipped = FoldStore(config.home), {}, list(history.schedule.skipped)
    for number, step in enumerate(history.schedule.steps):
        with stages(f"cut-off {iso(step.cutoff)} ({number + 1} of {len(history.schedule.steps)})"):
            task = _fold_task(config, history, step)
            key = fold_key(config, trials, task, learner_digest(learner))
            fold = store.find(key)
            if fold is not None:
                stages.listener.say("resumed from an interrupted run")
            else:
                try:
                    fold = _fit(config, task, trials, learner, stages.listener)
                except NotEnoughDataError as error:
                    skipped.append(SkippedCutoff(step.cutoff, str(error)))
                    continue
                store.keep(key, fold)
            finished[key] = fold
    if not finished:
        raise no_usable_cutoff(skipped)

    with stages("measure"):
        folds = tuple(BacktestFold(fold_metrics(fold.rows, config.seed), fold.facts) for fold in finished.values())
        predictions = pd.concat([fold.rows for fold in finished.values()], ignore_index=True)
        pooled, unseen = fold_metrics(predictions, config.seed), None
        in_training = predictions["in_training"].to_numpy(bool)
        if in_training.any() and not in_training.all():
            unseen = fold_metrics(predictions[~in_training], config.seed)
    with stages("write"):
        name = uuid.uuid4().hex
        draft = config.home / "runs" / f".{name}"
        try:
            figures = {str(fold.facts["cutoff"]): fold.figures for fold in folds}
            write_backtest_files(draft, config, predictions, {**figures, "pooled": pooled})
            folder = draft.rename(draft.with_name(f"backtest-{name}"))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        store.forget(finished)
    skipped.sort(key=lambda skip: skip.cutoff)
    return BacktestResult(folds, tuple(skipped), pooled, unseen, predictions, trials, stages.seconds, folder)


@dataclass(frozen=True)
class BacktestData:
    """What all folds share, read and computed once. A feature never depends on anything later than its snapshot.

    Attributes
    ----------
    frame
        Snapshots whose outcome is final.
    table
        In the same order, the features of every event offered at any cut-off, and the traits.
    offered
        Events offered to the model, by cut-off.
    evidence
        Evidence of leaks in the sources by then, by cut-off.
    """

    frame: pd.DataFrame
    table: pd.DataFrame
    schedule: Schedule
    offered: dict[int, OfferedEvents]
    traits: tuple[str, ...]
    evidence: dict[int, LeakEvidence]


def _read_past(con: Connection, config: Config, request: CutoffRequest, stages: Stages) -> BacktestData:
    sources, _ = read_for_training(con, config, stages)
    with stages("snapshots"):
        snapshots = label_snapshots(con, config, sources)
        schedule = plan_schedule(snapshots.frame, request, config.horizon, config.motion, time.now())
        for skip in schedule.skipped:
            stages.listener.say(f"Cut-off {iso(skip.cutoff)} is skipped: {skip.reason}.")
    with stages("features"):
        final_at = snapshots.table.as_of + config.horizon.us
        offered_events = {
            step.cutoff: offer_events(
                sources.events.table, snapshots.table.filter(final_at <= step.cutoff), config, step.cutoff
            )
            for step in schedule.steps
        }
        traits = sources.traits
        names = next(iter(offered_events.values())).known
        check_names(config.definition, names, traits)
        check_monotone(config.monotone, names, traits)
        check_event_features(config, names)
        candidates = [feature for events in offered_events.values() for feature in candidate_features(config, events)]
        features = dict.fromkeys([*candidates, Feature(ANY, "count"), *definition_features(config.definition)])
        table = feature_table(sources, snapshots.table, list(features), trait_names(traits), stages.listener.share)
    with stages("evidence of leaks"):
        evidence = {step.cutoff: read_leak_evidence(con, config, sources, step.cutoff) for step in schedule.steps}
    return BacktestData(snapshots.frame, table, schedule, offered_events, traits, evidence)


def _fold_task(config: Config, history: BacktestData, step: Cutoff) -> FoldTask:
    """Prepare a fold: training rows as known at the cut-off, and the rows to score as that model sees them."""
    frame, candidates = history.frame, candidate_features(config, history.offered[step.cutoff])
    converted = frame["converted"].to_numpy(bool)
    selection = choose_columns(
        config, history.table, step.train, converted, candidates, history.traits, history.evidence[step.cutoff]
    )
    scored, table = frame[step.scored], selection.table[step.scored]
    rows = scored[["entity", "as_of", "converted"]].reset_index(drop=True)
    rows.insert(0, "cutoff", step.cutoff)
    rows["activity"] = table[ACTIVITY].to_numpy(float)
    rows["base_rate"] = converted[step.train].mean()
    rows["in_training"] = scored["entity"].isin(frame["entity"][step.train]).to_numpy(bool)
    if config.definition:
        rows["meets_definition"] = meets(config.definition, table)
    manifest = selection.manifest
    facts = {
        "cutoff": iso(step.cutoff),
        "scored_from": iso(step.cutoff),
        "scored_to": iso(step.until),
        "left_out": step.left_out,
        "train": describe(frame, step.train),
        "features": len(manifest.columns),
        "quarantined": sorted(finding.column for finding in selection.findings if finding.action == "quarantined"),
    }
    return FoldTask(
        frame[step.train], manifest.matrix(selection.table[step.train]), manifest, rows, manifest.matrix(table), facts
    )


def _fit(config: Config, task: FoldTask, trials: int, learner: Learner, listener: Listener) -> FinishedFold:
    fit = fit_model(
        task.frame,
        task.X,
        task.manifest,
        config.horizon,
        config.motion,
        config.seed,
        Budget(trials),
        progress=tuning_progress(listener),
        monotone=monotone_directions(config.monotone, task.manifest),
        learner=learner,
    )
    converted = task.frame["converted"].to_numpy(bool)
    rows = task.rows.assign(
        probability=fit.calibration.apply(fit.predictor.margin(task.X_rows)),
        logistic_regression=logistic_regression(task.X, converted, task.X_rows, task.manifest),
    )
    facts = {"parameters": dict(fit.tuned.params), "model_digest": fingerprint(fit, task.manifest)}
    return FinishedFold(rows, {**task.facts, **facts})
