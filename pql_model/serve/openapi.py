"""The OpenAPI 3.1 document of the service, with an example for the current model.

The schemas of requests are those of the fields that `features` and `engine` check.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pql_model.decide.rows import COLUMNS
from pql_model.features.dated_reader import DATED
from pql_model.features.event_reader import EVENT
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
    "reasons": {"type": "array", "items": {"type": "object"}},
    "criteria_met": {"type": ["array", "null"], "items": {"type": "object"}},
    **{name: {"type": ["object", "null"]} for name in ("nearest_missing", "next_step", "contact")},
    "contacts": {"type": ["array", "null"], "items": {"type": "object"}},
}
"""Columns of a scored row whose schema does not follow from their kind."""
_BEYOND = (
    "A schema cannot say everything. Refused with 422 as well: dates that no calendar has; a sign-up after as_of, or an as_of more "
    "than a day ahead; an id that stands for a missing one, such as `null`; lone surrogates; an entity whose age, traits or last event "
    "the model does not cover."
)
"""What the request schemas leave open, in their description."""
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
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{bundle.name}: product-qualified leads",
            "version": bundle.version,
            "description": "How likely an account (or user) converts, why, and whether it is a lead.",
        },
        "components": {
            "schemas": {**_requests(bundle), **_answers(), "Row": _row(), "Problem": _problem()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": {
            "/score": _post("score", "Score one entity", _ref("Entity"), _ref("Row"), example),
            "/score_batch": _post(
                "score_batch",
                f"Score up to {max_batch:,} entities; an invalid one gives an error in its row",
                _entities({"anyOf": [_ref("Entity"), partial]}, max_batch),
                _ref("ScoredBatch"),
                [example],
            ),
            "/lookup": _post(
                "lookup",
                "The latest batch scores of entities",
                _entities(_TEXT, max_batch),
                _ref("LatestRows"),
                {"entities": ["acme"]},
                ("404",),
            ),
            "/model": _get("model", "Name, version, training data, metrics with intervals, features"),
            "/criteria": _get("criteria", "The criteria and definitions of the model"),
            "/report": _get("report", "The growth report", "text/html"),
            "/leads": _get("leads", "The newest list of leads, a page for people", "text/html", ("404",)),
            "/metrics": _get("metrics", "Prometheus metrics", "text/plain"),
            "/": _get("landing_page", "A page for people", "text/html"),
        },
    }


def _requests(bundle: Bundle) -> dict[str, Schema]:
    """Name the parts of a request: raw events, or finished features."""
    scope = bundle.model.facts[KEY]
    needs_signup = scope["needs_signup"]
    signed_up = TIME_SCHEMA if needs_signup and not scope["may_lack_signup"] else nullable(TIME_SCHEMA)
    fields = {
        **BODY.schemas,
        "signed_up": signed_up,
        "events": {**BODY.schemas["events"], "items": _ref("Event")},
        "columns": {**BODY.schemas["columns"], "items": _ref("DatedValue")},
    }
    raw = object_schema(fields, [*BODY.schema["required"], *["signed_up"] * needs_signup])
    required, allowed = model_features(bundle.model)
    features = object_schema(dict.fromkeys(allowed, NUMBER_SCHEMA), required)
    finished = object_schema({**FINISHED.schemas, "features": _ref("Features")}, FINISHED.schema["required"])
    return {
        "Event": EVENT.schema,
        "DatedValue": DATED.schema,
        "RawEvents": {**raw, "title": "Raw events", "description": _BEYOND},
        "Features": features,
        "FinishedFeatures": {**finished, "title": "Finished features", "description": _BEYOND},
        "Entity": {"anyOf": [_ref("RawEvents"), _ref("FinishedFeatures")]},
    }


def _answers() -> dict[str, Schema]:
    rows = {"type": "array", "items": {"anyOf": [_ref("Row"), _ref("Problem")]}}
    latest = {"type": "array", "items": {"type": "object"}}
    return {
        "ScoredBatch": object_schema({"rows": rows, "errors": {"type": "integer"}}),
        "LatestRows": object_schema({"rows": latest, "missing": {"type": "array", "items": _TEXT}}),
    }


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


def _post(
    name: str, summary: str, request: Schema, response: Schema, example: Any, errors: Sequence[str] = ()
) -> Schema:
    success = {"200": {"description": "Done", "content": _json(response)}}
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": _json(request, example)},
            "responses": success | _errors("408", "413", "415", "422", "503", *errors),
        }
    }


def _get(name: str, summary: str, media: str = "application/json", errors: Sequence[str] = ()) -> Schema:
    success = {
        "200": {
            "description": "Done",
            "content": {media: {"schema": {"type": "object"} if media == "application/json" else _TEXT}},
        }
    }
    return {"get": {"operationId": name, "summary": summary, "responses": success | _errors(*errors)}}
