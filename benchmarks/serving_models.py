"""Products to serve: trained as a user would, exported, with requests drawn from their own events."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from real_data import DATA, lay_out

import pql_model
from pql_model.config.load import load_config
from pql_model.model.age_level import LevelledPredictor
from pql_model.model.booster import Ensemble
from pql_model.progress import Stages
from pql_model.serve.bundle import Bundle, load_bundle
from pql_model.serve.request_builder import entity_requests
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.time import DAY, iso, parse_instant
from pql_model.workflows.demo import demo
from pql_model.workflows.prepare import TrainingData, prepare

MODELS = ("demo", "ds365")
_ACCOUNTS, _TRIALS = 4000, 30
_QUICK_ACCOUNTS, _QUICK_TRIALS = 1200, 4
_POOL = 300
"""Real entities that requests are drawn from."""


@dataclass(frozen=True)
class Product:
    """A folder with `pql.yaml`, `mlflow.db`, `bundle/`, `scores.parquet` and `pool.json`."""

    name: str
    home: Path

    @property
    def config(self) -> Path:
        return self.home / "pql.yaml"

    @property
    def path(self) -> Path:
        return self.home / "bundle"

    @property
    def scores(self) -> Path:
        return self.home / "scores.parquet"

    @cached_property
    def bundle(self) -> Bundle:
        return load_bundle(self.path)

    @property
    def boosters(self) -> Sequence[lgb.Booster]:
        """The trees of the champion, whether or not a level of each age is added to them."""
        predictor = self.bundle.model.predictor
        ensemble = predictor.base if isinstance(predictor, LevelledPredictor) else predictor
        assert isinstance(ensemble, Ensemble)
        return ensemble.boosters

    @cached_property
    def pool(self) -> list[dict[str, Any]]:
        """What a caller would send of real entities."""
        pool: list[dict[str, Any]] = json.loads((self.home / "pool.json").read_text(encoding="utf-8"))
        return pool

    def requests(self, events: int, count: int, seed: int = 7) -> list[dict[str, Any]]:
        """Real entities with so many events each, drawn from the product's log, at random times of the entity, by its own users."""
        rng = np.random.default_rng([seed, events])
        log = [event for entity in self.pool for event in entity["events"]]
        payload = []
        for k in range(count):
            entity = self.pool[k % len(self.pool)]
            end = parse_instant(entity["as_of"])
            begin = parse_instant(entity["signed_up"]) if entity["signed_up"] is not None else end - 30 * DAY
            users = sorted({event["user"] for event in entity["events"] if "user" in event}) or ["somebody"]
            positions = rng.integers(0, [[len(log)], [len(users)]], (2, events)).tolist()
            times = np.sort(rng.integers(begin, end, events)).tolist()
            payload.append(
                {**entity, "events": [_at(log[i], t, users[u]) for i, u, t in zip(*positions, times, strict=True)]}
            )
        return payload

    def prepared(self) -> TrainingData:
        """The feature table and the split that the model was trained on."""
        with open_session() as con:
            return prepare(con, load_config(self.config), Stages(None))


def _at(event: dict[str, Any], time: int, user: str) -> dict[str, Any]:
    """The event at another time, by somebody else if by anybody; what was known later stays known as much later."""
    moved = {**event, "time": iso(time)}
    if "known_at" in event:
        moved["known_at"] = iso(time + parse_instant(event["known_at"]) - parse_instant(event["time"]))
    return {**moved, "user": user} if "user" in event else moved


def product(name: str, home: Path, quick: bool = False) -> Product:
    """The product in `home/name`; it is trained and exported there if nobody has done so."""
    result = Product(name, home / name)
    if not (result.home / "pool.json").exists():
        print(f"training {name} in {result.home}", file=sys.stderr, flush=True)
        accounts, trials = (_QUICK_ACCOUNTS, _QUICK_TRIALS) if quick else (_ACCOUNTS, _TRIALS)
        version = _trained_demo(result, accounts, trials) if name == "demo" else _trained_real(result, trials)
        pql_model.export(result.config, output=result.path, model=version)
        _write_pool(result)
    return result


def _trained_demo(to: Product, accounts: int, trials: int) -> str:
    return demo(to.home, accounts=accounts, trials=trials).trained.registered.version


def _trained_real(to: Product, trials: int) -> str:
    if not (DATA / to.name).is_dir():
        sys.exit(
            f"There is no {to.name} in {DATA}; set PQL_BENCH_DATA to the folder that holds it, or leave it out with --models."
        )
    to.home.mkdir(parents=True, exist_ok=True)
    trained = pql_model.train(lay_out(to.name, to.home), trials=trials)
    version = trained.registered.version
    pql_model.score(to.config, as_of=iso(_instant(trained.registered.model.facts)), output=to.scores, model=version)
    return version


def _write_pool(to: Product) -> None:
    config = load_config(to.config)
    with open_session() as con:
        sources = read_sources(con, config)
        grid = scoring_grid(config, sources, _instant(to.bundle.model.facts))
        at_risk = con.create_table("pool", grid.filter(grid.reason.isnull()).order_by("entity").limit(_POOL))
        pool = list(entity_requests(sources, at_risk))
    draft = to.home / "pool.part"
    draft.write_text(json.dumps(pool), encoding="utf-8")
    os.replace(draft, to.home / "pool.json")


def _instant(facts: dict[str, Any]) -> int:
    """A week into the test period: accounts of every age are at risk then."""
    return int(facts["test_start"]) + 7 * DAY
