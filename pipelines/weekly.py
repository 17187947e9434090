"""Run once a week: monitor, refit or retrain when advised, promote what is better, and write the growth report.

python pipelines/weekly.py --config pql.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pql_model
from pql_model.cli.common import (
    AlwaysOption,
    ConfigOption,
    FailOnOption,
    JsonOption,
    ReportOption,
    TimeoutOption,
    TrialsOption,
    err,
    print_json,
)
from pql_model.cli.progress import Bars
from pql_model.cli.run import exit_if_found, run_script


def weekly(
    config: ConfigOption = Path("pql.yaml"),
    trials: TrialsOption = 30,
    timeout: TimeoutOption = None,
    always: AlwaysOption = False,
    output: ReportOption = None,
    fail_on: FailOnOption = "never",
    as_json: JsonOption = False,
) -> None:
    """Monitor; refit where the level is off, retrain where the ranking fell; promote only what is better; write both pages.

    The first run of a product trains its first model. Nothing is trained on broken data, nor again on outcomes that the newest
    version has learnt from: a run that is repeated, missed or killed does no harm. A model that is not better stays in the
    registry as the challenger. The report is the one to share, as schedulers keep and copy what a run writes. The exit code is 3 if the monitor finds what `--fail-on` names.
    """
    with Bars(err) as bars:
        has_model = any("champion" in version.aliases for version in pql_model.models(config).versions)
        seen = pql_model.monitor(config, listener=bars) if has_model else None
        todo = seen.training if seen is not None else "retrain"
        if always and todo is None:
            todo = "retrain"
        trained = None
        if todo is not None:
            refit = todo == "recalibrate"
            trained = pql_model.train(config, trials=trials, timeout=timeout, refit=refit, listener=bars)
        bars.stage("report")
        report = pql_model.write_report(config, output=output, explorer="counts").to_dict()
    if as_json:
        looked = seen.to_dict() if seen is not None else None
        print_json({"monitor": looked, "train": trained.to_dict() if trained is not None else None, "report": report})
    else:
        print(one_line(seen, trained, report))
    if seen is not None:
        exit_if_found(seen.severity, fail_on)


def one_line(seen: Any, trained: Any, report: dict[str, Any]) -> str:
    """What was found, what was done, and which model is in force."""
    found = f"{seen.advice.headline} {seen.advice.why[0]}" if seen is not None else "There was no model yet."
    done = "Nothing was trained."
    if trained is not None:
        done = f"Trained version {trained.registered.version}: {trained.verdict.name}, {trained.promotion.reason}."
    model = report["model"]
    return f"{found} {done} {model['name']} version {model['version']} is in force. Report: {report['output']}"


if __name__ == "__main__":
    run_script(weekly)
