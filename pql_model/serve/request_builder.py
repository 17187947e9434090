"""Build requests to the service from the tables that a model is trained on, as a caller would send them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from pql_model.features.table import trait_table
from pql_model.sources.read import Sources
from pql_model.time import iso


def entity_requests(sources: Sources, snapshots: Any) -> Iterator[dict[str, Any]]:
    """Build a request for each snapshot, in the order of the feature table: by entity, then as_of.

    Each request has all events of the entity, including those before the sign-up and at or after as_of; the receiver sets
    them aside.

    Parameters
    ----------
    snapshots
        DuckDB table with entity, as_of, signed_up.
    """
    rows = snapshots.select("entity", "as_of", "signed_up").order_by(["entity", "as_of"]).to_pyarrow().to_pylist()
    traits = _traits(sources, list(dict.fromkeys(row["entity"] for row in rows)))
    dated = _dated(sources, snapshots)
    events: dict[str, list[dict[str, Any]]] = {}
    for log in (sources.events.table, sources.events.untimely):
        for event in log.semi_join(snapshots, "entity").to_pyarrow().to_pylist():
            events.setdefault(event["entity"], []).append(_event(event))
    for row in rows:
        entity, signed_up = row["entity"], row["signed_up"]
        yield {
            "entity": entity,
            "signed_up": None if signed_up is None else iso(signed_up),
            "as_of": iso(row["as_of"]),
            "traits": traits[entity],
            "events": events.get(entity, []),
            **({"columns": dated.get(entity, [])} if sources.dated else {}),
        }


def _traits(sources: Sources, entities: list[str]) -> dict[str, dict[str, Any]]:
    columns = {f"trait_{k}": trait for k, trait in enumerate(sources.entities.traits)}
    table = trait_table(sources, {trait: column for column, trait in columns.items()}).loc[entities]
    return {
        entity: {columns[str(column)]: _scalar(value) for column, value in row.items()}
        for entity, row in zip(entities, table.to_dict("records"), strict=True)
    }


def _dated(sources: Sources, snapshots: Any) -> dict[str, list[dict[str, Any]]]:
    """Every dated value of the entities, also those that no snapshot may see yet."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for part in sources.dated:
        for row in part.table.semi_join(snapshots, "entity").to_pyarrow().to_pylist():
            arrival = {"known_at": iso(row["known_at"])} if row["known_at"] is not None else {}
            for i, name in enumerate(part.names):
                value = _scalar(float(v) if isinstance(v := row[f"value_{i}"], Decimal) else v)
                if value is not None or part.states_all:
                    dated = {"name": name, "time": iso(row["time"]), "value": value, **arrival}
                    tables.setdefault(row["entity"], []).append(dated)
    return tables


def _scalar(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool) else str(value)


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name.removeprefix("value_"): v for name, v in row.items() if name.startswith("value_") and v is not None}
    event = {
        "event": row["event"],
        "time": iso(row["time"]),
        "user": row["user"],
        "values": values or None,
        "known_at": iso(row["known_at"]) if row["known_at"] is not None else None,
        "n": row["n"] if row["n"] != 1 else None,
        "users": row["users"],
    }
    return {name: value for name, value in event.items() if value is not None}
