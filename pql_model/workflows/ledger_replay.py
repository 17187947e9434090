"""What the champion would have said where nothing was logged: its scores at the due snapshots since its training.

No score is of a model that has learnt from the outcome. From the end of the outcomes that the champion has learnt from, it
speaks itself. Before that, back to the start of its test period, the tested model speaks, which has not seen that period; in
a trial only of entities that signed up in it, as in the test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows
from pql_model.explain.reason_text import AGE
from pql_model.features.table import feature_table, has_value
from pql_model.ledger.build import day_spans
from pql_model.ledger.log import LOGGED, memory_table
from pql_model.model.artifact import FittedModel
from pql_model.progress import Stages
from pql_model.registry.tracking import RegisteredModel
from pql_model.snapshots.grid import calendar_grid, landmark_grid, requested_grid
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.read import Sources
from pql_model.time import DAY
from pql_model.workflows.prepare import features_of, trait_names

Table = Any

_ROWS_AT_ONCE = 50_000
_BEFORE, _AFTER = DAY, 7 * DAY
"""A logged run covers the due snapshots of the day before it and of the week after it: these are not replayed."""


def replay_scores(
    con: Connection,
    config: Config,
    sources: Sources,
    champion: RegisteredModel,
    runs: Iterable[int],
    until: int,
    stages: Stages,
) -> Table | None:
    """Compute as table `replayed_scores` what the champion would have said where no run was logged; None if nowhere.

    Parameters
    ----------
    champion
        The registered model in force.
    runs
        Instants of the logged runs of `pql score`.
    until
        The last instant to replay.
    """
    model = champion.model
    start, learnt_until = model.facts.get("test_start"), model.learnt_until
    if start is None or learnt_until is None:
        return None
    own_from = learnt_until if model.tested is not None else int(start)
    due = _due(con, config, sources, int(start), own_from, until, list(runs))
    if not row_count(due):
        return None
    decider = Decider.of_facts(model.facts)
    replayed = con.create_table("replayed_scores", schema=LOGGED, overwrite=True)
    spans = list(day_spans(due, _ROWS_AT_ONCE))
    for done, (first, end) in enumerate(spans, 1):
        part = due.filter((due.as_of >= first) & (due.as_of < end))
        features = [
            f for f in dict.fromkeys([*features_of(model.manifest), *decider.features, AGE]) if has_value(sources, f)
        ]
        table = feature_table(sources, part, features, trait_names(sources.traits))
        for speaking, place in ((model.held_back, table["as_of"] < own_from), (model, table["as_of"] >= own_from)):
            if place.any():
                con.insert("replayed_scores", _said(speaking, table[place.to_numpy()], decider, champion))
        stages.listener.share(done / len(spans))
    return replayed


def _due(
    con: Connection, config: Config, sources: Sources, start: int, own_from: int, until: int, runs: Sequence[int]
) -> Table:
    """The due snapshots at risk that no logged run covers, as table `due_snapshots`."""
    grid = landmark_grid(config, sources) if config.motion == "trial" else calendar_grid(config, sources)
    end = min(until, sources.observed_until if sources.events_until is None else sources.events_until)
    grid = grid.filter((grid.as_of >= start) & (grid.as_of <= end))
    if config.motion == "trial":
        grid = grid.filter((grid.as_of >= own_from) | (grid.signed_up >= start))
    for first, last in _covered(runs):
        grid = grid.filter((grid.as_of < first) | (grid.as_of >= last))
    requested = con.create_table("uncovered_snapshots", grid.select("entity", "as_of").distinct(), overwrite=True)
    judged = requested_grid(config, sources, requested)
    return con.create_table("due_snapshots", judged.filter(judged.reason.isnull()), overwrite=True)


def _covered(runs: Sequence[int]) -> list[tuple[int, int]]:
    """The spans of time that logged runs cover, apart from each other.

    >>> day = 86_400_000_000
    >>> [(first // day, last // day) for first, last in _covered([day * n for n in (10, 3, 40)])]
    [(2, 17), (39, 47)]
    """
    spans: list[tuple[int, int]] = []
    for run in sorted(runs):
        first, last = run - _BEFORE, run + _AFTER
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans


def _said(model: FittedModel, table: pd.DataFrame, decider: Decider, champion: RegisteredModel) -> Table:
    """Rows as the score log has them; each row is decided alone, so that nothing is newly qualified."""
    lacking = [name for name in model.manifest.names if name not in table.columns]
    table = table.reset_index(drop=True).assign(**dict.fromkeys(lacking, np.nan))
    rows = decided_rows(model, table, decider).rows
    rows = rows.assign(
        as_of=table["as_of"].to_numpy(np.int64),
        scored_at=table["as_of"].to_numpy(np.int64),
        source="replayed",
        model_name=champion.name,
        model_version=champion.version,
    )
    schema = LOGGED.to_pyarrow()
    columns = [
        pa.array(rows[f.name], f.type, from_pandas=True) if f.name in rows.columns else pa.nulls(len(rows), f.type)
        for f in schema
    ]
    return memory_table(pa.table(columns, schema=schema))
