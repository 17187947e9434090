"""Do past scores still come out? Rows of the score log, recomputed from what was logged and from the data of today."""

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
from pql_model.score_log.recompute import Change, changes, differing
from pql_model.score_log.schema import LogRow, inputs_digest, log_rows
from pql_model.score_log.selection import Wanted
from pql_model.score_log.store import read_scores
from pql_model.snapshots.grid import requested_grid
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.workflows.prepare import features_of, trait_names

RESULTS = {
    "same": "come out as they were",
    "inputs_changed": "the data say something else about that instant now",
    "not_in_data": "by the data of today it would not be scored then",
    "model_changed": "the model gives another number for the same inputs",
    "no_model": "the model that scored it is gone",
    "altered": "the log itself was changed: inputs and digest differ",
}
"""What can come of a row; of several the one that stands lowest."""
_WHY = {
    "excluded": "it is excluded by `exclude:` in the config",
    "converted": "it had converted before",
    "not_signed_up_yet": "it had not signed up yet",
    "too_young": "it is younger then than any age the model speaks of",
    "too_old": "it is older then than any age the model speaks of",
    "inactive": "it had no event in the days before",
}
_SHOWN = 5
_Key = tuple[str, int]


@dataclass(frozen=True)
class Outcome:
    """What came of one row of the log.

    Attributes
    ----------
    result
        One of `RESULTS`.
    words
        What exactly, where it is not `same`.
    changes
        The columns that the data of today fill otherwise.
    """

    row: LogRow
    result: str
    text: str = ""
    changes: tuple[Change, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        row = self.row
        return {
            "entity": row.entity,
            "as_of": None if row.as_of is None else time.iso(row.as_of),
            "scored_at": time.iso(row.scored_at),
            "source": row.source,
            "model_version": row.model_version,
            "probability": row.probability,
            "result": self.result,
            "words": self.text,
            "changes": [change.to_dict() for change in self.changes],
        }


@dataclass(frozen=True)
class Replayed:
    """What came of the chosen rows.

    Attributes
    ----------
    rows_in_log
        How many rows there are to choose from.
    """

    log: str
    rows_in_log: int
    outcomes: tuple[Outcome, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        return all(outcome.result == "same" for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql replay --json` prints."""
        counts = Counter(outcome.result for outcome in self.outcomes)
        rows = [outcome.row for outcome in self.outcomes]
        return {
            "log": self.log,
            "rows_in_log": self.rows_in_log,
            "rows": len(rows),
            "same": self.same,
            "results": {result: counts[result] for result in RESULTS},
            "without_as_of": sum(row.as_of is None for row in rows),
            "sources": dict(Counter(row.source for row in rows)),
            "model_versions": dict(Counter(row.model_version for row in rows)),
            "examples": [outcome.to_dict() for outcome in self._examples()],
            "seconds": self.seconds,
        }

    def _examples(self) -> Iterator[Outcome]:
        """The first of each result that is not `same`."""
        for result in RESULTS:
            if result != "same":
                yield from [outcome for outcome in self.outcomes if outcome.result == result][:_SHOWN]


def replay(
    config: Config | str | Path,
    log: str | Path | None = None,
    *,
    entity: str | None = None,
    since: InstantLike | None = None,
    until: InstantLike | None = None,
    rows: int = 1000,
    listener: Listener | None = None,
) -> Replayed:
    r"""Recompute past scores and say of each whether it still comes out.

    First from the logged inputs, by the version of the model that is logged beside them; then the inputs themselves
    from the data of today, as of the logged instant.

    Parameters
    ----------
    log
        A folder of the score log, or one of its files; default: `score_log` of the config.
    entity
        Only its rows.
    since, until
        Only what was scored from this date or time on, and before that one.
    rows
        At most so many, spread over all of them.

    Raises
    ------
    DataError
        If there is no log, a file of it cannot be read, or `since` or `until` is no time.
    NotEnoughDataError
        If no row of the log is meant.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> config = folder / "pql.yaml"
    >>> _ = pql_model.train(config, trials=2)
    >>> _ = config.write_text(config.read_text() + "score_log: score_log/\n")
    >>> _ = pql_model.score(config, as_of="2025-11-20")
    >>> pql_model.replay(config).same
    True
    """
    config = config if isinstance(config, Config) else load_config(config)
    first, last = read_optional_instant(since, "since"), read_optional_instant(until, "until")
    stages = Stages(listener)
    with stages("read log"):
        where, table, in_log = read_scores(config, log, Wanted(entity, first, last, rows))
        chosen = list(log_rows(table))
        if not chosen:
            raise NotEnoughDataError(
                "The score log has no such rows", received=where, remedy="ask for fewer conditions, or score first"
            )
    with stages("model"):
        models = _Models(config)
        found = _by_the_model(chosen, models)
    with stages("data"), open_session() as con:
        open_ = [k for k, row in enumerate(chosen) if k not in found and row.as_of is not None]
        found |= dict(zip(open_, _by_the_data(con, config, [chosen[k] for k in open_], models, stages), strict=True))
    outcomes = tuple(found.get(k, Outcome(row, "same")) for k, row in enumerate(chosen))
    return Replayed(where, in_log, outcomes, stages.seconds)


# ---------------------------------------------------------------- from what was logged


class _Models:
    """Registered versions, each loaded once: those that are logged, never the one that an alias points to today."""

    def __init__(self, config: Config) -> None:
        self._name, self._tracking = config.name, Tracking(config)
        self._loaded: dict[str, FittedModel | str] = {}

    def of(self, row: LogRow) -> FittedModel | str:
        """The model that scored a row, or why there is none."""
        if row.model_name != self._name:
            return f"it was scored by the model `{row.model_name}`, and this config is of `{self._name}`"
        if row.model_version not in self._loaded:
            self._loaded[row.model_version] = self._load(row.model_version)
        model = self._loaded[row.model_version]
        if isinstance(model, FittedModel) and model.manifest.hash != row.feature_set:
            return f"version {row.model_version} of the registry reads other columns than the model that scored it"
        return model

    def _load(self, version: str) -> FittedModel | str:
        try:
            found = self._tracking.find(version) if version.isdigit() else None  # `champion` is no version
        except DataError as error:
            return error.what
        return found.model if found is not None else f"the registry has no version {version}"


def _by_the_model(rows: Sequence[LogRow], models: _Models) -> dict[int, Outcome]:
    """The rows that do not come out of their own inputs, by their place."""
    found: dict[int, Outcome] = {}
    places: dict[str, list[int]] = {}
    for k, row in enumerate(rows):
        model = models.of(row)
        if inputs_digest(row.feature_set, row.inputs) != row.inputs_digest:
            found[k] = Outcome(row, "altered", RESULTS["altered"])
        elif isinstance(model, str):
            found[k] = Outcome(row, "no_model", model)
        else:
            places.setdefault(row.model_version, []).append(k)
    for own in places.values():
        model = models.of(rows[own[0]])
        if isinstance(model, FittedModel):
            for k, parts in zip(own, differing([rows[k] for k in own], model), strict=True):
                if parts:
                    found[k] = Outcome(rows[k], "model_changed", f"another {', '.join(parts)} from the same inputs")
    return found


# ---------------------------------------------------------------- from the data of today


def _by_the_data(
    con: Connection, config: Config, rows: Sequence[LogRow], models: _Models, stages: Stages
) -> list[Outcome]:
    """Each row beside what the data say today of its entity at its instant."""
    if not rows:
        return []
    sources = read_sources(con, config)
    fitted = {row.model_version: model for row in rows if isinstance(model := models.of(row), FittedModel)}
    reasons, table = _today(con, config, sources, rows, list(fitted.values()), stages)
    place = {key: k for k, key in enumerate(zip(table["entity"], table["as_of"].tolist(), strict=True))}
    matrices = {v: m.manifest.matrix(table.reindex(columns=m.manifest.names)) for v, m in fitted.items()}
    outcomes = []
    for row in rows:
        key, model = _key(row), fitted[row.model_version]
        if key not in place:
            why = _WHY[str(reasons[key])] if key in reasons else f"no entity of {config.entities.table} is called so"
            outcomes.append(Outcome(row, "not_in_data", why))
            continue
        found = changes(row.inputs, matrices[row.model_version][place[key]], model.manifest)
        outcomes.append(_compared(row, found, sources.observed_until))
    return outcomes


def _compared(row: LogRow, found: tuple[Change, ...], observed_until: int) -> Outcome:
    if not found:
        return Outcome(row, "same")
    if row.as_of is not None and row.as_of > observed_until:
        return Outcome(row, "not_in_data", f"the data end before, at {time.iso(observed_until)}", found)
    first, more = found[0], len(found) - 1
    return Outcome(row, "inputs_changed", first.payload + (f"; {more} more" if more else ""), found)


def _today(
    con: Connection,
    config: Config,
    sources: Sources,
    rows: Sequence[LogRow],
    models: Sequence[FittedModel],
    stages: Stages,
) -> tuple[Mapping[_Key, str | None], pd.DataFrame]:
    """Why each entity would not be scored at its instant (None: it would), and the features of those that would."""
    keys = sorted({_key(row) for row in rows})
    asked = pa.table(
        {"entity": pa.array([e for e, _ in keys], pa.string()), "as_of": pa.array([t for _, t in keys], pa.int64())}
    )
    grid = con.create_table("replayed_grid", requested_grid(config, sources, con.create_table("replayed", asked)))
    reasons = {(row["entity"], row["as_of"]): row["reason"] for row in grid.to_pyarrow().to_pylist()}
    features = dict.fromkeys(f for model in models for f in features_of(model.manifest) if has_value(sources, f))
    traits = trait_names(sources.entities.traits)
    at_risk = grid.filter(grid.reason.isnull())
    return reasons, feature_table(sources, at_risk, list(features), traits, stages.listener.share)


def _key(row: LogRow) -> _Key:
    return row.entity.strip(), int(row.as_of or 0)
