import numpy as np
import pandas as pd
import pytest

from pql_model.progression.funnel_counts import follow
from pql_model.progression.lead_overlap import lead_overlap
from pql_model.time import DAY, Duration

NAN = np.nan


def overlap(rows, **known_from):
    frame = pd.DataFrame(rows, columns=["signed_up", "PQL", "MQL", "paid"], dtype=float) * DAY
    return lead_overlap(
        follow(frame, ["PQL", "MQL", "paid"], Duration.parse("30d"), 99 * DAY, known_from=known_from), "MQL"
    )


ROWS = [
    *[(0, 2, NAN, 7)] * 6,  # PQLs that pay after five days
    *[(0, 2, NAN, NAN)] * 4,
    *[(0, NAN, 3, 13)] * 2,  # MQLs that pay after ten
    *[(0, NAN, 3, NAN)] * 8,
    (0, 1, 1, 4),
    (0, 9, 5, 9),  # an MQL that was a PQL only once it had paid
    (0, NAN, NAN, NAN),
]


def test_the_cells_of_the_table_add_up():
    result = overlap(ROWS)
    cells = {
        name: (getattr(result, name).entities, getattr(result, name).paid) for name in ("both", "pql_only", "neither")
    }
    assert cells == {"both": (1, 1), "pql_only": (10, 6), "neither": (1, 0)}
    assert (result.mql_only.entities, result.mql_only.paid) == (11, 3)
    assert (result.pql.entities, result.mql.entities) == (11, 12)
    parts = (result.both, result.pql_only, result.mql_only, result.neither)
    assert sum(cell.entities for cell in parts) == len(ROWS)


def test_who_converts_better_has_an_interval_and_a_time():
    result = overlap(ROWS)
    assert result.difference.value == pytest.approx(0.6 - 3 / 11)
    assert result.difference.low < result.difference.value < result.difference.high
    assert (result.pql_days.value, result.mql_days.value) == (5.0, 7.0)
    assert result.to_dict()["days_to_paid"]["pql"]["value"] == 5.0


def test_only_entities_count_of_which_both_would_be_known():
    rows = [*ROWS, (5, 6, NAN, NAN), (9, NAN, 10, NAN)]
    result = overlap(rows, PQL=3 * DAY, MQL=4 * DAY)
    assert (result.pql_only.entities, result.mql_only.entities) == (1, 1)
