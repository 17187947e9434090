"""The files of a training, which MLflow copies into its run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pql_model.config.load import dump_config
from pql_model.config.schema import Config
from pql_model.evaluation.evaluate import Evaluation, TestRows
from pql_model.evaluation.gate import Promotion
from pql_model.evaluation.model_card import model_card
from pql_model.evaluation.plots import plot_calibration, plot_importance, plot_months, plot_tradeoff
from pql_model.evaluation.univariate_rates import UnivariateRates
from pql_model.evaluation.verdict import Verdict
from pql_model.model.artifact import FittedModel
from pql_model.workflows.prepare import TrainingData

METRICS = "metrics.json"


def write_run_files(
    folder: Path,
    config: Config,
    model: FittedModel,
    evaluation: Evaluation,
    verdict: Verdict,
    promotion: Promotion,
    data: TrainingData,
    rows: TestRows,
    importance: pd.DataFrame,
    supported: UnivariateRates | None,
) -> None:
    """Write predictions, tables, plots and the model card into `folder`."""
    from pql_model.explain.shap_door import write_shap_plots  # takes seconds to import; an export needs only the names

    folder.mkdir(parents=True)
    predictions = pd.DataFrame(
        {
            "entity": rows.frame["entity"].to_numpy(),
            "as_of": pd.to_datetime(rows.frame["as_of"].to_numpy(np.int64), unit="us", utc=True),
            "converted": rows.frame["converted"].to_numpy(bool),
            "probability": rows.probability,
        }
    )
    predictions.to_parquet(folder / "test_predictions.parquet", index=False)
    evaluation.reliability.to_csv(folder / "reliability.csv", index=False)
    evaluation.calibration_over_time.months.to_csv(folder / "months.csv", index=False)
    _write_json(folder / METRICS, evaluation.to_dict())
    _write_json(folder / "expected_vs_observed.json", evaluation.calibration_over_time.to_dict())
    if supported is not None:
        _write_json(folder / "supported.json", supported.to_dict())
    importance.to_csv(folder / "behaviours.csv", index=False)
    (folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    _write_json(folder / "features.json", model.manifest.to_dict())
    _write_json(folder / "leakage.json", [finding.to_dict() for finding in data.findings])
    _write_json(folder / "promotion.json", promotion.to_dict())
    set_aside = data.sources.events.by_reason()
    card = model_card(model, evaluation, verdict, promotion, data.findings, importance, set_aside, supported)
    (folder / "model_card.md").write_text(card, encoding="utf-8")
    plot_calibration(evaluation.reliability, folder / "calibration.png")
    plot_months(evaluation.calibration_over_time.months, folder / "expected_observed.png")
    scores = {"model": rows.probability, "logistic regression": rows.logistic, "activity": rows.activity}
    plot_tradeoff(rows.frame["converted"].to_numpy(float), scores, folder / "tradeoff.png")
    plot_importance(importance, folder / "importance.png")
    write_shap_plots(folder, model.held_back, data.table[data.split.test], config.seed)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
