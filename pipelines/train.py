"""The training pipeline: from raw tables to a registered model with numbers that can be defended.

Read it from top to bottom: `train` is the whole run. It can be changed and run as it stands:
``python pipelines/train.py --config pql.yaml``.
"""

from __future__ import annotations

import resource
import shutil
import sys
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pql_model.config.load import dump_config, load_config
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import meets
from pql_model.decide.policy import make_rule
from pql_model.errors import DataError
from pql_model.explain.reasons import behaviour_shares
from pql_model.model.baselines import ACTIVITY, logistic_regression
from pql_model.model.estimate import Estimate
from pql_model.model.evaluation import Evaluation, TestRows, evaluate_test
from pql_model.model.fit import Budget, Fit, digest, fit_model
from pql_model.model.fitted import FittedModel, reference_quantiles
from pql_model.model.metrics import evaluate, paired_difference
from pql_model.model.split import describe
from pql_model.model.tune import DEFAULT_TRIALS
from pql_model.model.verdict import Promotion, Verdict, gate, judge
from pql_model.pipelines.files import write_run_files
from pql_model.pipelines.prepare import Prepared, prepare
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Record, Registered, Tracking
from pql_model.sources.workbench import open_workbench

Promote = Literal["auto", "never", "force"]


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
        Behaviours by mean absolute contribution on the test rows.
    folder
        Where the run's files lie.
    """

    registered: Registered
    verdict: Verdict
    promotion: Promotion
    prepared: Prepared
    fit: Fit
    evaluation: Evaluation
    importance: pd.DataFrame
    seconds: dict[str, float]
    folder: Path

    def as_json(self) -> dict[str, Any]:
        """The object that `pql train --json` prints."""
        prepared, frame = self.prepared, self.prepared.snapshots.frame
        model = self.registered
        alias = "champion" if self.promotion.promoted else "challenger"
        return {
            "run_id": model.run_id,
            "model": {"name": model.name, "version": model.version, "alias": alias},
            "verdict": self.verdict.name,
            "verdict_sentence": self.verdict.sentence,
            "snapshots": {
                "train": describe(frame, prepared.split.train),
                "test": describe(frame, prepared.split.test),
                "left_out": {**prepared.snapshots.left_out, **prepared.split.left_out},
            },
            "test": _json_metrics(self.evaluation.test),
            "unseen_entities": _json_metrics(self.evaluation.unseen) if self.evaluation.unseen else None,
            "baselines": {name: _json_metrics(metrics) for name, metrics in self.evaluation.baselines.items()},
            "leakage": [finding.as_json() for finding in prepared.findings],
            "traits_not_used": prepared.typed.unused,
            "promotion": {"promoted": self.promotion.promoted, "reason": self.promotion.reason},
            "features": len(model.model.manifest.columns),
            "events_offered": prepared.offered.words,
            "set_aside": prepared.sources.events.by_reason(),
            "behaviours": self.importance.to_dict("records"),
            "seconds": self.seconds,
            "peak_memory_mb": _peak_memory_mb(),
            "files": {path.stem: str(path) for path in sorted(self.folder.iterdir())},
        }


def train(
    config: Config | str | Path,
    *,
    trials: int = DEFAULT_TRIALS,
    timeout: float | None = None,
    promote: Promote = "auto",
    listener: Listener | None = None,
) -> TrainResult:
    """Train, evaluate, register and, if it holds, promote a model.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.
    trials, timeout
        The tuning budget; with a timeout (seconds) the result depends on the machine's speed.
    promote
        `auto`: only what is better on later accounts. `never`, `force`.
    listener
        Told about progress.

    Raises
    ------
    ConfigError, DataError
        If the config or the data cannot be used; nothing has been logged or registered then.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> result = pql_model.train(folder / "pql.yaml", trials=2)
    >>> result.verdict.name in {"ready", "weak", "no_signal", "too_few_conversions"}
    True
    """
    config = config if isinstance(config, Config) else load_config(config)
    stages = Stages(listener)
    tracking = Tracking(config)
    champion, unreadable = _champion(tracking)

    with open_workbench() as con:
        data = prepare(con, config, stages, also=champion.model.manifest if champion else None)
    frame, train_rows, test_rows = data.snapshots.frame, data.split.train, data.split.test
    X = data.manifest.matrix(data.table)

    with stages("tune and fit"):
        seen = digest(frame[train_rows], X[train_rows], data.manifest.names, dump_config(config))
        journal = config.home / ".pql" / "tuning" / f"{seen}-{trials}.journal"
        fit = fit_model(
            frame[train_rows], X[train_rows], data.manifest, config.horizon, config.motion, config.seed,
            Budget(trials, timeout, journal),
            progress=lambda done, planned, best: stages.listener.share(done / planned, f"ROC-AUC {best:.3f} on folds"),
        )  # fmt: skip

    with stages("evaluate"):
        table, later = data.table[test_rows], frame[test_rows]
        probability = fit.calibration.apply(fit.ensemble.margin(X[test_rows]))
        rows = TestRows(
            frame=later,
            probability=probability,
            activity=table[ACTIVITY].to_numpy(),
            logistic=logistic_regression(X[train_rows], data.converted[train_rows], X[test_rows], data.manifest),
            train_rate=float(data.converted[train_rows].mean()),
            in_training=later["entity"].isin(frame["entity"][train_rows]).to_numpy(),
            meets_definition=meets(config.definition, table) if config.definition else None,
        )
        capacity = config.policy.capacity.leads if config.policy and config.policy.capacity else None
        evaluation = evaluate_test(rows, capacity, config.seed)
        verdict = judge(evaluation.test, int(data.converted[train_rows].sum()), int(data.converted[test_rows].sum()))
        importance = behaviour_shares(fit.ensemble.contributions(X[test_rows]), data.manifest)
        model = FittedModel(
            fit.ensemble, fit.calibration, data.manifest, reference_quantiles(probability),
            facts=_facts(config, data, verdict, make_rule(config.policy, later["converted"].to_numpy(float), probability)),
        )  # fmt: skip

    with stages("register"):
        if unreadable and promote == "auto":
            promotion = Promotion(False, f"not promoted: the champion cannot be compared with. {unreadable}")
        else:
            promotion = _compare(champion, model, table, later, verdict, promote, config.seed)
        draft = config.home / "runs" / f".{uuid.uuid4().hex}"
        try:
            files = write_run_files(draft, config, model, evaluation, verdict, promotion, data, rows, importance)
            record = Record(
                params={
                    **asdict(fit.tuned.params),
                    "trials": len(fit.tuned.trials),
                    "folds": fit.folds.kind,
                    "seed": config.seed,
                },
                trials=fit.tuned.trials,
                metrics=evaluation.test,
                numbers=_numbers(evaluation, data, fit),
                tags={
                    "verdict": verdict.name,
                    "promotion": promotion.reason,
                    "data_digest": seen,
                    "feature_set": data.manifest.hash,
                },
                files=files,
            )
            registered = tracking.log_training(model, record)
            folder = draft.rename(draft.with_name(registered.run_id))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        if promotion.promoted:
            tracking.promote(registered.version)
        journal.unlink(missing_ok=True)
    return TrainResult(registered, verdict, promotion, data, fit, evaluation, importance, stages.seconds, folder)


def _champion(tracking: Tracking) -> tuple[Registered | None, str | None]:
    """The champion, or why it cannot be read; that must not stop a training."""
    try:
        return tracking.find("champion"), None
    except DataError as error:
        return None, str(error)


def _compare(
    champion: Registered | None, challenger: FittedModel, table: pd.DataFrame, later: pd.DataFrame,
    verdict: Verdict, promote: Promote, seed: int,
) -> Promotion:  # fmt: skip
    """The gate, on the same later rows for both."""
    if champion is None or promote != "auto" or not verdict.usable:
        return gate(verdict, None, None, promote)
    asked = ("horizon", "motion", "entity")
    other = {key: champion.model.facts.get(key) for key in asked}
    if other != {key: challenger.facts[key] for key in asked}:
        return Promotion(False, f"not promoted: the champion answers another question ({other}); use `--promote force`")
    if champion.model.facts["labels_until"] > challenger.facts["test_start"]:
        return Promotion(
            False, "not promoted: the champion has learnt from part of this test period, so the two cannot be compared"
        )
    if lost := set(champion.model.manifest.names) - set(table.columns):
        return Promotion(
            False, f"not promoted: the champion's columns {sorted(lost)} are gone, so the two cannot be compared"
        )
    y, entities = later["converted"].to_numpy(float), later["entity"].to_numpy()
    ours, theirs = challenger.probability(table), champion.model.probability(table)
    difference = paired_difference(y, ours, theirs, entities, "roc_auc", seed=seed)
    errors = [
        evaluate(y, p, entities, names=["calibration_error"], resamples=1)["calibration_error"].value
        for p in (ours, theirs)
    ]
    return gate(verdict, difference, (errors[0], errors[1]), promote)


def _facts(config: Config, data: Prepared, verdict: Verdict, rule: Any) -> dict[str, Any]:
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
        "verdict": verdict.name,
        "rule": asdict(rule),
        "config": dump_config(config),
    }


def _numbers(evaluation: Evaluation, data: Prepared, fit: Fit) -> dict[str, float]:
    baselines = {
        f"{name}_{metric}": estimate.value
        for name, metrics in evaluation.baselines.items() for metric, estimate in metrics.items() if estimate.value == estimate.value
    }  # fmt: skip
    return {**baselines, "fold_roc_auc": fit.tuned.score, "features": float(len(data.manifest.columns))}


def _json_metrics(metrics: dict[str, Estimate]) -> dict[str, Any]:
    rounded = {
        name: {k: None if v is None else round(v, 6) for k, v in e.as_json().items()} for name, e in metrics.items()
    }
    return {name: values["value"] if name == "base_rate" else values for name, values in rounded.items()}


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


if __name__ == "__main__":
    from pql_model.cli.app import main

    main(["train", *sys.argv[1:]])
