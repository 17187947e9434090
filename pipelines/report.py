"""Write the growth report of the champion: one HTML file that loads nothing and holds no names.

python pipelines/report.py --config pql.yaml --output growth_report.html
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import AnyModelOption, ConfigOption, ExplorerOption, JsonOption, ReportOption, print_json
from pql_model.cli.run import run_script


def report(
    config: ConfigOption = Path("pql.yaml"),
    output: ReportOption = None,
    model: AnyModelOption = None,
    explorer: ExplorerOption = "rows",
    as_json: JsonOption = False,
) -> None:
    """Write the growth report: which behaviours go with paying, which rule to use, and how certain that is."""
    payload = pql_model.write_report(config, output=output, model=model, explorer=explorer).to_dict()
    if as_json:
        print_json(payload)
    else:
        print(f"Report of {payload['model']['name']} version {payload['model']['version']}. Wrote {payload['output']}.")


if __name__ == "__main__":
    run_script(report)
