import pandas as pd
import pytest

from pql_model.decide.state import Remembered, State, base_of, file_of, read_runs, write_runs
from pql_model.errors import DataError

BEFORE = State(5, {"a": Remembered(True, 2, 2), "ü🚀": Remembered(False, None, None)})
LAST = State(9, {"a": Remembered(False, None, 2), "held": Remembered(False, 9, None), "7": Remembered(True, 9, 9)})


def test_what_is_written_reads_back(tmp_path):
    write_runs(tmp_path / "x" / "decisions.parquet", [BEFORE, LAST])
    assert read_runs(tmp_path / "x" / "decisions.parquet") == [BEFORE, LAST]
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["decisions.parquet"]


def test_the_file_has_the_columns_it_is_known_by(tmp_path):
    write_runs(tmp_path / "d.parquet", [LAST])
    assert list(pd.read_parquet(tmp_path / "d.parquet")) == [
        "entity",
        "is_pql",
        "qualified_since",
        "alerted_at",
        "as_of",
    ]


def test_each_product_of_a_folder_has_its_own_file(tmp_path):
    assert file_of(tmp_path, "a.b") == tmp_path / ".pql" / "decisions-a.b.parquet"


def test_before_the_first_run_there_is_nothing(tmp_path):
    assert read_runs(tmp_path / "none.parquet") == []
    assert base_of([], 9) == State()


def test_a_first_run_leaves_nothing_of_the_one_before(tmp_path):
    write_runs(tmp_path / "d.parquet", [State(), LAST])
    assert read_runs(tmp_path / "d.parquet") == [LAST]


def test_a_second_run_at_the_same_instant_builds_on_the_run_before():
    assert base_of([BEFORE, LAST], 9) is BEFORE
    assert base_of([LAST], 9) == State()


def test_a_later_run_builds_on_the_last():
    assert base_of([BEFORE, LAST], 10) is LAST


@pytest.mark.parametrize("as_of", [4, 5, 7])
def test_a_run_before_the_last_has_no_base(as_of):
    assert base_of([BEFORE, LAST], as_of) is None


@pytest.mark.parametrize("content", [b"", b"no parquet"])
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path, content):
    (tmp_path / "d.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"What the last scoring decided cannot be read.*d\.parquet.*or delete it"):
        read_runs(tmp_path / "d.parquet")


@pytest.mark.parametrize(
    "columns",
    [
        {"entity": ["a"], "is_pql": [True]},
        {"entity": ["a", "a"], "is_pql": [True] * 2, "qualified_since": [1, 1], "alerted_at": [1, 1], "as_of": [1, 1]},
        {"entity": [None], "is_pql": [True], "qualified_since": [1], "alerted_at": [1], "as_of": [1]},
        {"entity": ["a"], "is_pql": [True], "qualified_since": ["soon"], "alerted_at": [1], "as_of": [1]},
    ],
)
def test_a_table_of_another_kind_is_refused(tmp_path, columns):
    pd.DataFrame(columns).to_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match="What the last scoring decided cannot be read"):
        read_runs(tmp_path / "d.parquet")
