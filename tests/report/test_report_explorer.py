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
SEVEN = explorer_criteria()[:7]


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
    return [chosen for size in range(depth + 1) for chosen in combinations(range(7), size)]


def naive(table: pd.DataFrame, chosen: tuple[int, ...], rows: pd.Series) -> int:
    met = rows.copy()
    for at in chosen:
        met &= table[f"c{at + 1}"]
    return int(met.sum())


@pytest.mark.parametrize("stream", ["earlier_yes", "earlier_no", "later_yes", "later_no"])
def test_every_set_is_counted_and_every_small_count_is_withheld(small, counted, stream):
    period, side = stream.split("_")
    rows = (small["period"] == period) & (small["converted"] == (side == "yes"))
    expected = [naive(small, chosen, rows) for chosen in sets()]

    assert decode(counted["counts"][stream]) == [0 if n < LEAST_SHOWN else n - LEAST_SHOWN + 1 for n in expected]
    assert side == "no" or 0 < sum(n < LEAST_SHOWN for n in expected) < len(expected)


@pytest.mark.parametrize("side", ["yes", "no"])
def test_the_part_with_todays_rule_is_withheld_where_it_or_the_rest_is_small(small, counted, side):
    rows = (small["period"] == "later") & (small["converted"] == (side == "yes"))
    expected = []
    for chosen in sets():
        both, rest = (naive(small, chosen, rows & met) for met in (small["in_force"], ~small["in_force"]))
        expected.append(0 if both < LEAST_SHOWN or 0 < rest < LEAST_SHOWN else both - LEAST_SHOWN + 1)

    assert decode(counted["counts"][f"today_{side}"]) == expected


def test_leads_of_whole_weeks_are_published_only_where_both_outcomes_are(small, counted):
    later = small["period"] == "later"
    whole = later & np.isin(week_of(small["as_of"].to_numpy()), whole_weeks(small.loc[later, "as_of"].to_numpy()))
    expected = []
    for chosen in sets():
        shown = all(naive(small, chosen, later & (small["converted"] == side)) >= LEAST_SHOWN for side in (True, False))
        expected.append(naive(small, chosen, whole) - LEAST_SHOWN + 1 if shown else 0)

    assert [max(n, 0) for n in expected] == decode(counted["counts"]["weekly"])


def test_numbers_of_any_size_round_trip():
    numbers = [0, 1, 31, 32, 33, 1023, 1024, 32767, 32768, 9_999_999]

    assert decode(encode(np.array(numbers))) == numbers


def test_rows_round_trip_without_their_order(small):
    payload = explorer_data(small, SEVEN, "rows")["rows"]
    columns = {
        name: [(LETTERS.index(letter) >> bit) & 1 for letter in text for bit in range(6)]
        for name, text in payload["bits"].items()
    }
    result, at = [], 0
    for later, week, _, converted, rows in payload["groups"]:
        result += [(later, week, converted, *(columns[name][row] for name in columns)) for row in range(at, at + rows)]
        at += -(-rows // 32) * 32
    weeks = pd.to_datetime(week_of(small["begins"].to_numpy()), unit="us").strftime("%Y-%m-%d")
    ids = [f"c{at + 1}" for at in range(7)] + ["in_force"]
    expected = zip(
        (small["period"] == "later").astype(int),
        weeks,
        small["converted"].astype(int),
        *(small[i].astype(int) for i in ids),
        strict=True,
    )

    assert sorted(result) == sorted(expected)


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
    assert "today_yes" not in payload["counts"]


def test_many_criteria_are_combined_in_smaller_sets():
    table = bits().head(500)
    criteria = explorer_criteria()
    more = [{**criteria[0], "id": f"x{at}"} for at in range(30)]
    table = table.assign(**{one["id"]: table["c1"] for one in more})

    assert explorer_data(table, criteria + more, "counts")["most"] == 3
    assert explorer_data(table, criteria[:2], "counts")["most"] == 2


def test_a_period_without_rows_is_accepted(small):
    payload = explorer_data(small[small["period"] == "earlier"], SEVEN, "counts")

    assert payload["base"]["later"] == {"rows": 0, "conversions": 0}
    assert payload["whole_weeks"] == 0
    assert set(decode(payload["counts"]["later_no"])) == {0}


def test_a_criterion_without_a_column_is_named(small):
    with pytest.raises(DataError, match=r"no column of bits. Received: c8"):
        explorer_data(small.drop(columns="c8"), explorer_criteria()[:8], "counts")


def test_a_criterion_of_two_conditions_is_refused(small):
    double = {**SEVEN[0], "conditions": SEVEN[0]["conditions"] * 2}

    with pytest.raises(DataError, match="needs exactly one condition"):
        explorer_data(small, [double], "rows")


def test_an_unknown_period_is_refused(small):
    with pytest.raises(DataError, match="Unknown `period`"):
        explorer_data(small.assign(period="sometime"), SEVEN, "counts")
