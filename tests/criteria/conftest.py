"""A real PostgreSQL for the tests of SQL, and two products with rows on every edge, judged by our engine once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
from postgres import copy_tables, server
from raw_worlds import AS_OF, COUNTED, LESSON, LOGGED, VALUES, write
from warehouse import in_duckdb, judged

from pql_model.config.definition import Definition
from pql_model.config.schema import Config
from pql_model.measures import AMOUNTS, ANY, MEASURES
from pql_model.time import EVER, Window

WINDOWS = (*map(Window.parse, ("first 1d", "first 7d", "last 36h", "last 7d", "last 14d")), EVER)
NAMES = (LOGGED[0], LOGGED[1], "any (event)", LESSON, COUNTED[0])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """One connection for the session; each test puts its own tables there."""
    with server() as con:
        yield con


@dataclass(frozen=True)
class Crowd:
    """A product in a warehouse, and everyone at risk as our engine sees them: every measure in every window."""

    config: Config
    warehouse: Any
    table: pd.DataFrame
    conditions: dict[str, list[dict[str, Any]]]  # by measure


@pytest.fixture(scope="session", params=["trial", "freemium"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    config = write(tmp_path_factory.mktemp(request.param), request.param, entities=110, seed=4)
    conditions = {measure: list(_conditions(measure)) for measure in MEASURES}
    everything = Definition.model_validate({"any": [c for result in conditions.values() for c in result]})
    return Crowd(config, in_duckdb(config), judged(config, everything, AS_OF), conditions)


@pytest.fixture(scope="session")
def _crowd_schema(crowd: Crowd, postgres: Any) -> str:
    schema = f"crowd_{crowd.config.motion}"
    copy_tables(postgres, crowd.warehouse, schema)
    return schema


@pytest.fixture
def crowd_in_postgres(_crowd_schema: str, postgres: Any) -> Any:
    """The connection, with the tables of the crowd at hand."""
    postgres.execute(f"SET search_path TO {_crowd_schema}")
    return postgres


def _conditions(measure: str) -> Iterator[dict[str, Any]]:
    """A measure in every window it has, of two event names at least; nobody meets them."""
    rule = MEASURES[measure]
    windows = [window for window in WINDOWS if rule.window in ("any", window.kind)]
    for place, window in enumerate(windows):
        names = {ANY} if rule.scope != "event" else set()
        if rule.scope != "entity":
            names |= {NAMES[place % len(NAMES)], NAMES[(place + 2) % len(NAMES)]}
        for name in sorted(names):
            values = {"value": VALUES[name == LESSON]} if rule.needs_value else {}
            yield {
                "event": name,
                "measure": measure,
                **values,
                "window": str(window),
                "operator": ">",
                "threshold": 1e7,
            }
        yield from _of_several(measure, window, {"operator": ">", "threshold": 1e7}, place)


def _of_several(measure: str, window: Window, compared: dict[str, Any], place: int) -> Iterator[dict[str, Any]]:
    """A group of events, an order and a share of a trait, where the measure has them."""
    rule = MEASURES[measure]
    asked = {"measure": measure, "window": str(window), **compared}
    if rule.needs_value:
        asked |= {"value": VALUES[0]}
    if rule.scope != "entity":
        yield {"event": [LOGGED[0], (COUNTED[0], LESSON)[place % 2]], **asked}
        yield {
            "event": LOGGED[place % 2],
            "after": (LOGGED[1], LESSON)[place % 2],
            "gap": ("1d", "7d")[place % 2],
            **asked,
        }
        if measure in AMOUNTS:
            yield {"event": LOGGED[0], "share_of": "seats", **asked}
