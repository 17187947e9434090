"""The record of a training in MLflow: names, descriptions, parameters, metrics and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.config.schema import Config
from pql_model.evaluation.evaluate import Evaluation
from pql_model.evaluation.gate import Promotion
from pql_model.evaluation.verdict import Verdict
from pql_model.model.split import describe
from pql_model.model.train import Fit
from pql_model.registry.tracking import Dataset, TrainingRecord
from pql_model.workflows.prepare import TrainingData


def training_record(
    files: Path,
    config: Config,
    data: TrainingData,
    fit: Fit,
    evaluation: Evaluation,
    verdict: Verdict,
    promotion: Promotion,
    digest: str,
    refit: Mapping[str, Any] | None = None,
) -> TrainingRecord:
    """Describe a training for MLflow.

    Parameters
    ----------
    files : pathlib.Path
        The folder whose files the run keeps.
    digest : str
        Of the training rows, their outcomes and the config.
    refit : mapping, optional
        The rows that the served model was refitted on, and its level.
    """
    frame, split = data.snapshots.frame, data.split
    train, test = describe(frame, split.train), describe(frame, split.test)
    rows = data.table[["entity", "as_of", *data.manifest.names]].assign(converted=data.converted)
    source = str(config.home)
    auc = evaluation.test["roc_auc"]
    return TrainingRecord(
        run_name=f"{verdict.name} {auc.value:.2f}, {time.to_datetime(time.now()):%Y-%m-%d %H:%M}",
        description=verdict.sentence,
        params={
            "model": {
                **fit.tuned.params,
                "learner": fit.tuned.learner.name,
                "settings": json.dumps(dict(fit.tuned.learner.params)),
            },
            "tuning": {
                "trials": len(fit.tuned.trials),
                "folds": fit.folds.kind,
                "seed": config.seed,
            },
            "data": {
                "train": f"{train['from']} to {train['to']}",
                "test": f"{test['from']} to {test['to']}",
                **({"refit": f"{refit['from']} to {refit['to']}"} if refit else {}),
            },
        },
        metrics={
            "auc": {"test": auc.value},  # MLflow draws groups by name: this chart comes first
            "test": evaluation.test,
            "fold": {"roc_auc": fit.tuned.score},
            **{f"baseline {name}": metrics for name, metrics in evaluation.baselines.items()},
            "data": {
                "features": len(data.manifest.columns),
                "train_rows": int(split.train.sum()),
                "train_conversions": int(data.converted[split.train].sum()),
                "test_rows": int(split.test.sum()),
                "test_conversions": int(data.converted[split.test].sum()),
                **({"refit_rows": refit["rows"], "refit_conversions": refit["conversions"]} if refit else {}),
            },
            **(
                {"level": {name: refit["level"][name] for name in ("expected", "observed", "relative_error")}}
                if refit
                else {}
            ),
        },
        trials=fit.tuned.trials,
        tags={"verdict": verdict.name, "gate": gate_tag(promotion), "features": data.manifest.hash},
        files=files,
        datasets={
            "training": Dataset(rows[split.train], source, digest),
            "testing": Dataset(rows[split.test], source, digest),
        },
    )


def gate_tag(promotion: Promotion) -> str:
    """Return the decision in a word or two: `passed`, `failed`, `forced` or `switched off`.

    The whole reason is in `promotion.json` and in the tag `promotion` of the version.
    """
    if promotion.mode == "auto":
        return "passed" if promotion.promoted else "failed"
    return "forced" if promotion.forced else "switched off"
