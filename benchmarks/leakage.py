"""What the leakage audit catches and what it spares: real data with known traps, and generated products.

    python benchmarks/leakage.py --worlds 20

Writes benchmarks/results/leakage.json, after every product, and docs/leakage.md; a run skips what is there. The real data are third-party and not part of the project
(see real_data.py).
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from leakage_event_worlds import EVENT_LEAKS, START, VALUE_LEAKS, make_event_world
from leakage_worlds import LEAKS, make_world
from real_data import DATA, HERE

import pql_model
from pql_model.audit.events import audit_events, audit_values
from pql_model.config.load import load_config
from pql_model.features.catalogue import offer_events
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.event_timing import read_event_timing
from pql_model.sources.read import read_sources
from pql_model.sources.value_timing import read_value_timing
from pql_model.workflows.prepare import candidate_features

STATIC = {"highnote": ("HighNote_Data.csv.gz", "adopter"), "xeducation": ("Leads.csv.gz", "Converted")}
GUILTY = {
    "highnote": {"ID", "(row order)"},
    "xeducation": {
        "Tags",
        "Lead Quality",
        "Lead Profile",
        "Last Activity",
        "Last Notable Activity",
        "Asymmetrique Activity Index",
        "Asymmetrique Profile Index",
        "Asymmetrique Activity Score",
        "Asymmetrique Profile Score",
    },
    "relax": {"last_session_creation_time"},
    "ds365": set(),
}
"""What the descriptions of the data say knows the outcome; every other column is honest."""


def static(name: str) -> dict[str, Any]:
    """Audit a table without times, as it lies in its file."""
    file, outcome = STATIC[name]
    frame = pd.read_csv(DATA / name / file)
    findings = [finding.to_dict() for finding in pql_model.audit_table(frame, outcome)]
    columns = [column for column in frame.columns if column != outcome]
    return _told(name, findings, len(frame), int(frame[outcome].sum()), [*columns, "(row order)"])


def dated(name: str) -> dict[str, Any]:
    """`pql check` of a product."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for file in (DATA / name).iterdir():
            (home / file.name).symlink_to(file)
        shutil.copy(HERE / "real" / f"{name}.yaml", home / "pql.yaml")
        result = pql_model.check(home / "pql.yaml")
    train = result.to_dict()["snapshots"]["train"]
    names = [*_judged(result), "(row order)"]
    findings = [{**finding.to_dict(), "column": _plain(finding.column)} for finding in result.findings]
    return _told(name, findings, train["entities"], train["conversions"], names)


def _judged(result: Any) -> list[str]:
    """Traits, features and events that were judged."""
    features = [column.name for column in result.prepared.manifest.columns if column.kind == "feature"]
    return [*result.sources.entities.traits, *features, *result.prepared.offered.events]


def _told(
    name: str, findings: list[dict[str, Any]], entities: int, conversions: int, columns: Sequence[str]
) -> dict[str, Any]:
    by_column = {finding["column"]: finding for finding in findings}
    guilty = GUILTY[name]
    caught = {column for column, finding in by_column.items() if finding["action"] in ("quarantined", "named")}
    return {
        "entities": entities,
        "conversions": conversions,
        "columns": len(columns),
        "findings": findings,
        "guilty": len(guilty),
        "caught": sorted(guilty & caught),
        "missed": sorted(guilty - caught),
        "honest": len(set(columns) - guilty),
        "accused": sorted(caught - guilty),
    }


def world(seed: int, leaking: bool) -> dict[str, Any]:
    """One generated product through `pql check`."""
    with tempfile.TemporaryDirectory() as folder:
        product = make_world(Path(folder), seed, leaking)
        result = pql_model.check(Path(folder) / "pql.yaml")
    heavy = {_plain(f.column): f.kind for f in result.findings if f.action != "kept"}
    features = [name for name in _judged(result) if name not in product.honest | product.leaks and "." in name]
    return {
        "seed": seed,
        "conversions": product.conversions,
        "in_training": result.to_dict()["snapshots"]["train"]["conversions"],
        "judged": len(product.honest) + len(features),
        "kept": sum(f.action == "kept" for f in result.findings),
        "accused": sorted(set(heavy) - product.leaks),
        "caught": {n: heavy[n] for n in sorted(product.leaks & set(heavy))},
    }


