"""What the browser tests of the report need: the pages, and the library's own numbers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import EVIL
from growths import bits, explorer_criteria, growth, no_rule_in_force, nothing_found, too_few

from pql_model.report.explorer import explorer_data


def every_page() -> dict[str, tuple[dict[str, Any], dict[str, Any] | None]]:
    table, criteria = bits(), explorer_criteria()
    counts = explorer_data(table, criteria, "counts")
    evil = [one | {"text": f"at least 1 {EVIL}", "short": EVIL, "group": EVIL} for one in criteria]
    evil[0]["text"], evil[0]["conditions"] = "=1+1", [{**criteria[0]["conditions"][0], "event": EVIL}]
    hostile = growth()
    for rule in [*hostile["criteria"], *hostile["definitions"]]:
        rule["text"] = f"at least 1 `{EVIL}`"
    return {
        "counts": (growth(), counts),
        "rows": (growth(), explorer_data(table, criteria, "rows")),
        "hostile": (hostile, explorer_data(table, evil, "counts")),
        "nothing": (nothing_found(), counts),
        "no_rule": (no_rule_in_force(), explorer_data(table.drop(columns="in_force"), criteria, "counts")),
        "too_few": (too_few(), counts),
        "off": (growth(), None),
    }


def text(page: Any, name: str) -> str:
    return " ".join(page.text_content(f"#x-{name}").split())


def tick(page: Any, *ids: str) -> None:
    for name in ids:
        page.locator(f"#x input[value={name}]").click()


def definitions(most: int, count: int = 200) -> list[dict[str, Any]]:
    chance, ids = random.Random(5), [one["id"] for one in explorer_criteria()]
    items = []
    for _ in range(count):
        chosen = chance.sample(ids, chance.randint(1, most))
        items.append(
            {
                "criteria": chosen,
                "join": chance.choice(["all", "any", "at_least_k"]),
                "k": chance.randint(1, len(chosen)),
            }
        )
    return items


def meeting(table: pd.DataFrame, rule: dict[str, Any], less: int = 0) -> np.ndarray:
    least = {"all": len(rule["criteria"]), "any": 1}.get(rule["join"], rule["k"])
    return np.asarray(table[rule["criteria"]].to_numpy().sum(axis=1) >= least - less)


def close(found: dict[str, float], expected: Any) -> None:
    for end in ("value", "low", "high"):
        assert found[end] == pytest.approx(getattr(expected, end), rel=1e-9, abs=1e-12)


def same_cells(result: dict[str, Any], table: pd.DataFrame, rule: dict[str, Any], exact: bool) -> None:
    later = (table["period"] == "later").to_numpy()
    met, today = meeting(table, rule)[later], table["in_force"].to_numpy()[later]
    converted = table["converted"].to_numpy()[later]
    cells = {"both": met & today, "onlyNew": met & ~today, "onlyToday": ~met & today, "neither": ~met & ~today}
    for name, here in cells.items():
        yes, no = result["cells"][name]["yes"], result["cells"][name]["no"]
        assert yes[0] <= (here & converted).sum() <= yes[1]
        assert no[0] <= (here & ~converted).sum() <= no[1]
        assert not exact or (yes[0] == yes[1] and no[0] == no[1])
    if "near" in result:
        near = meeting(table, rule, less=1)[later] & ~met
        assert result["near"]["yes"][0] <= (near & converted).sum() <= result["near"]["yes"][1]
