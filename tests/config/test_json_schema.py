"""The JSON schema that editors read describes the same file that the loader reads."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from configs import EXAMPLE, SMALL

from pql_model.config.load import config_json_schema

SCHEMA = config_json_schema()


KNOWN = {
    "$ref",
    "anyOf",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "pattern",
    "minItems",
    "minProperties",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "oneOf",
    "format",
    "title",
    "description",
    "default",
    "$defs",
    "$schema",
}
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def complaints(value, schema, at="$"):
    """A validator of the few keywords that the schema uses; what it does not know does not pass unnoticed."""
    assert set(schema) <= KNOWN, f"{at}: the schema uses {set(schema) - KNOWN}"
    if "$ref" in schema:
        return complaints(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], at)
    if "oneOf" in schema:
        found = [complaints(value, choice, at) for choice in schema["oneOf"]]
        return [] if found.count([]) == 1 else min(found, key=len) or [f"{at}: of several kinds at once"]
    if "anyOf" in schema:
        found = [complaints(value, choice, at) for choice in schema["anyOf"]]
        return [] if [] in found else min(found, key=len)
    kinds = schema.get("type", list(TYPES))
    if not isinstance(value, tuple(TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))):
        return [f"{at}: no {kinds}"]
    found = [f"{at}: not one of {schema['enum']}"] if "enum" in schema and value not in schema["enum"] else []
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: does not look like {schema['pattern']}")
    if isinstance(value, list):
        found += [c for i, item in enumerate(value) for c in complaints(item, schema["items"], f"{at}[{i}]")]
    return found + (complaints_of_object(value, schema, at) if isinstance(value, dict) else [])


def complaints_of_object(value, schema, at):
    own, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: lacks {key}" for key in schema.get("required", []) if key not in value]
    for key, inner in value.items():
        if key not in own and others is False:
            found.append(f"{at}: unknown {key}")
        elif key in own or isinstance(others, dict):
            found += complaints(inner, own.get(key, others), f"{at}.{key}")
    return found


def plain(text):
    """YAML as an editor hands it to a schema: dates are texts."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_schema_is_json_and_names_its_dialect():
    assert json.loads(json.dumps(SCHEMA))["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("text", [EXAMPLE, SMALL])
def test_valid_file_matches_the_schema(text):
    assert complaints(plain(text), SCHEMA) == []


def test_short_forms_of_a_condition_match_the_schema():
    text = SMALL + "definition: {all: [{event: x, more_than: 2, within: ever}, {trait: size, in: [a, 7, true]}]}\n"

    assert complaints(plain(text), SCHEMA) == []


@pytest.mark.parametrize("given", ["score_log/", "false", "{folder: score_log/}", "{table: pql_scores}"])
def test_all_forms_of_a_score_log_match_the_schema(given):
    assert complaints(plain(SMALL + f"score_log: {given}\n"), SCHEMA) == []


@pytest.mark.parametrize("given", ["[Paid, 1, true]", "true", "{at_least: 2025-01-01}", "{not: [x], missing: false}"])
def test_all_forms_of_a_row_filter_match_the_schema(given):
    text = SMALL.replace("columns: {entity: a, time: t}}", f"columns: {{entity: a, time: t}}, where: {{s: {given}}}}}")

    assert complaints(plain(text), SCHEMA) == []
    assert complaints(plain(text.replace("where: {s", "where: {s: {at_last: 3}, t")), SCHEMA) != []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("horizn: 30d", "$: unknown horizn"),
        ("horizon: 30 days", r"$.horizon: does not look like ^\d+[smhdw]$"),
        ("exclude: {bots: maybe}", "$.exclude.bots: no boolean"),
        ("windows: {first: [week]}", r"$.windows.first[0]: does not look like ^\d+[smhdw]$"),
    ],
)
def test_invalid_file_does_not_match_the_schema(line, complaint):
    assert complaint in complaints(plain(SMALL + line + "\n"), SCHEMA)


def test_every_key_has_a_description():
    undescribed = [
        key
        for key, schema in SCHEMA["properties"].items()
        if "description" not in schema
        and "$ref" not in schema
        and key not in ("name", "events", "motion", "policy", "seed")
    ]

    assert undescribed == []
