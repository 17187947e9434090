import csv

import pytest
from jsonschema import Draft202012Validator
from sync_world import scored_row

from pql_model.activate.crm_files import crm_row, crm_schema, write_crm
from pql_model.config.sync_targets import HubSpotTarget, SalesforceTarget
from pql_model.errors import DataError

HUBSPOT = HubSpotTarget(name="h", kind="hubspot", path="h.csv")
LEAD = SalesforceTarget(name="s", kind="salesforce", path="s.csv")
ACCOUNT = SalesforceTarget(name="s", kind="salesforce", path="s.csv", object="account")
NAMES = ["hubspot_contact", "salesforce_lead", "salesforce_account"]


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_schema_is_one_and_says_what_each_column_is(name):
    schema = crm_schema(name)
    Draft202012Validator.check_schema(schema)
    assert set(schema["required"]) <= set(schema["properties"])
    assert all(rules.get("description") for column, rules in schema["properties"].items() if column != "PQL band")


def test_hubspot_has_one_contact_per_row():
    row, fault = crm_row(HUBSPOT, scored_row("Acme"), "ada@acme.com")
    assert fault is None
    assert row == {
        "Email": "ada@acme.com",
        "PQL account": "Acme",
        "PQL probability": 0.3,
        "PQL score": 90.0,
        "PQL band": "high",
        "PQL reasons": "3 invited (+); 5 files (+)",
        "PQL next step": None,
        "PQL criteria met": "at least 3 invited",
        "PQL qualified on": "2024-10-04",
    }


def test_a_salesforce_lead_has_what_salesforce_requires():
    row, fault = crm_row(LEAD, scored_row("Acme"), "ada@acme.com")
    assert fault is None
    assert (row["LastName"], row["Company"], row["Email"], row["PQL_Entity_Id__c"]) == (
        "ada@acme.com",
        "Acme",
        "ada@acme.com",
        "Acme",
    )
    assert row["PQL_As_Of__c"] == "2024-10-04T00:00:00Z"
    row, fault = crm_row(LEAD, scored_row("Acme"), "user-7")
    assert (row["Email"], fault) == (None, None)


@pytest.mark.parametrize("entity", ["0015000000Gv7qJ", "0015000000Gv7qJAAR"])
def test_a_salesforce_account_is_named_by_the_long_form_of_its_id(entity):
    row, fault = crm_row(ACCOUNT, scored_row(entity), None)
    assert (row["Id"], fault) == ("0015000000Gv7qJAAR", None)


@pytest.mark.parametrize(
    ("target", "entity", "contact", "fault"),
    [
        (HUBSPOT, "Acme", None, "`Email` is missing"),
        (HUBSPOT, "Acme", "user-7", "`Email` does not have the form that the importer takes"),
        (LEAD, "Acme", None, "`LastName` is missing"),
        (LEAD, "Acme", "x" * 81, "`LastName` is too long"),
        (ACCOUNT, "acme", None, "`Id` needs the id of a Salesforce Account, and the id of the entity is not one"),
        (
            ACCOUNT,
            "0015000000Gv7qJAAA",
            None,
            "`Id` needs the id of a Salesforce Account, and the id of the entity is not one",
        ),
        (
            ACCOUNT,
            "0035000000Gv7qJ",
            None,
            "`Id` needs the id of a Salesforce Account, and the id of the entity is not one",
        ),
    ],
)
def test_a_row_that_the_importer_would_refuse_says_why_without_its_values(target, entity, contact, fault):
    assert crm_row(target, scored_row(entity), contact)[1] == fault


def test_texts_that_are_too_long_are_cut():
    step = {"words": "y" * 300}
    row, fault = crm_row(LEAD, scored_row("Acme", next_step=step), "ada")
    assert fault is None
    assert row["PQL_Next_Step__c"] == "y" * 254 + "…"


def test_the_file_has_the_columns_of_the_schema_in_order(tmp_path):
    path = tmp_path / "out" / "hubspot.csv"
    rows = [crm_row(HUBSPOT, scored_row(entity), "ada@acme.com")[0] for entity in ("Acme", "Łódź")]
    assert write_crm(path, HUBSPOT, rows) == 2
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == list(crm_schema("hubspot_contact")["properties"])
    assert [line[1] for line in lines] == ["Acme", "Łódź"]


def test_a_file_of_another_shape_is_not_overwritten(tmp_path):
    (tmp_path / "a.csv").write_text("name,phone\n")
    with pytest.raises(DataError, match="does not hold a list of leads"):
        write_crm(tmp_path / "a.csv", HUBSPOT, [])
