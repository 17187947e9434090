"""Is it the same number in batch, in the registered pyfunc, in the engine, and over HTTP? On the data as they are, and on edges.

    python benchmarks/parity.py demo relax ds365

A model is trained on each set, exported and served by `pql serve`. `pql verify` then sends snapshots of the training and test
sets through every path: once of the data as they are, once of a copy that `parity_world.py` changed, where the same model
stays. The figures go to benchmarks/results/parity.json.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity_world import perturbed
from real_data import DATA, HERE, lay_out

import pql_model
from pql_model.decide.decider import Decider
from pql_model.features.spec import parse_feature
from pql_model.measures import MEASURES
from pql_model.workflows.train import TrainResult
from pql_model.workflows.verify import VerifyResult

SETS = ("demo", "relax", "ds365")
WORLDS = ("as it is", "on edges")
PARTS = ("usage", "fit", "timing")
_RULE = "{event: Board Created, at_least: 2, within: first 14d}"
_UPLOADS = "{event: File Uploaded, measure: distinct_values, value: megabytes, at_least: 2, within: first 14d}"
_ASKS_FOR_ANOTHER = (f"all: [{_RULE}]", f"any: [{_RULE}, {_UPLOADS}]")
"""The measure that no model is offered; a rule in force may ask for it."""


@contextmanager
def served(bundle: Path) -> Iterator[str]:
    """The address of `pql serve` on the bundle."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pql_model", "serve", "--bundle", str(bundle), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if server.poll() is not None:
                sys.exit("`pql serve` ended before it was ready.")
            if _ready(address):
                break
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def trained(name: str, home: Path, trials: int, accounts: int) -> TrainResult:
    if name == "demo":
        config = pql_model.make_demo(home, accounts=accounts) / "pql.yaml"
        config.write_text(config.read_text(encoding="utf-8").replace(*_ASKS_FOR_ANOTHER), encoding="utf-8")
    else:
        config = lay_out(name, home)
    return pql_model.train(config, trials=trials, promote="force")


def measure(name: str, rows: int, trials: int, accounts: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A record for each world and path, and what there is to know of the set."""
    with tempfile.TemporaryDirectory() as folder:
        home, edges_home = Path(folder, "as_it_is"), Path(folder, "on_edges")
        home.mkdir()
        edges_home.mkdir()
        training = trained(name, home, trials, accounts)
        data, model = training.prepared, training.registered.model
        kinds = perturbed(edges_home, home, data.snapshots.frame, list(data.offered.known), data.sources.observed_until)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home / 'mlflow.db'}"  # the copy has no model of its own
        try:
            bundle = pql_model.export(home / "pql.yaml", output=home / "bundle").bundle
            with served(bundle.path) as address:
                results = [pql_model.verify(place / "pql.yaml", url=address, rows=rows) for place in (home, edges_home)]
        finally:
            del os.environ["MLFLOW_TRACKING_URI"]
    features = [parse_feature(c.name) for c in model.manifest.columns if c.kind == "feature"]
    measures = {f.measure for f in (*features, *Decider.of_facts(model.facts).features)}
    about = {
        "features": len(model.manifest.columns),
        "measures": [m for m in MEASURES if m in measures],
        "labelled_snapshots": len(data.snapshots.frame),
        "events_on_edges": kinds,
    }
    return [row for world, result in zip(WORLDS, results, strict=True) for row in _records(name, world, result)], about


def _records(name: str, world: str, result: VerifyResult) -> Iterator[dict[str, Any]]:
    for path in result.paths:
        payload = path.to_dict() | {"path": path.path if not path.path.startswith("http") else "HTTP"}
        yield {"set": name, "world": world, **payload}


def show(records: list[dict[str, Any]]) -> None:
    print("| data | world | path | rows | probability | usage, fit, timing | rows that differ in anything | refused |")
    print("|---|---|---|---|---|---|---|---|")
    for row in records:
        largest = row["largest_difference"]
        parts, differing = max(largest[part] for part in PARTS), max(row["different_rows"].values())
        print(
            f"| {row['set']} | {row['world']} | {row['path']} | {row['rows']:,} | {largest['probability']:.2g} | {parts:.2g} "
            f"| {differing} | {row['refused']['rows']} |"
        )


def main(arguments: list[str]) -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("sets", nargs="*", default=SETS)
    reader.add_argument("--rows", type=int, default=1000, help="snapshots of each set and world, at most")
    reader.add_argument("--trials", type=int, default=5)
    reader.add_argument("--accounts", type=int, default=4000, help="of the demo")
    args = reader.parse_args(arguments)
    records, sets = [], {}
    for name in args.sets:
        if name != "demo" and not (DATA / name).is_dir():
            sys.exit(f"There is no {name} in {DATA}; set PQL_BENCH_DATA to the folder that holds it.")
        rows, sets[name] = measure(name, args.rows, args.trials, args.accounts)
        records += rows
        show(rows)
    covered = {measure for about in sets.values() for measure in about["measures"]}
    uncovered = [measure for measure in MEASURES if measure not in covered]
    print(
        f"Measures among the features: {len(covered)} of {len(MEASURES)}{'; not ' if uncovered else ''}{', '.join(uncovered)}."
    )
    out = HERE / "results" / "parity.json"
    out.write_text(
        json.dumps({"rows": records, "sets": sets, "measures_left": uncovered}, indent=1) + "\n", encoding="utf-8"
    )
    if not all(row["same"] for row in records):
        sys.exit("Something differs.")


if __name__ == "__main__":
    main(sys.argv[1:])
