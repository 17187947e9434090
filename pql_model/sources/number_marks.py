"""The marks of numbers in texts: `1.250,50` read as the config says, and refused where it could be read in two ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis

from pql_model.config.row_filter import RowFilter
from pql_model.config.source_tables import EventTable
from pql_model.config.text_format import NumberMarks
from pql_model.errors import DataError, listed
from pql_model.sources.casts import MARK_SPELLINGS, identifier, number, number_pattern, number_text
from pql_model.sources.duckdb_session import fetch_row
from pql_model.sources.files import RawTable

Column = Any

PLAIN = r"^[+-]?[0-9]+(?:\.[0-9]+)?$"
_SMALL = r"^[+-]?[0-9]{1,3}$"
_LARGE = r"^[+-]?[0-9]{4,}$"
_THREE = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
"""One thousand two hundred and fifty, or 1.25 written with three decimals."""
_DECORATED = (
    r"^[^0-9A-Za-z]*[$€£¥%][^0-9A-Za-z]*[0-9][0-9.,' ]*[)-]?$|^[+-]?\(?[0-9][0-9.,' ]*\)?\s*(?:%|€|\$|£|¥|[A-Z]{3})\)?$"
)


def _grouped(mark: str, rest: str, groups: str = "+") -> str:
    return rf"^[+-]?[0-9]{{1,3}}(?:{MARK_SPELLINGS[mark]}[0-9]{{3}}){groups}{rest}$"


_FOREIGN = (
    (NumberMarks(",", "."), f"{_grouped('.', ',[0-9]+')}|{_grouped('.', '', '{2,}')}"),
    (NumberMarks(".", ","), rf"{_grouped(',', '[.][0-9]+')}|{_grouped(',', '', '{2,}')}"),
    (NumberMarks(",", "'"), _grouped("'", ",[0-9]+")),
    (NumberMarks(".", "'"), _grouped("'", "(?:[.][0-9]+)?")),
    (NumberMarks(".", " "), _grouped(" ", "[.][0-9]+")),
    (NumberMarks(",", " "), _grouped(" ", "(?:,[0-9]+)?")),
    (NumberMarks(",", None), r"^[+-]?[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})$|^[+-]?0,[0-9]+$"),
)
"""Marks -> numbers that can be read with these only."""
_COMMA_THREE = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"
_MANY = 30
"""So many numbers that all have exactly three decimals are improbable where trailing zeros are left out (0.9^30 = 4 %)."""


def with_marks(
    raw: RawTable, marks: NumberMarks | None, numbers: Mapping[str, str], traits: Sequence[str] = ()
) -> RawTable:
    """Read the numbers of a table with the marks that its config states, or refuse those that need marks.

    Parameters
    ----------
    raw : RawTable
        The table.
    marks : NumberMarks, optional
        The marks of the config; None where it states none.
    numbers : mapping
        Column of numbers -> the key of the config that names it.
    traits : sequence of str
        Columns that may hold numbers.

    Raises
    ------
    DataError
        If the config states no marks, and a column has numbers that need them or could be read in two ways.
    """
    columns = {name: raw.column(name, key) for name, key in numbers.items()}
    columns |= {name: raw.column(name, "traits") for name in traits if name not in columns}
    texts = {name: column for name, column in columns.items() if column.type().is_string()}
    if not texts:
        return raw
    if marks is not None:
        as_written = set(texts) & set(numbers)
        if not marks.plain:
            as_written |= _numeric_traits(raw, {n: c for n, c in texts.items() if n not in numbers}, marks)
            return replace(raw, marks=marks, numbers=frozenset(as_written))
        return raw
    profiles = _profiles(raw, texts)
    for name, profile in profiles.items():
        if name in numbers or profile.is_numeric:
            _refuse(raw, name, profile, [other for key, other in profiles.items() if key != name])
    return raw


def compared_as_numbers(where: Mapping[str, RowFilter], key: str) -> dict[str, str]:
    """List the columns that `where:` compares with numbers, with their place in the config."""
    return {name: f"{key}.{name}" for name, each in where.items() if each.bounds and not each.of_times}


def event_numbers(spec: EventTable, at: str) -> dict[str, str]:
    """Columns of numbers, with the key of the config that names each."""
    keys = {"values": spec.values, "counts": spec.counts or {}, "users": spec.users}
    mapped = {column: f"{at}.{key}.{name}" for key, columns in keys.items() for name, column in columns.items()}
    return {**compared_as_numbers(spec.where, f"{at}.where"), **mapped}


def number_warnings(raw: RawTable, spec: EventTable) -> tuple[str, ...]:
    """Report values in columns of numbers that are not numbers, because they would silently count as nothing.

    Raises
    ------
    DataError
        If a column holds texts and not a single number.
    """
    counts = set((spec.counts or {}).values())
    columns = sorted({*spec.values.values(), *counts, *spec.users.values()})
    if not columns:
        return ()
    sums = {}
    for i, name in enumerate(columns):
        column = raw.column(name, name)
        present, value = identifier(column).notnull(), number(column)
        sums[f"unreadable_{i}"] = raw.table.count(where=present & value.isnull())
        sums[f"readable_{i}"] = raw.table.count(where=value.notnull())
        sums[f"negative_{i}"] = raw.table.count(where=value < 0 if name in counts else ibis.literal(False))
    row = fetch_row(raw.table.aggregate(**sums))
    warnings = []
    for i, name in enumerate(columns):
        if row[f"unreadable_{i}"] and not row[f"readable_{i}"]:
            raise DataError(
                f"Column `{name}` of {spec.table} does not hold numbers",
                received=f"{row[f'unreadable_{i}']:,} texts",
                remedy="map a column of numbers such as 1234.5, without units or thousands separators",
            )
        if count := row[f"unreadable_{i}"]:
            warnings.append(f"{count:,} values of `{name}` in {spec.table} are not numbers and count as missing.")
        if count := row[f"negative_{i}"]:
            warnings.append(f"{count:,} counts of `{name}` in {spec.table} are negative and count as 0.")
    return tuple(warnings)


def _numeric_traits(raw: RawTable, texts: Mapping[str, Column], marks: NumberMarks) -> set[str]:
    if not texts:
        return set()
    sums = {}
    for i, column in enumerate(texts.values()):
        tidy = number_text(column)
        sums[f"fits_{i}"] = raw.table.count(where=tidy.re_search(number_pattern(marks)))
        sums[f"present_{i}"] = raw.table.count(where=tidy.notnull())
    row = fetch_row(raw.table.aggregate(**sums))
    return {name for i, name in enumerate(texts) if row[f"fits_{i}"] == row[f"present_{i}"] > 0}


@dataclass(frozen=True)
class _Profile:
    """How the texts of one column are written. `foreign` counts those that need the marks of `_FOREIGN`."""

    present: int
    plain: int
    small: int
    large: int
    decimals: int
    three: int
    zero: int
    comma_three: int
    decorated: int
    foreign: tuple[int, ...]
    examples: tuple[str, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether all texts of a trait are numbers, however written, and some need marks."""
        in_need = self.comma_three + sum(self.foreign)
        return self.plain + in_need == self.present and in_need + self.three > 0


