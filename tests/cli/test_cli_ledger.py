"""`pql ledger` on the console."""

from __future__ import annotations

import io

from rich.console import Console

from pql_model.cli.ledger import show_ledger

PAYLOAD = {
    "output": "ledger.parquet",
    "rows": 1200,
    "by_source": {"replayed": 200, "score": 1000},
    "entities": 90,
    "final": 800,
    "converted": 61,
    "set_aside": {"repeated": 12},
    "outcomes_until": "2026-01-31",
    "warnings": ["d.csv has dates."],
}


def text_of(payload):
    console = Console(file=io.StringIO(), width=200)
    show_ledger(console, payload)
    return console.file.getvalue()


def test_it_says_what_the_ledger_holds_and_what_it_leaves_out():
    assert text_of(PAYLOAD) == (
        "Wrote 1,200 rows of 90 entities to ledger.parquet: 200 replayed, 1,000 score.\n"
        "Outcomes are known until 2026-01-31: 800 rows are final, 61 of them converted.\n"
        "Not in the ledger: 12 repeated.\n"
        "d.csv has dates.\n"
    )


def test_an_empty_ledger_says_so():
    empty = {**PAYLOAD, "rows": 0, "entities": 0, "by_source": {}, "set_aside": {}, "warnings": []}

    assert text_of(empty).splitlines()[0] == "Wrote 0 rows of 0 entities to ledger.parquet: none."
