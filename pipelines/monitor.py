"""Look at past scores, the data and the model, and say whether anything must be done.

python pipelines/monitor.py --config pql.yaml --fail-on act
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import (
    ConfigOption,
    FailOnOption,
    JsonOption,
    MonitorAsOfOption,
    MonitorPageOption,
    err,
    print_json,
)
from pql_model.cli.progress import Bars
from pql_model.cli.run import exit_if_found, run_script


def monitor(
    config: ConfigOption = Path("pql.yaml"),
    as_of: MonitorAsOfOption = None,
    output: MonitorPageOption = None,
    fail_on: FailOnOption = "never",
    as_json: JsonOption = False,
) -> None:
    """Say whether the scores came true, the data are healthy and the model still fits, and what to do.

    It changes nothing. The exit code is 3 if it finds what `--fail-on` names: a schedule can then call a person.
    """
    with Bars(err) as bars:
        result = pql_model.monitor(config, as_of=as_of, output=output, listener=bars)
    payload = result.to_dict()
    if as_json:
        print_json(payload)
    else:
        print(f"{payload['words']} {' '.join(payload['why'])} Wrote {payload['output']}.")
    exit_if_found(result.severity, fail_on)


if __name__ == "__main__":
    run_script(monitor)
