"""Run once a day: score every account at risk with the champion, sync what is new, and write the list of leads.

python pipelines/daily.py --config pql.yaml
"""

from __future__ import annotations

from pathlib import Path

import pql_model
from pql_model.cli.common import (
    AsOfOption,
    ConfigOption,
    JsonOption,
    LeadsOption,
    ScoresOption,
    SendOption,
    err,
    print_json,
)
from pql_model.cli.progress import Bars
from pql_model.cli.run import run_script, stop


def daily(
    config: ConfigOption = Path("pql.yaml"),
    as_of: AsOfOption = None,
    output: ScoresOption = None,
    send: SendOption = False,
    leads: LeadsOption = True,
    as_json: JsonOption = False,
) -> None:
    """Score everyone at risk with the champion and write the rows, with who is newly qualified since the last run.

    With targets under `sync:`, what is new is then sent with `--send`, or counted without it. `leads.html` beside the config
    becomes the list of this run; it holds names, so keep it inside the company, or leave it out with `--no-leads`.

    Schedule it after the night's data have been loaded. It is safe to repeat: the same data as of the same day give the
    same rows, and what was sent is not sent again.
    """
    with Bars(err) as bars:
        scores = pql_model.score(config, as_of=as_of, output=output, listener=bars).to_dict()
        has_targets = bool(pql_model.load_config(config).sync)
        synced = pql_model.sync(config, send=send, preview=0, listener=bars) if has_targets else None
        page = (
            pql_model.write_leads(config, scores=scores["output"], as_of=as_of, listener=bars).to_dict()
            if leads
            else None
        )
    if as_json:
        print_json({"score": scores, "sync": synced.to_dict() if synced is not None else None, "leads": page})
    else:
        print(
            f"{scores['rows']:,} rows as of {scores['as_of']}: {scores['pql']:,} PQLs, "
            f"{scores['newly_qualified']:,} newly qualified. Wrote {scores['output']}."
        )
        for target in synced.to_dict()["targets"] if synced is not None else []:
            print(f"{target['name']}: {target['sent']:,} of {target['rows']:,} sent to {target['output']}.")
        if page is not None:
            print(f"{page['words']}. Wrote {page['output']}.")
    if synced is not None and synced.error is not None:
        stop(synced.error)


if __name__ == "__main__":
    run_script(daily)
