"""Is the next step the planted one, and is nothing offered where nothing counts? In products whose rule is known.

    python benchmarks/next_step.py                the worlds that are not finished yet, then the table
    python benchmarks/next_step.py --table        only the table of what is finished

Every world goes through the parts of `pql train`: features, a model (without tuning), criteria found on earlier accounts and tested
on later ones, slopes of the behaviours on the later ones. The next step of every later account at day 7, half-way through the
trial, is then compared with the planted criteria. Each finished world is added to benchmarks/results/next_step.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from criteria_worlds import CriteriaWorld, criteria_world

from pql_model.config.load import load_config
from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.decide.next_step import NextSteps
from pql_model.decide.step_evidence import behaviour_slopes
from pql_model.decide.steps import Predictions, Step
from pql_model.features.spec import criterion_feature
from pql_model.features.table import feature_table
from pql_model.model.age_level import AGE
from pql_model.model.artifact import FittedModel, reference_quantiles
from pql_model.model.columns import Manifest
from pql_model.model.train import Budget, Fit, fit_model
from pql_model.progress import Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY
from pql_model.workflows.findings import collect_findings
from pql_model.workflows.prepare import prepare

RESULTS = Path(__file__).resolve().parent / "results" / "next_step.json"
KINDS: dict[str, dict[str, Any]] = {
    "three planted criteria": {"planted": 3},
    "noise": {"planted": 0},
    "only the size counts": {"planted": 0, "size_alone": True},
}
ACCOUNTS, RATE, WORLDS, FIRST_SEED, AT_DAY = 4000, 0.12, 20, 9000, 7
Record = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """What a training of one world leaves: the model, its criteria, and the later accounts."""

    planted: tuple[str, ...]
    manifest: Manifest
    fit: Fit
    criteria: list[BoundCriterion]
    contributions: np.ndarray
    converted: np.ndarray
    entity: np.ndarray
    X: np.ndarray
    columns: Columns


def run(kind: str, seed: int) -> Record:
    """One world: which steps were offered."""
    world = criteria_world(ACCOUNTS, seed, base_rate=RATE, **KINDS[kind])
    return {"kind": kind, "seed": seed, **offers(trained_on(world))}


def trained_on(world: CriteriaWorld) -> Trained:
    """What `pql train` finds, without tuning, and the later accounts at day 7."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(world.write(Path(folder)))
        with open_session() as con:
            data = prepare(con, config, Stages(None))
            frame, train, test = data.snapshots.frame, data.split.train, data.split.test
            X = data.manifest.matrix(data.table)
            fit = fit_model(frame[train], X[train], data.manifest, config.horizon, "trial", 7, Budget(1), search=False)
            probability = fit.calibration.apply(fit.predictor.margin(X))
            quantiles = reference_quantiles(probability[test])
            model = FittedModel(fit.predictor, fit.calibration, data.manifest, quantiles, {})
            contributions = fit.predictor.contributions(X[test])
            results = collect_findings(config, data, model, contributions, probability).results
            criteria = [BoundCriterion(result.criterion, result.id) for result in results.criteria]
            features = dict.fromkeys(c.feature for c in criteria if c.feature is not None)
            extra = feature_table(data.sources, data.snapshots.table, list(features), {})
    rows = test & (frame["as_of"] - frame["signed_up"] == AT_DAY * DAY).to_numpy(bool)
    full = data.table.assign(**{name: extra[name].to_numpy() for name in extra.columns[2:]})
    return Trained(
        tuple(rule.event if rule.event != "any" else f"any: {rule.measure}" for rule in world.planted),
        data.manifest,
        fit,
        criteria,
        contributions,
        data.converted[test],
        frame["entity"].to_numpy()[test],
        X[rows],
        Columns.of_table(full[rows], criteria, [AGE]),
    )


def offers(trained: Trained) -> Record:
    """The next steps of the later accounts, beside what was planted."""
    fit, columns = trained.fit, trained.columns
    criteria = [c.criterion for c in trained.criteria]
    slopes = behaviour_slopes(
        criteria, trained.contributions, trained.manifest, fit.calibration, trained.converted, trained.entity
    )
    predictions = Predictions(fit.predictor.margin, fit.calibration.apply)
    steps = NextSteps(trained.criteria, trained.manifest, slopes).find(columns, trained.X, predictions)
    found = [(step, criterion_feature(step.condition.criterion).family) for step in steps if step is not None]
    planted = [
        Step.of(c, trained.manifest) for c in trained.criteria if c.feature and c.feature.family in trained.planted
    ]
    could = np.any(
        [step.gap(columns, None).open for step in planted if step is not None] or [np.zeros(columns.rows, bool)], axis=0
    )
    return {
        "planted": list(trained.planted),
        "criteria": [criterion.text for criterion in trained.criteria],
        "usage": sum(c.event is not None for c in criteria),
        "slopes": {k: [round(v, 3) for v in (slope.low, slope.value, slope.high)] for k, slope in slopes.items()},
        "rows": columns.rows,
        "planted_open": int(could.sum()),
        "offered": dict(Counter(behaviour for _, behaviour in found).most_common()),
        "instead": sum(
            of not in trained.planted and bool(open_)
            for (_, of), open_ in zip(found, could[[step is not None for step in steps]], strict=True)
        ),
        "gain": round(float(np.mean([step.gain.value for step, _ in found] or [0.0])), 4),
    }


def table(records: Sequence[Record]) -> str:
    """By kind of world: how often something is offered, and how often it is what was planted."""
    lines = [
        "| worlds | number | with a confirmed criterion | with any step offered | accounts with a step | steps that are planted |"
        " worlds whose commonest step is planted |",
        "|---" * 7 + "|",
    ]
    for kind in KINDS:
        of = [record for record in records if record["kind"] == kind]
        offering = [record for record in of if record["offered"]]
        offered = sum(sum(record["offered"].values()) for record in of)
        planted = sum(n for r in of for event, n in r["offered"].items() if event in r["planted"])
        first = sum(next(iter(record["offered"])) in record["planted"] for record in offering)
        usage = sum(any("`company_size`" not in text for text in record["criteria"]) for record in of)
        lines.append(
            f"| {kind} | {len(of)} | {usage} | **{len(offering)}** | {offered / max(1, sum(r['rows'] for r in of)):.0%} | "
            + (
                f"**{planted / offered:.0%}** | {first} of {len(offering)} |"
                if offered and any(r["planted"] for r in of)
                else "| |"
            )
        )
    return "\n".join(lines)


def read() -> list[Record]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []


def add(record: Record) -> None:
    """Put a finished world to the others; a kill in the midst of it loses nothing."""
    records = sorted([*read(), record], key=lambda r: (r["kind"], r["seed"]))
    draft = RESULTS.with_suffix(".part")
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in records)
    draft.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    draft.replace(RESULTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="of each kind")
    parser.add_argument("--table", action="store_true", help="only print the table")
    args = parser.parse_args()
    finished = {(record["kind"], record["seed"]) for record in read()}
    for seed in range(FIRST_SEED, FIRST_SEED + args.worlds * (not args.table)):
        for kind in KINDS:
            if (kind, seed) not in finished:
                record = run(kind, seed)
                add(record)
                print(json.dumps(record, ensure_ascii=False), flush=True)
    print(table(read()))


if __name__ == "__main__":
    main()
