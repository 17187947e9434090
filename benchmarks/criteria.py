"""Does mining find the truth? Planted criteria, noise, and intervals, in products whose rule is known.

    python benchmarks/criteria.py                        20 worlds of each size and 20 of noise; some hours on two busy cores
    python benchmarks/criteria.py --worlds 2 --noise 2   the first of them
    python benchmarks/criteria.py --table                the tables of what is finished

Every world goes through the parts of `pql train`: features, a model (5 trials), criteria found on earlier accounts and
tested on later ones. Another year of the same product (other accounts) then gives the rate of every rule again, and
40,000 more accounts its true rate. Each finished world is added to benchmarks/results/criteria.json; what is there is not
run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from criteria_worlds import CriteriaWorld, Planted, criteria_world

from pql_model.config.definition import Criterion, Definition
from pql_model.config.load import load_config
from pql_model.criteria.definition_text import criterion_short, definition_short
from pql_model.criteria.evaluate import definition_features, meets
from pql_model.criteria.results import CriteriaResults, CriterionResult
from pql_model.features.table import feature_table
from pql_model.model.artifact import FittedModel, reference_quantiles
from pql_model.model.train import Budget, fit_model
from pql_model.progress import Stages
from pql_model.report.findings import Findings
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.time import DAY
from pql_model.workflows.findings import collect_findings
from pql_model.workflows.prepare import prepare, trait_names

RESULTS = Path(__file__).resolve().parent / "results" / "criteria.json"
SIZES, NOISE_SIZE = (3000, 6000, 12000), 3000
FIRST_SEED, FIRST_NOISE = 1000, 5000
PLANTED, TRIALS, LANDMARK = 4, 5, 14
MANY = 40_000  # accounts that tell the true rate of a rule
EXACTLY, NEARLY, BEHAVIOUR, MISSED = "exactly", "nearly", "behaviour", "missed"
Record = dict[str, Any]


# ---------------------------------------------------------------- one world


def find_in(world: CriteriaWorld) -> Findings:
    """What `pql train` finds, with a quick model."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(world.write(Path(folder)))
        with open_session() as con:
            data = prepare(con, config, Stages(None))
    frame, train, test = data.snapshots.frame, data.split.train, data.split.test
    X = data.manifest.matrix(data.table)
    fit = fit_model(frame[train], X[train], data.manifest, config.horizon, config.motion, config.seed, Budget(TRIALS))
    probability = fit.calibration.apply(fit.predictor.margin(X))
    model = FittedModel(fit.predictor, fit.calibration, data.manifest, reference_quantiles(probability[test]), {})
    return collect_findings(config, data, model, fit.predictor.contributions(X[test]), probability)


def rates_in(world: CriteriaWorld, rules: Sequence[Definition]) -> list[dict[str, float]]:
    """What came of those who meet each rule at the landmark, and what is to be expected of them."""
    features = list(dict.fromkeys(f for rule in rules for f in definition_features(rule)))
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(world.write(Path(folder)))
        with open_session() as con:
            sources = read_sources(con, config)
            snapshots = label_snapshots(con, config, sources)
            frame = snapshots.frame
            table = feature_table(sources, snapshots.table, features, trait_names(sources.entities.traits))
    at = (frame["as_of"] - frame["signed_up"] == LANDMARK * DAY).to_numpy(bool)
    frame, table = frame[at], table[at]
    chance = world.chance[frame["entity"].str.removeprefix("acc-").astype(int)]
    rates = []
    for rule in rules:
        mask = meets(rule, table)
        converted = frame["converted"].to_numpy(bool)[mask]
        rates.append({"rows": int(mask.sum()), "rate": _mean(converted), "expected": _mean(chance[mask])})
    return rates


def _mean(of: np.ndarray) -> float:
    return float(of.mean()) if len(of) else float("nan")


@dataclass(frozen=True)
class Where:
    """What a criterion reads and from which number on; windows that cannot differ on the fourteenth day are one."""

    behaviour: str
    measure: str
    window: str
    threshold: float

    @classmethod
    def of(cls, source: Criterion | Planted) -> Where:
        window = str(source.window).replace("14d", str(LANDMARK))
        window = "all" if window in ("ever", f"first {LANDMARK}", f"last {LANDMARK}") else window
        event = f"any: {source.measure}" if source.event == "any" else str(source.event)
        return cls(event, source.measure, window, float(source.threshold or 0))

    def near(self, other: Where) -> bool:
        """The same but for a threshold that is one more or less."""
        alike = (self.behaviour, self.measure, self.window) == (other.behaviour, other.measure, other.window)
        return alike and abs(self.threshold - other.threshold) <= 1


