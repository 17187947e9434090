import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pql_model.config.policy_settings import Capacity
from pql_model.evaluation.capacity import precision_within_capacity, worked_leads
from pql_model.time import DAY


def snapshots(*rows):
    """Rows of (entity, day, probability, converted)."""
    entity, day, probability, converted = zip(*rows, strict=True)
    frame = pd.DataFrame({"entity": entity, "as_of": np.array(day) * DAY, "converted": converted})
    return frame, np.array(probability, float)


def test_each_period_has_its_own_places():
    frame, probability = snapshots(("a", 0, 0.9, 1), ("b", 1, 0.8, 0), ("c", 7, 0.2, 1), ("d", 8, 0.1, 0))

    assert worked_leads(frame, probability, Capacity(leads=1, per="7d")).tolist() == [0, 2]
    assert precision_within_capacity(frame, probability, Capacity(leads=1, per="7d")).value == 1.0
    assert worked_leads(frame, probability, Capacity(leads=1, per="9d")).tolist() == [0]


def test_an_entity_is_a_lead_once_at_its_best_snapshot_of_the_period():
    frame, probability = snapshots(("a", 0, 0.5, 0), ("a", 1, 0.9, 1), ("a", 7, 0.9, 1), ("b", 8, 0.1, 0))

    assert worked_leads(frame, probability, Capacity(leads=1, per="7d")).tolist() == [1, 3]


def test_no_rows_have_no_precision():
    nothing = pd.DataFrame({"entity": [], "as_of": np.array([], np.int64), "converted": []})
    assert math.isnan(precision_within_capacity(nothing, np.array([]), Capacity(leads=5, per="7d")).value)


def test_sixteen_weeks_are_not_one_week():
    rng = np.random.default_rng(5)
    n = 1_600
    probability = rng.uniform(0, 0.3, n)
    frame = pd.DataFrame({"entity": np.arange(n).astype(str), "as_of": rng.integers(0, 112, n) * DAY})
    frame["converted"] = rng.random(n) < probability
    best = frame["converted"].to_numpy()[np.argsort(-probability)[:25]].mean()
    worked = precision_within_capacity(frame, probability, Capacity(leads=25, per="7d"))
    expected = np.mean(probability[worked_leads(frame, probability, Capacity(leads=25, per="7d"))])

    assert worked.low < expected < worked.high
    assert worked.value < best


ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 20), st.sampled_from((0.1, 0.2, 0.3)), st.booleans()),
    min_size=1,
    max_size=20,
)


@given(rows=ROWS, leads=st.integers(1, 3), per=st.integers(1, 8), dice=st.randoms(use_true_random=False))
def test_any_rows_equal_a_naive_reading_in_any_order(rows, leads, per, dice):
    frame, probability = snapshots(*rows)
    found = worked_leads(frame, probability, Capacity(leads=leads, per=f"{per}d"))
    chosen = [(rows[i][0], rows[i][2], (rows[i][1] - min(r[1] for r in rows)) // per) for i in found]

    begin, seen = min(day for _, day, *_ in rows), set()
    for period in range(max(day for _, day, *_ in rows) // per + 1):
        here = [r for r in rows if (r[1] - begin) // per == period and r[0] not in seen]
        best = {entity: max(p for name, _, p, _ in here if name == entity) for entity, *_ in here}
        mine = [(entity, p) for entity, p, at in chosen if at == period]
        assert len(mine) == min(leads, len(best))
        assert all(best[entity] == p for entity, p in mine)
        assert all(p >= max([best[e] for e in best if e not in dict(mine)], default=0) for _, p in mine)
        seen |= set(dict(mine))

    shuffled = rows.copy()
    dice.shuffle(shuffled)
    again = worked_leads(*snapshots(*shuffled), Capacity(leads=leads, per=f"{per}d"))
    assert {shuffled[i][0] for i in again} == {rows[i][0] for i in found}


@pytest.mark.parametrize("per", ["1d", "30d"])
def test_a_capacity_above_everybody_takes_each_entity_once(per):
    frame, probability = snapshots(("a", 0, 0.5, 1), ("a", 9, 0.6, 1), ("b", 3, 0.1, 0))
    assert len(worked_leads(frame, probability, Capacity(leads=99, per=per))) == 2
