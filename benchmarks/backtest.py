"""Back-test the real data sets and write what came out to benchmarks/results/.

    python benchmarks/backtest.py ds365 relax

Data as in `real_data.py`. Prints the tables of docs/backtest.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from real_data import DATA, HERE, lay_out

import pql_model

STEPS = {"ds365": "30d", "relax": "60d"}
"""Relax has 60 days of horizon and sign-ups over two years: steps of a horizon."""


def run(name: str, trials: int = 10) -> dict[str, Any]:
    """Back-test one data set in a temporary folder; returns what `pql backtest --json` prints."""
    with tempfile.TemporaryDirectory() as folder:
        config = lay_out(name, Path(folder))
        return pql_model.backtest(config, every=STEPS[name], trials=trials).to_dict()


def line(first: str, trained: str, part: dict[str, Any], logistic: dict[str, Any]) -> str:
    """A row of the table."""
    calibration = part["calibration"]
    low, high = (calibration["observed"][end] for end in ("low", "high"))
    cells = [
        first,
        trained,
        f"{part['rows']:,}",
        f"{calibration['expected']:.0f}",
        f"{part['conversions']} ({low:.0f}-{high:.0f})",
        words(part["roc_auc"]),
        words(logistic["roc_auc"]),
        f"{part['precision_at_10']:.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def words(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} ({estimate['low']:.3f}-{estimate['high']:.3f})"


def main(names: list[str]) -> None:
    for name in names or list(STEPS):
        if not (DATA / name).is_dir():
            sys.exit(f"There is no {name} in {DATA}; set PQL_BENCH_DATA to the folder that holds it.")
        figures = {key: value for key, value in run(name).items() if key != "files"}
        out = HERE / "results" / f"backtest_{name}.json"
        out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(f"{name}, {sum(figures['seconds'].values()):.0f} seconds; {out}")
        for fold in figures["folds"]:
            print(
                line(fold["cutoff"], str(fold["train"]["conversions"]), fold, fold["baselines"]["logistic_regression"])
            )
        print(line("pooled", "", figures["pooled"], figures["baselines"]["logistic_regression"]))


if __name__ == "__main__":
    main(sys.argv[1:])
