"""Dated columns equal the naive oracle, and nothing at or after as_of, or known later, changes them."""

from types import SimpleNamespace

import ibis
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pql_model.features.dated import join_latest
from pql_model.features.dated_reader import DatedValue, latest_of
from pql_model.sources.dated_columns import DatedColumns

INSTANTS = st.integers(0, 6)
ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), INSTANTS, st.one_of(st.none(), INSTANTS), st.one_of(st.none(), st.integers(0, 3))),
    max_size=12,
)
"""Entity, time, known_at, value: few of each, so that most are tied."""
COLUMNS = {"nps": "trait.nps"}


def oracle(rows, entity, as_of):
    """The last value, by reading the rules one after the other."""
    seen = [r for r in rows if r[0] == entity and r[3] is not None and r[1] < as_of and (r[2] is None or r[2] < as_of)]
    if not seen:
        return None
    latest = [r for r in seen if r[1] == max(r[1] for r in seen)]
    known = [r[1] if r[2] is None else r[2] for r in latest]
    return max(r[3] for r, at in zip(latest, known, strict=True) if at == max(known))


def oracle_of_history(rows, entity, as_of):
    """The value that the last row states, none if it states none: rows of one instant are one row."""
    seen = [r for r in rows if r[0] == entity and r[1] < as_of and (r[2] is None or r[2] < as_of)]
    order = [(r[1], r[1] if r[2] is None else r[2]) for r in seen]
    last = [r[3] for r, place in zip(seen, order, strict=True) if place == max(order)]
    return max((value for value in last if value is not None), default=None)


def batch(rows, as_ofs, text=False, history=False):
    """The dated column by entity and as_of, as the engine computes it."""
    frame = pd.DataFrame(rows, columns=["entity", "time", "known_at", "value_0"])
    kind = "string" if text else "float64"
    if text:
        frame["value_0"] = [None if v is None or v != v else f"v{int(v)}" for v in frame["value_0"]]
    schema = ibis.schema({"entity": "string", "time": "int64", "known_at": "int64", "value_0": kind})
    frame = frame.astype({"known_at": "Int64"})
    table = ibis.memtable(frame, schema=schema)
    snapshots = pd.DataFrame([(e, t) for e in "ab" for t in as_ofs], columns=["entity", "as_of"])
    dated = DatedColumns("nps.csv", table, ("nps",), {}, states_all=history)
    keys = ibis.memtable(snapshots, schema=ibis.schema({"entity": "string", "as_of": "int64"}))
    found = join_latest(snapshots, keys, [dated], COLUMNS)
    return {
        (r.entity, r.as_of): None if pd.isna(v) else v
        for r, v in zip(found.itertuples(), found["trait.nps"], strict=True)
    }


@given(rows=ROWS)
@examples(25)
def test_batch_and_service_equal_the_naive_oracle(rows):
    as_ofs = [0, 3, 7]
    found = batch(rows, as_ofs)
    for entity in "ab":
        for as_of in as_ofs:
            right = oracle(rows, entity, as_of)
            assert found[entity, as_of] == right
            mine = [DatedValue("nps", time, value, known) for who, time, known, value in rows if who == entity]
            assert latest_of(reversed(mine), as_of).get("nps") == right


@given(rows=ROWS)
@examples(25)
def test_the_history_of_a_trait_equals_its_oracle_in_batch_and_service(rows):
    as_ofs = [0, 3, 7]
    found = batch(rows, as_ofs, history=True)
    for entity in "ab":
        mine = [DatedValue("nps", time, value, known) for who, time, known, value in rows if who == entity]
        for as_of in as_ofs:
            right = oracle_of_history(rows, entity, as_of)
            assert found[entity, as_of] == right
            assert latest_of(reversed(mine), as_of, history=("nps",)).get("nps") == right


@given(rows=ROWS, later=ROWS, order=st.randoms(use_true_random=False), history=st.booleans())
@examples(15)
def test_nothing_at_or_after_as_of_changes_a_row(rows, later, order, history):
    as_of = 3
    before = batch(rows, [as_of], history=history)
    future = [(who, time + as_of, known, value) for who, time, known, value in later]
    unknown = [(who, min(time, 2), as_of + (known or 0), value) for who, time, known, value in later]
    changed = [*(r for r in rows if r[1] < as_of), *future, *unknown]
    order.shuffle(changed)
    assert batch(changed, [as_of], history=history) == before


def test_texts_are_as_good_as_numbers():
    rows = [("a", 1, None, 1), ("a", 1, None, 2), ("a", 2, 6, 3)]
    assert batch(rows, [4, 7], text=True) == {("a", 4): "v2", ("a", 7): "v3", ("b", 4): None, ("b", 7): None}


def test_columns_that_are_not_wanted_are_left_out():
    table = pd.DataFrame({"entity": ["a"], "as_of": [3]})
    part = SimpleNamespace(names=("other",), table=None)
    assert join_latest(table, None, [part], COLUMNS) is table


@pytest.mark.parametrize("as_of", [5, 6])
def test_a_value_counts_from_the_instant_after_its_time(as_of):
    assert latest_of([DatedValue("nps", 5, 9)], as_of) == ({} if as_of == 5 else {"nps": 9})
