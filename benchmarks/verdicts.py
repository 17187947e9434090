"""Are the verdicts right? Worlds without a signal and with one, as event logs, through the whole training.

    python benchmarks/verdicts.py --worlds 40
    python benchmarks/verdicts.py --worlds 5 --kinds none planted --trials 3

In a world `none` nothing that can be seen tells who pays. In `planted` the best possible model has ROC-AUC 0.75, in
`too_good` 0.98. The `few` worlds have the same signal and fewer conversions. Each account is looked at once, on day 7, for
14 days. In `age` (a trial, looked at on days 3, 7 and 14) and `age_freemium` (looked at every fourth week) the chance of
paying depends on the days since sign-up and on nothing else.

Every world is written to benchmarks/results/verdicts.json as it ends; a run skips the worlds that are there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import NotEnoughDataError
from pql_model.model.learner import Budget
from pql_model.model.train import fit_model
from pql_model.progress import Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.workflows.judge import JudgedModel, evaluate_and_judge
from pql_model.workflows.prepare import prepare

RESULTS = Path(__file__).resolve().parent / "results" / "verdicts.json"
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
    "age": Kind(1200, 360, 0.5, REFUSED),
    "age_freemium": Kind(900, 360, 0.5, REFUSED),
    "too_good": Kind(3000, 300, 0.98, ("suspicious",)),
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


def write_age_world(home: Path, kind: Kind, seed: int, freemium: bool) -> Path:
    """Write a world in which only the age tells: how soon somebody pays has nothing to do with what they do."""
    rng = np.random.default_rng([seed, kind.accounts, freemium])
    n = kind.accounts
    created = np.sort(rng.uniform(0, 330, n))
    wait = rng.exponential(60, n) if freemium else rng.gamma(9, 1.9, n)  # falls with age; peaks on day 17
    pays = np.flatnonzero(rng.random(n) < kind.conversions / n)
    rate = rng.gamma(1.5, 0.1 if freemium else 0.3, (n, len(EVENTS))) + 0.03
    days = np.where(np.isin(np.arange(n), pays), np.minimum(wait, 120), 120) if freemium else np.full(n, 30.0)
    counts = rng.poisson(rate * days[:, None])
    who, what = (axis.repeat(counts.ravel()) for axis in (a.ravel() for a in np.indices(counts.shape)))
    tables = {
        "events": {
            "account": who,
            "action": np.array(EVENTS, object)[what],
            "time": _when(created[who] + rng.uniform(0, 1, len(who)) * days[who]),
        },
        "accounts": {"account": np.arange(n), "created": _when(created), "size": rng.choice(TRAITS, n)},
        "paid": {"account": pays, "time": _when(created[pays] + wait[pays])},
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(home / f"{name}.parquet", index=False)
    seen = {"motion": "freemium", "snapshots": {"every": "28d"}} if freemium else {"snapshots": {"at_days": [3, 7, 14]}}
    windows = {"first": ["7d"], "last": ["14d"]} if freemium else {"first": ["3d"], "last": ["3d"]}
    end = (START + pd.Timedelta(days=360)).isoformat()
    config = {**CONFIG, **seen, "windows": windows, "horizon": "14d" if freemium else "7d", "observed_until": end}
    (home / "pql.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
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


def run(name: str, seed: int, trials: int) -> dict[str, Any]:
    """Read, tune, fit, evaluate and judge in one world; returns the verdict and its figures."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        if name.startswith("age"):
            path = write_age_world(Path(folder), kind, seed, name == "age_freemium")
        else:
            path = write_world(Path(folder), kind, seed)
        try:
            judged = train_and_judge(load_config(path), trials)
        except NotEnoughDataError as error:
            return {"verdict": "error", "would_change": str(error)}
    payload = judged.evaluation.to_dict()
    of_baselines = {
        name: figures for name, figures in payload["baselines"].items() if "model_minus_baseline" in figures
    }
    return {
        "verdict": judged.verdict.name,
        "sentence": judged.verdict.sentence,
        "roc_auc": payload["test"]["roc_auc"],
        "roc_auc_within_age": payload["test"]["roc_auc_within_age"],
        "baselines": {
            name: {key: figures[key] for key in ("roc_auc", "model_minus_baseline")}
            for name, figures in of_baselines.items()
        },
    }


def train_and_judge(config: Config, trials: int) -> JudgedModel:
    """`pql train` up to its verdict: without criteria, report and registry, which come after it."""
    with open_session() as con:
        data = prepare(con, config, Stages(None))
    frame, train = data.snapshots.frame, data.split.train
    X = data.manifest.matrix(data.table)
    fit = fit_model(
        frame[train], X[train], data.manifest, config.horizon, config.motion, config.seed, Budget(trials, None, None)
    )
    return evaluate_and_judge(config, data, fit, X)


def main() -> None:
    parser = argparse.ArgumentParser(description="Verdicts in worlds whose truth is known.")
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["none", "planted"])
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--first", type=int, default=0, help="The first world's number.")
    args = parser.parse_args()
    done: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    began = time.monotonic()
    for seed in range(args.first, args.first + args.worlds):
        for name in args.kinds:
            if f"{name} {seed}" in done:
                continue
            done[f"{name} {seed}"] = found = run(name, seed, args.trials)
            RESULTS.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
            if args.verbose:
                print(name, seed, json.dumps(found), f"{time.monotonic() - began:.0f} s", flush=True)
    rows = {name: [found for key, found in done.items() if key.split()[0] == name] for name in args.kinds}
    print(
        "| world | ROC-AUC of the truth | conversions | right verdicts | no_signal | too_few_conversions | suspicious | weak | ready | refused with an error |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, results in rows.items():
        kind, verdicts = KINDS[name], [row["verdict"] for row in results]
        correct = sum(verdict in kind.right for verdict in verdicts)
        counts = " | ".join(
            str(verdicts.count(v)) for v in ("no_signal", "too_few_conversions", "suspicious", "weak", "ready", "error")
        )
        print(f"| {name} | {kind.roc_auc} | {kind.conversions} | {correct} of {len(results)} | {counts} |")


if __name__ == "__main__":
    main()
