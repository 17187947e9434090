"""The draft of a HubSpot list has the documented shape and selects the accounts that meet the definition."""

import json
from pathlib import Path

import jsonschema
import pytest
from configs_of_sql import config_of

from pql_model.config.definition import Definition
from pql_model.criteria.hubspot_list import hubspot_list
from pql_model.errors import DataError

SCHEMA = json.loads(Path(__file__).with_name("hubspot_list.schema.json").read_text(encoding="utf-8"))
INVITED = {"event": "Invited", "at_least": 2, "within": "first 7d"}
STREAK = {"event": "any", "measure": "longest_streak_days", "operator": ">", "threshold": 2.5}
SIZE = {"trait": "company size", "in": ["11-50", "51-200"]}
SEATS = {"trait": "seats", "operator": "!=", "threshold": 0}
CONDITIONS = (INVITED, STREAK, SIZE, SEATS)
COMPARE = {
    "IS_GREATER_THAN_OR_EQUAL_TO": lambda a, b: a >= b,
    "IS_GREATER_THAN": lambda a, b: a > b,
    "IS_NOT_EQUAL_TO": lambda a, b: a != b,
}


def draft(*conditions, join="all", entity="account"):
    keys = {"at_least_k": 2, "of": list(conditions)} if join == "k" else {join: list(conditions)}
    return hubspot_list(config_of("trial", entity=entity), Definition.model_validate(keys))


def members(payload, records):
    """Evaluate a list as HubSpot documents it."""

    def passes(record, leaf):
        value, operation = record.get(leaf["property"]), leaf["operation"]
        if value is None:
            return operation["includeObjectsWithNoValueSet"]
        if operation["operationType"] == "MULTISTRING":
            return value in operation["values"]
        return COMPARE[operation["operator"]](value, operation["value"])

    branches = payload["list"]["filterBranch"]["filterBranches"]
    return [r["id"] for r in records if any(all(passes(r, leaf) for leaf in b["filters"]) for b in branches)]


@pytest.mark.parametrize("entity", ["account", "user"])
@pytest.mark.parametrize("join", ["all", "any", "k"])
def test_the_draft_follows_the_documented_schema(join, entity):
    payload = draft(*CONDITIONS, join=join, entity=entity)

    jsonschema.validate(payload, SCHEMA)
    assert payload["list"]["objectTypeId"] == {"account": "0-2", "user": "0-1"}[entity]


def test_the_schema_rejects_other_shapes():
    for change in (
        lambda p: p["list"]["filterBranch"].update(filterBranchType="AND"),
        lambda p: p["list"]["filterBranch"]["filterBranches"].clear(),
        lambda p: p["list"]["filterBranch"]["filterBranches"][0]["filters"][0]["operation"].update(operator="GTE"),
        lambda p: p["properties"]["inputs"][0].update(name="Has Space"),
    ):
        payload = draft(*CONDITIONS)
        change(payload)
        with pytest.raises(
            jsonschema.ValidationError, match=r"expected|not one of|non-empty|too short|does not match|not valid under"
        ):
            jsonschema.validate(payload, SCHEMA)


@pytest.mark.parametrize(
    ("join", "expected"), [("all", ["full"]), ("any", ["full", "one", "two"]), ("k", ["full", "two"])]
)
def test_the_list_selects_who_meets_the_definition(join, expected):
    invited, streak, size = (
        "pql_invited_count_first_7d",
        "pql_longest_streak_days_ever",
        "pql_trait_company_size",
    )
    records = [
        {"id": "full", invited: 2, streak: 3, size: "11-50"},
        {"id": "one", invited: 1, streak: 3, size: "1-10"},
        {"id": "two", invited: 5, streak: 2.5, size: "51-200"},
        {"id": "empty"},
    ]

    assert members(draft(INVITED, STREAK, SIZE, join=join), records) == expected


def test_every_property_of_the_list_is_created_and_fed():
    payload = draft(*CONDITIONS, join="k")
    leaves = [leaf for b in payload["list"]["filterBranch"]["filterBranches"] for leaf in b["filters"]]
    created = {each["name"]: each for each in payload["properties"]["inputs"]}

    assert {leaf["property"] for leaf in leaves} == set(created) == set(payload["feeds"])
    assert payload["feeds"]["pql_invited_count_first_7d"] == {"feature": "Invited.count.first_7d"}
    assert payload["feeds"]["pql_trait_company_size"] == {"trait": "company size"}
    assert created["pql_trait_company_size"]["type"] == "string"
    assert created["pql_trait_seats"]["type"] == "number"


def test_a_definition_with_too_many_combinations_is_refused():
    many = [{"event": f"e{k}", "at_least": 1} for k in range(12)]
    definition = Definition.model_validate({"at_least_k": 6, "of": many})
    with pytest.raises(DataError, match=r"would need 924 branches.*at least 6 of.*Fix: write a definition with fewer"):
        hubspot_list(config_of("trial"), definition)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"any": [SIZE, {"all": [INVITED, STREAK]}]}, ["both", "size"]),
        ({"all": [SIZE, {"any": [INVITED, STREAK]}]}, ["size and streak"]),
        ({"at_least_k": 2, "of": [SIZE, {"any": [INVITED, STREAK]}]}, ["size and streak"]),
    ],
    ids=["any", "all", "k"],
)
def test_a_nested_definition_becomes_its_smallest_sets_of_conditions(raw, expected):
    invited, streak, size = "pql_invited_count_first_7d", "pql_longest_streak_days_ever", "pql_trait_company_size"
    records = [
        {"id": "both", invited: 2, streak: 3, size: "1-10"},
        {"id": "size", invited: 1, streak: 1, size: "11-50"},
        {"id": "size and streak", invited: 1, streak: 3, size: "11-50"},
        {"id": "none", invited: 1, streak: 1, size: "1-10"},
    ]
    payload = hubspot_list(config_of("trial"), Definition.model_validate(raw))
    jsonschema.validate(payload, SCHEMA)
    assert members(payload, records) == (expected if "any" not in raw else [*expected, "size and streak"])