def standing(planted: Planted, results: Sequence[CriterionResult]) -> tuple[str, CriterionResult | None]:
    """How a planted criterion came back, and as which.

    `nearly`: one more or less, or in a window that the criterion names as one that cannot be told apart.
    """
    truth = Where.of(planted)
    for criterion in results:
        here = Where.of(criterion.mined.condition)
        if here.behaviour != truth.behaviour:
            continue
        if here == truth:
            return EXACTLY, criterion
        alternatives = [Where.of(also.condition) for also in criterion.mined.alternatives]
        return (NEARLY if any(place.near(truth) for place in (here, *alternatives)) else BEHAVIOUR), criterion
    return MISSED, None


def payload(planted: Planted, results: Sequence[CriterionResult]) -> Record:
    quality, criterion = standing(planted, results)
    record: Record = {
        "planted": f"{planted.event} {planted.measure} {planted.window} >= {planted.threshold}",
        "weight": planted.weight,
        "found": quality,
    }
    if criterion is not None:
        mined = criterion.mined
        low, high = mined.threshold_interval or (np.nan, np.nan)
        same_window = Where.of(mined.condition).window == Where.of(planted).window
        record |= {
            "as": criterion_short(mined.condition),
            "agreement": round(mined.threshold_agreement, 3),
            "also": [criterion_short(also.condition) for also in mined.alternatives],
            "inside": bool(low <= planted.threshold <= high) if same_window else None,
        }
    return record


def run(kind: str, accounts: int, seed: int) -> Record:
    """One world: what was found, what was not, and every rate that was promised."""
    began = time.perf_counter()
    world = criteria_world(accounts, seed, planted=PLANTED if kind == "planted" else 0)
    findings = find_in(world)
    results = findings.results
    behaviours = {Where.of(rule).behaviour for rule in world.planted}
    usage = [c for c in results.criteria if c.mined.condition.event is not None]
    record: Record = {
        "kind": kind,
        "accounts": accounts,
        "seed": seed,
        "earlier": [int(findings.earlier.sum()), int(findings.outcomes.converted[findings.earlier].sum())],
        "later": [int(findings.later.sum()), int(findings.outcomes.converted[findings.later].sum())],
        "planted": [payload(rule, results.criteria) for rule in world.planted],
        "false": [
            criterion_short(c.mined.condition) for c in usage if Where.of(c.mined.condition).behaviour not in behaviours
        ],
        "traits": [criterion_short(c.mined.condition) for c in results.criteria if c.mined.condition.event is None],
        "not_confirmed": [
            definition_short(r.definition) for r in results.not_confirmed if isinstance(r, CriterionResult)
        ],
        "rules": [],
        "seconds": round(time.perf_counter() - began),
    }
    return record | {"rules": list(promised(results))}


def promised(results: CriteriaResults) -> Iterator[Record]:
    """Every rule that was tested on later accounts, with its interval."""
    for rule in (*results.criteria, *results.definitions, *results.not_confirmed):
        yield {
            "definition": rule.definition.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "joined": not isinstance(rule, CriterionResult),
            "confirmed": rule.confirmed,
            "qualified": rule.later.qualified,
            "low": round(rule.later.rate.low, 6),
            "high": round(rule.later.rate.high, 6),
        }


def with_next_year(record: Record) -> Record:
    """The rates of its rules among as many other accounts."""
    return _with(record, criteria_world(record["accounts"], record["seed"], sample_seed=1), "next_year", "rate")


def with_truth(record: Record, population: CriteriaWorld) -> Record:
    return _with(record, population, "true", "expected")


def _with(record: Record, world: CriteriaWorld, name: str, column: str) -> Record:
    rules = [Definition.model_validate(rule["definition"]) for rule in record["rules"]]
    rates = rates_in(world, rules) if rules else []
    payload = [{**rule, name: round(rate[column], 6)} for rule, rate in zip(record["rules"], rates, strict=True)]
    return {**record, "rules": payload}


def in_words(record: Record) -> Record:
    """Its rules as text, which is shorter."""
    rules = [
        {"rule": definition_short(Definition.model_validate(rule["definition"]))}
        | {key: value for key, value in rule.items() if key != "definition"}
        for rule in record["rules"]
    ]
    return {**record, "rules": rules}


# ---------------------------------------------------------------- tables


