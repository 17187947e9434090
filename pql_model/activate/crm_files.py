"""Files in the shapes that the importers of HubSpot and Salesforce take. Each row is checked against a schema of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pql_model.activate.flat import flat_row
from pql_model.activate.list_files import write_csv, write_whole
from pql_model.config.sync_targets import HubSpotTarget, SalesforceTarget
from pql_model.sources.id_forms import long_salesforce_id
from pql_model.time import SECOND, parse_instant, timestamp, to_datetime

CrmTarget = HubSpotTarget | SalesforceTarget
Row = Mapping[str, Any]


def write_crm(path: Path, target: CrmTarget, rows: Iterable[Row]) -> int:
    """Write rows made by `crm_row`, whole or not at all; return their number."""
    columns = list(crm_schema(_schema_name(target))["properties"])
    return write_whole(path, lambda at: write_csv(at, columns, rows), columns[0])


def crm_row(target: CrmTarget, row: Row, contact: str | None) -> tuple[dict[str, Any], str | None]:
    """Bring a scored row into the shape of an importer.

    Parameters
    ----------
    contact
        The person to call; None if there is none.

    Returns
    -------
    tuple
        The row, and what the importer would refuse it for, or None.
    """
    name = _schema_name(target)
    properties = crm_schema(name)["properties"]
    shaped = {
        column: _cut(value, properties[column]) for column, value in _SHAPES[name](flat_row(row), contact).items()
    }
    return shaped, _fault(name, shaped)


@cache
def crm_schema(name: str) -> dict[str, Any]:
    """Read a schema: the columns of a file in order, and what each may hold."""
    schema: dict[str, Any] = json.loads(
        files("pql_model.activate").joinpath(f"schemas/{name}.json").read_text(encoding="utf-8")
    )
    return schema


def _schema_name(target: CrmTarget) -> str:
    return "hubspot_contact" if isinstance(target, HubSpotTarget) else f"salesforce_{target.object}"


def _hubspot_contact(row: Row, contact: str | None) -> dict[str, Any]:
    return {
        "Email": contact,
        "PQL account": row["entity"],
        "PQL probability": row["probability"],
        "PQL score": row["score"],
        "PQL band": row["band"],
        "PQL reasons": row["reasons"],
        "PQL next step": row["next_step"],
        "PQL criteria met": row["criteria_met"],
        "PQL qualified on": f"{to_datetime(parse_instant(row['as_of'])):%Y-%m-%d}",
    }


def _salesforce_lead(row: Row, contact: str | None) -> dict[str, Any]:
    return {
        "LastName": contact,
        "Company": row["entity"],
        "Email": contact if contact is not None and _is_email(contact) else None,
        "LeadSource": "Product",
        "PQL_Entity_Id__c": row["entity"],
        **_salesforce_fields(row),
    }


def _salesforce_account(row: Row, contact: str | None) -> dict[str, Any]:
    return {
        "Id": long_salesforce_id(row["entity"]) or "",
        "PQL_Contact__c": contact,
        **_salesforce_fields(row),
    }


def _salesforce_fields(row: Row) -> dict[str, Any]:
    return {
        "PQL_Probability__c": row["probability"],
        "PQL_Score__c": row["score"],
        "PQL_Band__c": row["band"],
        "PQL_Reasons__c": row["reasons"],
        "PQL_Next_Step__c": row["next_step"],
        "PQL_As_Of__c": timestamp(parse_instant(row["as_of"]) // SECOND * SECOND),  # importers take whole seconds
    }


_SHAPES: dict[str, Callable[[Row, str | None], dict[str, Any]]] = {
    "hubspot_contact": _hubspot_contact,
    "salesforce_lead": _salesforce_lead,
    "salesforce_account": _salesforce_account,
}
_WORDS = {
    "type": "is missing",
    "minLength": "is empty",
    "maxLength": "is too long",
    "pattern": "does not have the form that the importer takes",
}


def _cut(value: Any, rules: Mapping[str, Any]) -> Any:
    """Shorten texts that may be missing, such as reasons; an id or a name that is too long is a fault."""
    longest = rules.get("maxLength")
    if not isinstance(value, str) or longest is None or len(value) <= longest:
        return value
    may_be_cut = "null" in rules["type"] and "pattern" not in rules
    return f"{value[: longest - 1]}…" if may_be_cut else value


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(crm_schema(name))


def _fault(name: str, row: Row) -> str | None:
    faults = [
        (str(e.absolute_path[0]) if e.absolute_path else name, str(e.validator))
        for e in _validator(name).iter_errors(row)
    ]
    return "; ".join(f"`{column}` {_words(column, rule)}" for column, rule in faults) or None


def _words(column: str, rule: str) -> str:
    if column == "Id":
        return "needs the id of a Salesforce Account, and the id of the entity is not one"
    return _WORDS.get(rule, "is not allowed")


def _is_email(text: str) -> bool:
    rules = crm_schema("hubspot_contact")["properties"]["Email"]
    return bool(Draft202012Validator(rules).is_valid(text))
