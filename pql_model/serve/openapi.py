"""The OpenAPI 3.1 document of the service, with an example for the current model.

The schemas of requests are those of the fields that `features` and `engine` check.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pql_model.decide.rows import COLUMNS
from pql_model.features.fields import NUMBER_SCHEMA, TIME_SCHEMA, Schema, nullable, object_schema
from pql_model.features.incoming import BODY
from pql_model.model.conversion_value import VALUE_COLUMNS
from pql_model.serve.bundle import Bundle
from pql_model.serve.engine import FINISHED, model_features
from pql_model.serve.scope import KEY
from pql_model.time import DAY, HOUR, iso

_TEXT: Schema = {"type": "string"}
_ROW_KINDS: dict[str, Schema] = {
    "text": _TEXT,
    "time": _TEXT,
    "number": {"type": "number"},
    "flag": {"type": ["boolean", "null"]},
}
_ROW_COLUMNS: dict[str, Schema] = {
    "as_of": nullable(_TEXT),
    "suppressed": nullable(_TEXT),
    **dict.fromkeys(VALUE_COLUMNS, nullable({"type": "number"})),
    "reasons": {"type": "array"},
    "criteria_met": {"type": ["array", "null"]},
    **{name: {"type": ["object", "null"]} for name in ("nearest_missing", "next_step", "contact")},
    "contacts": {"type": ["array", "null"]},
}
"""Columns of a scored row whose schema does not follow from their kind."""
_REMARKS: dict[str, Schema] = {
    **{name: {"type": "object"} for name in ("set_aside", "unknown_events", "unknown_values")},
    "unknown_traits": {"type": "array", "items": _TEXT},
}
"""Fields of an answer besides the scored row."""


def example_request(bundle: Bundle) -> dict[str, Any]:
    """Build a request with an entity of a covered age and a few known events."""
    scope = bundle.model.facts[KEY]
    signed_up = 1_767_225_600_000_000  # 2026-01-01
    age = int(scope["ages"][0] or scope["ages"][1]) if scope["ages"] else 7
    names = scope["known_events"][:3]
    # The last event is one hour before as_of, because some models cover active entities only.
    times = [signed_up + (k + 1) * age * DAY // len(names) - HOUR for k in range(len(names))]
    events = [{"event": name, "time": iso(time)} for name, time in zip(names, times, strict=True)]
    example: dict[str, Any] = {"entity": "acme", "as_of": iso(signed_up + age * DAY), "events": events}
    if scope["needs_signup"]:
        example["signed_up"] = iso(signed_up)
    traits = {c.text: c.categories[0] for c in bundle.model.manifest.columns if c.kind == "category" and c.categories}
    return {**example, "traits": traits} if traits else example


def openapi(bundle: Bundle, max_batch: int) -> dict[str, Any]:
    """Build the document.

    Parameters
    ----------
    max_batch
        Maximum number of entities in a batch.
    """
    example = example_request(bundle)
    partial = {"description": "An invalid entity gets a Problem in its row."}
    rows = {"type": "array", "items": {"anyOf": [_ref("Row"), _ref("Problem")]}}
    rows_and_missing = {
        "rows": {"type": "array", "items": {"type": "object"}},
        "missing": {"type": "array", "items": _TEXT},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{bundle.name}: product-qualified leads",
            "version": bundle.version,
            "description": "How likely an account (or user) converts, why, and whether it is a lead.",
        },
        "components": {
            "schemas": {"Entity": _entity(bundle), "Row": _row(), "Problem": _problem()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": {
            "/score": _post("Score one entity", _ref("Entity"), _ref("Row"), example),
            "/score_batch": _post(
                f"Score up to {max_batch:,} entities; an invalid one gives an error in its row",
                _entities({"anyOf": [_ref("Entity"), partial]}, max_batch),
                object_schema({"rows": rows, "errors": {"type": "integer"}}),
                [example],
            ),
            "/lookup": _post(
                "The latest batch scores of entities",
                _entities(_TEXT, max_batch),
                object_schema(rows_and_missing),
                {"entities": ["acme"]},
                ("404",),
            ),
            "/model": _get("Name, version, training data, metrics with intervals, features"),
            "/criteria": _get("The criteria and definitions of the model"),
            "/report": _get("The growth report", "text/html"),
            "/metrics": _get("Prometheus metrics", "text/plain"),
            "/": _get("A page for people", "text/html"),
        },
    }


def _entity(bundle: Bundle) -> Schema:
    """Raw events, or finished features."""
    scope = bundle.model.facts[KEY]
    needs_signup = scope["needs_signup"]
    signed_up = TIME_SCHEMA if needs_signup and not scope["may_lack_signup"] else nullable(TIME_SCHEMA)
    raw = object_schema(
        {**BODY.schemas, "signed_up": signed_up}, [*BODY.schema["required"], *["signed_up"] * needs_signup]
    )
    required, allowed = model_features(bundle.model)
    features = object_schema(dict.fromkeys(allowed, NUMBER_SCHEMA), required)
    finished = object_schema({**FINISHED.schemas, "features": features}, FINISHED.schema["required"])
    return {"anyOf": [{**raw, "title": "Raw events"}, {**finished, "title": "Finished features"}]}


def _row() -> Schema:
    columns = {name: _ROW_COLUMNS.get(name) or _ROW_KINDS[kind] for name, kind in COLUMNS.items()}
    return object_schema({**columns, **_REMARKS})


def _problem() -> Schema:
    fields = dict.fromkeys(("code", "message", "field", "received", "allowed"), _TEXT)
    return object_schema({"error": object_schema(fields, ("code", "message"))})


def _entities(item: Schema, max_batch: int) -> Schema:
    """A list, bare or as `entities`."""
    entities = {"type": "array", "items": item, "minItems": 1, "maxItems": max_batch}
    return {"anyOf": [entities, object_schema({"entities": entities})]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Any, example: Any = None) -> Schema:
    return {"application/json": {"schema": schema, **({"example": example} if example is not None else {})}}


def _errors(*codes: str) -> Schema:
    problem = {"description": "What is wrong, and what is allowed", "content": _json(_ref("Problem"))}
    return dict.fromkeys(sorted({"400", "401", "405", "429", *codes}), problem)


def _post(summary: str, request: Schema, response: Schema, example: Any, errors: Sequence[str] = ()) -> Schema:
    success = {"200": {"description": "Done", "content": _json(response)}}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(request, example)},
            "responses": success | _errors("408", "413", "422", "503", *errors),
        }
    }


def _get(summary: str, media: str = "application/json") -> Schema:
    success = {"200": {"description": "Done", "content": {media: {}}}}
    return {"get": {"summary": summary, "responses": success | _errors()}}
