"""What the last run decided: who is a PQL, since when, and who was alerted when. A file between runs."""

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
class Remembered:
    """One entity after a run.

    Attributes
    ----------
    qualified_since
        When it came to qualify, also of the hold-out; None where it does not.
    alerted_at
        The last time it was newly qualified.
    """

    is_pql: bool
    qualified_since: int | None
    alerted_at: int | None


@dataclass(frozen=True)
class State:
    """What a run at `as_of` left; None before the first."""

    as_of: int | None = None
    of: Mapping[str, Remembered] = field(default_factory=dict)


def file_of(home: Path, product: str) -> Path:
    """Beside the config, one a product: of two in a folder neither may take the places of the other or forget its alerts."""
    return home / ".pql" / f"decisions-{product}.parquet"


def base_of(runs: Sequence[State], as_of: int) -> State | None:
    """The run that a run at `as_of` builds on: the last one before it, so that a second run at the same instant decides alike.

    None where the newest run is of a later instant: what came after it must not be told from there.

    >>> base_of([State(5), State(9)], 9).as_of, base_of([State(5), State(9)], 12).as_of, base_of([], 3).as_of
    (5, 9, None)
    """
    instants = [run.as_of for run in runs if run.as_of is not None]
    if instants and as_of < max(instants):
        return None
    earlier = [run for run in runs if run.as_of is not None and run.as_of < as_of]
    return max(earlier, key=lambda run: run.as_of or 0, default=State())


def read_runs(path: Path) -> list[State]:
    """The last two runs; none where there is no file.

    Raises
    ------
    DataError
        If the file is no such file.
    """
    if not path.exists():
        return []
    try:
        frame = pd.read_parquet(path, columns=_COLUMNS)
        return [_state(as_of, frame[frame["as_of"] == as_of]) for as_of in sorted({int(at) for at in frame["as_of"]})]
    except (OSError, ValueError, TypeError, LookupError) as error:  # pyarrow's errors about content are among them
        raise DataError(
            f"What the last scoring decided cannot be read: {error}",
            received=path,
            remedy="restore the file, or delete it: then everybody who qualifies is newly qualified once more",
        ) from error


def write_runs(path: Path, runs: Sequence[State]) -> None:
    """Write the runs, whole or not at all."""
    rows = [
        (entity, r.is_pql, r.qualified_since, r.alerted_at, run.as_of)
        for run in runs
        if run.as_of is not None
        for entity, r in run.of.items()
    ]
    types: Any = {"entity": "string", "is_pql": bool, **dict.fromkeys(_COLUMNS[2:], "Int64")}
    frame = pd.DataFrame(rows, columns=_COLUMNS).astype(types)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda at: frame.to_parquet(at, index=False))


def _state(as_of: int, rows: pd.DataFrame) -> State:
    if rows["entity"].isna().any() or rows["entity"].duplicated().any():
        raise ValueError("an entity is named twice in a run, or not at all")
    columns = (rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in _COLUMNS[:4])
    return State(
        as_of,
        {
            str(entity): Remembered(
                bool(is_pql), None if since is None else int(since), None if at is None else int(at)
            )
            for entity, is_pql, since, at in zip(*columns, strict=True)
        },
    )
