"""How fast the service is, and where its time goes: in process, over HTTP beside others, for a long time, in batch, at its start.

    python benchmarks/serving.py all --home DIR       every part, each in a process of its own; about an hour
    python benchmarks/serving.py http --home DIR      one part: prepare, inside, http, collector, soak, overload, attack, batch, start, trees
    python benchmarks/serving.py all --quick          the same with a small model and few repetitions; writes nothing
    python benchmarks/serving.py --table              the tables of what was measured

The products are the demo as `pql demo` makes it and ds365 (see real_data.py), trained as a user would. They are kept in
--home and not trained again; without it they go with the run. Writes benchmarks/results/serving.json, part by part.
Latency is that of single requests; the client runs on the same machine and takes a few hundredths of a core, shown as
`client`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import serving_tables as tables
from serving_models import MODELS, Product, product

RESULTS = Path(__file__).resolve().parent / "results" / "serving.json"
Part = Callable[[Product, bool, argparse.Namespace], Any]


def _prepare(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    boosters = of.boosters
    trees = sum(booster.num_trees() for booster in boosters)
    return {"boosters": len(boosters), "trees": trees, "columns": len(of.bundle.model.manifest.columns)}


def _inside(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_inside import one_entity

    sizes = {None: 2000, 30: 2000, 300: 2000, 3000: 500}
    return [one_entity(of, events, 30 if quick else repetitions) for events, repetitions in sizes.items()]


def _http(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_service import side_by_side

    return side_by_side(of, 1 if quick else args.rounds, 1.0 if quick else args.seconds)


def _collector(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_service import collections

    return collections(of, 3.0 if quick else 90.0)  # longer than what Bento keeps of a request


def _soak(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_service import soak

    return soak(of, 0.3 if quick else args.minutes)


def _overload(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_service import overload

    return overload(of, 1.0 if quick else args.seconds)


def _attack(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_attack import attack

    about = of.bundle.about
    small = of.requests(30, 1)[0]
    return attack(
        of.path, of.config, (str(about["name"]), str(about["version"])), small, 1.0 if quick else args.seconds
    )


def _batch(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_inside import batch

    return batch(of, 300 if quick else 5000, 1 if quick else 7)


def _start(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_service import start_up

    return start_up(of, 1 if quick else 5)


def _trees(of: Product, quick: bool, args: argparse.Namespace) -> Any:
    from serving_inside import Smaller, smaller_trees

    changes = [Smaller(leaves, boosters) for boosters in (None, 5, 3, 1) for leaves in (None, 16, 8, 4, 2)][1:]
    return smaller_trees(of, changes[-1:] if quick else changes, 50 if quick else 500)


PARTS: dict[str, Part] = {
    "prepare": _prepare,
    "inside": _inside,
    "http": _http,
    "collector": _collector,
    "soak": _soak,
    "overload": _overload,
    "attack": _attack,
    "batch": _batch,
    "start": _start,
    "trees": _trees,
}
ONE_MODEL = ("collector", "soak", "overload", "attack", "start")
"""Parts that another model would tell nothing new of."""


def read() -> dict[str, dict[str, Any]]:
    """Part -> model -> what was measured."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def run(part: str, home: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one part of each model, write it down and print its table."""
    models = args.models[:1] if part in ONE_MODEL else args.models
    results: dict[str, Any] = {"load_average_before": round(os.getloadavg()[0], 2)}
    for name in models:
        results[name] = PARTS[part](product(name, home, args.quick), args.quick, args)
    if not args.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps({**read(), part: results}, indent=1) + "\n", encoding="utf-8")
    print(tables.of(part, results), flush=True)
    return results


def _each_alone(home: Path, options: list[str]) -> int:
    """Every part in a process of its own: no part inherits memory, threads or a frozen heap of another."""
    for part in PARTS:
        print(f"\n## {part}\n", flush=True)
        process = subprocess.run([sys.executable, __file__, part, "--home", str(home), *options], check=False)
        if process.returncode:
            return process.returncode
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["all", *PARTS], default="all")
    parser.add_argument("--home", type=Path, help="where the trained products are kept")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), help="soak and start take the first"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak")
    parser.add_argument("--rounds", type=int, default=6, help="of http")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of each server, number of clients and round of http"
    )
    parser.add_argument("--quick", action="store_true", help="a small model, few repetitions; writes nothing")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    args = parser.parse_args(arguments)
    if args.table:
        print("\n\n".join(f"## {part}\n\n{tables.of(part, results)}" for part, results in read().items()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = args.home if args.home is not None else Path(folder)
        if args.part != "all":
            run(args.part, home, args)
            return 0
        options = ["--models", *args.models, "--minutes", str(args.minutes), "--rounds", str(args.rounds)]
        return _each_alone(home, [*options, "--seconds", str(args.seconds), *["--quick"] * args.quick])


if __name__ == "__main__":
    sys.exit(main())
