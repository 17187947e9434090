"""Schemathesis compares the requests that are accepted and the responses with the document."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import schemathesis
from calls import NOW, Caller, service_of
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from pql_model.errors import InputError
from pql_model.features.fields import TIME_SCHEMA, instant_in
from pql_model.serve.app import ENDPOINTS
from pql_model.serve.engine import ScoringEngine
from pql_model.serve.openapi import example_request, openapi

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
"""Requests that do not match the schema must be refused; others may be refused with a documented status."""


_FIELDS = ("entity", "as_of", "signed_up", "time", "known_at", "ever", "events", "user", "id")
BEYOND_THE_SCHEMA = {("no_scores", ""), ("no_leads", ""), *(("invalid", field) for field in _FIELDS)}
"""Code and last name of the field of errors about bodies that fit the schema: what the document says a schema cannot say."""


@pytest.fixture(scope="module")
def document(bundle):
    return openapi(bundle, 1000)


@pytest.fixture(scope="module")
def schema(bundle):
    return schemathesis.openapi.from_asgi("/openapi.json", service_of(bundle.path, max_in_flight=1000).app())


def test_the_document_is_valid(document, schema):
    assert document["openapi"] == "3.1.0"
    schema.validate()


def test_every_path_is_documented_and_its_example_accepted(call, document):
    assert set(document["paths"]) == ENDPOINTS.keys() - {"/openapi.json"}
    for path, about in document["paths"].items():
        [(method, payload)] = about.items()
        assert method.upper() == ENDPOINTS[path][0]
        body = payload.get("requestBody", {"content": {"application/json": {}}})["content"]["application/json"].get(
            "example"
        )
        answer = call.post(path, body) if method == "post" else call(method, path)
        assert answer.status_code == (404 if path in ("/lookup", "/leads") else 200), path
        assert answer.json()["errors"] == 0 if path == "/score_batch" else True


@pytest.mark.parametrize("active_within", [1, 7, 28])
@pytest.mark.parametrize("ages", [None, [0, 1], [7, 15]])
@pytest.mark.parametrize("by_day", [True, False])
def test_the_example_is_accepted_for_every_motion(bundle, active_within, ages, by_day):
    scope = bundle.model.facts["scope"]
    for signup in (True, False):
        changed = {
            **scope,
            "active_within": active_within * 86_400_000_000,
            "ages": ages,
            "needs_signup": signup,
            "may_lack_signup": by_day,
            "by_day": by_day,
        }
        other = replace(bundle, model=replace(bundle.model, facts={**bundle.model.facts, "scope": changed}))
        answer = ScoringEngine(other).score(example_request(other), NOW)

        assert 0 < answer.row["probability"] < 1
        assert answer.set_aside == answer.unknown_events == {}


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-02",
        "2026-01-02T03:04",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05.123456789+0200",
        "2026-01-02T03:04+02",
        "1899-12-31",
        "2200-01-01",
        "9999-01-01",
        "2026-13-01",
        "2026-01-32",
        "2026-01-02T24:00",
        "2026-01-02T03:04+25:00",
    ],
)
def test_the_time_pattern_matches_the_parser(time):
    try:
        read = instant_in(time, "", "time") is not None
    except InputError:
        read = False
    assert bool(re.search(TIME_SCHEMA["pattern"], time)) == read


@pytest.mark.parametrize("time", ["2026-01-02T03", "2026-1-2", "20260102", "2026-01-02 03:04:05,678", "1767225600"])
def test_other_forms_of_the_tables_are_read_without_being_recommended(time):
    assert not re.search(TIME_SCHEMA["pattern"], time)
    assert instant_in(time, "", "time")


@pytest.mark.hypothesis  # for the heavy profile
@pytest.mark.parametrize(
    ("path", "mode", "examples"),
    [
        ("/score", GenerationMode.POSITIVE, 50),
        ("/score", GenerationMode.NEGATIVE, 15),
        ("/score_batch", GenerationMode.POSITIVE, 30),
        ("/score_batch", GenerationMode.NEGATIVE, 6),
        ("/lookup", GenerationMode.POSITIVE, 30),
        ("/lookup", GenerationMode.NEGATIVE, 20),
        *(
            (path, GenerationMode.POSITIVE, 1)
            for path in ENDPOINTS
            if ENDPOINTS[path][0] == "GET" and path != "/openapi.json"
        ),
    ],
)
def test_requests_and_responses_match_the_document(schema, path, mode, examples):
    statuses, beyond_the_schema = set(), set()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(schema[path][ENDPOINTS[path][0]].as_strategy(generation_mode=mode))
    def ask(case):
        answer = case.call()
        statuses.add(answer.status_code)
        if answer.status_code >= 400 and mode == GenerationMode.POSITIVE:
            error = answer.json()["error"]
            beyond_the_schema.add((error["code"], re.sub(r".*[.\]]", "", error.get("field", ""))))
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert beyond_the_schema <= BEYOND_THE_SCHEMA
    if path == "/score":
        assert (200 in statuses) == (mode == GenerationMode.POSITIVE)


@pytest.fixture(scope="module")
def client(document, tmp_path_factory):
    """A module of pydantic models that a generator made of the document."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document))
    command = [sys.executable, "-W", "ignore", "-m", "datamodel_code_generator", "--input", "openapi.json"]
    options = [
        "--input-file-type",
        "openapi",
        "--output-model-type",
        "pydantic_v2.BaseModel",
        "--output",
        "pql_client.py",
    ]
    process = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    spec = importlib.util.spec_from_file_location("pql_client", folder / "pql_client.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["pql_client"] = module
    spec.loader.exec_module(module)
    return module


def test_a_generated_client_calls_the_service(client, call, document):
    example = example_of(document)
    raw = client.RawEvents(**{**example, "events": [client.Event(**event) for event in example["events"]]})
    body = raw.model_dump_json(exclude_unset=True, by_alias=True).encode()
    answer = call.post("/score", body)
    row = client.Row.model_validate(answer.json())
    batch = client.ScoredBatch.model_validate(call.post("/score_batch", b"[%s, {}]" % body).json())
    problem = client.Problem.model_validate(call.post("/score", {}).json())

    assert (answer.status_code, row.entity, batch.errors, problem.error.code) == (200, "acme", 1, "invalid")
    assert 0 < row.probability < 1
    assert [type(row).__name__ for row in batch.rows] == ["Row", "Problem"]
    assert {name for name in answer.json()} == set(client.Row.model_fields)


def test_operations_and_parts_have_names_that_generators_use(document):
    operations = [about["operationId"] for methods in document["paths"].values() for about in methods.values()]
    assert operations == [
        "score",
        "score_batch",
        "lookup",
        "model",
        "criteria",
        "report",
        "leads",
        "metrics",
        "landing_page",
    ]
    assert {"RawEvents", "FinishedFeatures", "Event", "Row", "Problem"} <= document["components"]["schemas"].keys()


@pytest.mark.parametrize("change", [{"n": 0}, {"n": False}, {"n": -1}, {"event": " "}, {"event": ""}, {"users": -1}])
def test_what_is_refused_for_its_shape_does_not_fit_the_schema(call, document, change):
    path, example = "/score", example_of(document)
    body = {**example, "events": [{**example["events"][0], **change}]}
    schemas = {"components": document["components"], "$ref": "#/components/schemas/Entity"}

    assert call.post(path, example).status_code == 200
    assert Draft202012Validator(schemas).is_valid(example)
    assert call.post(path, body).status_code == 422
    assert not Draft202012Validator(schemas).is_valid(body)


def example_of(document):
    return document["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["example"]


def test_the_response_to_a_wrong_key_is_documented(bundle, document):
    call = Caller(service_of(bundle.path, keys=("0123456789abcdef",)))
    for path, about in document["paths"].items():
        if path != "/":
            [payload] = about.values()
            assert str(call(ENDPOINTS[path][0], path).status_code) in payload["responses"]
