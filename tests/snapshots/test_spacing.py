import numpy as np
import pandas as pd

from pql_model.snapshots.spacing import non_overlapping
from pql_model.time import DAY, Duration

HORIZON = Duration.parse("30d")


def test_conversion_in_four_overlapping_horizons_counts_once_in_any_order():
    frame = pd.DataFrame(
        {"entity": ["a"] * 5 + ["b"] * 5, "as_of": np.array([0, 7, 14, 21, 30, 3, 10, 17, 24, 31]) * DAY}
    )
    assert non_overlapping(frame, HORIZON).tolist() == [0, 4, 5]
    shuffled = frame.sample(frac=1, random_state=2).reset_index(drop=True)
    kept = shuffled.loc[non_overlapping(shuffled, HORIZON)].sort_values(["entity", "as_of"])
    assert kept["as_of"].tolist() == [0, 30 * DAY, 3 * DAY]


def test_snapshots_exactly_one_horizon_apart_do_not_overlap():
    frame = pd.DataFrame({"entity": "a", "as_of": [0, 30 * DAY - 1, 30 * DAY]})
    assert non_overlapping(frame, HORIZON).tolist() == [0, 2]


def test_no_snapshots_are_no_positions():
    assert non_overlapping(pd.DataFrame({"entity": [], "as_of": np.empty(0, np.int64)}), HORIZON).tolist() == []
