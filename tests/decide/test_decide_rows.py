import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_model import small_model, small_table

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.decider import Decider, InForceStatus
from pql_model.decide.policy import PolicyRule
from pql_model.decide.rows import NAMES, decided_rows, json_row, table_row
from pql_model.decide.state import RunState
from pql_model.features.contacts import Contact
from pql_model.statistics.estimate import Estimate

INVITED = {"event": "Teammate Invited", "at_least": 3, "within": "first 7d"}
LARGE = {"trait": "size", "in": ["large"]}
DECIDER = Decider(
    "tiny",
    PolicyRule(0.5, None, ""),
    Bands.of({"high": 0.25}),
    criteria=tuple(BoundCriterion(Criterion.model_validate(raw), f"c{k}") for k, raw in enumerate((INVITED, LARGE), 1)),
    recommended=BoundDefinition(Definition.model_validate({"all": [INVITED]}), "d1"),
)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def table():
    table, _ = small_table(rows=60, seed=9)
    return table.assign(**{"any.days_since_signup.ever": np.where(np.arange(60) < 30, 3.0, 8.0)})


def test_rows_have_the_columns_of_a_scored_row_in_order(model, table):
    batch = decided_rows(model, table, DECIDER, as_of=0, before=RunState()).rows
    assert list(batch.columns) == [name for name in NAMES if name not in ("model_version", "scored_at")]
    alone = decided_rows(model, table, DECIDER).rows
    assert list(alone.columns) == [name for name in batch.columns if name != "newly_qualified"]


def test_criteria_met_is_json_with_id_and_text(model, table):
    rows = decided_rows(model, table, DECIDER).rows
    for payload, invited, size in zip(rows["criteria_met"], table.iloc[:, 2], table["trait.size"], strict=True):
        met = [result["id"] for result in json.loads(payload)]
        assert met == (["c1"] if invited >= 3 else []) + (["c2"] if size == "large" else [])
    assert "at least 3 `Teammate Invited` in the first 7 days" in "".join(rows["criteria_met"])


def test_a_row_that_misses_the_definition_has_its_nearest_missing_condition(model, table):
    rows = decided_rows(model, table, DECIDER).rows
    payload = [None if pd.isna(text) else json.loads(text) for text in rows["nearest_missing"]]
    assert [result is not None for result in payload] == [
        not met and age < 7
        for met, age in zip(rows["meets_definition"], table["any.days_since_signup.ever"], strict=True)
    ]
    k = next(k for k, result in enumerate(payload) if result is not None)
    assert (payload[k]["criterion"], payload[k]["needed"]) == ("at least 3 `Teammate Invited` in the first 7 days", 3)
    days = max(1.0, table["Teammate+Invited.active_days.ever"][k])
    then = table.iloc[[k]].assign(**{"Teammate+Invited.count.first_7d": 3.0, "Teammate+Invited.active_days.ever": days})
    assert payload[k]["probability"] == pytest.approx(model.probability(then)[0], abs=1e-12)


def test_a_row_alone_is_decided_as_among_others(model, table):
    together = decided_rows(model, table, DECIDER).rows.iloc[[17]].reset_index(drop=True)
    alone = decided_rows(model, table.iloc[[17]].reset_index(drop=True), DECIDER).rows
    pd.testing.assert_frame_equal(together, alone)


def test_decisions_on_absent_columns_are_none(model, table):
    export = BoundDefinition(Definition.model_validate({"all": [{"event": "Export", "at_least": 1}]}))
    rows = decided_rows(model, table, replace(DECIDER, recommended=export, in_force=DECIDER.recommended)).rows
    assert rows["meets_definition"].isna().all()
    assert rows["meets_in_force"].tolist() == (table["Teammate+Invited.count.first_7d"] >= 3).tolist()
    assert rows["nearest_missing"].isna().all()
    assert rows["criteria_met"].notna().all()
    assert rows["is_pql"].tolist() == (rows["probability"] >= 0.5).tolist()


def test_both_definitions_stand_beside_each_other(model, table):
    in_force = BoundDefinition(Definition.model_validate({"all": [{"trait": "seats", "at_least": 20}]}))
    rows = decided_rows(model, table, replace(DECIDER, in_force=in_force)).rows
    assert rows["meets_definition"].tolist() == (table["Teammate+Invited.count.first_7d"] >= 3).tolist()
    assert rows["meets_in_force"].tolist() == (table["trait.seats"] >= 20).tolist()


