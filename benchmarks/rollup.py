"""Account-level features against roll-ups of a user-level score, on the same test snapshots of accounts.

    python benchmarks/rollup.py [--trials 8] [world ...]

The user-level model reads the same events and is asked at the same instants: a user exists at a snapshot once it
has an event before it, and inherits its account's outcome, sign-up, traits and place in the split. Tables go to
stdout; of a run of all worlds the figures to benchmarks/results/rollup.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rollup_worlds import WORLDS

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.features.spec import Feature, parse_feature
from pql_model.features.table import feature_table
from pql_model.measures import ANY
from pql_model.model.columns import Manifest, ModelColumn, drop_uninformative
from pql_model.model.train import Budget, fit_model
from pql_model.progress import Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import evaluate, paired_difference
from pql_model.workflows.prepare import TrainingData, candidate_features, prepare

OUT = Path(__file__).resolve().parent / "results" / "rollup.json"
ROLLUPS = ("sum", "max", "mean", "noisy-or", "breadth 50", "breadth 80")
WITHOUT, EVERY_WINDOW, TOP_USER = "without the users", "users in every window", "with the top user's counts"
ABOUT_USERS = ("distinct_users", "top_user_share")
SEPARATOR = "\x1f"
TIE = 1e-9
"""Of the margin, added to a probability: isotonic calibration has flat stretches, which must not cost a ranking."""


def roll_up(account: np.ndarray, score: np.ndarray, rows: int, median: float, high: float) -> dict[str, np.ndarray]:
    """Scores of users as one number per account snapshot; one without users gets 0.

    Parameters
    ----------
    account, score
        Per user: the row of its account snapshot, and its probability.
    rows
        How many account snapshots there are.
    median, high
        Percentiles 50 and 80 of the training users' scores; breadth counts the users above.
    """
    users = np.bincount(account, minlength=rows)
    total = np.bincount(account, score, rows)
    largest = np.zeros(rows)
    np.maximum.at(largest, account, score)
    log_none = np.bincount(account, np.log1p(-score), rows)
    return {
        "sum": total,
        "max": largest,
        "mean": total / np.maximum(users, 1),
        "noisy-or": 1 - np.exp(log_none),
        "breadth 50": np.bincount(account[score > median], minlength=rows).astype(float),
        "breadth 80": np.bincount(account[score > high], minlength=rows).astype(float),
    }


@dataclass(frozen=True)
class Users:
    """User snapshots: the row of each one's account snapshot, its features, its score, percentiles 50 and 80 of training."""

    account: np.ndarray
    table: pd.DataFrame
    score: np.ndarray
    median: float
    high: float


def scored(
    config: Config, frame: pd.DataFrame, table: pd.DataFrame, manifest: Manifest, train: np.ndarray, trials: int
) -> np.ndarray:
    """Probabilities of all rows, from a model fitted on the training rows as `pql train` does."""
    X = manifest.matrix(table)
    fit = fit_model(frame[train], X[train], manifest, config.horizon, config.motion, config.seed, Budget(trials))
    margin = fit.predictor.margin(X)
    return np.asarray(np.clip(fit.calibration.apply(margin) + TIE * margin, 0, 1 - 1e-12))


def user_snapshots(data: TrainingData) -> tuple[Any, Any]:
    """Events with the user as entity, and the account's snapshots for each user that had been seen by then."""
    log = data.sources.events.table
    log = log.filter(log.user.notnull()).mutate(account=log.entity, entity=log.entity + SEPARATOR + log.user)
    snapshots = data.snapshots.table.rename(account="entity")
    arrived = log.known_at.isnull() | (log.known_at < snapshots.as_of)
    visible = log.join(snapshots, [log.account == snapshots.account, log.time < snapshots.as_of, arrived])
    return log.drop("account"), visible.select(log.entity, snapshots.as_of, snapshots.signed_up).distinct()


