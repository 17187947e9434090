import json

import pandas as pd
import pytest

from pql_model.decide.near_miss_list import COLUMNS, check_list_name, near_miss_list, write_near_misses
from pql_model.errors import DataError

INVITED = {"event": "Teammate Invited", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3}


def row(entity, value, lacking=1, probability=0.1):
    missing = {"condition": INVITED, "value": value, "needed": 3, "lacking": lacking, "probability": 0.3}
    return {"entity": entity, "nearest_missing": json.dumps(missing), "probability": probability, "contact": None}


ROWS = pd.DataFrame(
    [
        row("none", None),
        row("one", 1, probability=0.2),
        row("two", 2),
        row("likely", 2, probability=0.4),
        row("lacks two", 2, lacking=2),
        {"entity": "meets it", "nearest_missing": None, "probability": 0.9, "contact": "u1"},
    ]
)


def test_those_who_lack_one_criterion_are_listed_nearest_first():
    listed = near_miss_list(ROWS)

    assert tuple(listed.columns) == COLUMNS
    assert listed["entity"].tolist() == ["likely", "two", "one", "none"]
    assert listed["lacks"].tolist()[0] == "2 of 3 `Teammate Invited` in the first 7 days"
    assert set(listed["probability_if_met"]) == {0.3}


def test_the_list_is_a_csv_file(tmp_path):
    assert write_near_misses(tmp_path / "new" / "near.csv", ROWS) == 4
    assert pd.read_csv(tmp_path / "new" / "near.csv")["entity"].tolist() == ["likely", "two", "one", "none"]
    assert write_near_misses(tmp_path / "near.csv", ROWS[:0]) == 0
    with pytest.raises(DataError, match="is a csv file"):
        check_list_name(tmp_path / "near.xlsx")
