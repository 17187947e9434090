"""Ids that lost digits are refused; several spellings of one id are brought together where the config says how."""

from __future__ import annotations

import pyarrow as pa
import pytest
from staging import of_column, read_shop

from pql_model.errors import DataError
from pql_model.sources.id_columns import FORMS, normalised
from pql_model.sources.id_forms import normalise_id

BIG = 9_007_199_254_740_993
IDS = [
    *(
        "0012",
        "0",
        "00",
        "Acme",
        " acme\u00a0",
        "\u200bacme",
        '["acme"]',
        "(acme)",
        "'acme'",
        "[0012]",
        '["0015000000Gv7qJAAR"]',
    ),
    *(
        "0015000000Gv7qJ",
        "0015000000Gv7qJAAR",
        "0015000000gv7qjaar",
        "a\u200bb",
        "[]",
        "\u3000",
        "ÄÖ",
        "12",
        "a0012",
        "-0012",
    ),
]


def accounts(*ids):
    return {"account": pa.array(ids), "signed_up": ["2026-01-05"] * len(ids)}


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([float(BIG), 5.0]),
        pa.array([5.0, None, 1e18]),
        pa.array([2.0**24, 3.0], pa.float32()),
        pa.array(["9.007199254740993e+15", "x"]),
        pa.array(["1.23457E+15", "x"]),
        pa.array(["9007199254740992.0", "x"]),
    ],
)
def test_ids_that_lost_digits_are_refused_with_the_column_and_the_remedy(tmp_path, ids):
    events = {
        "account": ids,
        "person": ["u"] * len(ids),
        "action": ["login"] * len(ids),
        "at": ["2026-01-12"] * len(ids),
    }
    message = r"ids in column `account` of events\.parquet have lost digits.*`events\[0\]\.columns\.entity`.*Fix: export `account`"
    with pytest.raises(DataError, match=message):
        read_shop(tmp_path, events, accounts("1", "2"))


def test_ids_of_users_rows_and_payments_are_judged_too(tmp_path):
    events = {"account": ["a"], "person": [1e17], "action": ["login"], "at": ["2026-01-12"]}
    with pytest.raises(DataError, match=r"column `person` of events\.parquet have lost digits"):
        read_shop(tmp_path, events)
    with pytest.raises(DataError, match=r"column `account` of paid\.parquet have lost digits"):
        read_shop(tmp_path, paid={"account": [1e17], "paid_at": ["2026-01-20"], "mrr": [1.0]})
    with pytest.raises(DataError, match=r"column `account` of accounts\.parquet have lost digits"):
        read_shop(tmp_path, accounts=accounts(1e17))


def test_small_whole_floats_and_odd_texts_are_ids(tmp_path):
    ids = pa.array([1.0, 2.0, None, float("nan")])
    events = {"account": ids, "person": ["12e45", "1e5", "7", "9"], "action": ["x"] * 4, "at": ["2026-01-12"] * 4}
    read = read_shop(tmp_path, events, accounts(1, 2), "account,paid_at,mrr\n1,2026-01-20,3\n")

    assert [row["entity"] for row in read.events] == ["1", "2"]
    assert read.set_aside == {"no_entity": 2}


@pytest.mark.parametrize("forms", [[form] for form in FORMS] + [list(FORMS), ["brackets", "leading_zeros"]])
def test_column_and_single_id_are_normalised_alike(forms):
    column = of_column(pa.array(IDS), lambda c: normalised(c, forms))

    assert dict(zip(IDS, column, strict=True)) == {each: normalise_id(each, forms) for each in IDS}
