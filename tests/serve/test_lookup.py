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


def test_rows_come_in_the_order_asked_for_and_as_score_gives_them(file):
    write(scores(["b", "0012", "NA"]), file)
    found = Lookup(file).find(["NA", "x", "0012", "12", "NA"])

    assert [row["entity"] for row in found["rows"]] == ["NA", "0012", "NA"]
    assert found["missing"] == ["x", "12"]
    assert found["rows"][1] == {
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
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_an_id_is_read_as_in_the_tables_and_missing_as_it_was_asked_for(file):
    write(scores(["12", "a b"]), file)
    found = Lookup(file).find(["12.0", " a b ", " ", "12.5"])

    assert [row["entity"] for row in found["rows"]] == ["12", "a b"]
    assert found["missing"] == [" ", "12.5"]


def test_numbers_are_those_of_the_batch_to_the_last_digit(file):
    numbers = [(k * 0.6180339887498949) % 1 for k in range(1, 2000)]
    write(scores([f"e{k}" for k in range(1, 2000)]).assign(probability=numbers), file)
    found = Lookup(file).find([f"e{k}" for k in range(1, 2000)])

    assert [row["probability"] for row in found["rows"]] == numbers


def test_a_file_that_is_not_there_yet_is_waited_for(file):
    lookup = Lookup(file)
    assert not lookup.ready
    write(scores(["a"]), file)

    assert (lookup.reload(), lookup.reload()) == (True, False)
    assert lookup.ready
    assert lookup.find(["a"])["missing"] == []


def test_without_a_file_there_is_nothing_to_look_up():
    assert not Lookup(None).ready
    assert not Lookup(None).reload()


def test_a_file_that_cannot_be_read_leaves_the_rows_before(file):
    write(scores(["a"]), file)
    lookup = Lookup(file)
    for spoilt in (b"nonsense", b""):
        file.write_bytes(spoilt)
        with pytest.raises(DataError, match="The batch scores cannot be read"):
            lookup.reload()

    assert lookup.find(["a"])["rows"][0]["entity"] == "a"


def test_no_request_sees_rows_of_one_file_and_places_of_another(tmp_path):
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
