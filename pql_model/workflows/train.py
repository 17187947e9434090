"""The training pipeline: from raw tables to a registered, evaluated model.

Read it from top to bottom: `train` is the whole run. `pipelines/train.py` schedules it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pql_model.audit.audit import quarantined
from pql_model.config.load import dump_config
from pql_model.config.schema import Config
from pql_model.decide.build import build_decider
from pql_model.decide.decider import KEY as DECIDER
from pql_model.decide.step_evidence import behaviour_slopes
from pql_model.errors import DataError, LearnerError
from pql_model.evaluation.evaluate import Evaluation
from pql_model.evaluation.gate import (
    ChampionComparison,
    Incomparable,
    Promote,
    Promotion,
    compare_with_champion,
    decide_promotion,
)
from pql_model.evaluation.univariate_rates import UnivariateRates, univariate_rates
from pql_model.evaluation.verdict import Verdict
from pql_model.features.spec import Feature
from pql_model.memory import peak_memory_mb
from pql_model.model.artifact import REFIT, FittedModel, reference_quantiles
from pql_model.model.columns import Manifest
from pql_model.model.conversion_value import VALUE
from pql_model.model.learner import Budget, Learner
from pql_model.model.monotone import monotone_directions
from pql_model.model.split import describe
from pql_model.model.train import DEFAULT_TRIALS, Fit, digest, fit_model, learner_digest
from pql_model.payload import select_attributes, to_payload
from pql_model.progress import Listener, Stages, tuning_progress
from pql_model.registry.history import version_tags
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.report.findings import Findings
from pql_model.serve.scope import KEY as SCOPE
from pql_model.serve.scope import scope_facts
from pql_model.sources.duckdb_session import open_session
from pql_model.workflows.conversion_values import learn_values
from pql_model.workflows.extensions import extend_config
from pql_model.workflows.findings import collect_findings
from pql_model.workflows.growth import REPORT, build_growth_report, champion_growth, rule_statement, write_growth_files
from pql_model.workflows.judge import evaluate_and_judge
from pql_model.workflows.known_outcomes import read_for_training, refuse_refit
from pql_model.workflows.prepare import TrainingData, prepare_from
from pql_model.workflows.refit import champion_learner, refit_tested
from pql_model.workflows.run_files import write_run_files
from pql_model.workflows.training_record import gate_tag, training_record
from pql_model.workflows.tuning_journal import TuningJournal

_WAITING = "Another training or rollback in this folder is using the registry. Waiting for it to finish."


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Attributes
    ----------
    registered
        Name, version, run and the fitted model itself.
    evaluation
        Metrics and baselines with intervals on the test rows.
    importance
        Behaviours with their share of the mean absolute contribution on the test rows.
    folder
        Folder with the files of the run.
    findings
        Criteria and behaviours, as the growth report shows them.
    supported
        Rates of single behaviours if the verdict refuses the model, otherwise None.
    """

    registered: RegisteredModel
    verdict: Verdict
    promotion: Promotion
    prepared: TrainingData
    fit: Fit
    evaluation: Evaluation
    importance: pd.DataFrame
    seconds: dict[str, float]
    folder: Path
    findings: Findings
    supported: UnivariateRates | None = None

    def explanation(self, by: Literal["column", "behaviour"] = "column") -> Any:
        """Return the contributions on the test rows as a `shap.Explanation`, by column or by behaviour."""
        from pql_model.explain.shap_door import explanation

        test = self.prepared.table[self.prepared.split.test]
        return explanation(self.registered.model.held_back, test, by)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql train --json` prints."""
        prepared, frame = self.prepared, self.prepared.snapshots.frame
        model = self.registered
        alias = "champion" if self.promotion.promoted else "challenger"
        best = self.findings.results.recommended
        return {
            "run_id": model.run_id,
            "model": {"name": model.name, "version": model.version, "alias": alias},
            "verdict": self.verdict.name,
            "verdict_sentence": self.verdict.sentence,
            "verdict_would_change": self.verdict.would_change,
            "snapshots": {
                "train": describe(frame, prepared.split.train),
                "test": describe(frame, prepared.split.test),
                "left_out": {**prepared.snapshots.left_out, **prepared.split.left_out},
            },
            "refit": model.model.facts.get(REFIT),
            "value": model.model.facts.get(VALUE),
            **self.evaluation.to_dict(),
            "calibration": self.evaluation.calibration_over_time.to_dict(),
            "leakage": to_payload(prepared.findings),
            "traits_not_used": prepared.typed.unused,
            **select_attributes(self, "supported", "promotion", "seconds"),
            "folds": self.fit.folds.to_dict(),
            "features": len(model.model.manifest.columns),
            "events_offered": prepared.offered.text,
            "set_aside": prepared.sources.events.by_reason(),
            "behaviours": self.importance.to_dict("records"),
            "recommended": best.to_dict() if best is not None else None,
            "in_force": self.findings.results.to_dict()["in_force"],
            "warnings": list(prepared.sources.warnings),
            "peak_memory_mb": peak_memory_mb(),
            "report": str(self.folder / REPORT),
            "files": _by_name(sorted(self.folder.iterdir())),
        }


def train(
    config: Config | str | Path,
    *,
    trials: int = DEFAULT_TRIALS,
    timeout: float | None = None,
    promote: Promote = "auto",
    refit: bool = False,
    learner: str | Learner | None = None,
    params: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    features: Sequence[Feature | Mapping[str, Any]] = (),
    listener: Listener | None = None,
) -> TrainResult:
    """Train, evaluate and register a model, and promote it if it passes the gate.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.
    trials, timeout
        The tuning budget; with a timeout (seconds) the result depends on the machine's speed.
    promote
        When to promote the new model: only if it is better on later accounts (`auto`), `never`, or always (`force`). The
        decision of the gate is recorded in any case.
    refit
        Train with the settings of the champion on the data of today, without a search. Such a model is promoted unless it is
        worse on later accounts.
    learner : str or Learner, optional
        A learner of your own (see docs/extending.md) or the name of a registered one. Default: `model:` of the config.
    params, search : Mapping[str, Any], optional
        Hyperparameters of LightGBM that are fixed, and ranges to search, as under `model:` of the config.
    features : sequence of Feature or mapping
        Features of your own, as `with_features` takes them. Score with `with_features(config, ...)` as well.
    listener
        Receives progress.

    Raises
    ------
    ConfigError, DataError, LearnerError
        If the config, the data or the learner cannot be used, or conversions are missing at the end of the data of a refit; nothing
        has been logged or registered then.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> result = pql_model.train(folder / "pql.yaml", trials=2)
    >>> result.verdict.name in {"ready", "weak", "suspicious", "no_signal", "too_few_conversions"}
    True
    """
    config, learner = extend_config(config, learner=learner, params=params, search=search, features=features)
    stages = Stages(listener)
    tracking = Tracking(config)
    tracking.require_writable_home()
    if refit:
        learner = champion_learner(tracking.load_if_registered("champion"), learner)

    with open_session() as con:
        sources, missing = read_for_training(con, config, stages)
        if refit:
            refuse_refit(missing)
        data = prepare_from(con, config, sources, stages, also=_champion_manifest(tracking))
    frame, train_rows, test_rows = data.snapshots.frame, data.split.train, data.split.test
    X = data.manifest.matrix(data.table)

    with stages("tune and fit"):
        salt = dump_config(config) + learner_digest(learner)
        data_digest = digest(frame[train_rows], X[train_rows], data.manifest.names, salt)
        journal = TuningJournal.of(config.home, data_digest, trials)
        with journal.open(stages.listener) as path:
            fit = fit_model(
                frame[train_rows],
                X[train_rows],
                data.manifest,
                config.horizon,
                config.motion,
                config.seed,
                Budget(trials, timeout, path),
                progress=tuning_progress(stages.listener),
                monotone=monotone_directions(config.monotone, data.manifest),
                learner=learner,
                search=not refit,
            )

    with stages("evaluate"):
        table, test_frame = data.table[test_rows], frame[test_rows]
        test = evaluate_and_judge(config, data, fit, X)
        evaluation, verdict, probability = test.evaluation, test.verdict, test.rows.probability
        supported = None if verdict.usable else _supported(data, config)
        tested = FittedModel(
            fit.predictor,
            fit.calibration,
            data.manifest,
            reference_quantiles(probability),
            facts=_facts(config, data, fit, verdict),
            learner=learner.name,
        )

    with stages("criteria"):
        findings = collect_findings(config, data, tested, test.contributions, test.everyone, stages.listener.share)
        sql = rule_statement(config, findings)

    with stages("refit"):
        model, served = tested, None
        if verdict.usable:
            model, served = refit_tested(config, data, X, tested, fit.tuned.learner)
        value = learn_values(data, X, tested, probability, config.seed)
        slopes = behaviour_slopes(
            [result.criterion for result in findings.results.criteria],
            test.contributions,
            tested.manifest,
            tested.calibration,
            data.converted[test_rows],
            test_frame["entity"].to_numpy(),
        )
        decider = build_decider(config, test_frame, table, probability, findings.results, served, slopes)
        model = replace(model, facts={**model.facts, DECIDER: decider.to_dict(), VALUE: value})
        before = champion_growth(tracking)
        growth = build_growth_report(config, data, model, evaluation, verdict, findings, before)

    with stages("register"), tracking.exclusive(lambda: stages.listener.say(_WAITING)):
        against = _against(tracking, tested, table, test_frame, config.seed) if verdict.usable else None
        promotion = decide_promotion(
            verdict, against, promote, same_settings=refit, unknown=missing.words if missing is not None else None
        )
        with _draft(config.home / "runs") as draft:
            write_run_files(
                draft, config, model, evaluation, verdict, promotion, data, test.rows, test.importance, supported
            )
            write_growth_files(draft, findings, growth, sql)
            record = training_record(
                draft, config, data, fit, evaluation, verdict, promotion, data_digest, model.facts.get(REFIT)
            )
            logged = tracking.log(model, record)
            folder = draft.rename(draft.with_name(logged.run_id))
        tags = version_tags(verdict.name, evaluation.test["roc_auc"], gate_tag(promotion), promotion.reason)
        registered = tracking.register(logged, tags, description=verdict.sentence)
        if promotion.promoted:
            tracking.promote(registered.version, by=promotion.mode)
    journal.forget()
    return TrainResult(
        registered,
        verdict,
        promotion,
        data,
        fit,
        evaluation,
        test.importance,
        stages.seconds,
        folder,
        findings,
        supported,
    )


def _by_name(paths: list[Path]) -> dict[str, str]:
    """Index files by their stem, or by their full name if another file has the same stem."""
    by_name: dict[str, str] = {}
    for path in paths:
        by_name[path.name if path.stem in by_name else path.stem] = str(path)
    return by_name


def _champion_manifest(tracking: Tracking) -> Manifest | None:
    """Columns of the champion, or None. A champion that cannot be loaded must not stop a training."""
    try:
        champion = tracking.load_if_registered("champion")
    except (DataError, LearnerError):  # the gate reports it
        return None
    return champion.model.manifest if champion else None


def _against(
    tracking: Tracking, challenger: FittedModel, table: pd.DataFrame, test_frame: pd.DataFrame, seed: int
) -> ChampionComparison | Incomparable | None:
    """Compare with the current champion, which another training may have promoted since this one began."""
    try:
        champion = tracking.load_if_registered("champion")
    except (DataError, LearnerError) as error:
        return Incomparable(f"the champion cannot be compared with. {error}")
    if champion is None:
        return None
    return compare_with_champion(champion.model.held_back, champion.version, challenger, table, test_frame, seed)


@contextmanager
def _draft(runs: Path) -> Iterator[Path]:
    """Provide a folder to rename once it is complete, after removing the drafts of killed trainings; the caller holds the lock."""
    for stale in runs.glob(".train-*"):
        shutil.rmtree(stale, ignore_errors=True)
    draft = runs / f".train-{uuid.uuid4().hex}"
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _facts(config: Config, data: TrainingData, fit: Fit, verdict: Verdict) -> dict[str, Any]:
    frame, split = data.snapshots.frame, data.split
    return {
        "name": config.name,
        "entity": config.entity,
        "motion": config.motion,
        "horizon": str(config.horizon),
        "train": describe(frame, split.train),
        "test": describe(frame, split.test),
        "labels_until": int(frame["as_of"][split.train].max()) + config.horizon.us,
        "test_start": split.test_start,
        "folds": fit.folds.to_dict(),
        "learner": {"name": fit.tuned.learner.name, "params": dict(fit.tuned.learner.params)},
        "verdict": verdict.name,
        SCOPE: scope_facts(config, data.offered.known, data.sources.traits, data.sources.people.excluded_users),
        "config": dump_config(config),
    }


def _supported(data: TrainingData, config: Config) -> UnivariateRates:
    """Base rate and rates of single behaviours, shown instead of a model that cannot be trusted."""
    guilty = quarantined(data.findings)
    return univariate_rates(data.snapshots.frame, data.table, data.offered.events, config.horizon, guilty)
