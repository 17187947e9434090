"""The data of the definition explorer: counts of combinations (to share), or the rows themselves (to keep).

Counts: for every set of up to four criteria, how many rows meet all of them; `any` and `at least k` follow exactly by
inclusion and exclusion. A count below 10 is withheld, and results that need it are bounds. The data contain no entity, no
time and no row. Rows: one bit per row and criterion, in groups of the same week and outcome, sorted within a group so that
no order is left.
"""

from __future__ import annotations

from math import comb
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.criteria.export import condition_outline, condition_yaml
from pql_model.errors import DataError
from pql_model.snapshots.periods import whole_weeks
from pql_model.time import iso, week_of

Mode = Literal["counts", "rows", "off"]
MOST_CRITERIA = 4
"""Most criteria of a rule in `counts` mode."""
MOST_SETS = 40_000
LEAST_SHOWN = 10
"""A smaller count is withheld in `counts` mode."""
TODAY = "in_force"
"""An optional column of the bits: whether a row meets the rule in force."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PERIODS = ("earlier", "later")


def explorer_data(bits: pd.DataFrame, criteria: list[dict[str, Any]], mode: Mode = "counts") -> dict[str, Any]:
    """Build the second argument of `render_page`, to be stored beside growth.json (JSON, some 300 KB at most).

    Parameters
    ----------
    bits
        One row per tested row: `as_of`, `begins` (int64 instants), `period` (earlier or later), `converted` (bool), one
        bool column per criterion, named by its id, and, where there is a rule in force, `in_force` (bool). Other columns,
        such as `entity`, are not read.
    criteria
        `{"id", "text", "short", "group", "conditions": [one condition]}` each, in the order of the page.
    mode
        `counts` contains no rows; `rows` contains one anonymous row of bits per row and must not be shared; `off` is empty.

    Returns
    -------
    dict
        `mode`, and unless it is `off`: `criteria` (with `yaml` and `sql` of each), `base` (rows and conversions by
        period), `today` (whether the rule in force is in it), `whole_weeks` (of the later rows), `most` (criteria in a
        rule, or None), and `counts` or `rows`.

    Raises
    ------
    DataError
        If a criterion has no column, or not exactly one condition.
    """
    if mode == "off" or not criteria:
        return {"mode": "off"}
    _check(bits, criteria)
    period = np.array([_PERIODS.index(name) for name in bits["period"]], dtype=np.int64)
    converted = bits["converted"].to_numpy(bool)
    later_as_of = bits["as_of"].to_numpy(np.int64)[period == 1]
    return {
        "mode": mode,
        "criteria": [_criterion(criterion) for criterion in criteria],
        "base": {
            name: {"rows": int((period == at).sum()), "conversions": int(converted[period == at].sum())}
            for at, name in enumerate(_PERIODS)
        },
        "today": TODAY in bits,
        "whole_weeks": len(whole_weeks(later_as_of)),
        **(_counts(bits, criteria, period) if mode == "counts" else _rows(bits, criteria, period)),
    }


def _check(bits: pd.DataFrame, criteria: list[dict[str, Any]]) -> None:
    for criterion in criteria:
        if criterion["id"] not in bits:
            raise DataError(
                "A criterion of the explorer has no column of bits",
                received=criterion["id"],
                allowed=list(bits.columns),
            )
        if len(criterion["conditions"]) != 1:
            raise DataError(
                f"A criterion of the explorer needs exactly one condition: {criterion['text']}",
                received=f"{len(criterion['conditions'])} conditions",
                remedy="pass one criterion per condition; the reader joins them",
            )
    unknown = sorted(set(bits["period"]) - set(_PERIODS))
    if unknown:
        raise DataError("Unknown `period` in the bits", received=unknown, allowed=list(_PERIODS))


def _criterion(criterion: dict[str, Any]) -> dict[str, Any]:
    condition = criterion["conditions"][0]
    texts = {name: str(criterion[name]) for name in ("id", "text", "short", "group")}
    return {**texts, "yaml": condition_yaml(condition), "sql": condition_outline(condition)}


# ---------------------------------------------------------------- counts


def _counts(bits: pd.DataFrame, criteria: list[dict[str, Any]], period: np.ndarray) -> dict[str, Any]:
    """One number per set and cell, as text: 0 means withheld, any other number is the count minus 9."""
    depth = max(d for d in range(1, MOST_CRITERIA + 1) if d == 1 or _sets(len(criteria), d) <= MOST_SETS)
    converted = bits["converted"].to_numpy(np.int64)
    today = bits[TODAY].to_numpy(np.int64) if TODAY in bits else np.zeros(len(bits), np.int64)
    sizes = _all_sets(
        bits,
        criteria,
        np.where(period == 0, 2 - converted, 4 + 4 * today + 2 * _whole(bits, period) + 1 - converted),
        depth,
    )
    yes, no = sizes[:, 4::2].sum(axis=1), sizes[:, 5::2].sum(axis=1)
    with_today = {"yes": sizes[:, 8] + sizes[:, 10], "no": sizes[:, 9] + sizes[:, 11]}
    weekly = sizes[:, [6, 7, 10, 11]].sum(axis=1)
    streams = {"earlier_yes": sizes[:, 1], "earlier_no": sizes[:, 2], "later_yes": yes, "later_no": no}
    streams["weekly"] = np.where((yes < LEAST_SHOWN) | (no < LEAST_SHOWN), 0, weekly)
    if TODAY in bits:  # the remainder of a cell, without today's rule, must not be small either
        for name, members in (("yes", yes), ("no", no)):
            remainder = members - with_today[name]
            streams[f"today_{name}"] = np.where((remainder > 0) & (remainder < LEAST_SHOWN), 0, with_today[name])
    encoded = {name: encode(np.maximum(values - (LEAST_SHOWN - 1), 0)) for name, values in streams.items()}
    return {"most": min(depth, len(criteria)), "counts": {"least": LEAST_SHOWN, **encoded}}


def _sets(criteria: int, depth: int) -> int:
    return sum(comb(criteria, size) for size in range(depth + 1))


def _whole(bits: pd.DataFrame, period: np.ndarray) -> np.ndarray:
    """1 where a later row lies in a week that is entirely inside the later period."""
    as_of = bits["as_of"].to_numpy(np.int64)
    weeks = whole_weeks(as_of[period == 1])
    return np.asarray((period == 1) & np.isin(week_of(as_of), weeks), dtype=np.int64)


def _all_sets(bits: pd.DataFrame, criteria: list[dict[str, Any]], group: np.ndarray, depth: int) -> np.ndarray:
    """How many rows of each group meet all criteria of each set, (sets, 12); sets by size, then in order."""
    packed, starts = _packed(bits[[criterion["id"] for criterion in criteria]].to_numpy(bool), group)
    everyone, _ = _packed(np.ones((len(bits), 1), bool), group)
    sizes = [_popcount(everyone, starts)]
    level: list[tuple[int, np.ndarray]] = [(-1, everyone[0])]
    for size in range(1, depth + 1):
        longer: list[tuple[int, np.ndarray]] = []
        for last, members in level:
            block = packed[last + 1 :] & members
            if len(block):
                sizes.append(_popcount(block, starts))
            if size < depth:
                longer += [(last + 1 + at, row) for at, row in enumerate(block)]
        level = longer
    return np.concatenate(sizes)


def _packed(columns: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits by column, rows sorted into 12 groups, each group padded to whole 64-bit words (and at least one)."""
    parts, starts, at = [], [], 0
    for code in range(12):
        members = columns[group == code]
        words = max(1, -(-len(members) // 64))
        padded = np.zeros((words * 64, columns.shape[1]), bool)
        padded[: len(members)] = members
        parts.append(np.ascontiguousarray(np.packbits(padded.T, axis=1)).view(np.uint64))
        starts.append(at)
        at += words
    return np.ascontiguousarray(np.concatenate(parts, axis=1)), np.array(starts)


def _popcount(block: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.asarray(np.add.reduceat(np.bitwise_count(block), starts, axis=1, dtype=np.int64))


def encode(numbers: np.ndarray) -> str:
    """Numbers as letters that need no escaping anywhere: 5 bits a letter, the sixth says that more follow.

    >>> encode(np.array([0, 31, 32]))
    'AfgB'
    """
    out = []
    for value in numbers.tolist():
        while value >= 32:
            out.append(_ALPHABET[32 + value % 32])
            value //= 32
        out.append(_ALPHABET[value])
    return "".join(out)


# ---------------------------------------------------------------- rows


def _rows(bits: pd.DataFrame, criteria: list[dict[str, Any]], period: np.ndarray) -> dict[str, Any]:
    """Groups of rows with equal period, week and outcome; the bits of each group start at a new 32-bit word."""
    ids = [criterion["id"] for criterion in criteria] + ([TODAY] if TODAY in bits else [])
    cohort, lead = week_of(bits["begins"].to_numpy(np.int64)), week_of(bits["as_of"].to_numpy(np.int64))
    full_weeks = set(whole_weeks(bits["as_of"].to_numpy(np.int64)[period == 1]).tolist())
    keys = pd.DataFrame(
        {"period": period, "week": cohort, "lead": lead, "converted": bits["converted"].to_numpy(np.int64)}
    )
    columns = bits[ids].to_numpy(bool)
    groups, padded = [], []
    distinct, group = np.unique(keys.to_numpy(np.int64), axis=0, return_inverse=True)
    for at, key in enumerate(distinct.tolist()):
        members = columns[group == at]
        members = members[np.lexsort(members.T[::-1])]  # sorted by their bits, so that nothing of their order is left
        full = np.zeros((-(-len(members) // 32) * 32, len(ids)), bool)
        full[: len(members)] = members
        padded.append(full)
        in_full_week = key[2] in full_weeks and key[0] == 1
        groups.append([key[0], iso(key[1]), iso(key[2]) if in_full_week else None, key[3], len(members)])
    matrix = np.concatenate(padded) if padded else np.zeros((0, len(ids)), bool)
    return {
        "most": None,
        "rows": {"groups": groups, "bits": {name: _letters(matrix[:, at]) for at, name in enumerate(ids)}},
    }


def _letters(column: np.ndarray) -> str:
    """Bits as letters, six in each, the first bit lowest."""
    padded = np.zeros(-(-len(column) // 6) * 6, np.int64)
    padded[: len(column)] = column
    return "".join(_ALPHABET[code] for code in (padded.reshape(-1, 6) @ (1 << np.arange(6))).tolist())
