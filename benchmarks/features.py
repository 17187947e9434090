"""What features cost: `build_features` beside hand-written SQL on the same log, and how it grows.

    python benchmarks/features.py --events 1000000 10000000     some ten minutes on two quiet cores
    python benchmarks/features.py --table                       the table of what was measured

Both read the same tables of DuckDB and fill the same matrix, which must be equal to the last bit before anything is timed. They
take turns, each in a process of its own. The SQL knows what only this list of features allows: who is a new user needs no order
where the window is `ever`. Counted is CPU: seconds depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd

from pql_model import build_features, parse_feature
from pql_model.sources.duckdb_session import open_session

RESULTS = Path(__file__).resolve().parent / "results" / "features.json"
DAY, HALF_HOUR = 86_400_000_000, 1_800_000_000
WEEK = 7 * DAY
EVENTS = [f"event {k:02d}" for k in range(16)]
OF_EVENT = ["count.first_7d", "count.last_7d", "count.ever", "active_days.last_7d", "distinct_users.ever"]
OF_ANY = [
    "count.ever",
    "active_days.ever",
    "breadth.ever",
    "sessions.ever",
    "session_minutes.ever",
    "distinct_users.ever",
]
WITH_VALUE = EVENTS[:4]
TRIAL, WEEKLY = (3, 7, 14), tuple(range(7, 183, 7))
"""Days of the snapshots: of a trial, and of half a year of a free plan."""
MOST_WEEKLY = 1_000_000
"""Events up to which half a year of snapshots is measured too; ten times as many take a quarter of an hour."""


def names() -> list[str]:
    coded = [event.replace(" ", "+") for event in EVENTS]
    return [
        *(f"{event}.{feature}" for event in coded for feature in (*OF_EVENT, "days_since_last.ever")),
        *(f"{event.replace(' ', '+')}.sum.mb.ever" for event in WITH_VALUE),
        *(f"any.{feature}" for feature in (*OF_ANY, "trend.last_7d")),
    ]


def write_log(folder: Path, events: int, days: tuple[int, ...], seed: int = 3) -> None:
    """A log of 150 events an entity on average, with some events exactly on the edges of windows."""
    rng = np.random.default_rng(seed)
    entities = events // 150
    signed_up = 1_735_689_600_000_000 + (rng.random(entities) * 400 * DAY).astype(np.int64)
    busy = rng.gamma(1.2, 1, entities)
    owner = np.repeat(np.arange(entities), rng.multinomial(events, busy / busy.sum()))
    time = signed_up[owner] + (rng.exponential(max(days) / 1.8, events) * DAY).astype(np.int64)
    edge = rng.random(events) < 0.002
    time[edge] = signed_up[owner[edge]] + rng.choice([0, *days], edge.sum()) * DAY
    share = 1 / np.arange(1, 17)
    seat = (rng.random(events) * rng.integers(1, 7, entities)[owner]).astype(np.int64)
    order = np.argsort(time, kind="stable")
    log = pd.DataFrame(
        {
            "entity": np.array([f"acc{k:07d}" for k in range(entities)])[owner[order]],
            "user": (owner * 10 + seat)[order].astype(str),
            "event": np.array(EVENTS)[rng.choice(16, events, p=share / share.sum())][order],
            "time": time[order],
            "value_mb": rng.integers(0, 4000, events)[order] * 0.25,
        }
    )
    log.to_parquet(folder / "events.parquet", index=False)
    of = np.repeat(np.arange(entities), len(days))
    snapshots = {"entity": [f"acc{k:07d}" for k in of], "as_of": signed_up[of] + np.tile(days, entities) * DAY}
    pd.DataFrame({**snapshots, "signed_up": signed_up[of]}).to_parquet(folder / "snapshots.parquet", index=False)


def ours(folder: Path) -> pd.DataFrame:
    with open_session() as con:
        log = con.read_parquet(folder / "events.parquet")
        log = log.mutate(known_at=ibis.null("int64"), n=ibis.literal(1.0), users=ibis.null("float64"))
        events = con.create_table("events", log)
        snapshots = con.create_table("snapshots", con.read_parquet(folder / "snapshots.parquet"))
        return build_features(events, snapshots, [parse_feature(name) for name in names()])


MARKED = f"""
CREATE TEMP TABLE marked AS
SELECT *, CASE WHEN before_of_event // {DAY} = time // {DAY} THEN before_of_event END AS same_day_of_event,
  CASE WHEN before // {DAY} = time // {DAY} THEN before END AS same_day
FROM (SELECT *, lag(time) OVER (PARTITION BY id ORDER BY time) AS before,
        lag(time) OVER (PARTITION BY id, code ORDER BY time) AS before_of_event
      FROM (SELECT s.id, list_position(?, event) - 1 AS code, "user", time, value_mb
            FROM read_parquet(?) e JOIN (SELECT entity, id, max(as_of) AS last FROM s GROUP BY ALL) s USING (entity)
            WHERE time < last))
"""
OF_EACH_EVENT = f"""
SELECT row, code, count(*) FILTER (time >= signed_up AND time < least(signed_up + {WEEK}, as_of)) AS a0,
  count(*) FILTER (time >= as_of - {WEEK}) AS a1, count(*) AS a2,
  count(*) FILTER (time >= as_of - {WEEK} AND (same_day_of_event IS NULL OR same_day_of_event < as_of - {WEEK})) AS a3,
  max(time) AS a5, sum(value_mb) AS mb
