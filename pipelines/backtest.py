"""Backtest the model: retrain it at past cut-offs and score what came after each.

python pipelines/backtest.py --config pql.yaml --every 30d
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import (
    ConfigOption,
    CutoffsOption,
    EveryOption,
    FoldTrialsOption,
    JsonOption,
    err,
    print_json,
)
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script


def backtest(
    config: ConfigOption = Path("pql.yaml"),
    cutoffs: CutoffsOption = None,
    every: EveryOption = None,
    trials: FoldTrialsOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Measure what the model would have been worth, had it been retrained at past cut-offs.

    Give either `--cutoffs` or `--every`. Re-running the same command resumes an interrupted run.
    """
    with Bars(err) as bars:
        result = pql_model.backtest(config, cutoffs=cutoffs, every=every, trials=trials, listener=bars)
    if as_json:
        print_json(result.to_dict())
    else:
        auc = result.pooled.model["roc_auc"]
        print(
            f"{len(result.folds)} cut-offs, {len(result.predictions):,} rows: ROC-AUC {auc.value:.3f}, "
            f"95 % interval {auc.low:.3f} to {auc.high:.3f}. Files in {result.folder}."
        )


if __name__ == "__main__":
    run_script(backtest)
