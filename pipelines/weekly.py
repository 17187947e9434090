"""Run once a week: retrain, promote the new model if it is better, and write the growth report.

python pipelines/weekly.py --config pql.yaml
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, ReportOption, TimeoutOption, TrialsOption, err, print_json
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script


def weekly(
    config: ConfigOption = Path("pql.yaml"),
    trials: TrialsOption = 30,
    timeout: TimeoutOption = None,
    output: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retrain, promote the new model only if it is better on later accounts, and write the report of the champion.

    A model that is not better stays in the registry as the challenger: the exit code is still 0, and the report
    is still that of the champion (or of the newest version, where no model has been promoted yet).
    """
    with Bars(err) as bars:
        trained = pql_model.train(config, trials=trials, timeout=timeout, promote="auto", listener=bars)
        bars.stage("report")
        report = pql_model.write_report(config, output=output).to_dict()
    if as_json:
        print_json({"train": trained.to_dict(), "report": report})
    else:
        model = trained.registered
        print(f"{model.name} version {model.version}: {trained.verdict.sentence} {trained.promotion.reason}")
        print(f"Report of {report['model']['name']} version {report['model']['version']}. Wrote {report['output']}.")


if __name__ == "__main__":
    run_script(weekly)
