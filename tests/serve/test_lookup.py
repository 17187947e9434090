import json
import threading

import pandas as pd
import pytest

from pql_model.errors import DataError
from pql_model.serve.lookup import Lookup


def scores(names, version="1"):
    return pd.DataFrame(
        {
            "entity": list(names),
            "as_of": pd.Timestamp("2026-01-01", tz="UTC"),
            "probability": [k / 10 for k in range(len(names))],
            "is_pql": [k % 2 == 0 for k in range(len(names))],
            "reasons": json.dumps([{"sign": "+"}]),
            "criteria_met": None,
            "suppressed": None,
            "model_version": version,
            "feature_set": "123456789012",
            "scored_at": pd.Timestamp("2026-01-02T03:04:05.678901", tz="UTC"),
        }
    )


@pytest.fixture(params=["parquet", "csv"])
def file(request, tmp_path):
    return tmp_path / f"scores.{request.param}"


def write(rows, file):
    (rows.to_csv if file.suffix == ".csv" else rows.to_parquet)(file, index=False)


def test_rows_come_in_the_requested_order_and_as_in_score(file):
    write(scores(["b", "0012", "NA"]), file)
    result = Lookup(file).find(["NA", "x", "0012", "12", "NA"])

    assert [row["entity"] for row in result["rows"]] == ["NA", "0012", "NA"]
    assert result["missing"] == ["x", "12"]
    assert result["rows"][1] == {
        "entity": "0012",
        "as_of": "2026-01-01",
        "probability": 0.1,
        "is_pql": False,
        "reasons": [{"sign": "+"}],
        "criteria_met": None,
        "suppressed": None,
        "model_version": "1",
        "feature_set": "123456789012",
        "scored_at": "2026-01-02T03:04:05.678901Z",
    }
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_ids_are_normalised_and_missing_ones_returned_unchanged(file):
    write(scores(["12", "a b"]), file)
    result = Lookup(file).find(["12.0", " a b ", " ", "12.5"])

    assert [row["entity"] for row in result["rows"]] == ["12", "a b"]
    assert result["missing"] == [" ", "12.5"]


def test_a_spelling_that_the_product_brings_together_is_found(file):
    write(scores(["12", "acme"]), file)
    result = Lookup(file).find(["0012", "ACME", "0013"], ["case", "leading_zeros"])

    assert [row["entity"] for row in result["rows"]] == ["12", "acme"]
    assert result["missing"] == ["0013"]


def test_numbers_are_exactly_those_of_the_batch(file):
    numbers = [(k * 0.6180339887498949) % 1 for k in range(1, 2000)]
    write(scores([f"e{k}" for k in range(1, 2000)]).assign(probability=numbers), file)
    result = Lookup(file).find([f"e{k}" for k in range(1, 2000)])

    assert [row["probability"] for row in result["rows"]] == numbers


def test_a_file_may_appear_later(file):
    lookup = Lookup(file)
    assert not lookup.ready
    write(scores(["a"]), file)

    assert (lookup.reload(), lookup.reload()) == (True, False)
    assert lookup.ready
    assert lookup.find(["a"])["missing"] == []


def test_without_a_file_the_lookup_is_not_ready():
    assert not Lookup(None).ready
    assert not Lookup(None).reload()


def test_an_unreadable_file_leaves_the_previous_rows(file):
    write(scores(["a"]), file)
    lookup = Lookup(file)
    for spoilt in (b"nonsense", b""):
        file.write_bytes(spoilt)
        with pytest.raises(DataError, match="The batch scores cannot be read"):
            lookup.reload()

    assert lookup.find(["a"])["rows"][0]["entity"] == "a"


def test_no_request_mixes_two_files(tmp_path):
    file, over, wrong = tmp_path / "scores.parquet", threading.Event(), []
    names = [f"e{k}" for k in range(300)]
    write(scores(names), file)
    lookup = Lookup(file)

    def ask():
        while not over.is_set():
            wrong.extend(row["entity"] for row in lookup.find(["e7"])["rows"] if row["entity"] != "e7")

    thread = threading.Thread(target=ask)
    thread.start()
    for version in range(8):
        write(scores(names[::-1] if version % 2 else [*names, "more"], str(version)), file)
        lookup.reload()
    over.set()
    thread.join()

    assert wrong == []
