"""Are the verdicts right? Worlds without a signal and with one, as event logs, through the whole training.

    python benchmarks/verdicts.py --worlds 40
    python benchmarks/verdicts.py --worlds 5 --kinds none planted --trials 3

In a world `none` nothing that can be seen tells who pays. In `planted` the best possible model has ROC-AUC 0.75. The
`few` worlds have the same signal and fewer conversions. Each account is looked at once, on day 7, for 14 days.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import pql_model
from pql_model.errors import NotEnoughDataError

START = pd.Timestamp("2025-01-01", tz="UTC")
EVENTS = ("login", "invite", "upload", "export", "search", "comment")
TELLING = (0.0, 0.8, 0.5, 0.3, 0.0, 0.0)
TRAITS = ("small", "medium", "large")
CONFIG = {
    "name": "verdict-world",
    "entity": "account",
    "events": [{"table": "events.parquet", "columns": {"entity": "account", "event": "action", "time": "time"}}],
    "entities": {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}},
    "conversions": {"table": "paid.parquet", "columns": {"entity": "account", "time": "time"}},
    "motion": "trial",
    "snapshots": {"at_days": [7]},
    "horizon": "14d",
    "windows": {"first": ["1d", "7d"], "last": ["3d"]},
}


@dataclass(frozen=True)
class Kind:
    """A sort of world: accounts, conversions expected, the truth's ROC-AUC, and the verdicts that are right."""

    accounts: int
    conversions: int
    roc_auc: float
    right: tuple[str, ...]


REFUSED, ACCEPTED = ("no_signal", "too_few_conversions"), ("ready", "weak")
KINDS = {
    "none": Kind(3000, 300, 0.5, REFUSED),
    "planted": Kind(3000, 300, 0.75, ACCEPTED),
    "few60": Kind(600, 60, 0.75, ("too_few_conversions",)),
    "few30": Kind(300, 30, 0.75, ("too_few_conversions",)),
    "few15": Kind(150, 15, 0.75, ("too_few_conversions", "error")),
    "few8": Kind(80, 8, 0.75, ("too_few_conversions", "error")),
}


def write_world(home: Path, kind: Kind, seed: int) -> Path:
    """Write the tables and `pql.yaml` of one world; returns the config."""
    rng = np.random.default_rng([seed, kind.accounts, kind.conversions])
    n = kind.accounts
    created = np.sort(rng.uniform(0, 365, n))
    counts = rng.poisson(rng.gamma(1.5, 1.2, (n, len(EVENTS))) + 0.3)
    payload = np.log1p(counts) @ np.array(TELLING)
    probability = _with_truth((payload - payload.mean()) / payload.std(), kind.conversions / n, kind.roc_auc)
    pays = np.flatnonzero(rng.random(n) < probability)
    account, action = (axis.repeat(counts.ravel()) for axis in (a.ravel() for a in np.indices(counts.shape)))
    tables = {
        "events": {
            "account": account,
            "action": np.array(EVENTS, object)[action],
            "time": _when(created[account] + rng.uniform(0, 7, len(account))),
        },
        "accounts": {"account": np.arange(n), "created": _when(created), "size": rng.choice(TRAITS, n)},
        "paid": {"account": pays, "time": _when(created[pays] + rng.uniform(7.1, 20.9, len(pays)))},
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(home / f"{name}.parquet", index=False)
    end = (START + pd.Timedelta(days=386)).isoformat()
    (home / "pql.yaml").write_text(yaml.safe_dump({**CONFIG, "observed_until": end}, sort_keys=False))
    return home / "pql.yaml"


def _with_truth(x: np.ndarray, rate: float, roc_auc: float) -> np.ndarray:
    """Probabilities by x with this mean, whose ROC-AUC as a predictor of their own outcomes is this."""
    low, high = 0.0, 6.0
    for _ in range(40):
        steep = (low + high) / 2
        p = _with_mean(steep * x, rate)
        low, high = (steep, high) if _own_auc(p) < roc_auc else (low, steep)
    return _with_mean(low * x, rate)


def _with_mean(margin: np.ndarray, rate: float) -> np.ndarray:
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-margin - middle))).mean() < rate else (low, middle)
    return 1 / (1 + np.exp(-margin - low))


def _own_auc(p: np.ndarray) -> float:
    sorted_p = np.sort(p)
    below = np.cumsum(1 - sorted_p) - (1 - sorted_p) / 2
    return float((sorted_p * below).sum() / (p.sum() * (1 - p).sum()))


def _when(days: np.ndarray) -> Any:
    return START + pd.to_timedelta(np.round(days * 86_400), unit="s")


def empty_store(folder: Path) -> Path:
    """An empty `mlflow.db`: making its tables takes MLflow seconds, copying them nothing."""
    from mlflow.tracking import MlflowClient

    import pql_model.registry.tracking  # noqa: F401 (sets MLflow's defaults)

    MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
    return folder / "mlflow.db"


def run(kind: Kind, seed: int, trials: int, store: Path) -> dict[str, Any]:
    """Train in one world; returns the verdict and its figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copy(store, home / "mlflow.db")
        try:
            payload = pql_model.train(write_world(home, kind, seed), trials=trials).to_dict()
        except NotEnoughDataError as error:
            return {"verdict": "error", "roc_auc": None, "would_change": str(error)}
        auc = payload["test"]["roc_auc"]
        return {
            "verdict": payload["verdict"],
            "sentence": payload["verdict_sentence"],
            "would_change": payload["verdict_would_change"],
            "roc_auc": auc,
            "conversions": payload["snapshots"]["train"]["conversions"] + payload["snapshots"]["test"]["conversions"],
            "promoted": payload["promotion"]["promoted"],
            "supported": payload["supported"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Verdicts in worlds whose truth is known.")
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["none", "planted"])
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--first", type=int, default=0, help="The first world's number.")
    args = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in args.kinds}
    with tempfile.TemporaryDirectory() as folder:
        store, began = empty_store(Path(folder)), time.monotonic()
        for name in args.kinds:
            for seed in range(args.first, args.first + args.worlds):
                rows[name].append(run(KINDS[name], seed, args.trials, store))
                if args.verbose:
                    print(name, seed, json.dumps(rows[name][-1]), f"{time.monotonic() - began:.0f} s", flush=True)
    print(
        "| world | ROC-AUC of the truth | conversions | right verdicts | no_signal | too_few_conversions | weak | ready | refused with an error |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, results in rows.items():
        kind, verdicts = KINDS[name], [row["verdict"] for row in results]
        correct = sum(verdict in kind.right for verdict in verdicts)
        counts = " | ".join(
            str(verdicts.count(v)) for v in ("no_signal", "too_few_conversions", "weak", "ready", "error")
        )
        print(f"| {name} | {kind.roc_auc} | {kind.conversions} | {correct} of {len(results)} | {counts} |")


if __name__ == "__main__":
    main()
