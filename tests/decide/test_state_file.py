import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pql_model.decide.capacity import Flow
from pql_model.decide.state import EntityState, RunState
from pql_model.decide.state_file import read_runs, state_path, write_runs
from pql_model.errors import DataError

BEFORE = RunState(5, {"a": EntityState(True, 2, 2), "ü🚀": EntityState(False, None, None)})
LAST = RunState(
    9,
    {
        "a": EntityState(False, None, 2, 5, 0.2, 0.3),
        "held": EntityState(False, 9, None, 9, 0.125),
        "7": EntityState(True, 9, 9),
    },
    Flow((5, 9), 5, ((0, (3, 2, 1)),)),
    day_price=0.125,
)
NOBODY = RunState(11, {}, Flow((5, 9, 11), 5))


def test_round_trip_of_runs(tmp_path):
    write_runs(tmp_path / "x" / "decisions.parquet", [BEFORE, LAST])
    assert read_runs(tmp_path / "x" / "decisions.parquet") == [BEFORE, LAST]
    write_runs(tmp_path / "x" / "decisions.parquet", [LAST, NOBODY])
    assert read_runs(tmp_path / "x" / "decisions.parquet") == [LAST, NOBODY]
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["decisions.parquet"]


def test_the_file_has_the_documented_columns(tmp_path):
    write_runs(tmp_path / "d.parquet", [LAST])
    assert list(pd.read_parquet(tmp_path / "d.parquet")) == [
        "entity",
        "is_pql",
        "qualified_since",
        "alerted_at",
        "seen_at",
        "threshold",
        "peak",
        "as_of",
    ]


def test_each_product_of_a_folder_has_its_own_file(tmp_path):
    assert state_path(tmp_path, "a.b") == tmp_path / ".pql" / "decisions-a.b.parquet"


def test_the_first_run_starts_from_an_empty_state(tmp_path):
    assert read_runs(tmp_path / "none.parquet") == []


def test_an_empty_earlier_run_is_not_written(tmp_path):
    write_runs(tmp_path / "d.parquet", [RunState(), LAST])
    assert read_runs(tmp_path / "d.parquet") == [LAST]


@pytest.mark.parametrize("content", [b"", b"no parquet"])
def test_an_unreadable_file_is_refused_with_a_fix(tmp_path, content):
    (tmp_path / "d.parquet").write_bytes(content)
    with pytest.raises(
        DataError, match=r"The decisions of the last scoring run cannot be read.*d\.parquet.*or delete it"
    ):
        read_runs(tmp_path / "d.parquet")


@pytest.mark.parametrize(
    "fault",
    [
        {"is_pql": None},
        {"entity": ["a", "a"]},
        {"entity": [None, "b"]},
        {"qualified_since": ["soon", "later"]},
    ],
)
def test_a_file_with_other_columns_is_refused(tmp_path, fault):
    path = tmp_path / "d.parquet"
    write_runs(path, [BEFORE])
    whole = pq.read_table(path)
    frame = whole.to_pandas().assign(**{k: v for k, v in fault.items() if v is not None})
    frame = frame.drop(columns=[k for k, v in fault.items() if v is None])
    pq.write_table(pa.Table.from_pandas(frame).replace_schema_metadata(whole.schema.metadata), path)
    with pytest.raises(DataError, match="The decisions of the last scoring run cannot be read"):
        read_runs(path)


def test_a_file_without_its_runs_is_refused(tmp_path):
    write_runs(tmp_path / "d.parquet", [BEFORE])
    pd.read_parquet(tmp_path / "d.parquet").to_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match="The decisions of the last scoring run cannot be read"):
        read_runs(tmp_path / "d.parquet")
