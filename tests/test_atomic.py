from pathlib import Path

import pandas as pd
import pytest

from pql_model.atomic import atomic_write, atomic_write_text


def test_file_is_written_completely(tmp_path):
    path = tmp_path / "a.parquet"
    atomic_write(path, pd.DataFrame({"a": [1]}).to_parquet)
    assert pd.read_parquet(path)["a"].tolist() == [1]
    assert [p.name for p in Path(tmp_path).iterdir()] == ["a.parquet"]


def test_failure_keeps_the_old_file_and_leaves_no_partial_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail(at):
        at.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, fail)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_text_is_written_as_it_is(tmp_path):
    atomic_write_text(tmp_path / "a.txt", "ü\r\n🦊\n")
    assert (tmp_path / "a.txt").read_bytes() == "ü\r\n🦊\n".encode()
