import json
from collections import Counter

import pandas as pd
import pytest

from pql_model.sources import column_profile
from pql_model.sources.column_profile import is_sampled, profile_columns
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.files import read_raw


def profiles(folder, table):
    with open_session("1GB", keep_order=True) as con:
        profile = profile_columns(con, read_raw(con, table, folder), "texts")
    return profile.rows, {column.name: column for column in profile.columns}


def test_values_are_counted_over_all_rows(tmp_path):
    values = ["old"] * 15_000 + [f"acc_{n % 7}" for n in range(10_000)] + [""] * 5
    (tmp_path / "log.csv").write_text("id,n\n" + "".join(f"{value},1\n" for value in values))
    rows, columns = profiles(tmp_path, "log.csv")
    assert rows == 25_005
    assert columns["id"].values == Counter(value for value in values if value)
    assert columns["id"].rows == 25_000


def test_cells_are_spread_over_the_file_and_in_its_order(tmp_path):
    (tmp_path / "log.csv").write_text("n,half\n" + "".join(f"{n},{n // 2}\n" for n in range(35_000)))
    _, columns = profiles(tmp_path, "log.csv")
    cells = list(map(int, columns["n"].cells))
    assert cells == list(range(0, 35_000, 4))
    assert list(map(int, columns["half"].cells)) == [n // 2 for n in cells]


def test_many_values_are_a_hash_sample_that_is_the_same_in_every_table(tmp_path, monkeypatch):
    monkeypatch.setattr(column_profile, "MOST_VALUES", 1_000)
    (tmp_path / "a.csv").write_text("id\n" + "".join(f"u{n}\n" for n in range(20_000)))
    (tmp_path / "b.csv").write_text("id\n" + "".join(f"u{n}\n" for n in range(10_000, 30_000)))
    first, second = (profiles(tmp_path, table)[1]["id"] for table in ("a.csv", "b.csv"))
    assert first.zeros == second.zeros > 0
    assert all(is_sampled(value, first.zeros) for value in first.values)
    expected = {f"u{n}" for n in range(10_000, 20_000) if is_sampled(f"u{n}", first.zeros)}
    assert first.values.keys() & second.values.keys() == expected


def test_fields_of_objects_become_columns(tmp_path):
    rows = [
        {"event": "x", "details": {"totals": {"total": "5"}, "empty": None}},
        {"event": "y", "details": {"note": "z", "a.b": 1}},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, columns = profiles(tmp_path, "log.jsonl")
    assert sorted(columns) == ["details.note", "details.totals.total", "event"]
    assert columns["details.totals.total"].cells == ("5", None)


def test_objects_in_a_column_of_a_csv_become_columns(tmp_path):
    (tmp_path / "log.csv").write_text('event,properties\nx,"{""size"": 3}"\ny,{}\n')
    _, columns = profiles(tmp_path, "log.csv")
    assert columns["properties.size"].cells == ("3", None)


@pytest.mark.parametrize(("value", "lossy"), [(9_007_199_254_740_994.0, True), (12.0, False), (-1.5, False)])
def test_floats_that_have_lost_their_digits_are_known(tmp_path, value, lossy):
    pd.DataFrame({"id": [value, None]}).to_parquet(tmp_path / "log.parquet")
    assert profiles(tmp_path, "log.parquet")[1]["id"].is_lossy is lossy


@pytest.mark.parametrize(("rows", "repeats"), [("a,1\nb,2\na,1\na,1\n", 2), ("a,1\nb,1\n", 0), ("a,1\na,2\nb,1\n", 0)])
def test_rows_alike_in_everything_are_counted(tmp_path, rows, repeats):
    (tmp_path / "log.csv").write_text("who,n\n" + rows)
    with open_session("1GB", keep_order=True) as con:
        assert profile_columns(con, read_raw(con, "log.csv", tmp_path), "texts").repeats == repeats