FROM marked JOIN s USING (id) WHERE time < as_of GROUP BY ALL
"""
OF_ALL_EVENTS = f"""
SELECT row, count(*) AS a0, count(*) FILTER (same_day IS NULL) AS a1, count(*) FILTER (before_of_event IS NULL) AS a2,
  count(*) FILTER (before IS NULL OR time - before > {HALF_HOUR}) AS a3,
  coalesce(sum(time - before) FILTER (time - before <= {HALF_HOUR}), 0)::double / 60000000 AS a4,
  count(*) FILTER (time >= as_of - {WEEK}) AS new, count(*) FILTER (time >= as_of - {2 * WEEK} AND time < as_of - {WEEK}) AS old
FROM marked JOIN s USING (id) WHERE time < as_of GROUP BY ALL
"""
USERS = """
SELECT row, {code} count(*) AS a4 FROM (SELECT id, {code} "user", min(time) AS first FROM marked GROUP BY ALL) JOIN s USING (id)
WHERE first < as_of GROUP BY ALL
"""


def by_hand(folder: Path) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(str(Path(scratch) / "work.duckdb")) as con:
        con.execute("SET preserve_insertion_order = false")
        con.execute(
            "CREATE TEMP TABLE s AS SELECT (row_number() OVER (ORDER BY entity, as_of) - 1)::int AS row, "
            "(dense_rank() OVER (ORDER BY entity))::int AS id, * FROM read_parquet(?)",
            [str(folder / "snapshots.parquet")],
        )
        con.execute(MARKED, [EVENTS, str(folder / "events.parquet")])
        keys = con.execute("SELECT entity, as_of FROM s ORDER BY row").df()
        as_of = keys["as_of"].to_numpy(np.int64)
        each, every = np.zeros((len(keys), 16, 6)), np.zeros((len(keys), 7))
        each[:, :, 5], every[:, 6], sums = np.nan, np.nan, np.zeros((len(keys), 16))
        found = con.execute(OF_EACH_EVENT).fetchnumpy()
        at = found["row"], found["code"].astype(int)
        for k in (0, 1, 2, 3):
            each[(*at, k)] = found[f"a{k}"]
        each[(*at, 5)] = (as_of[found["row"]] - found["a5"]) / DAY
        sums[at] = found["mb"]
        found = con.execute(USERS.format(code="code,")).fetchnumpy()
        each[found["row"], found["code"].astype(int), 4] = found["a4"]
        found = con.execute(OF_ALL_EVENTS).fetchnumpy()
        for k in range(5):
            every[found["row"], k] = found[f"a{k}"]
        new, old = found["new"].astype(float), found["old"].astype(float)
        every[found["row"], 6] = np.divide(new - old, new + old, out=np.full(len(new), np.nan), where=new + old > 0)
        found = con.execute(USERS.format(code="")).fetchnumpy()
        every[found["row"], 5] = found["a4"]
    numbers = np.hstack([each.reshape(len(keys), -1), sums[:, : len(WITH_VALUE)], every])
    table: pd.DataFrame = keys.join(pd.DataFrame(numbers, columns=names()))
    return table


WAYS = {"build_features": ours, "SQL by hand": by_hand}


def child(way: str, folder: Path, output: str) -> None:
    """Compute once, in a process of its own, and print CPU seconds and peak memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    table = WAYS[way](folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu": round(cpu, 2), "gb": round(after.ru_maxrss / 2**20, 2)}))
    if output:
        table.to_parquet(output, index=False)


def measured(events: int, days: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_log(folder, events, days)
        outputs = {way: str(folder / f"{k}.parquet") for k, way in enumerate(WAYS)}
        for way in WAYS:
            _run(way, folder, outputs[way])
        one, other = (pd.read_parquet(output) for output in outputs.values())
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        runs = [(way, _run(way, folder, "")) for _ in range(rounds) for way in WAYS]
    rows = []
    for way in WAYS:
        of = [run for name, run in runs if name == way]
        cpu, gb = sorted(run["cpu"] for run in of), max(run["gb"] for run in of)
        rows.append({"events": events, "snapshots": len(days), "way": way, "cpu": cpu, "gb": gb})
    return rows


def _run(way: str, folder: Path, output: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", way, str(folder), output]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[0]))


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| events | snapshots an entity | | CPU seconds: median (least to most) | times the SQL | peak memory, GB |",
        "|---" * 6 + "|",
    ]
    of_sql = {(r["events"], r["snapshots"]): float(np.median(r["cpu"])) for r in rows if r["way"] == "SQL by hand"}
    for row in rows:
        cpu, times = row["cpu"], float(np.median(row["cpu"])) / of_sql[row["events"], row["snapshots"]]
        lines.append(
            f"| {row['events']:,} | {row['snapshots']} | {row['way']} | {np.median(cpu):.1f} ({cpu[0]:.1f} to {cpu[-1]:.1f}) |"
            f" {times:.1f} | {row['gb']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="only print the table")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], Path(args.child[1]), args.child[2])
        return
    rows = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    for events in [] if args.table else args.events:
        for days in (TRIAL, WEEKLY) if events <= MOST_WEEKLY else (TRIAL,):
            rows = [r for r in rows if (r["events"], r["snapshots"]) != (events, len(days))]
            rows = sorted([*rows, *measured(events, days, args.rounds)], key=lambda r: (r["events"], r["snapshots"]))
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
