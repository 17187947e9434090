"""How often `pql monitor` gives the right advice: trained on one day, monitored 14 weeks later, whole runs on files.

    python benchmarks/monitor_model.py                      # 20 worlds of a kind, about two hours on two cores
    python benchmarks/monitor_model.py --kinds quiet odds_cut --seeds 5

The changes of tracking are measured by `monitor.py`; here are those of how accounts decide, and worlds without a change.
Worlds of the same seed are one product until the training, where only decisions differ, and share the training.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from monitor_worlds import ADVICE, FINDING, KINDS, OUTCOME, QUIET, SMALL, TRAINED, make_world, write_world

import pql_model

RESULTS = Path(__file__).resolve().parent / "results" / "monitor_model.json"
SHARED = ("quiet", "odds_cut", "behaviours_changed")
TRIALS = 2


def run(size: int, kinds: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """Train and monitor the worlds of one seed."""
    warnings.simplefilter("ignore")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "shared"
        for kind in kinds:
            world = make_world(kind, seed, size)
            home = shared if kind in SHARED else Path(folder) / kind
            if not (home / "mlflow.db").exists():
                write_world(world, home, TRAINED)
                pql_model.train(home / "pql.yaml", trials=TRIALS, promote="force")
            write_world(world, home, world.as_of)
            said = pql_model.monitor(home / "pql.yaml").to_dict()
            shutil.rmtree(home / ".pql", ignore_errors=True)  # the look of another world
            rows.append(
                {
                    "kind": kind,
                    "size": size,
                    "seed": seed,
                    "advice": said["advice"],
                    "findings": [[f["kind"], f["subject"], f["severity"]] for f in said["findings"]],
                    "ranking": said["ranking"] and said["ranking"]["difference"],
                    "judged": said["judged"]["final"],
                }
            )
    return rows


def table(results: Sequence[dict[str, Any]]) -> str:
    """Advice and findings by kind."""
    lines = [
        "| world | sign-ups a year | worlds | change named | right advice | advice | worlds with a finding to act on that is wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    present = {(row["kind"], row["size"]) for row in results}
    for kind, size in sorted(present, key=lambda one: ([*KINDS].index(one[0]), one[1])):
        rows = [row for row in results if (row["kind"], row["size"]) == (kind, size)]
        right = {ADVICE[kind]} if kind in ADVICE else {"keep", "watch"}
        advice = [row["advice"] for row in rows]
        named = sum(any(found[0] == FINDING.get(kind) for found in row["findings"]) for row in rows)
        wrong = sum(any(f[2] == "act" and f[0] != FINDING.get(kind) for f in row["findings"]) for row in rows)
        counts = ", ".join(f"{name} {advice.count(name)}" for name in sorted(set(advice)))
        lines.append(
            f"| {KINDS[kind]} | {size:,} | {len(rows)} | {named if kind in FINDING else '-'} | "
            f"{sum(name in right for name in advice)} | {counts} | {wrong} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = [*QUIET, *OUTCOME]
    parser.add_argument("--kinds", nargs="*", default=kinds, choices=kinds)
    parser.add_argument("--seeds", type=int, default=20, help="Number of worlds of each kind.")
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--size", type=int, default=SMALL, help="Accounts a year.")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="Measure nothing.")
    chosen = parser.parse_args()
    if chosen.table:
        print(table(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(chosen.jobs) as pool:
        seeds = range(chosen.first, chosen.first + chosen.seeds)
        for rows in pool.map(partial(run, chosen.size, chosen.kinds), seeds):
            results += rows
            for row in rows:
                print(json.dumps(row), flush=True)
            RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in results) + "\n]\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
