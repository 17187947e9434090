"""Train on the real data sets and write what came out to benchmarks/results/.

    python benchmarks/real_data.py ds365 relax

The data are third-party and not part of the project: they are looked for in `../shared/data`, or where the
environment's PQL_BENCH_DATA points.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pql_model

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("PQL_BENCH_DATA", HERE.parents[1] / "shared" / "data"))
REFERENCES = {"ds365": 0.728, "relax": 0.802}
"""ROC-AUC that honest, untuned references reach (the better of logistic regression and boosting)."""


def lay_out(name: str, home: Path) -> Path:
    """The data set and its `pql.yaml` side by side in a folder; returns the config's path."""
    for file in (DATA / name).iterdir():
        (home / file.name).symlink_to(file)
    return Path(shutil.copy(HERE / "real" / f"{name}.yaml", home / "pql.yaml"))


def run(name: str, trials: int = 30) -> dict[str, object]:
    """Train one data set in a temporary folder; returns what `pql train --json` prints."""
    with tempfile.TemporaryDirectory() as folder:
        return pql_model.train(lay_out(name, Path(folder)), trials=trials).to_dict()


def main(names: list[str]) -> None:
    for name in names or list(REFERENCES):
        if not (DATA / name).is_dir():
            sys.exit(f"There is no {name} in {DATA}; set PQL_BENCH_DATA to the folder that holds it.")
        result = {k: v for k, v in run(name).items() if k not in ("files", "run_id", "model")}
        out = HERE / "results" / f"{name}.json"
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        auc = result["test"]["roc_auc"]
        print(
            f"{name}: ROC-AUC {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f}), reference {REFERENCES[name]}; {out}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
