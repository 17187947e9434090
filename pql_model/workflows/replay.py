"""Replay past scores: recompute rows of the score log from their logged inputs and from today's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pql_model import time
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.features.table import feature_table, has_value
from pql_model.model.artifact import FittedModel
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Tracking
from pql_model.score_log.log_schema import LogRow, inputs_digest, log_rows
from pql_model.score_log.row_replay import InputChange, ReplayedRow, differing_parts, input_changes
from pql_model.score_log.store import RowSelection, read_scores
from pql_model.snapshots.grid import requested_grid
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.workflows.prepare import features_of, trait_names

RESULTS = {
    "same": "reproduced exactly",
    "inputs_changed": "the data for that instant have changed since",
    "not_in_data": "today's data would not score the entity at that instant",
    "model_changed": "the model gives a different result for the same inputs",
    "no_model": "the model that scored the row is not available",
    "altered": "the log was changed: inputs and digest do not match",
}
"""Results of replaying a row. If several apply, the last one counts."""
_NOT_AT_RISK = {
    "excluded": "excluded by `exclude:` in the config",
    "converted": "it had converted before",
    "not_signed_up_yet": "it had not signed up yet",
    "too_young": "it was younger than any age the model covers",
    "too_old": "it was older than any age the model covers",
    "inactive": "it had no event in the days before",
}
_EXAMPLES_PER_RESULT = 5
_Key = tuple[str, int]


@dataclass(frozen=True)
class ReplayResult:
    """The selected rows with their results.

    Attributes
    ----------
    rows_in_log
        Number of rows that match the selection.
    """

    log: str
    rows_in_log: int
    rows: tuple[ReplayedRow, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        return all(row.result == "same" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql replay --json` prints."""
        counts = Counter(row.result for row in self.rows)
        logged = [row.row for row in self.rows]
        return {
            "log": self.log,
            "rows_in_log": self.rows_in_log,
            "rows": len(logged),
            "same": self.same,
            "results": {result: counts[result] for result in RESULTS},
            "without_as_of": sum(row.as_of is None for row in logged),
            "sources": dict(Counter(row.source for row in logged)),
            "model_versions": dict(Counter(row.model_version for row in logged)),
            "examples": [row.to_dict() for row in self._examples()],
            "seconds": self.seconds,
        }

    def _examples(self) -> Iterator[ReplayedRow]:
        """The first rows of each result but `same`."""
        for result in RESULTS:
            if result != "same":
                yield from [row for row in self.rows if row.result == result][:_EXAMPLES_PER_RESULT]


def replay(
    config: Config | str | Path,
    log: str | Path | None = None,
    *,
    entity: str | None = None,
    since: InstantLike | None = None,
    until: InstantLike | None = None,
    rows: int = 1000,
    listener: Listener | None = None,
) -> ReplayResult:
    """Recompute past scores and report which ones are reproduced.

    Each score is recomputed from its logged inputs with the logged version of the model. Then the inputs are recomputed
    from today's data as of the logged instant.

    Parameters
    ----------
    log
        A folder of the score log, or one of its files; default: `score_log` of the config.
    entity
        Replay rows of this entity only.
    since, until
        Replay rows scored at or after `since` and before `until`, dates or times.
    rows
        Maximum number of rows, spread evenly over all that match.

    Raises
    ------
    DataError
        If there is no log, a file of it cannot be read, or `since` or `until` is not a time.
    NotEnoughDataError
        If no row of the log matches.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> config = folder / "pql.yaml"
    >>> _ = pql_model.train(config, trials=2)
    >>> _ = pql_model.score(config, as_of="2025-11-20")
    >>> pql_model.replay(config).same
    True
    """
    config = config if isinstance(config, Config) else load_config(config)
    first, last = read_optional_instant(since, "since"), read_optional_instant(until, "until")
    stages = Stages(listener)
    with stages("read log"):
        location, table, in_log = read_scores(config, log, RowSelection(entity, first, last, rows))
        logged = list(log_rows(table))
        if not logged:
            raise NotEnoughDataError(
                "No row of the score log matches", received=location, remedy="relax the conditions, or score first"
            )
    with stages("model"):
        models = _ModelCache(config)
        results = _replay_with_models(logged, models)
    with stages("data"), open_session() as con:
        remaining = [k for k, row in enumerate(logged) if k not in results and row.as_of is not None]
        replayed = _replay_with_data(con, config, [logged[k] for k in remaining], models, stages)
        results |= dict(zip(remaining, replayed, strict=True))
    every = tuple(results.get(k, ReplayedRow(row, "same")) for k, row in enumerate(logged))
    return ReplayResult(location, in_log, every, stages.seconds)


# ---------------------------------------------------------------- from the logged inputs