def recovery_table(records: Sequence[Record]) -> str:
    """By size: how the planted criteria came back, and what else did."""
    lines = [
        "| accounts | worlds | conversions mined | planted | exactly | one off, or a window it names | behaviour only |"
        " missed | false a world | planted threshold inside the interval |",
        "|---" * 10 + "|",
    ]
    for size in SIZES:
        of = [r for r in records if r["kind"] == "planted" and r["accounts"] == size]
        if of:
            every = [p for r in of for p in r["planted"]]
            share = {
                quality: sum(p["found"] == quality for p in every) / len(every)
                for quality in (EXACTLY, NEARLY, BEHAVIOUR, MISSED)
            }
            covered = [p["inside"] for p in every if p.get("inside") is not None]
            false = sum(len(r["false"]) for r in of) / len(of)
            mined = np.mean([r["earlier"][1] for r in of])
            lines.append(
                f"| {size:,} | {len(of)} | {mined:.0f} | {len(every)} | **{share[EXACTLY]:.0%}** | {share[NEARLY]:.0%} | "
                f"{share[BEHAVIOUR]:.0%} | {share[MISSED]:.0%} | {false:.2f} | {np.mean(covered):.0%} of {len(covered)} |"
            )
    return "\n".join(lines)


def noise_table(records: Sequence[Record]) -> str:
    """Worlds in which nothing counts."""
    of = [r for r in records if r["kind"] == "noise"]
    confirmed = sum(bool(r["false"] or r["traits"]) for r in of)
    mined = sum(bool(r["false"] or r["traits"] or r["not_confirmed"]) for r in of)
    return "\n".join(
        [
            "| worlds of noise | accounts | with a criterion on earlier accounts | with a criterion that later ones confirm |",
            "|---|---|---|---|",
            f"| {len(of)} | {NOISE_SIZE:,} | {mined} | {confirmed} |",
        ]
    )


def interval_table(records: Sequence[Record]) -> str:
    """How many of the 95 % intervals from later accounts hold the true rate, and the rate of another year."""
    lines = [
        "| accounts | rules | qualified (median) | width (median, points) | true rate inside | next year's rate inside |",
        "|---" * 6 + "|",
    ]
    rules = [{**rule, "accounts": r["accounts"]} for r in records if r["kind"] == "planted" for rule in r["rules"]]
    for label, joined in (("criteria", False), ("definitions", True)):
        for size in SIZES:
            of = [rule for rule in rules if rule["accounts"] == size and rule["joined"] is joined]
            if of:
                lines.append(_interval_line(f"{size:,}", f"{len(of)} {label}", of))
    lines.append(_interval_line("all", str(len(rules)), rules))
    return "\n".join(lines)


def _interval_line(size: str, name: str, of: Sequence[Record]) -> str:
    width = np.median([100 * (rule["high"] - rule["low"]) for rule in of])
    covered = [
        np.mean([rule["low"] <= rule[column] <= rule["high"] for rule in of]) for column in ("true", "next_year")
    ]
    qualified = np.median([rule["qualified"] for rule in of])
    return f"| {size} | {name} | {qualified:.0f} | {width:.1f} | **{covered[0]:.1%}** | **{covered[1]:.1%}** |"


def tables(records: Sequence[Record]) -> str:
    return "\n\n".join([recovery_table(records), noise_table(records), interval_table(records)])


# ---------------------------------------------------------------- all worlds


def _order(record: Record) -> Any:
    return record["kind"], record["accounts"], record["seed"]


def read(path: Path = RESULTS) -> list[Record]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def add(records: Sequence[Record], path: Path = RESULTS, order: Callable[[Record], Any] = _order) -> None:
    """Put finished worlds to the others; a kill in the midst of it loses nothing."""
    lines = [json.dumps(record, ensure_ascii=False) for record in sorted([*read(path), *records], key=order)]
    draft = path.with_suffix(".part")
    draft.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    draft.replace(path)


def finish(kind: str, seed: int, sizes: Sequence[int]) -> None:
    """Every size of one product that is not finished yet."""
    finished = {(r["kind"], r["accounts"], r["seed"]) for r in read()}
    records = [run(kind, size, seed) for size in sizes if (kind, size, seed) not in finished]
    if records and kind == "planted":
        population = criteria_world(MANY, seed, sample_seed=2)
        records = [with_truth(with_next_year(record), population) for record in records]
    add([in_words(record) for record in records])
    for r in records:
        qualities = [p["found"] for p in r["planted"]]
        print(kind, r["accounts"], seed, f"{r['seconds']} s", qualities, "false:", r["false"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--noise", type=int, default=20)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--table", action="store_true", help="only print the tables")
    args = parser.parse_args()
    if not args.table:
        for k in range(max(args.worlds, args.noise)):
            if k < args.worlds:
                finish("planted", FIRST_SEED + k, args.sizes)
            if k < args.noise:
                finish("noise", FIRST_NOISE + k, [NOISE_SIZE])
    print(tables(read()))


if __name__ == "__main__":
    main()