FEW = 100
"""Conversions of the small products: about 41 of them are known in training."""
KNOWN_DAYS = 160
"""A training of these products reads conversions up to about this day."""


def event_world(seed: int, leaking: bool, conversions: int | None = None) -> dict[str, Any]:
    """The events and values of one generated product through their audit, without computing features."""
    leaks = frozenset({*EVENT_LEAKS, *VALUE_LEAKS} if leaking else ())
    with tempfile.TemporaryDirectory() as folder, open_session() as con:
        made = make_event_world(Path(folder), seed, leaks, conversions)
        config = load_config(Path(folder) / "pql.yaml")
        sources = read_sources(con, config)
        until = int((START + pd.Timedelta(days=KNOWN_DAYS)).timestamp() * 1e6)
        timing = read_event_timing(config, sources, until)
        levels = read_value_timing(con, config, sources, until)
        offered = offer_events(sources.events.table, sources.entities.table, config, until)
        columns = [feature.name for feature in candidate_features(config, offered)]
        in_training = sources.conversions.table
        known = int(in_training.filter(in_training.time < until).count().to_pyarrow().as_py())
    findings = audit_events(timing, columns, ())
    guilty = {finding.column for finding in findings if finding.action == "quarantined"}
    findings += audit_values([level for level in levels if level.event not in guilty], timing, columns, ())
    kinds = {finding.column.split(".")[-1]: finding.kind for finding in findings if finding.action != "kept"}
    return {
        "seed": seed,
        "conversions": made.conversions,
        "in_training": known,
        "judged": len(made.honest),
        "kept": sum(finding.action == "kept" for finding in findings),
        "accused": sorted(set(kinds) - made.leaks),
        "caught": {name: kinds[name] for name in sorted(made.leaks & set(kinds))},
    }


def _plain(column: str) -> str:
    return column.removeprefix("trait.").replace("+", " ")


# ---------------------------------------------------------------- the page


def page(results: dict[str, Any]) -> str:
    """docs/leakage.md, between its two fixed parts."""
    lines = [
        *_real_table(results["real"]),
        "",
        *_world_tables(results["clean"], results["leaking"]),
        "",
        *_event_tables(results["event_clean"], results["event_leaking"], results["event_small"]),
    ]
    template = (HERE / "leakage_page.md").read_text(encoding="utf-8")
    return template.replace("<!-- results -->", "\n".join(lines))


def _real_table(real: dict[str, Any]) -> Iterable[str]:
    yield "| data | entities / conversions | what knows the outcome | caught | honest columns accused |"
    yield "|---|---|---|---|---|"
    for name, r in real.items():
        caught = f"{len(r['caught'])} of {r['guilty']}"
        accused = f"{len(r['accused'])} of {r['honest']}"
        guilty = ", ".join(f"`{column}`" for column in sorted(GUILTY[name])) or "nothing"
        yield f"| {name} | {r['entities']:,} / {r['conversions']:,} | {guilty} | {caught} | {accused} |"
    yield ""
    yield "| data | column | kind | figure | action |"
    yield "|---|---|---|---|---|"
    for name, r in real.items():
        for f in r["findings"]:
            auc = "" if f["auc"] is None else f"{f['auc']:.3f}"
            yield f"| {name} | `{f['column']}` | `{f['kind']}` | {auc} | {f['action']} |"


