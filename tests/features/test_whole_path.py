"""Random small worlds through the whole path: tables to scored rows in batch, raw events to scored rows in the engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from strategies import ODD_EVENTS, PLAIN_EVENTS, VALUES, World, crowd, every_feature, worlds

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.decider import KEY as DECISIONS
from pql_model.decide.decider import Decider
from pql_model.decide.policy import PolicyRule
from pql_model.decide.rows import Contacts, decided_rows
from pql_model.explain.reason_text import AGE
from pql_model.features.contact_query import snapshot_contacts
from pql_model.features.spec import Feature
from pql_model.features.table import feature_table
from pql_model.features.trait_columns import trait_name
from pql_model.measures import MEASURES
from pql_model.model.artifact import FittedModel, reference_quantiles
from pql_model.model.booster import Params, fit_ensemble, training_data
from pql_model.model.calibrate import fit_calibration
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.score_log.row_diff import RowDiff, compare_rows
from pql_model.serve.request_builder import entity_requests
from pql_model.serve.scope import KEY as SCOPE
from pql_model.serve.scoring_clients import in_process
from pql_model.sources.conversions import Conversions
from pql_model.sources.entities import Entities
from pql_model.sources.events import EventLog
from pql_model.sources.read import Sources
from pql_model.sources.scalars import read_event_name
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY, EVER, Duration, Window

FEATURES = [f for f in every_feature(["login"], ["mb"]) if str(f.window) in ("first 7d", "last 7d", "ever")]
FEATURES += [
    Feature("login", "count", also=("upload",)),
    Feature("login", "active_days", Window.parse("last 7d"), also=("upload",)),
    Feature("login", "count", after="upload", gap=Duration(7 * DAY)),
    Feature("login", "sum", EVER, "mb", share_of="seats"),
    Feature("any", "distinct_users", share_of="seats"),
]
TRAITS = ("seats", "plan 🎉", "beta")
COLUMNS = (
    *(ModelColumn(feature.name, "feature") for feature in FEATURES),
    ModelColumn(trait_name("seats"), "number"),
    ModelColumn(trait_name("plan 🎉"), "category", ("free", "team", "(other)")),
    ModelColumn(trait_name("beta"), "category", ("false", "true")),
)
EVENTS = {
    "entity": pa.string(),
    "user": pa.string(),
    "event": pa.string(),
    "time": pa.int64(),
    "known_at": pa.int64(),
    "n": pa.float64(),
    "users": pa.float64(),
    **{f"value_{name}": pa.float64() for name in VALUES},
}
SEEN = {"entity": pa.string(), "as_of": pa.int64(), "signed_up": pa.int64()}
KNOWN_TRAITS = {
    "seats": (None, 0.0, 3.0, -2.5, 1e300),
    "plan 🎉": (None, "free", " team ", "unseen", "{curly}"),
    "beta": (None, True, False),
}
Path = Callable[[World, random.Random], RowDiff]


def criteria() -> Decider:
    conditions = [
        {"event": "login", "at_least": 1, "within": "first 7d"},
        {"event": "any", "at_least": 3, "within": "last 7d"},
        {"event": "upload", "measure": "active_days", "at_least": 1},
        {"trait": "plan 🎉", "in": ["team"]},
    ]
    known = [BoundCriterion(Criterion.model_validate(raw), f"c{k}") for k, raw in enumerate(conditions)]
    rule = Definition.model_validate({"any": [conditions[0], conditions[1]]})
    return Decider(
        "world",
        PolicyRule(0.4, None, ""),
        Bands.of({"high": 0.6, "medium": 0.3}),
        hold_out=0.3,
        exclude=(known[3],),
        hand_raise=(known[2],),
        criteria=tuple(known),
        recommended=BoundDefinition(rule, "d1"),
        in_force=BoundDefinition(Definition.model_validate({"all": [conditions[1]]})),
        slopes={"login": Estimate(0.8, 0.1, 1.5), "any: count": Estimate(1.2, 0.3, 2.1)},
    )


@pytest.fixture(scope="module")
def con() -> Any:
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def sources_of(con: Any, world: World, dice: random.Random) -> tuple[Sources, Any]:
    """The world's canonical tables, rows before the sign-up apart, and the snapshots that there can be."""
    signed = {seen.entity: seen.signed_up for seen in world.snapshots}
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for entity, event in ((row.entity, row.event) for row in world.rows):
        name, since = read_event_name(event.event), signed[entity]
        if name is not None:
            values = {f"value_{key}": (event.values or {}).get(key) for key in VALUES}
            rows[since is None or event.time >= since].append(
                {**vars(event), **values, "event": name, "entity": entity}
            )
    known = [
        {
            "entity": entity,
            "signed_up": since,
            "excluded": False,
            **{f"trait_{t}": dice.choice(KNOWN_TRAITS[t]) for t in TRAITS},
        }
        for entity, since in signed.items()
    ]
    kinds = {"trait_seats": pa.float64(), "trait_plan 🎉": pa.string(), "trait_beta": pa.bool_()}
    made = {
        "events": _table(rows[True], EVENTS),
        "untimely": _table(rows[False], EVENTS),
        "entities": _table(known, {"entity": pa.string(), "signed_up": pa.int64(), "excluded": pa.bool_(), **kinds}),
        "seen": _table([vars(s) for s in world.snapshots if s.signed_up is None or s.signed_up <= s.as_of], SEEN),
    }
    t = {name: con.create_table(name, table, overwrite=True) for name, table in made.items()}
    entities = Entities(t["entities"], TRAITS, {})
    log = EventLog(t["events"], len(rows[True]), {}, t["untimely"])
    return Sources(log, entities, Conversions(t["seen"], 0, {}), 0, ()), t["seen"]


