"""The data of the explorer: counts of combinations (to share), or the rows themselves (to keep inside the company).

Counts: for every set of a few criteria, at most one of each control, how many rows meet all of them; `any` and `at least k`
follow exactly by inclusion and exclusion. Groups of fewer than 10 rows are merged, so that a rule that needs one has bounds.
The data contain no entity, no time and no row. Rows: which step of each control each row reaches, in groups of the same week
and outcome, sorted within a group so that no order is left.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.criteria.export import condition_yaml
from pql_model.errors import DataError
from pql_model.snapshots.periods import whole_weeks
from pql_model.time import iso, week_of

Mode = Literal["counts", "rows", "off"]
MOST_CRITERIA = 4
"""Most criteria of a rule in `counts` mode; fewer where there are many to choose from."""
MOST_SETS = 10_000
"""More sets would make the file large: where there are more, rules are limited to fewer criteria."""
LEAST_SHOWN = 10
"""Groups of fewer rows are merged in `counts` mode: 1 to 4, and 5 to 9."""
TODAY = "in_force"
"""An optional column of the bits: whether a row meets the rule in force."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PERIODS = ("earlier", "later")


def explorer_data(bits: pd.DataFrame, criteria: list[dict[str, Any]], mode: Mode = "counts") -> dict[str, Any]:
    """Build the second argument of `render_page`, to be stored beside growth.json (JSON, some 100 KB at most).

    Parameters
    ----------
    bits
        One row per tested row: `as_of`, `begins` (int64 instants), `period` (earlier or later), `converted` (bool), one
        bool column per criterion, named by its id, and, where there is a rule in force, `in_force` (bool). Other columns,
        such as `entity`, are not read.
    criteria
        `{"id", "text", "short", "group", "control", "conditions": [one condition]}` each, in the order of the page: the criteria
        of a group next to each other, those of a slider from the loosest to the strictest.
    mode
        `counts` contains no rows; `rows` contains one anonymous row of bits per row and must not be shared; `off` is empty.

    Returns
    -------
    dict
        `mode`, and unless it is `off`: `controls` (`label, kind`, and the `ids` of their criteria), `criteria` (with the `yaml` of
        each), `base` (rows and conversions by period), `today` (whether the rule in force is in it), `whole_weeks` (of the
        later rows), `most` (criteria in a rule, or None), and `counts` or `rows`.

    Raises
    ------
    DataError
        If a criterion has no column, or not exactly one condition, or the steps of a slider are not nested.
    """
    if mode == "off" or not criteria:
        return {"mode": "off"}
    controls = _controls(criteria)
    _check(bits, criteria)
    steps = _steps(bits, controls)
    period = np.array([_PERIODS.index(name) for name in bits["period"]], dtype=np.int64)
    converted = bits["converted"].to_numpy(bool)
    later_as_of = bits["as_of"].to_numpy(np.int64)[period == 1]
    return {
        "mode": mode,
        "controls": controls,
        "criteria": [_criterion(criterion) for criterion in criteria],
        "base": {
            name: {"rows": int((period == at).sum()), "conversions": int(converted[period == at].sum())}
            for at, name in enumerate(_PERIODS)
        },
        "today": TODAY in bits,
        "whole_weeks": len(whole_weeks(later_as_of)),
        **(_counts(bits, controls, period) if mode == "counts" else _rows(bits, controls, steps, period)),
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


def _controls(criteria: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours of the same group form one control."""
    controls = []
    for (label, kind), members in groupby(criteria, key=lambda criterion: (criterion["group"], criterion["control"])):
        ids = [criterion["id"] for criterion in members]
        controls.append({"label": str(label), "kind": kind, "ids": ids})
        if kind == "chips":  # the beginning of the condition that lists several of the values
            controls[-1]["head"] = condition_yaml({"trait": label, "in": []})[:-2]
    return controls


def _steps(bits: pd.DataFrame, controls: list[dict[str, Any]]) -> np.ndarray:
    """The step of each control that each row reaches, 0 for none: (rows, controls)."""
    columns = []
    for control in controls:
        met = bits[control["ids"]].to_numpy(bool)
        nested = control["kind"] == "slider"
        if not (met[:, 1:] <= met[:, :-1]).all() if nested else (met.sum(axis=1) > 1).any():
            raise DataError(
                f"The criteria of a control of the explorer do not fit together: {control['label']}",
                received=control["ids"],
                allowed="thresholds from the loosest to the strictest, or values of which a row has at most one",
            )
        columns.append(met.sum(axis=1) if nested else met @ np.arange(1, met.shape[1] + 1))
    return np.column_stack(columns).astype(np.int64)


def _criterion(criterion: dict[str, Any]) -> dict[str, Any]:
    condition = criterion["conditions"][0]
    return {**{name: str(criterion[name]) for name in ("id", "text", "short")}, "yaml": condition_yaml(condition)}


# ---------------------------------------------------------------- counts


def _counts(bits: pd.DataFrame, controls: list[dict[str, Any]], period: np.ndarray) -> dict[str, Any]:
    """The counts of each set as text: see `_merged`. Conversions only of groups that are not merged."""
    depth = _depth([len(control["ids"]) for control in controls])
    converted = bits["converted"].to_numpy(np.int64)
    today = bits[TODAY].to_numpy(np.int64) if TODAY in bits else np.zeros(len(bits), np.int64)
    group = np.where(period == 0, 2 - converted, 4 + 4 * today + 2 * _whole(bits, period) + 1 - converted)
    sizes = _all_sets(bits, controls, group, depth)
    return {"most": depth, "counts": _encoded(sizes, TODAY in bits)}


def _depth(sizes: list[int]) -> int:
    """Most criteria of a set, so that there are not too many sets with at most one criterion of each control."""
    sets = np.array([1])
    for size in sizes:
        sets = np.convolve(sets, [1, size])
    within = np.cumsum(sets[: MOST_CRITERIA + 1]) <= MOST_SETS
    return max(1, int(within.sum()) - 1)


def _encoded(sizes: np.ndarray, with_today: bool) -> dict[str, str]:
    """Streams of numbers by name: rows, conversions, and the later rows outside whole weeks."""
    streams = {
        "earlier": (sizes[:, 1:3].sum(axis=1), sizes[:, 1]),
        "later": (sizes[:, 4:].sum(axis=1), sizes[:, 4::2].sum(axis=1)),
    }
    if with_today:
        streams["today"] = (sizes[:, 8:].sum(axis=1), sizes[:, [8, 10]].sum(axis=1))
    encoded = {}
    for name, (rows, conversions) in streams.items():
        encoded[name] = encode(_merged(rows))
        encoded[f"{name}_converted"] = encode(conversions[rows >= LEAST_SHOWN])
    rows = streams["later"][0]
    encoded["outside"] = encode(sizes[:, [4, 5, 8, 9]].sum(axis=1)[rows >= LEAST_SHOWN])
    return encoded


def _merged(rows: np.ndarray) -> np.ndarray:
    """0 means nobody, 1 means 1 to 4, 2 means 5 to 9, and any other number is the count minus 7."""
    return np.where(rows >= LEAST_SHOWN, rows - (LEAST_SHOWN - 3), np.where(rows >= 5, 2, np.minimum(rows, 1)))


def _whole(bits: pd.DataFrame, period: np.ndarray) -> np.ndarray:
    """1 where a later row lies in a week that is entirely inside the later period."""
    as_of = bits["as_of"].to_numpy(np.int64)
    weeks = whole_weeks(as_of[period == 1])
    return np.asarray((period == 1) & np.isin(week_of(as_of), weeks), dtype=np.int64)


def _all_sets(bits: pd.DataFrame, controls: list[dict[str, Any]], group: np.ndarray, depth: int) -> np.ndarray:
    """How many rows of each group meet all criteria of each set, (sets, 12); at most one of a control, by size, then in order."""
    ids = [name for control in controls for name in control["ids"]]
    ends = np.cumsum([len(control["ids"]) for control in controls])
    after = np.repeat(ends, np.diff(ends, prepend=0))  # where the next control begins
    packed, starts = _packed(bits[ids].to_numpy(bool), group)
    everyone, _ = _packed(np.ones((len(bits), 1), bool), group)
    sizes = [_popcount(everyone, starts)]
    level: list[tuple[int, np.ndarray]] = [(0, everyone[0])]
    for size in range(1, depth + 1):
        longer: list[tuple[int, np.ndarray]] = []
        for first, members in level:
            block = packed[first:] & members
            if len(block):
                sizes.append(_popcount(block, starts))
            if size < depth:
                longer += [(int(after[first + at]), row) for at, row in enumerate(block)]
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


def _rows(bits: pd.DataFrame, controls: list[dict[str, Any]], steps: np.ndarray, period: np.ndarray) -> dict[str, Any]:
    """Groups of rows with equal period, week and outcome; the bits of each group start at a new 32-bit word.

    The steps of a control are written as binary digits, the lowest first.
    """
    digits = [len(control["ids"]).bit_length() for control in controls]
    planes = [(steps[:, at] >> digit) & 1 for at, count in enumerate(digits) for digit in range(count)]
    planes += [bits[TODAY].to_numpy(np.int64)] if TODAY in bits else []
    columns = np.column_stack(planes).astype(bool)
    cohort, lead = week_of(bits["begins"].to_numpy(np.int64)), week_of(bits["as_of"].to_numpy(np.int64))
    full_weeks = set(whole_weeks(bits["as_of"].to_numpy(np.int64)[period == 1]).tolist())
    keys = np.column_stack([period, cohort, lead, bits["converted"].to_numpy(np.int64)])
    groups, padded = [], []
    distinct, group = np.unique(keys, axis=0, return_inverse=True)
    for at, key in enumerate(distinct.tolist()):
        members = columns[group == at]
        members = members[np.lexsort(members.T[::-1])]  # sorted by their bits, so that nothing of their order is left
        full = np.zeros((-(-len(members) // 32) * 32, columns.shape[1]), bool)
        full[: len(members)] = members
        padded.append(full)
        in_full_week = key[2] in full_weeks and key[0] == 1
        groups.append([key[0], iso(key[1]), iso(key[2]) if in_full_week else None, key[3], len(members)])
    matrix = np.concatenate(padded) if padded else np.zeros((0, columns.shape[1]), bool)
    return {"most": None, "rows": {"groups": groups, "digits": digits, "planes": [_letters(row) for row in matrix.T]}}


def _letters(column: np.ndarray) -> str:
    """Bits as letters, six in each, the first bit lowest."""
    padded = np.zeros(-(-len(column) // 6) * 6, np.int64)
    padded[: len(column)] = column
    return "".join(_ALPHABET[code] for code in (padded.reshape(-1, 6) @ (1 << np.arange(6))).tolist())