def _world_tables(clean: Sequence[dict[str, Any]], leaking: Sequence[dict[str, Any]]) -> Iterable[str]:
    yield f"{_accusations(clean, 'without leaks')} {_accusations(leaking, 'with leaks')}"
    yield ""
    yield f"| planted in {len(leaking)} products | caught | as |"
    yield "|---|---|---|"
    for name, words in LEAKS.items():
        kinds = Counter(r["caught"][name] for r in leaking if name in r["caught"])
        yield f"| `{name}`: {words} | {sum(kinds.values())} | {', '.join(f'`{kind}`' for kind in kinds)} |"
    caught = sum(len(r["caught"]) for r in leaking)
    yield f"| **all** | **{caught} of {len(leaking) * len(LEAKS)}** ({caught / (len(leaking) * len(LEAKS)):.1%}) | |"


def _event_tables(
    clean: Sequence[dict[str, Any]], leaking: Sequence[dict[str, Any]], small: Sequence[dict[str, Any]]
) -> Iterable[str]:
    events = "events and values"
    yield "Events and their values, in products of their own:"
    yield ""
    yield (
        f"{_accusations(clean, 'without leaks', events)} {_accusations(leaking, 'with leaks', events)} "
        f"{_accusations(small, f'with leaks and {FEW} conversions', events)}"
    )
    yield ""
    yield f"| planted | caught in {len(leaking)} products | as | caught in {len(small)} small products |"
    yield "|---|---|---|---|"
    planted = {name: leak.words for name, leak in EVENT_LEAKS.items()}
    planted |= {f"login.{name}": words for name, words in VALUE_LEAKS.items()}
    for name, words in planted.items():
        key = name.removeprefix("login.")
        kinds = Counter(r["caught"][key] for r in leaking if key in r["caught"])
        few = sum(key in r["caught"] for r in small)
        yield f"| `{name}`: {words} | {sum(kinds.values())} | {', '.join(f'`{kind}`' for kind in kinds)} | {few} |"
    rates = [(sum(len(r["caught"]) for r in worlds), len(worlds) * len(planted)) for worlds in (leaking, small)]
    many, few_caught = (f"**{caught} of {all_}** ({caught / max(all_, 1):.1%})" for caught, all_ in rates)
    yield f"| **all** | {many} | | {few_caught} |"


def _accusations(worlds: Sequence[dict[str, Any]], group: str, judged: str = "columns and events") -> str:
    accused, audited = sum(len(r["accused"]) for r in worlds), sum(r["judged"] for r in worlds)
    hit = sum(bool(r["accused"]) for r in worlds)
    fewest, largest = (f(r["in_training"] for r in worlds) for f in (min, max))
    return (
        f"In {len(worlds)} products {group} ({fewest} to {largest} conversions in training) {accused} of {audited:,} honest {judged} "
        f"were accused, in {hit} products."
    )


OUT = HERE / "results" / "leakage.json"
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "event_leaking": lambda seed: event_world(seed, leaking=True),
    "event_clean": lambda seed: event_world(seed, leaking=False),
    "event_small": lambda seed: event_world(seed, leaking=True, conversions=FEW),
    "leaking": lambda seed: world(seed, leaking=True),
    "clean": lambda seed: world(seed, leaking=False),
}


def main() -> None:
    """Measure everything and write it down, one product after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    args = parser.parse_args()
    results: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {"real": {}}
    runs: dict[str, Callable[[str], dict[str, Any]]] = {**dict.fromkeys(STATIC, static), "relax": dated, "ds365": dated}
    for name, run in runs.items():
        if name not in results["real"] and (DATA / name).is_dir():
            results["real"][name] = run(name)
            _keep(results)
    for seed in range(1, args.worlds + 1):
        for kind in args.kinds:
            rows = results.setdefault(kind, [])
            if all(row["seed"] != seed for row in rows):
                rows.append(KINDS[kind](seed))
                _keep(results)
                print(kind, rows[-1], flush=True)
    (HERE.parent / "docs" / "leakage.md").write_text(page(results), encoding="utf-8")
    print(page(results))


def _keep(results: dict[str, Any]) -> None:
    OUT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