def _table(rows: list[dict[str, Any]], columns: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows], schema=pa.schema(columns))


def batch_table(
    con: Any, world: World, dice: random.Random, decider: Decider
) -> tuple[pd.DataFrame, list[Any], Contacts]:
    sources, seen = sources_of(con, world, dice)
    features = list(dict.fromkeys([*FEATURES, *decider.features, AGE]))
    table = feature_table(sources, seen, features, {trait: trait_name(trait) for trait in TRAITS})
    return table, list(entity_requests(sources, seen)), snapshot_contacts(sources.events.table, seen)


@pytest.fixture(scope="module")
def model(con: Any) -> FittedModel:
    """Many small trees, so that every measure is read by some."""
    table, *_ = batch_table(con, crowd(300, True, ("login", "upload", "Login")), random.Random(3), criteria())
    manifest, rng = Manifest(COLUMNS), np.random.default_rng(4)
    X = manifest.matrix(table)
    data = training_data(X, (rng.random(len(X)) < 0.4).astype(float), manifest.names, manifest.categorical)
    params = Params(rounds=150, averaged=2, num_leaves=7, min_data_in_leaf=5, feature_fraction=0.2, lambda_l2=0.1)
    ensemble = fit_ensemble(data, [params], 5)
    read = np.abs(ensemble.contributions(X)).sum(axis=0)[:-1] > 0
    assert {f.measure for f, used in zip(FEATURES, read[: len(FEATURES)], strict=True) if used} == set(MEASURES)
    assert read[len(FEATURES) :].all()
    margin = ensemble.margin(X)
    calibration = fit_calibration(margin, (rng.random(len(X)) < 1 / (1 + np.exp(-margin))).astype(float))
    scope = {
        "known_events": ["login", "upload"],
        "known_values": list(VALUES),
        "known_traits": list(TRAITS),
        "dated_names": [],
        "history_traits": [],
        "needs_signup": False,
        "may_lack_signup": False,
        "own_ids": [],
        "entity_acts": False,
        "bots": True,
        "excluded_users": [],
        "id_forms": [],
        "excluded_traits": {},
        "excluded_entities": [],
        "by_day": False,
        "active_within": None,
        "ages": None,
    }
    facts = {"name": "world", "motion": "freemium", SCOPE: scope, DECISIONS: criteria().to_dict()}
    return FittedModel(ensemble, calibration, manifest, reference_quantiles(calibration.apply(margin)), facts)


@pytest.fixture(scope="module")
def compared(con: Any, model: FittedModel) -> Path:
    ask, decider = in_process("1", model), Decider.of_facts(model.facts)

    def path(world: World, dice: random.Random) -> RowDiff:
        table, requests, contacts = batch_table(con, world, dice, decider)
        batch = decided_rows(model, table, decider, contacts=contacts).rows.to_dict("records")
        answers = ask(requests)
        assert [(r["entity"], r["as_of"]) for r in requests] == [(a["entity"], a["as_of"]) for a in answers]
        return compare_rows("engine", batch, answers)

    return path


@pytest.mark.parametrize("late", [False, True], ids=["known at once", "known later"])
def test_many_entities_with_events_on_every_edge_equal_the_batch(compared, late):
    found = compared(crowd(120, late), random.Random(8))
    assert found.rows > 200
    assert found.refused == 0
    assert max(found.largest.values()) <= 1e-9
    assert sum(found.different.values()) == 0


@examples(20, suppress=HealthCheck)
@given(world=worlds(names=(*PLAIN_EVENTS, *ODD_EVENTS, "Teammate Invited")), dice=st.integers(0, 99))
def test_any_world_equals_the_batch(compared, world, dice):
    found = compared(world, random.Random(dice))
    assert found.same, found.to_dict()


def test_comparison_detects_one_additional_event(con, model, compared, monkeypatch):
    """What is checked here would be seen if it were wrong."""
    from pql_model.features import incoming

    monkeypatch.setattr(incoming, "_untimely", lambda *_: None)
    assert compared(crowd(60, True), random.Random(8)).different["probability"] > 10
