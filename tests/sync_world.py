"""A product with accounts and payments but no model, whose scoring runs are as a test says."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pql_model.activate.outbox import Run
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.rows import COLUMNS
from pql_model.decide.state import EntityState, RunState, previous_run
from pql_model.decide.state_file import read_runs, state_path
from pql_model.time import DAY, iso, to_datetime
from pql_model.workflows.remember import remember_run

SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, today").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, older").decode()
COOL_DOWN = 14 * DAY
DAY_0 = 20_000 * DAY
"""2024-10-04, the day of the first run."""


def scored_row(entity: str, as_of: int = DAY_0, **values: Any) -> dict[str, Any]:
    """A scored row as the service answers it."""
    row = {
        "entity": entity,
        "as_of": iso(as_of),
        "probability": 0.3,
        "score": 90.0,
        "band": "high",
        "is_pql": True,
        "usage": 1.0,
        "fit": 0.5,
        "timing": 0.0,
        "reasons": [{"words": "3 invited (+)"}, {"words": "5 files (+)"}],
        "criteria_met": [{"id": "c1", "text": "at least 3 invited"}],
        "meets_definition": True,
        "newly_qualified": True,
        "suppressed": None,
        "model_version": "1",
        "feature_set": "abc",
        "scored_at": f"{iso(as_of)}T05:30:00Z",
    }
    return {**row, **values}


@dataclass
class World:
    """The product in a folder."""

    home: Path

    @property
    def config(self) -> Config:
        return load_config(self.home / "pql.yaml")

    def targets(self, *targets: Mapping[str, Any], **more: Any) -> World:
        """Write the config with these targets."""
        raw = {
            "name": "boards",
            "events": [{"table": "events.csv", "columns": {"entity": "account", "event": "what", "time": "at"}}],
            "entities": {"table": "accounts.csv", "columns": {"entity": "account", "signed_up": "created"}},
            "conversions": {"table": "paid.csv", "columns": {"entity": "account", "time": "at"}},
            "motion": "trial",
            "sync": [dict(target) for target in targets],
            **more,
        }
        (self.home / "pql.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
        return self

    def convert(self, *entities: str) -> None:
        with (self.home / "paid.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{entity},2024-10-04\n" for entity in entities)

    def score_qualifying(self, day: int, qualifying: Collection[str]) -> Run:
        """Score a day on which these qualify: those are new that were not PQLs and were not alerted within the cool-down."""
        as_of = DAY_0 + day * DAY
        before = previous_run(read_runs(state_path(self.home, "boards")), as_of) or RunState()
        states = {e: before.entities.get(e, EntityState(False, None, None)) for e in qualifying}
        cooling = {e for e, s in states.items() if s.alerted_at is not None and as_of - s.alerted_at < COOL_DOWN}
        new = [e for e, state in states.items() if not state.is_pql and e not in cooling]
        return self.score(day, new, [e for e in qualifying if e not in new])

    def score(self, day: int, new: Collection[str], stay: Collection[str] = (), **values: Any) -> Run:
        """Do as `pql score` does on a day of which the PQLs are known: write rows, remember decisions, queue leads."""
        config, as_of = self.config, DAY_0 + day * DAY
        memory = state_path(self.home, config.name)
        runs = read_runs(memory)
        before = previous_run(runs, as_of)
        frame = pd.DataFrame([table_form(e, as_of, e in new, values) for e in [*new, *stay]], columns=list(COLUMNS))
        output = self.home / "scores.parquet"
        frame.to_parquet(output, index=False)
        run = Run(as_of, str(output), f"{iso(as_of)}T05:30:00Z", "1", COOL_DOWN, tuple(t.name for t in config.sync))
        if before is not None:
            after = RunState(as_of, _entities(before, as_of, new, stay))
            remember_run(config, runs, [before, after], run, frame)
        return run


def table_form(entity: str, as_of: int, new: bool, values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `scores.parquet`."""
    row = scored_row(entity, as_of, newly_qualified=new, **values)
    lists = {"reasons": '[{"words": "3 invited (+)"}]', "criteria_met": "[]"}
    times = {"as_of": to_datetime(as_of), "scored_at": pd.Timestamp(row["scored_at"])}
    return {**row, **lists, **times}


def _entities(before: RunState, as_of: int, new: Collection[str], stay: Collection[str]) -> dict[str, EntityState]:
    alerted = {e: s.alerted_at for e, s in before.entities.items()}
    entities = {e: EntityState(False, None, at) for e, at in alerted.items() if at is not None}
    entities |= {e: EntityState(True, as_of, alerted.get(e)) for e in stay}
    return entities | {e: EntityState(True, as_of, as_of) for e in new}


def make_world(home: Path, entities: Collection[str]) -> World:
    """Write the tables of a product in which nobody has paid."""
    home.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{entity},2024-10-01\n" for entity in entities)
    (home / "accounts.csv").write_text(f"account,created\n{rows}", encoding="utf-8")
    (home / "events.csv").write_text("account,what,at\n", encoding="utf-8")
    (home / "paid.csv").write_text("account,at\n", encoding="utf-8")
    return World(home)
