from pathlib import Path

import pandas as pd
import pytest

from pql_model.atomic import atomic_write


def test_a_table_is_written_whole(tmp_path):
    path = tmp_path / "a.parquet"
    atomic_write(path, pd.DataFrame({"a": [1]}).to_parquet)
    assert pd.read_parquet(path)["a"].tolist() == [1]
    assert [p.name for p in Path(tmp_path).iterdir()] == ["a.parquet"]


def test_a_failure_keeps_what_was_there_and_leaves_nothing_half_made(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail(at):
        at.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, fail)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
