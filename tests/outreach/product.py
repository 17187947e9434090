"""A small product on disk whose score log, payments and feedback are those of a made-up world; without a model."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pql_model.score_log.files import write_log
from pql_model.score_log.log_schema import log_table
from pql_model.time import DAY, HOUR, iso
from tests.outreach.ledgers import PRODUCT, effect_worlds


def write_product(folder: Path, seed: int = 3, feedback: bool = True, hold_out: float = 0.2, **world: Any) -> Path:
    """Write the tables of a world and its `pql.yaml`."""
    made = effect_worlds.EffectWorld(
        **{"every": 7, "late": 30, "days": 140, "effect": 0.25, "every_row": True, **world}
    )
    frame = effect_worlds.ledger_of(made, seed).to_pandas()
    first = frame.drop_duplicates("entity")
    end = effect_worlds.START + (made.days + made.late) * DAY
    entities = first["entity"].tolist()
    signed_up = [iso(_us(at) - DAY) for at in first["as_of"]]
    _write(folder / "accounts.csv", ["entity", "signed_up"], zip(entities, signed_up, strict=True))
    events = [(entity, at, "Opened") for entity, at in zip(entities, signed_up, strict=True)]
    _write(folder / "events.csv", ["entity", "time", "event"], [*events, (entities[0], iso(end), "Opened")])
    paid = first[first["converted_at"].notna()]
    payments = ((e, iso(_us(at)), 100) for e, at in zip(paid["entity"], paid["converted_at"], strict=True))
    _write(folder / "payments.csv", ["entity", "time", "value"], payments)
    touched = frame[frame["contacted_at"].notna()].drop_duplicates("entity")
    answers = (
        (e, iso(_us(at)), "called", "", "kim") for e, at in zip(touched["entity"], touched["contacted_at"], strict=True)
    )
    _write(
        folder / "answers.csv",
        ["entity", "time", "status", "why", "rep"],
        [*answers, ("nobody", iso(end), "called", "", "")],
    )
    write_log(folder / "score_log", [_logged(part) for _, part in frame.groupby("as_of")])
    (folder / "pql.yaml").write_text(yaml.safe_dump(_config(feedback, hold_out)), encoding="utf-8")
    return folder / "pql.yaml"


def _us(when: Any) -> int:
    return int(when.value // 1000)


def _write(path: Path, names: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])


def _logged(part: pd.DataFrame) -> Any:
    rows = part.drop(columns=["model_name", "source", "held_out"]).assign(
        score=50.0, usage=0.0, fit=0.0, timing=0.0, reasons='[{"behaviour": "Opened", "sign": "+"}]'
    )
    rows["scored_at"] = rows["as_of"] + pd.Timedelta(HOUR, "us")
    return log_table(rows, [np.zeros(1)] * len(rows), "score", [PRODUCT] * len(rows))


def _config(feedback: bool, hold_out: float) -> dict[str, Any]:
    columns = {"entity": "entity", "time": "time"}
    answers = {
        "table": "answers.csv",
        "columns": {**columns, "disposition": "status", "reason": "why", "owner": "rep"},
        "means": {"contacted": ["called"], "accepted": ["yes"], "rejected": ["no"], "won": ["won"]},
    }
    return {
        "name": PRODUCT,
        "events": [{"table": "events.csv", "columns": {**columns, "event": "event"}}],
        "entities": {"table": "accounts.csv", "columns": {"entity": "entity", "signed_up": "signed_up"}},
        "conversions": {"table": "payments.csv", "columns": {**columns, "value": "value"}},
        "motion": "trial",
        "horizon": "30d",
        "policy": {"capacity": {"leads": 40, "per": "7d"}, **({"hold_out": hold_out} if hold_out else {})},
        "score_log": "score_log/",
        **({"feedback": answers} if feedback else {}),
    }
