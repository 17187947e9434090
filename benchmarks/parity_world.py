"""A product's data with what lies on every edge: a copy of its folder, changed for everybody in it.

The events on the edges stand in a table of their own, `edges.csv`, which the copy's `pql.yaml` names beside the others: so
every product has events that arrive late, names that nobody trained on, and values of every size.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.time import DAY, HOUR, SESSION_GAP, iso

ROWS_EACH = 12
QUIET, CHANGED = 0.1, 0.15
"""Share of entities that lose all their events, and of traits that are blanked and that become something new."""
NAMES = ("🎉 party", "Ünknown  event", 'say "hi", {x}[0]: 50% off', "any", "ever", "x" * 300)
"""Events nobody trained on."""
AMOUNTS = (
    "",
    "0",
    "-0.0",
    "-3.5",
    "0.1",
    "0.2",
    "-0.3",
    "1e-9",
    "123456789.123",
    "1e15",
    "-1e15",
    "1e300",
    "true",
    "much",
)
UNSEEN = ("Überraschung 🎈", "{curly} [x]", "  padded  ", "NULL", "-1e300", "3.0", "TRUE")
PEOPLE = ("ann", "bob", "Ann", "", "12.0", "o'brien & søn 🦊")


def perturbed(home: Path, source: Path, snapshots: pd.DataFrame, known: list[str], until: int) -> dict[str, int]:
    """Write the changed copy of a product into `home`; returns how many events lie on which edge.

    Parameters
    ----------
    source
        The folder of the product's `pql.yaml`.
    snapshots
        entity, as_of, signed_up (microseconds) of everybody.
    known
        The event names of its log.
    until
        The end of its data, which the copy keeps.
    """
    config = load_config(source / "pql.yaml")
    dice = random.Random(11)
    quiet = {name for name in sorted(snapshots["entity"].unique()) if dice.random() < QUIET}
    for table in {table.table: table.columns.entity for table in config.events}.items():
        _without(home, source, *table, quiet)
    _changed_traits(home, source, config, dice)
    (home / config.conversions.table).symlink_to(source / config.conversions.table)
    values = sorted({name for table in config.events for name in table.values})
    rows, kinds = [], Counter[str]()
    for entity, entity_snapshots in snapshots[~snapshots["entity"].isin(quiet)].groupby("entity"):
        for kind, row in _on_edges(config, entity_snapshots, [*known, *NAMES], values, dice):
            rows.append({"who": entity, **row})
            kinds[kind] += 1
    kinds["entities without events"] = len(quiet)
    pd.DataFrame(rows).to_csv(home / "edges.csv", index=False)
    _write_config(home, source, config, values, until)
    return dict(sorted(kinds.items()))


def _write_config(home: Path, source: Path, config: Config, values: list[str], until: int) -> None:
    raw = yaml.safe_load((source / "pql.yaml").read_text(encoding="utf-8"))
    columns = {"entity": "who", "event": "what", "time": "when", "known_at": "known"}
    columns |= {"user": "person"} if config.entity == "account" else {}
    raw["events"].append({"table": "edges.csv", "columns": columns, "values": {name: f"v_{name}" for name in values}})
    raw |= {"observed_until": iso(until), "max_set_aside": 1.0}
    (home / "pql.yaml").write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _without(home: Path, source: Path, name: str, column: str, quiet: set[str]) -> None:
    """A table of events without these entities."""
    if name.endswith(".parquet"):
        table = pd.read_parquet(source / name)
        table[~table[column].astype("string").str.strip().isin(quiet)].to_parquet(home / name, index=False)
    else:
        table = pd.read_csv(source / name, dtype=str, keep_default_na=False)
        table[~table[column].str.strip().isin(quiet)].to_csv(home / name, index=False)


def _changed_traits(home: Path, source: Path, config: Config, dice: random.Random) -> None:
    """Some values missing, some never seen."""
    spec = config.entities
    table = pd.read_csv(source / spec.table, dtype=str, keep_default_na=False)
    traits = spec.traits or [c for c in table.columns if c not in (spec.columns.entity, spec.columns.signed_up)]
    for trait in traits:
        payload = [(dice.random(), value) for value in table[trait]]
        table[trait] = [
            "" if at < CHANGED else dice.choice(UNSEEN) if at < 2 * CHANGED else value for at, value in payload
        ]
    table.to_csv(home / spec.table, index=False)


def _on_edges(
    config: Config, entity_snapshots: pd.DataFrame, names: list[str], values: list[str], dice: random.Random
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Events of one entity: what kind of edge, and the row."""
    signed_up = int(entity_snapshots["signed_up"].iloc[0])
    as_ofs = [int(as_of) for as_of in entity_snapshots["as_of"]]
    last: int | None = None
    for _ in range(ROWS_EACH):
        as_of = dice.choice(as_ofs)
        kind, time = dice.choice(_edges(config, signed_up, as_of))
        if last is not None and dice.random() < 0.2:
            kind, time = dice.choice([("the same instant", last), ("a session's gap later", last + SESSION_GAP)])
        nudge = dice.choice((-1, 0, 0, 1))
        last = time + nudge
        late, known = dice.choice(
            [
                ("", None),
                ("", None),
                ("", last),
                ("known at as_of - 1 us", as_of - 1),
                ("known at as_of", as_of),
                ("known at as_of + 1 us", as_of + 1),
                ("known a day later", last + DAY),
            ]
        )
        row = {"what": dice.choice(names), "when": iso(last), "known": "" if known is None else iso(known)}
        row |= {"person": dice.choice(PEOPLE)} | {f"v_{name}": dice.choice(AMOUNTS) for name in values}
        yield f"{kind}{('', ' + 1 us', ' - 1 us')[nudge]}", row
        if late:
            yield late, row | {"what": dice.choice(names)}
        if dice.random() < 0.1:
            yield "the same row again", row


def _edges(config: Config, signed_up: int, as_of: int) -> list[tuple[str, int]]:
    first = [(f"sign-up + {window}", signed_up + window.us) for window in config.windows.first]
    last = [(f"as_of - {window}", as_of - window.us) for window in config.windows.last]
    instants = [
        ("sign-up", signed_up),
        ("as_of", as_of),
        ("before the sign-up", signed_up - 5 * HOUR),
        ("after as_of", as_of + DAY),
    ]
    return [*first, *last, *instants, ("midnight", as_of // DAY * DAY)]
