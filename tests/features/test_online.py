"""The online features equal the oracle and the batch to the last bit."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from strategies import ODD_EVENTS, PLAIN_EVENTS, VALUES, crowd, every_feature, futures, is_future, worlds
from worlds import opened

from pql_model.config.load import load_config
from pql_model.features.catalogue import event_names, offer_features
from pql_model.features.compile import build_features
from pql_model.features.online import OnlineFeatures
from pql_model.features.oracle import Event, evaluate
from pql_model.features.rounding import rounded
from pql_model.features.spec import Feature
from pql_model.features.timeline import EventRow
from pql_model.measures import MEASURES
from pql_model.snapshots.labels import label_snapshots
from pql_model.time import DAY, Window
from pql_model.workflows.demo import make_demo

ROOT = Path(__file__).resolve().parents[2]
FEATURES = every_feature(PLAIN_EVENTS, VALUES)
ONLINE = OnlineFeatures(FEATURES)
AMOUNTS = st.floats(-1e9, 1e9, allow_nan=False) | st.sampled_from((0.1, 0.2, 0.3, 1e-7, 123456.789))


def row(event: Event) -> EventRow:
    return EventRow(event.event, event.time, event.user, event.values, event.known_at, event.n, event.users)


def by_definition(features, log, signed_up, as_of):
    sizes = [replace(event, values={name: abs(value) for name, value in event.values.items()}) for event in log]
    numbers = []
    for feature in features:
        number = evaluate(feature, log, signed_up, as_of)
        if feature.measure == "sum" and number is not None:
            number = rounded(number, evaluate(feature, sizes, signed_up, as_of))
        numbers.append(math.nan if number is None else number)
    return numbers


def differing(features, received, expected):
    """What is not the same number; NaN is NaN."""
    triples = zip(features, received, expected, strict=True)
    return [(f.name, a, b) for f, a, b in triples if not (a == b or (math.isnan(a) and math.isnan(b)))]


def faults(world, features=FEATURES, online=ONLINE):
    found = []
    for seen in world.snapshots:
        log = world.log(seen.entity)
        received = online.compute(map(row, log), seen.signed_up, seen.as_of)
        found += differing(features, received, by_definition(features, log, seen.signed_up, seen.as_of))
    return found


# ---------------------------------------------------------------- parity with the oracle


@pytest.mark.parametrize("late", [False, True], ids=["known at once", "known later"])
def test_many_entities_with_events_on_every_edge_equal_the_oracle(late):
    assert faults(crowd(200, late)) == []


@examples(40, suppress=HealthCheck)
@given(world=worlds())
def test_every_measure_in_every_window_equals_the_oracle(world):
    assert faults(world) == []


@examples(20, suppress=HealthCheck)
@given(world=worlds(names=ODD_EVENTS))
def test_event_names_may_be_anything(world):
    features = every_feature(ODD_EVENTS, ["mb"])
    assert faults(world, features, OnlineFeatures(features)) == []


@examples(30, suppress=HealthCheck)
@given(data=st.data())
def test_fractions_are_added_in_the_order_of_the_oracle(data):
    times = st.integers(0, 20).map(lambda hours: hours * DAY // 4)
    parts = st.tuples(times, st.sampled_from(("ann", "bob", None)), AMOUNTS, st.floats(0.1, 9.9))
    log = [Event("login", t, u, None, n, None, {"mb": v}) for t, u, v, n in data.draw(st.lists(parts, max_size=30))]
    received = ONLINE.compute(map(row, log), 0, 5 * DAY)
    assert differing(FEATURES, received, by_definition(FEATURES, log, 0, 5 * DAY)) == []


@examples(20, suppress=HealthCheck)
@given(world=worlds(), features=st.lists(st.sampled_from(FEATURES), min_size=1, max_size=6))
def test_numbers_are_in_the_order_of_the_features(world, features):
    assert faults(world, features, OnlineFeatures(features)) == []


@examples(20, suppress=HealthCheck)
@given(data=st.data())
def test_future_events_do_not_change_the_numbers(data):
    world = data.draw(worlds())
    seen = data.draw(st.sampled_from(world.snapshots))
    log = world.log(seen.entity)
    past = [event for event in log if not is_future(event, seen.as_of)]
    other = past + [future.event for future in data.draw(futures(seen.as_of))]
    one, two = (ONLINE.compute(map(row, each), seen.signed_up, seen.as_of) for each in (log, other))
    assert differing(FEATURES, two, one) == []


@pytest.mark.parametrize("name", MEASURES)
def test_no_events_give_the_empty_value_of_the_registry(name):
    rule = MEASURES[name]
    window = Window.parse("last 7d") if rule.window == "last" else Window.parse("ever")
    event, value = "upload" if rule.scope == "event" else "any", "mb" if rule.needs_value else None
    [number] = OnlineFeatures([Feature(event, name, window, value)]).compute([], 0, 10 * DAY)
    expected = 10.0 if name == "days_since_signup" else math.nan if rule.empty is None else rule.empty
    assert number == expected or (math.isnan(number) and math.isnan(expected))


def test_every_number_is_a_float():
    numbers = ONLINE.compute([EventRow("login", 1, "ann", {"mb": 2}), EventRow("login", 2, n=3)], 0, DAY)
    assert {type(number) for number in numbers} == {float}


def test_features_of_any_cover_all_events():
    assert OnlineFeatures([Feature("any", "count")]).compute([EventRow("any", 1), EventRow("login", 2)], 0, DAY) == [
        2.0
    ]


# ---------------------------------------------------------------- parity with the batch


def test_every_offered_feature_equals_the_batch_on_the_demo(tmp_path):
    config = load_config(make_demo(tmp_path, accounts=200) / "pql.yaml")
    with opened(config) as (con, sources):
        events = sources.events.table
        features = offer_features(config, event_names(events), has_signup=True, has_users=True)
        features += [Feature(f.event, "distinct_values", f.window, f.value) for f in features if f.measure == "sum"]
        snapshots = label_snapshots(con, config, sources).table
        table = build_features(events, snapshots, features)
        logs, signups = logs_of(events), {r["entity"]: r["signed_up"] for r in snapshots.to_pyarrow().to_pylist()}
    online = OnlineFeatures(features)
    assert len(table) > 300
    assert len(features) > 150
    found = []
    for entity, as_of, *batch in table.itertuples(index=False):
        received = online.compute(logs.get(entity, []), signups[entity], as_of)
        found += differing(features, received, batch)
    assert found == []


def logs_of(events):
    """Entity -> its rows of the canonical log."""
    logs = {}
    for r in events.to_pyarrow().to_pylist():
        values = {n.removeprefix("value_"): v for n, v in r.items() if n.startswith("value_") and v is not None}
        event = EventRow(r["event"], r["time"], r["user"], values, r["known_at"], r["n"], r["users"])
        logs.setdefault(r["entity"], []).append(event)
    return logs


# ---------------------------------------------------------------- what it costs


@pytest.mark.parametrize("module", ["online", "incoming"])
def test_online_module_loads_no_table_library(module):
    heavy = ("numpy", "pandas", "ibis", "duckdb", "pyarrow", "lightgbm", "scipy", "sklearn", "mlflow")
    code = f"import json, sys, pql_model.features.{module}; print(json.dumps([n for n in {heavy} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
