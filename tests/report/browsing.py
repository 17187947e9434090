"""What the browser tests of the report need: the pages, and the library's own numbers."""

from __future__ import annotations

import random
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import EVIL
from growths import CHIPS, bits, explorer_criteria, growth, no_rule_in_force, nothing_found, too_few, with_changes

from pql_model.report.explorer import explorer_data

CHIP_IDS = {name for name, _, _ in CHIPS}


def every_page() -> dict[str, tuple[dict[str, Any], dict[str, Any] | None]]:
    table, criteria = bits(), explorer_criteria()
    counts = explorer_data(table, criteria, "counts")
    evil = [one | {"text": f"at least 1 {EVIL}", "short": EVIL, "group": f"{EVIL} {one['group']}"} for one in criteria]
    first = next(one for one in evil if one["id"] == "c1")
    first["text"], first["conditions"] = "=1+1", [{**first["conditions"][0], "event": EVIL}]
    hostile = growth()
    for rule in [*hostile["criteria"], *hostile["definitions"]]:
        rule["text"] = f"at least 1 `{EVIL}`"
        rule["parts"] = [rule["text"]] * len(rule["parts"])
    return {
        "counts": (growth(), counts),
        "rows": (with_changes(), explorer_data(table, criteria, "rows")),
        "hostile": (hostile, explorer_data(table, evil, "counts")),
        "nothing": (nothing_found(), counts),
        "no_rule": (no_rule_in_force(), explorer_data(table.drop(columns="in_force"), criteria, "counts")),
        "too_few": (too_few(), counts),
        "off": (growth(), None),
    }


def text(page: Any, name: str) -> str:
    return " ".join(page.text_content(f"#x-{name}").split())


def slide(page: Any, name: str, on: bool = True) -> None:
    """Move the slider of a criterion to its step, or off."""
    slider = page.locator(f'#x input[name=slider][data-ids~="{name}"]')
    step = slider.get_attribute("data-ids").split().index(name) + 1
    slider.evaluate("(e, value) => { e.value = value; e.dispatchEvent(new Event('change')); }", step if on else 0)


def tick(page: Any, *ids: str) -> None:
    """Set or unset criteria."""
    for name in ids:
        if name in CHIP_IDS:
            page.locator(f"#x input[value={name}]").click()
        else:
            slider = page.locator(f'#x input[name=slider][data-ids~="{name}"]')
            step = slider.get_attribute("data-ids").split().index(name) + 1
            slide(page, name, slider.input_value() != str(step))


def definitions(most: int, count: int = 500) -> list[dict[str, Any]]:
    """Random rules of up to `most` criteria: a step of a slider, or any values of a trait."""
    chance, controls = random.Random(5), _controls()
    items = []
    for _ in range(count):
        criteria, terms = [], chance.sample(controls, chance.randint(1, min(most, len(controls))))
        for kind, ids in terms:
            criteria += chance.sample(ids, chance.randint(1, len(ids)) if kind == "chips" else 1)
        join, k = chance.choice(["all", "any", "at_least_k"]), chance.randint(1, len(terms))
        items.append({"criteria": criteria, "join": join, "k": k})
    return items


@cache
def _controls() -> list[tuple[str, list[str]]]:
    grouped = groupby(explorer_criteria(), key=lambda one: (one["control"], one["group"]))
    return [(kind, [one["id"] for one in members]) for (kind, _), members in grouped]


def meeting(table: pd.DataFrame, rule: dict[str, Any], less: int = 0) -> np.ndarray:
    chosen = set(rule["criteria"])
    terms = [
        [name] if kind == "slider" else sorted(chosen & set(ids))
        for kind, ids in _controls()
        for name in (sorted(chosen & set(ids)) if kind == "slider" else ["any of them"])
        if chosen & set(ids)
    ]
    least = {"all": len(terms), "any": 1}.get(rule["join"], rule["k"])
    held = sum((table[ids].any(axis=1).astype(int) for ids in terms), start=pd.Series(0, index=table.index))
    return np.asarray(held >= least - less)


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
        assert result["cells"][name]["n"][0] <= here.sum() <= result["cells"][name]["n"][1]
    if "near" in result:
        near = meeting(table, rule, less=1)[later] & ~met
        assert result["near"]["yes"][0] <= (near & converted).sum() <= result["near"]["yes"][1]
