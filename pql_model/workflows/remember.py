"""Remember the decisions of a scoring run and queue its leads for `pql sync`, as one step for whoever is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pandas as pd

from pql_model.activate.outbox import Run, open_outbox
from pql_model.config.schema import Config
from pql_model.decide.rows import json_row
from pql_model.decide.state import RunState
from pql_model.decide.state_file import state_path, write_runs

_AT_ONCE = 5_000


def remember_run(
    config: Config, before: Sequence[RunState], after: Sequence[RunState], run: Run, rows: pd.DataFrame
) -> None:
    """Remember decisions and queue the newly qualified rows: both or neither, even if killed in between.

    Parameters
    ----------
    before, after
        What was remembered until now, and what is from now on.
    rows
        Scored rows of the run.

    Raises
    ------
    DataError
        If the outbox cannot be written; the decisions are not remembered then, and the next run makes them again.
    """
    # also without targets under `sync:`: one that is added later starts with the leads of the newest run
    with open_outbox(config.home, config.name) as outbox:
        outbox.settle(before)  # leads of a run that was killed
        outbox.stage(run, _new_leads(rows))
        write_runs(state_path(config.home, config.name), after)
        outbox.settle(after)


def _new_leads(rows: pd.DataFrame) -> Iterator[tuple[str, float, str]]:
    """Yield the newly qualified rows as `pql sync` sends them: entity, probability and JSON text."""
    new = rows[rows["newly_qualified"].astype(bool)]
    for start in range(0, len(new), _AT_ONCE):  # as dicts, many rows at once would take a lot of memory
        for row in new[start : start + _AT_ONCE].to_dict("records"):
            yield str(row["entity"]), float(row["probability"]), json.dumps(json_row(row), ensure_ascii=False)
