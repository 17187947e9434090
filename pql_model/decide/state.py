"""State of the last runs, kept in a file: which entities are PQLs, since when, and when each was alerted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.atomic import atomic_write
from pql_model.errors import DataError

_COLUMNS = ["entity", "is_pql", "qualified_since", "alerted_at", "as_of"]


@dataclass(frozen=True)
class EntityState:
    """One entity after a run.

    Attributes
    ----------
    qualified_since
        Since when it qualifies, in the hold-out too; None where it does not.
    alerted_at
        The last time it was newly qualified.
    """

    is_pql: bool
    qualified_since: int | None
    alerted_at: int | None


@dataclass(frozen=True)
class RunState:
    """State after a run at `as_of`; None before the first run."""

    as_of: int | None = None
    entities: Mapping[str, EntityState] = field(default_factory=dict)


def state_path(home: Path, product: str) -> Path:
    """The state file beside the config: one per product, so that two products in a folder do not share places or alerts."""
    return home / ".pql" / f"decisions-{product}.parquet"


def previous_run(runs: Sequence[RunState], as_of: int) -> RunState | None:
    """Find the run that a run at `as_of` builds on: the last one before it, so that repeating a run gives the same answer.

    Returns
    -------
    RunState or None
        None if the newest run is later than `as_of`: its future must not decide.

    Examples
    --------
    >>> runs = [RunState(5), RunState(9)]
    >>> previous_run(runs, 9).as_of, previous_run(runs, 12).as_of, previous_run([], 3).as_of
    (5, 9, None)
    """
    instants = [run.as_of for run in runs if run.as_of is not None]
    if instants and as_of < max(instants):
        return None
    candidates = [run for run in runs if run.as_of is not None and run.as_of < as_of]
    return max(candidates, key=lambda run: run.as_of or 0, default=RunState())


def read_runs(path: Path) -> list[RunState]:
    """Read the last two runs; an empty list if there is no file.

    Raises
    ------
    DataError
        If the file cannot be read as a state file.
    """
    if not path.exists():
        return []
    try:
        frame = pd.read_parquet(path, columns=_COLUMNS)
        return [_state(as_of, frame[frame["as_of"] == as_of]) for as_of in sorted({int(at) for at in frame["as_of"]})]
    except (OSError, ValueError, TypeError, LookupError) as error:  # pyarrow's errors about content are among them
        raise DataError(
            f"The decisions of the last scoring run cannot be read: {error}",
            received=path,
            remedy="restore the file, or delete it: every qualifying entity is then newly qualified once more",
        ) from error


def write_runs(path: Path, runs: Sequence[RunState]) -> None:
    """Write the runs atomically."""
    rows = [
        (entity, r.is_pql, r.qualified_since, r.alerted_at, run.as_of)
        for run in runs
        if run.as_of is not None
        for entity, r in run.entities.items()
    ]
    types: Any = {"entity": "string", "is_pql": bool, **dict.fromkeys(_COLUMNS[2:], "Int64")}
    frame = pd.DataFrame(rows, columns=_COLUMNS).astype(types)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda at: frame.to_parquet(at, index=False))


def _state(as_of: int, rows: pd.DataFrame) -> RunState:
    if rows["entity"].isna().any() or rows["entity"].duplicated().any():
        raise ValueError("a run has an entity twice, or a row without an entity")
    columns = (rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in _COLUMNS[:4])
    return RunState(
        as_of,
        {
            str(entity): EntityState(
                bool(is_pql), None if since is None else int(since), None if at is None else int(at)
            )
            for entity, is_pql, since, at in zip(*columns, strict=True)
        },
    )
