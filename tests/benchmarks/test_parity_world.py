"""The changed copy of a product holds what the comparison is to be held to."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pytest
from worlds import opened

import pql_model
from pql_model.snapshots.labels import label_snapshots
from pql_model.time import parse_instant

ROOT = Path(__file__).resolve().parents[2]
UNTIL = parse_instant("2026-01-31")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        parity_world = importlib.import_module("parity_world")
    home, other = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("other")
    pql_model.make_demo(home, accounts=200)
    signed_up = pd.read_csv(home / "accounts.csv").drop_duplicates("account_id").set_index("account_id")["created_at"]
    rows = [
        (name, parse_instant(at) + day * 86_400_000_000, parse_instant(at))
        for name, at in signed_up.items()
        for day in (7, 14)
    ]
    snapshots = pd.DataFrame(rows, columns=["entity", "as_of", "signed_up"])
    kinds = parity_world.perturbed(other, home, snapshots, ["Board Created", "Card Moved"], UNTIL)
    return other, kinds


def test_every_edge_has_events_on_it_and_a_microsecond_beside_it(world):
    _, kinds = world
    edges = [
        *(f"sign-up + {n}d" for n in (1, 7, 14)),
        *(f"as_of - {n}d" for n in (1, 7, 14, 28)),
        "sign-up",
        "as_of",
        "midnight",
        "the same instant",
        "a session's gap later",
    ]
    assert {f"{edge}{beside}" for edge in edges for beside in ("", " - 1 us", " + 1 us")} <= set(kinds)
    late = {
        "known at as_of",
        "known at as_of - 1 us",
        "known at as_of + 1 us",
        "known a day later",
        "the same row again",
    }
    assert late <= set(kinds)
    assert min(kinds.values()) > 5


def test_the_copy_is_read_and_keeps_its_end(world):
    other, kinds = world
    config = pql_model.load_config(other / "pql.yaml")
    with opened(config) as (con, sources):
        events = sources.events.table.to_pandas()
        seen = label_snapshots(con, config, sources).frame
        traits = sources.entities.table.to_pandas()
    quiet = set(seen["entity"]) - set(events["entity"])

    assert sources.observed_until == UNTIL
    assert 5 < len(quiet) <= kinds["entities without events"]
    assert {"🎉 party", "any (event)", "Board Created"} <= set(events["event"])
    assert (events["known_at"] > events["time"]).sum() > 100
    assert (events["value_megabytes"] < 0).any()
    assert events["value_megabytes"].max() == 1e300
    assert sources.events.by_reason()["before_signup"] > 100
    assert "Überraschung 🎈" in set(traits["trait_company_size"])
