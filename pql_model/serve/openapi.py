"""What the endpoints take and give, as OpenAPI 3.1 with examples of the model in force."""

from __future__ import annotations

from typing import Any

from pql_model.serve.bundle import Bundle
from pql_model.serve.intake import KEY
from pql_model.windows import DAY, iso

_NUMBER, _TEXT, _BOOL = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
_OR_NULL = {"type": ["string", "null"]}
_TIME = {"type": "string", "description": "ISO 8601; without a time it is midnight, without a zone UTC.",
         "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$"}  # fmt: skip


def example_request(bundle: Bundle) -> dict[str, Any]:
    """An entity of the right age with a few of the events that the model knows."""
    facts = bundle.model.facts[KEY]
    day = 1_767_225_600_000_000  # 2026-01-01
    age = facts["ages"][0] if facts["ages"] else 7
    events = [
        {"event": name, "time": iso(day + k * DAY // 2 + DAY // 4)} for k, name in enumerate(facts["known_events"][:3])
    ]
    example: dict[str, Any] = {"entity": "acme", "as_of": iso(day + int(age) * DAY), "events": events}
    if facts["needs_signup"]:
        example["signed_up"] = iso(day)
    traits = {c.words: c.categories[0] for c in bundle.model.manifest.columns if c.kind == "category" and c.categories}
    return {**example, "traits": traits} if traits else example


def openapi(bundle: Bundle, most: int) -> dict[str, Any]:
    """The document.

    Parameters
    ----------
    most
        Entities in a batch.
    """
    example = example_request(bundle)
    named = _of({"type": "array", "items": _TEXT, "minItems": 1, "maxItems": most})
    batch = {"type": "array", "items": {"$ref": "#/components/schemas/Entity"}, "minItems": 1, "maxItems": most}
    rows = _of({"type": "array", "items": {"anyOf": [_ref("Row"), _ref("Problem")]}}, errors={"type": "integer"})
    rows = {
        **rows,
        "properties": {"rows": rows["properties"].pop("entities"), **rows["properties"]},
        "required": ["rows", "errors"],
    }
    found = {"type": "object", "properties": {"rows": {"type": "array"}, "missing": {"type": "array", "items": _TEXT}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{bundle.name}: product-qualified leads",
            "version": bundle.version,
            "description": "How likely an account (or user) converts, why, and whether it is a lead.",
        },
        "components": {
            "schemas": {"Entity": _entity(), "Row": _row(), "Problem": _problem()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"},
                                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": {
            "/score": _post("Score one entity", _ref("Entity"), _ref("Row"), example),
            "/score_batch": _post(f"Score up to {most:,} entities; a bad one gives an error in its row", batch, rows, [example]),
            "/lookup": _post("The latest batch scores of entities", named, found, {"entities": ["acme"]}, {"404"}),
            "/model": _get("Name, version, what it was trained on, metrics with intervals, features"),
            "/criteria": _get("The criteria and definitions of the model"),
            "/report": _get("The growth report", "text/html"),
            "/metrics": _get("Prometheus metrics", "text/plain"),
            "/": _get("A page for people", "text/html"),
        },
    }  # fmt: skip


def _entity() -> dict[str, Any]:
    event = {
        "type": "object", "required": ["event", "time"], "additionalProperties": False,
        "properties": {
            "event": {"type": "string", "minLength": 1}, "time": _TIME, "user": _OR_NULL,
            "values": {"type": ["object", "null"], "additionalProperties": {"type": ["number", "null"]}},
            "id": _OR_NULL, "known_at": {**_TIME, "type": ["string", "null"]},
            "n": {"type": ["number", "null"], "exclusiveMinimum": 0}, "users": {"type": ["number", "null"], "minimum": 0},
        },
    }  # fmt: skip
    traits = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
    common = {
        "entity": {"type": "string", "minLength": 1},
        "as_of": {**_TIME, "type": ["string", "null"]},
        "traits": traits,
    }
    return {
        "anyOf": [
            {"type": "object", "required": ["entity", "events"], "additionalProperties": False, "title": "Raw events",
             "properties": {**common, "signed_up": {**_TIME, "type": ["string", "null"]}, "events": {"type": "array", "items": event}}},
            {"type": "object", "required": ["entity", "features"], "additionalProperties": False, "title": "Finished features",
             "properties": {**common, "features": {"type": "object", "additionalProperties": {"type": ["number", "null"]}}}},
        ]
    }  # fmt: skip


def _row() -> dict[str, Any]:
    texts = dict.fromkeys(("entity", "band", "model_version", "feature_set", "scored_at"), _TEXT)
    numbers = dict.fromkeys(("probability", "score", "usage", "fit", "timing"), _NUMBER)
    truths = {name: {"type": ["boolean", "null"]} for name in ("is_pql", "meets_definition", "newly_qualified")}
    lists = {"reasons": {"type": "array"}, "criteria_met": {"type": ["array", "null"]}}
    others = {"as_of": _OR_NULL, "suppressed": _OR_NULL, "nearest_missing": {"type": ["object", "null"]},
              "set_aside": {"type": "object"}, "unknown_events": {"type": "object"}}  # fmt: skip
    properties = {**texts, **numbers, **truths, **lists, **others}
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _problem() -> dict[str, Any]:
    fields = dict.fromkeys(("code", "message", "field", "received", "allowed"), _TEXT)
    error = {"type": "object", "properties": fields, "required": ["code", "message"], "additionalProperties": False}
    return {"type": "object", "properties": {"error": error}, "required": ["error"], "additionalProperties": False}


def _of(entities: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {"entities": entities, **more}
    return {"type": "object", "properties": properties, "required": ["entities"], "additionalProperties": False}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Any, example: Any = None) -> dict[str, Any]:
    return {"application/json": {"schema": schema, **({"example": example} if example is not None else {})}}


def _errors(*more: str) -> dict[str, Any]:
    return {status: {"description": "What is wrong, and what is allowed", "content": _json(_ref("Problem"))}
            for status in sorted({"400", "401", "405", "429", *more})}  # fmt: skip


def _post(summary: str, takes: Any, gives: Any, example: Any, more: set[str] | None = None) -> dict[str, Any]:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(takes, example)},
            "responses": {"200": {"description": "Done", "content": _json(gives)},
                          **_errors("408", "413", "422", "503", *(more or ()))},
        }
    }  # fmt: skip


def _get(summary: str, media: str = "application/json") -> dict[str, Any]:
    return {
        "get": {"summary": summary, "responses": {"200": {"description": "Done", "content": {media: {}}}, **_errors()}}
    }
