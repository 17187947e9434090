"""How often `pql init` reads an export right, asks, or is wrong.

    python benchmarks/init.py               every generated export
    python benchmarks/init.py --cases DIR   a folder of cases as well, one folder with a README for each

Each export is drafted by `pql init` and read by `pql check`. *Right*: the conversions, entities and mapped columns are
those of the truth. *Asked*: something is missing, and a question of `pql init` or a refusal says so. *Wrong*: something
differs and nobody says so. Writes benchmarks/results/init.json and docs/init.md.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from init_event_exports import EVENTS
from init_exports import PAYMENTS
from init_world import Export, Files, World, make_world

import pql_model
from pql_model.config.load import load_config
from pql_model.errors import ConfigError, DataError
from pql_model.sources.duckdb_session import open_session, row_count
from pql_model.sources.read import read_sources

HERE = Path(__file__).resolve().parent
EXPORTS = (*PAYMENTS, *EVENTS)
_ASKED = re.compile(r"\?|keep only rows|leave out cancelled|None of the sampled values|is not used as a value")
"""What counts as a question where the release has none of its own."""


@dataclass(frozen=True)
class Reading:
    """What `pql init` and `pql check` made of an export."""

    name: str
    outcome: str
    detail: str


def read_export(export: Export, world: World, folder: Path) -> Reading:
    """Draft a config, check it, and compare both with the truth."""
    truth = {"conversions": len(world.payers), "entities": len(world.accounts), **export.counts}
    return _read(export.name, export.write(world, folder), folder, truth, dict(export.expected), export.refused)


def _read(
    name: str, files: Files, folder: Path, truth: dict[str, int], expected: dict[str, Any], refused: bool
) -> Reading:
    path = folder / "pql.yaml"
    try:
        result = pql_model.init(files.events, files.entities, files.conversions, output=path)
        counts = _counts(path)
    except (DataError, ConfigError) as error:
        return Reading(name, "right" if refused else "asked", _without_folders(str(error)))
    questions = getattr(result, "questions", None)
    if questions is None:
        questions = [note for note in result.notes if _ASKED.search(note)]
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    differences = [f"{key} {counts[key]:,} instead of {n:,}" for key, n in truth.items() if counts[key] != n]
    differences += [
        f"{key}: {_at(config, key)} instead of {value}" for key, value in expected.items() if _at(config, key) != value
    ]
    if refused and questions:
        return Reading(name, "right", questions[0])
    if refused:
        return Reading(name, "wrong", "; ".join(["nothing is asked", *differences]))
    if not differences:
        return Reading(name, "right", "")
    return Reading(name, "asked" if questions else "wrong", "; ".join([*differences, *questions]))


def _counts(path: Path) -> dict[str, int]:
    """Count as `pql check` does, without the features and the audit."""
    with open_session() as con:
        sources = read_sources(con, load_config(path), may_lack_conversions=True)
        tables = {"events": sources.events, "entities": sources.entities, "conversions": sources.conversions}
        return {name: row_count(part.table) for name, part in tables.items()}


def _without_folders(message: str) -> str:
    """The message with file names only, which are the same on every machine."""
    return re.sub(r"(?:\.\./)+\S*/", "", message)


def _at(config: Any, path: str) -> Any:
    """The value at a dotted path, whose last part may hold dots no more."""
    for part in path.split("."):
        if isinstance(config, list):
            config = config[int(part)] if int(part) < len(config) else None
        elif isinstance(config, dict):
            config = config.get(part)
    return config


EXPECTED = {
    "04-posthog-merged-persons": {"events.0.columns.user": "person_id"},
    "20-partly-backfilled": {"events.0.columns.known_at": None},
    "21-latin1-one-in-five": {"entities.encoding": "cp1252"},
}
"""What the config of a case must hold."""


def read_case(folder: Path) -> Reading:
    """Read a case: its README says how many conversions and entities are right, or that a refusal is."""
    readme = (folder / "README").read_text(encoding="utf-8")
    events = folder / "events" if (folder / "events").is_dir() else None
    logs = sorted(events.iterdir()) if events else sorted(folder.glob("events.*"))
    others = [p for p in sorted(folder.glob("*.csv")) if not p.stem.startswith(("events", "accounts"))]
    paid = re.search(r"(\d+) conversions", readme)
    truth = {"conversions": int(paid[1])} if paid else {}
    refused = any(word in readme for word in ("refuse or say", "or refused: 19", "A word of warning"))
    with tempfile.TemporaryDirectory() as home:
        files = Files(tuple(logs), folder / "accounts.csv", others[0])
        return _read(folder.name, files, Path(home), truth, EXPECTED.get(folder.name, {}), refused)


def page(readings: Sequence[Reading]) -> str:
    """docs/init.md: the page with its table."""
    template = (HERE / "init_page.md").read_text(encoding="utf-8")
    counts = Counter(reading.outcome for reading in readings)
    summary = f"Of {len(readings)} exports, " + ", ".join(f"{counts[o]} {o}" for o in ("right", "asked", "wrong")) + "."
    rows = [f"| {r.name} | {r.outcome} | {r.detail.splitlines()[0] if r.detail else ''} |" for r in readings]
    return template.replace("{summary}", summary).replace("{table}", "\n".join(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, help="folder of cases")
    parser.add_argument("--only", help="part of the names to read")
    parser.add_argument("--write", action="store_true", help="write the results")
    args = parser.parse_args()
    world, readings = make_world(), []
    for export in EXPORTS:
        if args.only is None or args.only in export.name:
            with tempfile.TemporaryDirectory() as folder:
                readings.append(read_export(export, world, Path(folder)))
            print(f"{readings[-1].outcome:6} {export.name:32} {readings[-1].detail[:400]}", flush=True)
    for folder in sorted(args.cases.iterdir()) if args.cases else ():
        if args.only is None or args.only in folder.name:
            readings.append(read_case(folder))
            print(f"{readings[-1].outcome:6} {folder.name:32} {readings[-1].detail[:400]}", flush=True)
    print(dict(Counter(reading.outcome for reading in readings)))
    if args.write:
        results = json.dumps([asdict(reading) for reading in readings], indent=1)
        (HERE / "results" / "init.json").write_text(results + "\n", encoding="utf-8")
        (HERE.parent / "docs" / "init.md").write_text(page(readings), encoding="utf-8")


if __name__ == "__main__":
    main()
