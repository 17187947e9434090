"""A training record of the small model, and a product without events to log it for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from small_model import small_model, small_table
from worlds import product

from pql_model.config.schema import Config
from pql_model.model.learner import Trial
from pql_model.registry.tracking import Dataset, RegisteredModel, Tracking, TrainingRecord
from pql_model.statistics.estimate import Estimate

NAN = float("nan")


def config_in(home: Path) -> Config:
    return product(home, [{"account": "a", "signed_up": "2026-01-01"}], [], [])


def record(home: Path, **changes: Any) -> TrainingRecord:
    (home / "files").mkdir(exist_ok=True)
    (home / "files" / "card.md").write_text("card")
    table, y = small_table(rows=50)
    fields: dict[str, Any] = {
        "run_name": "2026-01-01 00:00 ready",
        "description": "On later accounts the model holds.",
        "params": {"model": {"num_leaves": 7}, "tuning": {"trials": 2}},
        "trials": [Trial(0, {"num_leaves": 7}, 0.71, "complete"), Trial(1, {"num_leaves": 3}, None, "pruned")],
        "metrics": {
            "test": {"roc_auc": Estimate(0.7, 0.6, 0.8), "brier": Estimate(0.1, NAN, NAN)},
            "baseline activity": {"roc_auc": Estimate(0.6, 0.5, 0.7), "lift_at_10pct": Estimate(NAN, NAN, NAN)},
            "data": {"features": 5},
        },
        "tags": {"verdict": "ready"},
        "files": home / "files",
        "datasets": {"training": Dataset(table.assign(converted=y.astype(bool)), str(home), "0123456789abcdef")},
    }
    return TrainingRecord(**{**fields, **changes})


def add(tracking: Tracking, home: Path, seed: int = 1, **tags: str) -> RegisteredModel:
    """Log and register a model."""
    return tracking.register(tracking.log(small_model(seed), record(home)), tags, "On later accounts the model holds.")


def odd_table(rows: int = 20) -> Any:
    """A feature table with traits written in other types than in training."""
    table = small_table(rows=rows)[0]
    return table.assign(
        **{"trait.seats": table["trait.seats"].astype("string"), "trait.size": np.array([True, 12.0] * (rows // 2))}
    )