class _ModelCache:
    """The logged versions of the model, each loaded once; aliases are never resolved, since they may have moved."""

    def __init__(self, config: Config) -> None:
        self._name, self._tracking = config.name, Tracking(config)
        self._loaded: dict[str, FittedModel | str] = {}

    def get(self, row: LogRow) -> FittedModel | str:
        """Load the model that scored a row, or say why it is not available."""
        if row.model_name != self._name:
            return f"scored by the model `{row.model_name}`, but the config is for `{self._name}`"
        if row.model_version not in self._loaded:
            self._loaded[row.model_version] = self._load(row.model_version)
        model = self._loaded[row.model_version]
        if isinstance(model, FittedModel) and model.manifest.hash != row.feature_set:
            return f"version {row.model_version} in the registry reads other columns than the model that scored the row"
        return model

    def _load(self, version: str) -> FittedModel | str:
        try:
            registered = self._tracking.load_if_registered(version) if version.isdigit() else None
        except DataError as error:
            return error.what
        return registered.model if registered is not None else f"the registry has no version {version}"


def _replay_with_models(rows: Sequence[LogRow], models: _ModelCache) -> dict[int, ReplayedRow]:
    """Position -> result, of rows that their own inputs do not reproduce."""
    results: dict[int, ReplayedRow] = {}
    positions: dict[str, list[int]] = {}
    for k, row in enumerate(rows):
        model = models.get(row)
        if inputs_digest(row.feature_set, row.inputs) != row.inputs_digest:
            results[k] = ReplayedRow(row, "altered", RESULTS["altered"])
        elif isinstance(model, str):
            results[k] = ReplayedRow(row, "no_model", model)
        else:
            positions.setdefault(row.model_version, []).append(k)
    for of_version in positions.values():
        model = models.get(rows[of_version[0]])
        if isinstance(model, FittedModel):
            for k, parts in zip(of_version, differing_parts([rows[k] for k in of_version], model), strict=True):
                if parts:
                    text = f"different {', '.join(parts)} from the same inputs"
                    results[k] = ReplayedRow(rows[k], "model_changed", text)
    return results


# ---------------------------------------------------------------- from today's data


def _replay_with_data(
    con: Connection, config: Config, rows: Sequence[LogRow], models: _ModelCache, stages: Stages
) -> list[ReplayedRow]:
    """Compare the inputs of each row with those of today's data at its instant."""
    if not rows:
        return []
    sources = read_sources(con, config)
    fitted_models = {row.model_version: model for row in rows if isinstance(model := models.get(row), FittedModel)}
    reasons, table = _features_now(con, config, sources, rows, list(fitted_models.values()), stages)
    position = {key: k for k, key in enumerate(zip(table["entity"], table["as_of"].tolist(), strict=True))}
    matrices = {v: m.manifest.matrix(table.reindex(columns=m.manifest.names)) for v, m in fitted_models.items()}
    replayed = []
    for row in rows:
        key, model = _key(row), fitted_models[row.model_version]
        if key in position:
            changes = input_changes(row.inputs, matrices[row.model_version][position[key]], model.manifest)
            replayed.append(_with_changes(row, changes, sources.observed_until))
        else:
            absent = f"{config.entities.table} has no such entity"
            text = _NOT_AT_RISK[str(reasons[key])] if key in reasons else absent
            replayed.append(ReplayedRow(row, "not_in_data", text))
    return replayed


def _with_changes(row: LogRow, changes: tuple[InputChange, ...], observed_until: int) -> ReplayedRow:
    if not changes:
        return ReplayedRow(row, "same")
    if row.as_of is not None and row.as_of > observed_until:
        return ReplayedRow(row, "not_in_data", f"the data end before, at {time.iso(observed_until)}", changes)
    suffix = f"; {len(changes) - 1} more" if len(changes) > 1 else ""
    return ReplayedRow(row, "inputs_changed", changes[0].sentence + suffix, changes)


def _features_now(
    con: Connection,
    config: Config,
    sources: Sources,
    rows: Sequence[LogRow],
    models: Sequence[FittedModel],
    stages: Stages,
) -> tuple[Mapping[_Key, str | None], pd.DataFrame]:
    """Why each entity would not be scored at its instant (None if it would), and the features of the others."""
    keys = sorted({_key(row) for row in rows})
    instants = pa.table(
        {"entity": pa.array([e for e, _ in keys], pa.string()), "as_of": pa.array([t for _, t in keys], pa.int64())}
    )
    grid = con.create_table("replayed_grid", requested_grid(config, sources, con.create_table("replayed", instants)))
    reasons = {(row["entity"], row["as_of"]): row["reason"] for row in grid.to_pyarrow().to_pylist()}
    features = dict.fromkeys(f for model in models for f in features_of(model.manifest) if has_value(sources, f))
    traits = trait_names(sources.traits)
    at_risk = grid.filter(grid.reason.isnull())
    return reasons, feature_table(sources, at_risk, list(features), traits, stages.listener.share)


def _key(row: LogRow) -> _Key:
    return row.entity.strip(), int(row.as_of or 0)