@pytest.mark.parametrize("stale", [False, True])
def test_a_stale_definition_in_force_suggests_nothing(model, table, stale):
    verdict = InForceStatus("stale" if stale else "about right", "So it is.", stale)
    alone = replace(DECIDER, recommended=None, in_force=DECIDER.recommended, in_force_verdict=verdict)
    rows = decided_rows(model, table, alone).rows
    assert rows["meets_definition"].equals(rows["meets_in_force"])
    assert rows["nearest_missing"].notna().any() == (not stale)


def test_the_next_step_is_a_criterion_whose_behaviour_came_true_on_later_rows(model, table):
    def steps(**slopes):
        rows = decided_rows(model, table, replace(DECIDER, slopes=slopes)).rows
        return rows, [None if pd.isna(text) else json.loads(text) for text in rows["next_step"]]

    rows, found = steps(**{"Teammate Invited": Estimate(0.5, 0.2, 0.8)})
    missing = [None if pd.isna(text) else json.loads(text) for text in rows["nearest_missing"]]
    k = next(k for k, step in enumerate(found) if step is not None)
    assert list(found[k]) == ["criterion", "condition", "value", "needed", "words", "probability", "gain"]
    assert found[k]["words"] == f"{found[k]['value']:g} of 3 `Teammate Invited` in the first 7 days"
    assert found[k]["probability"] == missing[k]["probability"]
    assert found[k]["gain"]["value"] == pytest.approx(found[k]["probability"] - rows["probability"][k], abs=1e-12)
    assert 0 < found[k]["gain"]["low"] < found[k]["gain"]["value"] < found[k]["gain"]["high"]
    assert steps(**{"Teammate Invited": Estimate(0.5, -0.1, 1.1)})[1] == [None] * 60
    assert steps()[1] == [None] * 60


def test_without_a_definition_nothing_is_missing(model, table):
    rows = decided_rows(model, table, Decider("", DECIDER.rule, DECIDER.bands)).rows
    assert rows[["meets_definition", "nearest_missing"]].isna().all(axis=None)
    assert set(rows["criteria_met"]) == {"[]"}


def test_contacts_are_those_of_the_entity_and_instant(model, table):
    ann, bob = Contact("ann", 0.75, 0, None), Contact("bob", 0.25, 86_400_000_000, "ann")
    known = {("a0001", 86_400_000_000): [ann, bob], ("a0002", 0): [bob]}
    rows = decided_rows(model, table, DECIDER, contacts=known).rows
    assert json.loads(rows["contacts"][1]) == [ann.to_dict(), bob.to_dict()]
    assert json.loads(rows["contact"][1]) == ann.to_dict()
    assert rows[["contact", "contacts"]].drop(index=1).isna().all(axis=None)  # that of another instant is not theirs


def test_rows_without_an_entity_are_not_held_out(model, table):
    all_held = replace(DECIDER, hold_out=1.0)
    assert not decided_rows(model, table, all_held).rows["is_pql"].any()
    nameless = decided_rows(model, table.drop(columns=["entity", "as_of"]), all_held).rows
    assert nameless["is_pql"].any()
    assert "entity" not in nameless.columns


def test_column_types_do_not_depend_on_missing_values(model, table):
    other = replace(DECIDER, recommended=None)
    some, none = (decided_rows(model, table, d, as_of=0, before=RunState()).rows.dtypes for d in (DECIDER, other))
    texts, truths = ["suppressed", "nearest_missing", "criteria_met"], ["meets_definition"]
    assert [some[name] for name in texts] == [none[name] for name in texts]
    assert none[truths].astype(str).tolist() == ["boolean"]


def test_an_empty_table_has_all_columns(model, table):
    rows = decided_rows(model, table[:0], DECIDER, as_of=0, before=RunState()).rows
    assert (len(rows), set(NAMES) - set(rows.columns)) == (0, {"model_version", "scored_at"})


def test_a_row_of_a_table_becomes_the_json_of_the_service():
    columns = {
        "is_pql": pd.array([None], "boolean"),
        "score": [1.5],
        "criteria_met": pd.array(["[]"], "string"),
        "suppressed": pd.array(["[draft]"], "string"),
        "as_of": [pd.Timestamp("2026-01-05T10:00:00.25Z")],
        "scored_at": [pd.NaT],
    }
    [row] = pd.DataFrame(columns).to_dict("records")
    expected = {"is_pql": None, "score": 1.5, "criteria_met": [], "suppressed": "[draft]"}
    assert json_row(row) == expected | {"as_of": "2026-01-05T10:00:00.250000Z", "scored_at": None}


def test_table_row_is_the_inverse_of_json_row():
    row = dict.fromkeys(NAMES) | {"reasons": [{"value": 1.5}], "as_of": "2026-01-05T10:00:00.250000Z", "band": "low"}
    [in_table] = pd.DataFrame([table_row(row)]).to_dict("records")
    assert json_row(in_table) == row
