"""Check the data of `pql.yaml` before anything is trained on them.

python pipelines/check.py --config pql.yaml
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, err, print_json
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script, stop


def check(config: ConfigOption = Path("pql.yaml"), as_json: JsonOption = False) -> None:
    """Count usable rows, rows that are set aside, and columns that leak the outcome. Trains nothing.

    The exit code is 2 if nothing can be trained: too few conversions, or too short a history. A schedule can run this
    first and train only after exit code 0.
    """
    with Bars(err) as bars:
        result = pql_model.check(config, listener=bars)
    payload = result.to_dict()
    if as_json:
        print_json(payload)
    else:
        print(
            f"{payload['events']:,} events, {payload['entities']:,} entities, {payload['conversions']:,} conversions; "
            f"{sum(payload['set_aside'].values()):,} events set aside; {len(payload['leakage'])} findings of leakage."
        )
    if result.error is not None:
        stop(result.error)


if __name__ == "__main__":
    run_script(check)