def score_users(config: Config, data: TrainingData, trials: int) -> Users:
    """Train on the users of the training snapshots of accounts; score all."""
    log, snapshots = user_snapshots(data)
    wanted = candidate_features(_of_users(config), data.offered)
    features = [feature.name for feature in wanted]
    sources = replace(data.sources, events=replace(data.sources.events, table=log))
    table = feature_table(sources, snapshots, wanted, {})
    frame = data.snapshots.frame
    owner = pd.MultiIndex.from_arrays([table["entity"].str.split(SEPARATOR).str[0], table["as_of"]])
    account = pd.MultiIndex.from_frame(frame[["entity", "as_of"]]).get_indexer(owner)
    for trait in _traits(data.manifest):
        table[trait.name] = data.table[trait.name].to_numpy()[account]
    train = data.split.train[account]
    manifest = _manifest(table[train], features, data.manifest)
    # The frame names the account, so folds and bootstraps keep the users of one account together.
    score = scored(config, frame.iloc[account].reset_index(drop=True), table, manifest, train, trials)
    median, high = np.quantile(score[train], [0.5, 0.8])
    return Users(account, table[features], score, float(median), float(high))


def _of_users(config: Config) -> Config:
    return config.model_copy(update={"entity": "user"})


def _traits(manifest: Manifest) -> list[ModelColumn]:
    return [column for column in manifest.columns if column.kind != "feature"]


def _manifest(train: pd.DataFrame, features: list[str], traits: Manifest) -> Manifest:
    informative, _ = drop_uninformative(train, features)
    return Manifest((*(ModelColumn(name, "feature") for name in informative), *_traits(traits)))


def score_accounts(config: Config, data: TrainingData, users: Users, trials: int) -> dict[str, np.ndarray]:
    """The account model, and three others that differ in what they know of the users."""
    usual = [column.name for column in data.manifest.columns if column.kind == "feature"]
    without_users = [name for name in usual if parse_feature(name).measure not in ABOUT_USERS]
    wider, top = _in_every_window(config, data), _top_user_counts(users, len(data.table))
    wider_and_top = pd.concat([wider, top], axis=1)
    table = pd.concat([data.table.drop(columns=wider_and_top.columns, errors="ignore"), wider_and_top], axis=1)
    frame, train = data.snapshots.frame, data.split.train
    columns = {
        "account": usual,
        WITHOUT: without_users,
        EVERY_WINDOW: [*without_users, *wider.columns],
        TOP_USER: [*usual, *top.columns],
    }
    manifests = {name: _manifest(table[train], features, data.manifest) for name, features in columns.items()}
    return {name: scored(config, frame, table, m, train, trials) for name, m in manifests.items()}


def _in_every_window(config: Config, data: TrainingData) -> pd.DataFrame:
    """What speaks of users, in all windows in which counts are offered."""
    windows = [f.window for f in candidate_features(config, data.offered) if f.event == ANY and f.measure == "count"]
    features = [Feature(ANY, "top_user_share", window) for window in windows]
    features += [Feature(e, "distinct_users", window) for e in (ANY, *data.offered.events) for window in windows]
    return feature_table(data.sources, data.snapshots.table, features, {})[[f.name for f in features]]


def _top_user_counts(users: Users, rows: int) -> pd.DataFrame:
    """The most that any one user did, of each event in each window; no measure gives that today.

    The columns carry names of features that the account has not, because a manifest reads names.
    """
    counts = [name for name in users.table.columns if parse_feature(name).measure == "count"]
    maxima = users.table[counts].groupby(users.account).max().reindex(range(rows), fill_value=0.0)
    return maxima.rename(columns=lambda name: "top+user%27s+" + name)


def measure(path: Path, trials: int) -> dict[str, Any]:
    """ROC-AUC of each on the test snapshots, and the account model's minus that of each, paired by account."""
    config = load_config(path)
    with open_session() as con:
        data = prepare(con, config, Stages(None))
        users = score_users(config, data, trials)
        scores = score_accounts(config, data, users, trials)
    scores |= roll_up(users.account, users.score, len(data.table), users.median, users.high)
    test = data.split.test
    y, entities = data.converted[test].astype(float), data.snapshots.frame["entity"].to_numpy()[test]
    auc = {name: evaluate(y, s[test], entities, names=["roc_auc"])["roc_auc"] for name, s in scores.items()}
    account_scores = scores.pop("account")[test]
    lead = {name: paired_difference(y, account_scores, s[test], entities) for name, s in scores.items()}
    return {
        "accounts": len(np.unique(entities)),
        "rows": len(y),
        "conversions": int(y.sum()),
        "users": float(np.bincount(users.account, minlength=len(test))[test].mean()),
        "roc_auc": {name: estimate.to_dict() for name, estimate in auc.items()},
        "account_minus": {name: estimate.to_dict() for name, estimate in lead.items()},
    }


