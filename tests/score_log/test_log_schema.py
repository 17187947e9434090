import hashlib
import json
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pql_model.decide.rows import NAMES
from pql_model.errors import DataError
from pql_model.score_log.log_schema import SCHEMA, decode_columns, encode_lists, inputs_digest, log_rows, log_table
from pql_model.time import parse_instant

REASONS = json.dumps([{"sign": "+", "column": "a.count.ever", "words": "3 `a` so far (+)"}])
INPUTS = [np.array([1.5, np.nan, -0.0]), np.array([0.1 + 0.2, 1e300, 2.0])]


def rows(**columns):
    at = pd.to_datetime(["2026-01-05T10:11:12.345678Z", "2026-01-06"], utc=True, format="ISO8601")
    payload = {
        "entity": ["0012", "b🙂"],
        "as_of": at,
        "probability": [0.25, 1 / 3],
        "score": [50.0, 99.9],
        "band": "high",
        "is_pql": [True, False],
        "usage": 0.1,
        "fit": -0.2,
        "timing": 0.0,
        "reasons": REASONS,
        "criteria_met": "[]",
        "meets_definition": pd.array([True, None], "boolean"),
        "suppressed": pd.array([None, "cool_down"], "string"),
        "model_version": "3",
        "feature_set": "fs",
        "scored_at": at,
        **columns,
    }
    return pd.DataFrame(payload)


def logged(**columns):
    return log_table(rows(**columns), INPUTS, "score", ["boards", "boards"])


def test_the_digest_is_the_sha_256_of_the_feature_set_and_the_little_endian_numbers():
    expected = hashlib.sha256(b"fs\n" + struct.pack("<2d", 1.5, 0.1)).hexdigest()
    assert inputs_digest("fs", np.array([1.5, 0.1])) == expected
    assert inputs_digest("fs", np.array([1.5, 0.1], dtype=">f8")) == expected
    assert inputs_digest("fs", np.array([[1.5, 9.0], [0.1, 9.0]])[:, 0]) == expected  # a column of a matrix


def test_nans_and_zeros_are_normalised_in_the_digest():
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 1 << 63], np.uint64).view(np.float64)
    assert np.isnan(odd[:3]).all()
    assert inputs_digest("fs", odd) == inputs_digest("fs", np.array([np.nan, np.nan, np.nan, 0.0]))


def test_the_digest_depends_on_numbers_positions_and_feature_set():
    digest = inputs_digest("fs", np.array([1.0, 2.0]))
    others = [
        ("fs", [1.0, np.nextafter(2.0, 3)]),
        ("fs", [2.0, 1.0]),
        ("fs", [1.0]),
        ("ft", [1.0, 2.0]),
        ("fs", [1.0, np.nan]),
    ]
    assert digest not in {inputs_digest(name, np.array(numbers)) for name, numbers in others}


def test_digesting_does_not_change_the_inputs():
    numbers = np.array([-0.0, np.nan])
    inputs_digest("fs", numbers)
    assert np.signbit(numbers[0])


def test_a_log_row_is_a_scored_row_with_the_inputs():
    table = logged()
    assert table.schema == SCHEMA
    assert table.column_names == [*NAMES, "source", "model_name", "inputs", "inputs_digest"]
    first = table.to_pylist()[0]
    assert (first["entity"], first["source"], first["model_name"]) == ("0012", "score", "boards")
    assert first["inputs"] == [1.5, None, 0.0]
    assert first["inputs_digest"] == inputs_digest("fs", INPUTS[0])
    assert (first["nearest_missing"], first["newly_qualified"], first["suppressed"]) == (None, None, None)


def test_round_trip_is_exact():
    first, second = log_rows(logged())
    assert first.as_of == parse_instant("2026-01-05T10:11:12.345678Z")
    assert (first.entity, second.entity, second.probability) == ("0012", "b🙂", 1 / 3)
    assert first.reasons == json.loads(REASONS)
    np.testing.assert_array_equal(first.inputs, INPUTS[0])
    assert second.inputs.tobytes() == INPUTS[1].tobytes()
    assert inputs_digest(first.feature_set, first.inputs) == first.inputs_digest


def test_a_row_without_as_of_is_valid():
    assert [row.as_of for row in log_rows(logged(as_of=None))] == [None, None]


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("probability", None, "it has no `probability`"),
        ("entity", None, "it has no `entity`"),
        ("scored_at", None, "it has no `scored_at`"),
        ("inputs", None, "it has no `inputs`"),
        ("reasons", None, "it has no `reasons`"),
        ("reasons", "{", "its `reasons` are not JSON"),
        ("reasons", "3", "its `reasons` are not a list of objects"),
        ("reasons", "[1]", "its `reasons` are not a list of objects"),
    ],
)
def test_a_damaged_row_is_refused(column, cell, words):
    cells = pa.array([cell] * 2, SCHEMA.field(column).type)
    table = logged().set_column(SCHEMA.get_field_index(column), column, cells)
    with pytest.raises(DataError, match=f"row of the score log was changed .*: {words}"):
        list(log_rows(table))


def test_rows_of_models_of_different_width_share_a_table():
    ragged = [np.array([1.0]), np.array([1.0, 2.0, np.nan])]
    table = log_table(rows(), ragged, "service", ["a", "b"])
    assert table["inputs"].to_pylist() == [[1.0], [1.0, 2.0, None]]
    assert [len(row.inputs) for row in log_rows(table.slice(1))] == [3]


def test_no_rows_give_a_table_with_all_columns():
    assert log_table(rows().head(0), [], "score", []).schema == SCHEMA


def test_round_trip_through_a_database_without_lists():
    table = logged()
    flat = encode_lists(table)
    assert flat["inputs"].to_pylist()[0] == "[1.5, null, -0.0]"
    as_sqlite = flat.set_column(1, "as_of", pa.array(["2026-01-05T10:11:12.345678+00:00", "2026-01-06T00:00:00+00:00"]))
    as_sqlite = as_sqlite.set_column(flat.column_names.index("is_pql"), "is_pql", pa.array([1, 0]))
    assert decode_columns(as_sqlite).equals(table)
    assert decode_columns(flat.select(["entity", "scored_at"])).equals(table.select(["entity", "scored_at"]))


@pytest.mark.parametrize(("column", "cell"), [("inputs", "1;2"), ("as_of", "soon"), ("probability", "much")])
def test_a_table_with_other_data_is_refused(column, cell):
    flat = encode_lists(logged())
    broken = flat.set_column(flat.column_names.index(column), column, pa.array([cell, cell]))
    with pytest.raises(DataError, match="The table of the score log holds other data"):
        decode_columns(broken)
