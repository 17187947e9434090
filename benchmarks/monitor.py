"""How often the monitor names a planted change, and how often it cries wolf.

    python benchmarks/monitor.py                       # data health on worlds of 3,000 and 10,000 accounts a year
    python benchmarks/monitor.py --kinds quiet holiday --seeds 40 --sizes 3000
    python benchmarks/monitor.py --write               # also benchmarks/results/monitor.json and the table in docs/data_health.md

The tables of a world are handed over as `read_sources` gives them, without the files in between.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from monitor_worlds import BROKEN, KINDS, TRAINED, WatchedWorld, instants, make_world

from pql_model.config.load import parse_config
from pql_model.monitoring.data_health import data_findings
from pql_model.monitoring.finding import Finding
from pql_model.sources.conversions import Conversions
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.entities import Entities
from pql_model.sources.events import EventLog
from pql_model.sources.read import Sources
from pql_model.time import DAY, iso

ROOT = Path(__file__).resolve().parent
RESULTS, PAGE = ROOT / "results" / "monitor.json", ROOT.parent / "docs" / "data_health.md"
BEGIN, END = "<!-- how often it is right -->\n", "<!-- end -->\n"
NEAR = 4 * DAY
"""A date this close to the planted one is right."""


@dataclass(frozen=True)
class Result:
    """What was said about one world.

    Attributes
    ----------
    named
        Whether a finding has the kind and the subject of the change.
    dated
        Whether its date is right to four days.
    others
        Findings about something else: kind, subject, severity.
    """

    kind: str
    size: int
    seed: int
    subject: str
    named: bool
    dated: bool
    severity: str
    others: list[tuple[str, str, str]]
    words: list[str]


def sources_of(world: WatchedWorld, con: Any, at: int) -> Sources:
    """The canonical tables of what was known at an instant."""
    until = iso(at)
    accounts = world.accounts[world.accounts["created_at"] < until]
    renamed = {name: f"trait_{name}" for name in ("company_size", "region", "email_kind", "employees")}
    entities = accounts.rename(columns={"account_id": "entity", **renamed})
    entities = entities.assign(
        signed_up=instants(entities["created_at"]), excluded=entities["email_domain"].eq("nimbus.test")
    )
    entities = entities[["entity", "signed_up", "excluded", *renamed.values()]]
    rows = world.conversions[world.conversions["paid_at"] < until].sort_values("paid_at")
    payments = pd.DataFrame({"entity": rows["account_id"], "time": instants(rows["paid_at"]), "value": rows["mrr"]})
    paid = payments.drop_duplicates("entity")
    events = world.events[world.events["loaded_at"] < until]
    born = events["account_id"].map(entities.set_index("entity")["signed_up"])
    time = instants(events["occurred"])
    log = pd.DataFrame(
        {
            "entity": events["account_id"],
            "user": events["user_id"],
            "event": events["action"],
            "time": time,
            "known_at": pd.array(instants(events["loaded_at"]), dtype="Int64") if world.knows_arrival else None,
            "n": 1.0,
            "source": events["source"],
        }
    )
    log = log[born.notna() & (time >= born.fillna(0))]
    log["known_at"] = log["known_at"].astype("Int64")
    table = con.create_table("log", log)
    parts = {name: table.filter(table.source == name).drop("source") for name in ("product.parquet", "backend.parquet")}
    canonical = table.drop("source")
    people = Entities(con.create_table("entities", entities), tuple(renamed), {})
    conversions = Conversions(
        con.create_table("conversions", paid), len(paid), {}, payments=con.create_table("payments", payments)
    )
    return Sources(EventLog(canonical, len(log), {}, canonical.limit(0), 0, parts), people, conversions, at, ())


def judge(world: WatchedWorld, findings: Sequence[Finding], size: int, seed: int) -> Result:
    """Compare findings with what was planted."""
    right = [f for f in findings if f.kind == world.finding and f.subject in _subjects(world)]
    dated = any(f.since is not None and abs(f.since - (world.changed or 0)) <= NEAR for f in right)
    others = [(f.kind, f.subject, f.severity) for f in findings if f not in right]
    severity = right[0].severity if right else ""
    words = [f.words for f in findings]
    return Result(world.kind, size, seed, world.subject, bool(right), dated, severity, others, words)


def _subjects(world: WatchedWorld) -> set[str]:
    if world.subject:
        return {world.subject}
    return {"all events", "product.parquet", "backend.parquet"} if world.kind == "late_data" else {"all events"}


def run(size: int, kinds: Sequence[str], seed: int) -> list[Result]:
    """Data health of the worlds of one seed."""
    results = []
    for kind in kinds:
        world = make_world(kind, seed, size)
        with open_session("1GB") as con:
            sources = sources_of(world, con, world.as_of)
            findings = data_findings(sources, parse_config(world.config), world.as_of, learnt_until=TRAINED)
        results.append(judge(world, findings, size, seed))
    return results


def table(results: Sequence[Result]) -> str:
    """Detections and false alarms by kind and size."""
    lines = [
        "| world | accounts a year | worlds | named | date right to 4 days | worlds with another `act` | with another `watch` |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        for size in sorted({result.size for result in results}):
            rows = [r for r in results if (r.kind, r.size) == (kind, size)]
            if not rows:
                continue
            counts = [
                sum(r.named for r in rows) if kind in BROKEN else "-",
                sum(r.dated for r in rows) if kind in BROKEN else "-",
                *(sum(any(o[2] == severity for o in r.others) for r in rows) for severity in ("act", "watch")),
            ]
            lines.append(f"| {kind}: {KINDS[kind]} | {size:,} | {len(rows)} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Detections and false alarms of the monitor's data health.")
    parser.add_argument("--kinds", nargs="*", default=[*KINDS], choices=KINDS)
    parser.add_argument("--seeds", type=int, default=20, help="Number of worlds of each kind and size.")
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--sizes", type=int, nargs="*", default=[3000, 10_000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    results: list[Result] = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for size in args.sizes:
            for rows in pool.map(partial(run, size, args.kinds), range(args.first, args.first + args.seeds)):
                results += rows
                for r in rows:
                    if r.others or (r.kind in BROKEN and not (r.named and r.dated)):
                        print(
                            f"{r.kind} {size} seed {r.seed} {r.subject}: named {r.named}, dated {r.dated}", flush=True
                        )
                        print("".join(f"    {sentence}\n" for sentence in r.words), end="", flush=True)
    print(table(results))
    if args.write:
        RESULTS.write_text(json.dumps([vars(r) for r in results], indent=1) + "\n", encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}{table(results)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
