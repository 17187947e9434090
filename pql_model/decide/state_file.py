"""The file that keeps the state of the last two runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pql_model.atomic import atomic_write
from pql_model.decide.capacity import Flow
from pql_model.decide.state import EntityState, RunState
from pql_model.errors import DataError

_COLUMNS = ["entity", "is_pql", "qualified_since", "alerted_at", "seen_at", "threshold", "peak", "as_of"]
_INSTANTS = ("qualified_since", "alerted_at", "seen_at", "as_of")
_RUNS = b"pql_runs"
"""Key of the metadata of the file: what belongs to a run and to no entity."""


def state_path(home: Path, product: str) -> Path:
    """The state file beside the config: one per product, so that two products in a folder do not share places or alerts."""
    return home / ".pql" / f"decisions-{product}.parquet"


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
        table = pq.read_table(path, columns=_COLUMNS)
        frame, runs = table.to_pandas(), json.loads((table.schema.metadata or {})[_RUNS])
        return [
            _state(run, frame[frame["as_of"] == run["as_of"]]) for run in sorted(runs, key=lambda run: run["as_of"])
        ]
    except (OSError, ValueError, TypeError, LookupError) as error:  # pyarrow's errors about content are among them
        raise DataError(
            f"The decisions of the last scoring run cannot be read: {error}",
            received=path,
            remedy="restore the file, or delete it: every qualifying entity is then newly qualified once more",
        ) from error


def write_runs(path: Path, runs: Sequence[RunState]) -> None:
    """Write the runs atomically."""
    remembered = [run for run in runs if run.as_of is not None]
    rows = [
        (entity, e.is_pql, e.qualified_since, e.alerted_at, e.seen_at, e.threshold, e.peak, run.as_of)
        for run in remembered
        for entity, e in run.entities.items()
    ]
    types: Any = {"entity": "string", "is_pql": bool, **dict.fromkeys(_INSTANTS, "Int64")}
    types |= {"threshold": "Float64", "peak": float}
    table = pa.Table.from_pandas(pd.DataFrame(rows, columns=_COLUMNS).astype(types), preserve_index=False)
    about = [{"as_of": run.as_of, "flow": asdict(run.flow), "day_price": run.day_price} for run in remembered]
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _RUNS: json.dumps(about).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda at: pq.write_table(table, at))


def _state(run: Mapping[str, Any], rows: pd.DataFrame) -> RunState:
    if rows["entity"].isna().any() or rows["entity"].duplicated().any():
        raise ValueError("a run has an entity twice, or a row without an entity")
    columns = (rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in _COLUMNS[:-1])
    entities = {
        str(entity): EntityState(bool(is_pql), _whole(since), _whole(alerted), _whole(seen), threshold, peak)
        for entity, is_pql, since, alerted, seen, threshold, peak in zip(*columns, strict=True)
    }
    flow = run["flow"]
    days = tuple((int(day), tuple(counts)) for day, counts in flow["days"])
    return RunState(int(run["as_of"]), entities, Flow(tuple(flow["runs"]), flow["since"], days), run["day_price"])


def _whole(instant: Any) -> int | None:
    return None if instant is None else int(instant)