def _profiles(raw: RawTable, texts: Mapping[str, Column]) -> dict[str, _Profile]:
    """Profile every column. The patterns, which tell apart no digits but 0, are tried on each shape of a text once."""
    patterns = {"plain": PLAIN, "small": _SMALL, "large": _LARGE, "three": _THREE, "comma_three": _COMMA_THREE}
    patterns |= {"zero": r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{2}0$", "decorated": _DECORATED}
    patterns |= {f"foreign_{i}": pattern for i, (_, pattern) in enumerate(_FOREIGN)}
    cells = [
        raw.table.select(place=ibis.literal(i), text=number_text(column)) for i, column in enumerate(texts.values())
    ]
    every = ibis.union(*cells) if len(cells) > 1 else cells[0]
    shapes = every.group_by("place", shape=every.text.translate("12345678", "99999999")).agg(
        rows=lambda t: t.count(), first=lambda t: t.text.min()
    )
    shape = shapes["shape"]
    is_plain, three = shape.re_search(PLAIN), shape.re_search(_THREE)
    sums = {"present": shapes.rows.sum(where=shape.notnull())}
    for key, pattern in patterns.items():
        within = is_plain if key in ("plain", "small", "large", "three", "zero") else ~is_plain
        sums[key] = shapes.rows.sum(where=within & shape.re_search(pattern))
    sums["decimals"] = shapes.rows.sum(where=is_plain & shape.contains(".") & ~three)
    examples = {"small": shape.re_search(_SMALL), "three": three, "other": ~is_plain & shape.re_search("[0-9]")}
    first = {f"{key}_example": shapes["first"].min(where=where) for key, where in examples.items()}
    found = shapes.group_by("place").agg(**{key: total.fill_null(0) for key, total in sums.items()}, **first)
    rows = {row["place"]: row for row in found.to_pyarrow().to_pylist()}
    return {name: _profile(rows.get(i, {})) for i, name in enumerate(texts)}


def _profile(row: Mapping[str, Any]) -> _Profile:
    examples = [row.get(f"{key}_example") for key in ("small", "three", "other")]
    counts = ("present", "plain", "small", "large", "decimals", "three", "zero", "comma_three", "decorated")
    present, plain, small, large, decimals, three, zero, comma_three, decorated = (row.get(key, 0) for key in counts)
    foreign = tuple(row.get(f"foreign_{j}", 0) for j in range(len(_FOREIGN)))
    shown = tuple(dict.fromkeys(example for example in examples if example))
    return _Profile(present, plain, small, large, decimals, three, zero, comma_three, decorated, foreign, shown)


def _refuse(raw: RawTable, name: str, profile: _Profile, others: Iterable[_Profile]) -> None:
    """Refuse a column that cannot be read without knowing its marks.

    Raises
    ------
    DataError
        With examples, and the keys to set.
    """
    needed = [marks for (marks, _), count in zip(_FOREIGN, profile.foreign, strict=True) if count]
    examples = listed([f"`{example}`" for example in profile.examples])
    if needed:
        keys = f"`decimal: {needed[0].decimal!r}`" + (
            f" and `thousands: {needed[0].thousands!r}`" if needed[0].thousands else ""
        )
        raise DataError(
            f"Column `{name}` of {raw.source} writes numbers with marks of its own",
            received=examples,
            allowed="numbers such as 1234.5, or marks that the table states",
            remedy=f"set {keys} for this table",
        )
    if profile.comma_three:
        raise DataError(
            f"Column `{name}` of {raw.source} can be read in two ways: a comma may separate thousands or decimals",
            received=examples,
            allowed="numbers such as 1234.5, or marks that the table states",
            remedy="set `thousands: ','` for this table if 1,250 is more than a thousand, or `decimal: ','` if it is 1.25",
        )
    if profile.decorated:
        raise DataError(
            f"Column `{name}` of {raw.source} has currency or percent signs",
            received=examples,
            allowed="numbers such as 1234.5",
            remedy="export the number without its sign, or map another column",
        )
    if _is_ambiguous(profile, raw.delimiter == ";", others):
        raise DataError(
            f"Column `{name}` of {raw.source} can be read in two ways: a point may separate thousands or decimals",
            received=examples,
            allowed="marks that the table states",
            remedy="set `thousands: '.'` for this table if 1.250 is more than a thousand, or `decimal: '.'` if it is 1.25",
        )


def _is_ambiguous(profile: _Profile, semicolons: bool, others: Iterable[_Profile]) -> bool:
    """Whether every number with a point has three digits behind it, and more speaks for thousands than for decimals.

    A number from 1,000 on without a point, a number below 1 (0.125) or another count of decimals shows that the point
    is decimal, in this column or another of the same table. A semicolon between columns, as in files from countries
    that write decimal commas, is enough to ask. Elsewhere both whole numbers below 1,000 and numbers with a point must
    occur, and these must end in 0 now and then or be many: programs that leave out trailing zeros write fewer digits.
    """
    if not profile.three or profile.large or profile.decimals or any(other.decimals for other in others):
        return False
    return semicolons or (profile.small > 0 and (profile.zero > 0 or profile.three >= _MANY))
