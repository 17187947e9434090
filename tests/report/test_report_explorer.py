import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from growths import CANARIES, bits, explorer_criteria, simulated

from pql_model.errors import DataError
from pql_model.report.explorer import LEAST_SHOWN, encode, explorer_data
from pql_model.snapshots.periods import whole_weeks
from pql_model.time import week_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SEVEN = [one for one in explorer_criteria() if one["id"] in ("c1", "c3", "c7", "c2", "s1", "s2", "s3")]
CONTROL = [one["group"] for one in SEVEN]


def decode(text: str) -> list[int]:
    result, value, shift = [], 0, 0
    for letter in text:
        code = LETTERS.index(letter)
        value += (code & 31) << shift
        shift += 5
        if code < 32:
            result.append(value)
            value = shift = 0
    return result


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return bits().head(3000)


@pytest.fixture(scope="module")
def counted(small):
    return explorer_data(small, SEVEN, "counts")


def sets(depth: int = 4) -> list[tuple[int, ...]]:
    every = (chosen for size in range(depth + 1) for chosen in combinations(range(len(SEVEN)), size))
    return [chosen for chosen in every if len({CONTROL[at] for at in chosen}) == len(chosen)]


def naive(table: pd.DataFrame, chosen: tuple[int, ...], rows: pd.Series) -> int:
    met = rows.copy()
    for at in chosen:
        met &= table[SEVEN[at]["id"]]
    return int(met.sum())


def code(count: int) -> int:
    return count - LEAST_SHOWN + 3 if count >= LEAST_SHOWN else 0 if count == 0 else 1 if count < 5 else 2


@pytest.mark.parametrize("stream", ["earlier", "later", "today"])
def test_every_set_is_counted_and_every_small_group_is_merged(small, counted, stream):
    rows = small["period"] == ("earlier" if stream == "earlier" else "later")
    rows = rows & small["in_force"] if stream == "today" else rows
    expected = [naive(small, chosen, rows) for chosen in sets()]
    converted = [naive(small, chosen, rows & small["converted"]) for chosen in sets()]

    assert decode(counted["counts"][stream]) == [code(n) for n in expected]
    shown = [x for n, x in zip(expected, converted, strict=True) if n >= LEAST_SHOWN]
    assert decode(counted["counts"][f"{stream}_converted"]) == shown
    assert 0 < len(shown) < len(expected)


def test_the_later_rows_outside_whole_weeks_are_counted_where_the_group_is_not_merged(small, counted):
    later = small["period"] == "later"
    whole = later & np.isin(week_of(small["as_of"].to_numpy()), whole_weeks(small.loc[later, "as_of"].to_numpy()))
    outside = [naive(small, c, later & ~whole) for c in sets() if naive(small, c, later) >= LEAST_SHOWN]

    assert decode(counted["counts"]["outside"]) == outside


def test_numbers_of_any_size_round_trip():
    numbers = [0, 1, 31, 32, 33, 1023, 1024, 32767, 32768, 9_999_999]

    assert decode(encode(np.array(numbers))) == numbers


def test_rows_round_trip_without_their_order(small):
    data = explorer_data(small, SEVEN, "rows")
    payload = data["rows"]
    planes = [[(LETTERS.index(letter) >> bit) & 1 for letter in text for bit in range(6)] for text in payload["planes"]]
    result, at = [], 0
    for later, week, _, converted, rows in payload["groups"]:
        for row in range(at, at + rows):
            digits = iter(planes)
            steps = [sum(next(digits)[row] << digit for digit in range(count)) for count in payload["digits"]]
            result.append((later, week, converted, *steps, next(digits)[row]))
        at += -(-rows // 32) * 32
    weeks = pd.to_datetime(week_of(small["begins"].to_numpy()), unit="us").strftime("%Y-%m-%d")
    steps = [
        small[control["ids"]].sum(axis=1)
        if control["kind"] == "slider"
        else sum(small[name] * (k + 1) for k, name in enumerate(control["ids"]))
        for control in data["controls"]
    ]
    later, converted, today = (
        column.astype(int) for column in (small["period"] == "later", small["converted"], small["in_force"])
    )

    assert sorted(result) == sorted(zip(later, weeks, converted, *steps, today, strict=True))


def test_the_order_of_the_rows_leaves_no_trace(small):
    mixed = small.sample(frac=1, random_state=1)

    for mode in ("counts", "rows"):
        assert explorer_data(small, SEVEN, mode) == explorer_data(mixed, SEVEN, mode)


@pytest.mark.parametrize("mode", ["counts", "rows", "off"])
def test_no_entity_is_in_the_data(mode):
    table = bits().assign(email=simulated()["email"], domain=simulated()["domain"])
    text = json.dumps(explorer_data(table, explorer_criteria(), mode))

    assert not [name for name in (*CANARIES, "w000001") if name in text]


def test_off_has_no_data(small):
    assert explorer_data(small, SEVEN, "off") == {"mode": "off"}
    assert explorer_data(small, [], "counts") == {"mode": "off"}


def test_without_a_rule_in_force_its_counts_are_absent(small):
    payload = explorer_data(small.drop(columns="in_force"), SEVEN, "counts")

    assert payload["today"] is False
    assert "today" not in payload["counts"]


def test_many_criteria_are_combined_in_smaller_sets():
    table = bits().head(500)
    criteria = explorer_criteria()
    more = [{**criteria[0], "id": f"x{at}", "group": f"further {at}"} for at in range(60)]
    table = table.assign(**{one["id"]: table[criteria[0]["id"]] for one in more})

    assert explorer_data(table, criteria + more, "counts")["most"] == 2
    assert explorer_data(table, criteria, "counts")["most"] == 3
    assert explorer_data(table, SEVEN, "counts")["most"] == 4
    assert explorer_data(table, criteria[:2], "counts")["most"] == 1


def test_steps_that_are_not_nested_and_values_that_are_shared_are_refused(small):
    slider, chips = SEVEN[:1], [one for one in SEVEN if one["control"] == "chips"]
    same = {**slider[0], "id": "x"}
    for table, criteria in (
        (small.assign(x=~small[slider[0]["id"]]), [*slider, same]),
        (small.assign(s2=small["s1"]), chips),
    ):
        with pytest.raises(DataError, match="do not fit together"):
            explorer_data(table, criteria, "rows")


def test_a_period_without_rows_is_accepted(small):
    payload = explorer_data(small[small["period"] == "earlier"], SEVEN, "counts")

    assert payload["base"]["later"] == {"rows": 0, "conversions": 0}
    assert payload["whole_weeks"] == 0
    assert set(decode(payload["counts"]["later"])) == {0}


def test_a_criterion_without_a_column_is_named(small):
    with pytest.raises(DataError, match=r"no column of bits. Received: c8"):
        explorer_data(small.drop(columns="c8"), explorer_criteria(), "counts")


def test_a_criterion_of_two_conditions_is_refused(small):
    double = {**SEVEN[0], "conditions": SEVEN[0]["conditions"] * 2}

    with pytest.raises(DataError, match="needs exactly one condition"):
        explorer_data(small, [double], "rows")


def test_an_unknown_period_is_refused(small):
    with pytest.raises(DataError, match="Unknown `period`"):
        explorer_data(small.assign(period="sometime"), SEVEN, "counts")
