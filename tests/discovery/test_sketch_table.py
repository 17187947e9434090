import json

import pytest

from pql_model.discovery.sketch_table import sketch_table
from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session


def test_a_csv_is_sketched_column_by_column(tmp_path):
    (tmp_path / "log.csv").write_text("who,at,n\na,2025-01-01,1\na,2025-01-02,\nb,2025-01-03,3\n")
    with open_session("1GB") as con:
        sketch = sketch_table(con, "log.csv", tmp_path, "log")
    assert (sketch.path, sketch.rows) == ("log.csv", 3)
    assert {c.name: (c.distinct, round(c.filled, 2), c.kind) for c in sketch.columns} == {
        "who": (2, 1.0, "text"),
        "at": (3, 1.0, "date"),
        "n": (2, 0.67, "number"),
    }


def test_objects_inside_json_lines_become_dotted_columns(tmp_path):
    rows = [
        {"event": "x", "properties": {"time": 1735689600, "plan": None}},
        {"event": "y", "properties": {"size": [1]}},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with open_session("1GB") as con:
        sketch = sketch_table(con, "log.jsonl", tmp_path, "log")
    assert sorted(c.name for c in sketch.columns) == ["event", "properties.size", "properties.time"]


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "events.csv").write_text("a\n1\n")
    with (
        open_session("1GB") as con,
        pytest.raises(DataError, match=r"There is no file event.csv, did you mean `events.csv`\?"),
    ):
        sketch_table(con, "event.csv", tmp_path, "log")
