"""Run once a day: score every account at risk with the champion.

python pipelines/daily.py --config pql.yaml
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import AsOfOption, ConfigOption, JsonOption, ScoresOption, err, print_json
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script


def daily(
    config: ConfigOption = Path("pql.yaml"),
    as_of: AsOfOption = None,
    output: ScoresOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score everyone at risk with the champion and write the rows, with who is newly qualified since the last run.

    Schedule it after the night's data have been loaded. It is safe to repeat: the same data as of the same day give the
    same rows.
    """
    with Bars(err) as bars:
        scores = pql_model.score(config, as_of=as_of, output=output, listener=bars).to_dict()
    if as_json:
        print_json({"score": scores})
    else:
        print(
            f"{scores['rows']:,} rows as of {scores['as_of']}: {scores['pql']:,} PQLs, "
            f"{scores['newly_qualified']:,} newly qualified. Wrote {scores['output']}."
        )


if __name__ == "__main__":
    run_script(daily)
