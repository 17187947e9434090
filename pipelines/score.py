"""Score every account at risk with the champion, and write the rows.

python pipelines/score.py --config pql.yaml --output scores.parquet
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import AsOfOption, ConfigOption, JsonOption, ModelOption, ScoresOption, err, print_json
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script


def score(
    config: ConfigOption = Path("pql.yaml"),
    as_of: AsOfOption = None,
    output: ScoresOption = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Score everyone at risk and write one row per account, with reasons and with who is newly qualified."""
    with Bars(err) as bars:
        result = pql_model.score(config, as_of=as_of, output=output, model=model, listener=bars)
    payload = result.to_dict()
    if as_json:
        print_json(payload)
    else:
        print(
            f"{payload['rows']:,} rows as of {payload['as_of']}: {payload['pql']:,} PQLs, "
            f"{payload['newly_qualified']:,} newly qualified. Wrote {payload['output']}."
        )


if __name__ == "__main__":
    run_script(score)