def pooled(estimates: list[Estimate]) -> Estimate:
    """The mean over independent worlds, with the interval that their standard errors give; one stays as it is."""
    if len(estimates) == 1:
        return estimates[0]
    value = float(np.mean([e.value for e in estimates]))
    errors = np.array([(e.high - e.low) / (2 * 1.96) for e in estimates])
    half = 1.96 * float(np.sqrt((errors**2).sum())) / len(estimates)
    return Estimate(value, value - half, value + half)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One world: means over its seeds, and the roll-up that is best in hindsight."""
    lead = {name: pooled([Estimate(**r["account_minus"][name]) for r in runs]) for name in runs[0]["account_minus"]}
    auc = {name: float(np.mean([r["roc_auc"][name]["value"] for r in runs])) for name in runs[0]["roc_auc"]}
    return {
        "rows": sum(r["rows"] for r in runs),
        "conversions": sum(r["conversions"] for r in runs),
        "users": float(np.mean([r["users"] for r in runs])),
        "roc_auc": auc,
        "best": max(ROLLUPS, key=auc.__getitem__),
        "account_minus": {name: asdict(estimate) for name, estimate in lead.items()},
        "runs": runs,
    }


def tables(worlds: dict[str, Any]) -> str:
    """Three tables in Markdown: the comparison, every roll-up, and what the features about users add."""
    first = [
        "| world | test rows / conversions | users an account | account features | best roll-up, in hindsight | difference |"
    ]
    second = ["| world | account features | " + " | ".join(ROLLUPS) + " |"]
    third = ["| world | the features about users add | in every window | most by one user |"]
    for name, estimates in worlds.items():
        auc, lead, best = estimates["roc_auc"], estimates["account_minus"], estimates["best"]
        mean = f"{auc['account']:.3f}"
        about = f"{estimates['rows']:,} / {estimates['conversions']:,} | {estimates['users']:.1f} | {mean} | {best} {auc[best]:.3f}"
        first.append(f"| {name} | {about} | {_words(lead[best])} |")
        second.append(f"| {name} | {mean} | " + " | ".join(f"{auc[r]:.3f}" for r in ROLLUPS) + " |")
        gains = (_words(lead[WITHOUT]), _words(_minus(lead[EVERY_WINDOW])), _words(_minus(lead[TOP_USER])))
        third.append(f"| {name} | " + " | ".join(gains) + " |")
    return "\n\n".join("\n".join([t[0], "|---" * (t[0].count("|") - 1) + "|", *t[1:]]) for t in (first, second, third))


def _minus(e: dict[str, float]) -> dict[str, float]:
    return {"value": -e["value"], "low": -e["high"], "high": -e["low"]}


def _words(e: dict[str, float]) -> str:
    return f"{e['value']:+.3f} ({e['low']:+.3f} to {e['high']:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("worlds", nargs="*", help=", ".join(WORLDS))
    args = parser.parse_args()
    if unknown := [name for name in args.worlds if name not in WORLDS]:
        parser.error(f"unknown: {', '.join(unknown)}; the worlds are {', '.join(WORLDS)}")
    worlds = {}
    for name in args.worlds or WORLDS:
        write, accounts, seeds = WORLDS[name]
        runs = []
        for seed in seeds:
            started = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measure(write(Path(folder), accounts, seed), args.trials))
            print(f"{name}, seed {seed}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        worlds[name] = summary(runs)
    print(tables(worlds))
    if not args.worlds:
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps({"trials": args.trials, "worlds": worlds}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
