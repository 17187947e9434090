"""What `pql monitor` says of the public sets at past dates: trained with what was known on one day, monitored months later.

    python benchmarks/monitor_real.py

The training reads copies of the tables that end on its day. The data are looked for as `real_data.py` does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from real_data import DATA, HERE, lay_out

import pql_model
from pql_model.config.load import load_config

RESULTS = HERE / "results" / "monitor_real.json"
DATES = {
    "relax": ("2013-09-01", ("2013-11-01", "2014-01-01", "2014-03-01", "2014-05-01", "2014-06-01")),
    "ds365": ("2022-06-01", ("2022-07-01", "2022-08-01", "2022-09-01", "2022-10-01", "2022-10-20")),
}
"""Set -> day of the training, days of monitoring."""
_OF_THE_MACHINE = ("output", "seconds")


def cut_short(name: str, home: Path, until: str) -> Path:
    """The tables of a set as they were on a day, beside its config; returns the config's path."""
    path = lay_out(name, home)
    config = load_config(path)
    times = {table.table: table.columns.time for table in [*config.events, config.conversions]}
    times[config.entities.table] = config.entities.columns.signed_up
    for table, column in times.items():
        rows = pd.read_csv(DATA / name / table, dtype=str)
        (home / table).unlink()
        rows[pd.to_datetime(rows[column], format="mixed") < until].to_csv(home / table, index=False)
    return path


def run(name: str, trials: int) -> list[dict[str, Any]]:
    """Train on the first day of a set, then monitor on the others."""
    until, days = DATES[name]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = cut_short(name, home, until)
        trained = pql_model.train(path, trials=trials, promote="force").to_dict()
        for file in (DATA / name).iterdir():
            (home / file.name).unlink(missing_ok=True)
            (home / file.name).symlink_to(file)
        looks = {day: pql_model.monitor(path, as_of=day).to_dict() for day in days}
    return [
        {
            "on": name,
            "trained": until,
            "test_roc_auc": trained["test"]["roc_auc"],
            **{key: value for key, value in look.items() if key not in _OF_THE_MACHINE},
            "as_of": day,
        }
        for day, look in looks.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", nargs="*", choices=list(DATES), default=list(DATES))
    parser.add_argument("--trials", type=int, default=30)
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in chosen.on:
        for row in run(name, chosen.trials):
            rows.append(row)
            print(f"{row['on']}, trained {row['trained']}, as of {row['as_of']}: {row['advice']}")
            for reason in row["why"]:
                print(f"    {reason}")
            for found in row["findings"]:
                print(f"    {found['severity']:5} {found['kind']}: {found['words']}", flush=True)
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
