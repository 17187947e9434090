"""What the endpoints take and give, as OpenAPI 3.1 with examples of the model in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pql_model.decide.decider import Decider
from pql_model.decide.nearest import AGE
from pql_model.features.event_reader import ReadingRules
from pql_model.serve.bundle import Bundle
from pql_model.serve.scope import KEY
from pql_model.sources.scalars import LARGEST
from pql_model.time import DAY, HOUR, iso

_NUMBER, _TEXT, _BOOL = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
_OR_NULL = {"type": ["string", "null"]}
_LONGEST, _MOST_NAMES = ReadingRules.most_characters, ReadingRules.most_names
_AMOUNT = {"type": ["number", "boolean", "null"], "minimum": -LARGEST, "maximum": LARGEST}
_TIME = {
    "type": "string",
    "description": "ISO 8601; without a time it is midnight, without a zone UTC.",
    "pattern": r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?$",
}


def example_request(bundle: Bundle) -> dict[str, Any]:
    """An entity of the right age with a few of the events that the model knows."""
    facts = bundle.model.facts[KEY]
    day = 1_767_225_600_000_000  # 2026-01-01
    age = int(facts["ages"][0] or facts["ages"][1]) if facts["ages"] else 7
    names = facts["known_events"][:3]
    # The last one an hour before: a model may know active ones only.
    times = [day + (k + 1) * age * DAY // len(names) - HOUR for k in range(len(names))]
    events = [{"event": name, "time": iso(time)} for name, time in zip(names, times, strict=True)]
    example: dict[str, Any] = {"entity": "acme", "as_of": iso(day + age * DAY), "events": events}
    if facts["needs_signup"]:
        example["signed_up"] = iso(day)
    traits = {c.text: c.categories[0] for c in bundle.model.manifest.columns if c.kind == "category" and c.categories}
    return {**example, "traits": traits} if traits else example


def openapi(bundle: Bundle, most: int) -> dict[str, Any]:
    """The document.

    Parameters
    ----------
    most
        Entities in a batch.
    """
    example = example_request(bundle)
    named = _listed(_TEXT, most)
    batch = _listed({"anyOf": [_ref("Entity"), {"description": "What is no Entity gets a Problem in its row."}]}, most)
    rows = _object(
        {"rows": {"type": "array", "items": {"anyOf": [_ref("Row"), _ref("Problem")]}}, "errors": {"type": "integer"}}
    )
    found = _object(
        {"rows": {"type": "array", "items": {"type": "object"}}, "missing": {"type": "array", "items": _TEXT}}
    )
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
                f"Score up to {most:,} entities; a bad one gives an error in its row", batch, rows, [example]
            ),
            "/lookup": _post("The latest batch scores of entities", named, found, {"entities": ["acme"]}, {"404"}),
            "/model": _get("Name, version, what it was trained on, metrics with intervals, features"),
            "/criteria": _get("The criteria and definitions of the model"),
            "/report": _get("The growth report", "text/html"),
            "/metrics": _get("Prometheus metrics", "text/plain"),
            "/": _get("A page for people", "text/html"),
        },
    }


def _entity(bundle: Bundle) -> dict[str, Any]:
    """Raw events, or finished features."""
    name, text = _text(least=1), {**_text(), "type": ["string", "null"]}
    values = {"type": ["object", "null"], "maxProperties": _MOST_NAMES, "additionalProperties": _AMOUNT}
    event = _object(
        {
            "event": name,
            "time": _TIME,
            "user": text,
            "id": {**text, "description": "Of the row in its table: the first to arrive counts."},
            "values": values,
            "known_at": {
                **_or_null(_TIME),
                "description": "When it arrived; of a count the end of the time it covers.",
            },
            "n": {**_AMOUNT, "minimum": 0, "description": "So many events were counted; without it one."},
            "users": {**_AMOUNT, "minimum": 0, "description": "So many users did them."},
        },
        ("event", "time"),
    )
    trait = {**_AMOUNT, "type": ["string", "number", "boolean", "null"], "maxLength": _LONGEST}
    traits = {"type": ["object", "null"], "maxProperties": _MOST_NAMES, "additionalProperties": trait}
    common = {"entity": name, "as_of": _or_null(_TIME), "traits": traits}
    facts = bundle.model.facts[KEY]
    needs_signup, may_lack = facts["needs_signup"], facts.get("may_lack_signup", False)
    events = {"type": "array", "items": event, "maxItems": ReadingRules.most_events}
    signed_up = _TIME if needs_signup and not may_lack else _or_null(_TIME)
    raw = _object(
        {**common, "signed_up": signed_up, "events": events}, ("entity", "events", *["signed_up"] * needs_signup)
    )
    finished = _object({**common, "features": _features(bundle)}, ("entity", "features"))
    return {"anyOf": [{**raw, "title": "Raw events"}, {**finished, "title": "Finished features"}]}


def _features(bundle: Bundle) -> dict[str, Any]:
    """Those of the model are needed; those that only its conditions read are not."""
    own = [c.name for c in bundle.model.manifest.columns if c.kind == "feature"]
    others = Decider.of_facts(bundle.model.facts, bundle.model.reference).features
    return _object(dict.fromkeys([*own, *(feature.name for feature in others), AGE], _AMOUNT), own)


def _row() -> dict[str, Any]:
    texts = dict.fromkeys(("entity", "band", "model_version", "feature_set", "scored_at"), _TEXT)
    numbers = dict.fromkeys(("probability", "score", "usage", "fit", "timing"), _NUMBER)
    truths = {name: {"type": ["boolean", "null"]} for name in ("is_pql", "meets_definition", "newly_qualified")}
    lists = {"reasons": {"type": "array"}, "criteria_met": {"type": ["array", "null"]}}
    others = {
        "as_of": _OR_NULL,
        "suppressed": _OR_NULL,
        "nearest_missing": {"type": ["object", "null"]},
        "set_aside": {"type": "object"},
        "unknown_events": {"type": "object"},
        "unknown_values": {"type": "object"},
        "unknown_traits": {"type": "array", "items": _TEXT},
    }
    properties = {**texts, **numbers, **truths, **lists, **others}
    return _object(properties)


def _problem() -> dict[str, Any]:
    fields = dict.fromkeys(("code", "message", "field", "received", "allowed"), _TEXT)
    return _object({"error": _object(fields, ("code", "message"))})


def _listed(item: dict[str, Any], most: int) -> dict[str, Any]:
    """A list, bare or as `entities`."""
    many = {"type": "array", "items": item, "minItems": 1, "maxItems": most}
    return {"anyOf": [many, _object({"entities": many})]}


def _object(properties: dict[str, Any], required: Sequence[str] | None = None) -> dict[str, Any]:
    """With these properties and no others; all are required where nothing else is said."""
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _text(least: int = 0) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": _LONGEST}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Any, example: Any = None) -> dict[str, Any]:
    return {"application/json": {"schema": schema, **({"example": example} if example is not None else {})}}


def _errors(*more: str) -> dict[str, Any]:
    return {
        status: {"description": "What is wrong, and what is allowed", "content": _json(_ref("Problem"))}
        for status in sorted({"400", "401", "405", "429", *more})
    }


def _post(summary: str, takes: Any, gives: Any, example: Any, more: set[str] | None = None) -> dict[str, Any]:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(takes, example)},
            "responses": {
                "200": {"description": "Done", "content": _json(gives)},
                **_errors("408", "413", "422", "503", *(more or ())),
            },
        }
    }


def _get(summary: str, media: str = "application/json") -> dict[str, Any]:
    return {
        "get": {"summary": summary, "responses": {"200": {"description": "Done", "content": {media: {}}}, **_errors()}}
    }
