"""Train a model on the data of `pql.yaml` and promote it if it is better than the champion.

python pipelines/train.py --config pql.yaml --trials 30
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import (
    ConfigOption,
    JsonOption,
    PromoteOption,
    RefitOption,
    TimeoutOption,
    TrialsOption,
    err,
    print_json,
)
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script


def train(
    config: ConfigOption = Path("pql.yaml"),
    trials: TrialsOption = 30,
    timeout: TimeoutOption = None,
    promote: PromoteOption = "auto",
    refit: RefitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model, test it on later accounts, register it in MLflow, and promote it if it is better.

    A model that is not better stays in the registry as the challenger: the exit code is still 0.
    """
    with Bars(err) as bars:
        result = pql_model.train(config, trials=trials, timeout=timeout, promote=promote, refit=refit, listener=bars)
    if as_json:
        print_json(result.to_dict())
    else:
        model = result.registered
        print(f"{model.name} version {model.version}: {result.verdict.sentence} {result.promotion.reason}")


if __name__ == "__main__":
    run_script(train)
