import gzip
import json
import time

import pytest
from calls import Caller, refused, service_of


@pytest.mark.parametrize(
    "declared",
    [
        None,
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/vnd.api+json",
    ],
)
def test_json_is_accepted_however_it_is_declared(call, entity, declared):
    headers = {} if declared is None else {"content-type": declared}
    assert call.post("/score", entity, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/score", "/score_batch", "/lookup"])
@pytest.mark.parametrize(
    ("declared", "received"),
    [
        ("text/plain", '"text/plain"'),
        ("application/x-www-form-urlencoded", '"application/x-www-form-urlencoded"'),
        ("multipart/form-data; boundary=x", '"multipart/form-data; boundary=x"'),
        ("json", '"json"'),
        ("application/json; charset=utf-16", '"utf-16"'),
    ],
)
def test_other_content_types_are_refused(call, entity, path, declared, received):
    error = refused(call.post(path, entity, headers={"content-type": declared}), 415, "content_type")
    assert error["received"] == received


def test_a_compressed_body_is_refused_unread(call, entity):
    body = gzip.compress(json.dumps(entity).encode())
    answer = call.post("/score", body, headers={"content-encoding": "gzip", "content-type": "application/json"})

    assert refused(answer, 415, "encoding", words="compressed")["received"] == '"gzip"'
    assert answer.headers["accept-encoding"] == "identity"
    refused(call.post("/score", body), 400, "not_json", "body")
    assert call.post("/score", entity, headers={"content-encoding": "identity"}).status_code == 200


def test_a_byte_order_mark_is_refused(call, entity):
    error = refused(call.post("/score", b"\xef\xbb\xbf" + json.dumps(entity).encode()), 400, "not_json", "body")
    assert error["received"] == "a byte order mark"


def test_a_body_of_empty_objects_is_refused_before_it_is_parsed(bundle):
    call = Caller(service_of(bundle.path, max_body=200_000))
    for path in ("/score", "/score_batch", "/lookup"):
        error = refused(call.post(path, b"[" + b",".join([b"{}"] * 60_000) + b"]"), 413, "too_large", "body")
        assert error["allowed"] == "at most 20,000 objects, lists and commas"


def test_a_large_body_finds_no_room_beside_others(bundle, entity):
    call = Caller(service_of(bundle.path))
    call.service.admission.large_bytes = 39_900_000
    large = b" " * 200_000 + json.dumps(entity).encode()

    assert refused(call.post("/score", large), 429, "overloaded", words="large bodies")
    assert call.post("/score", entity).status_code == 200


def test_a_score_beyond_the_deadline_gets_a_503(bundle, entity, monkeypatch):
    call = Caller(service_of(bundle.path, deadline_seconds=0.1))
    monkeypatch.setattr("pql_model.serve.admission._GRACE_SECONDS", 0.0)
    monkeypatch.setattr(call.service.reloader.engine, "score", lambda raw, now: time.sleep(0.3))
    answer = call.post("/score", b" " * 200_000 + json.dumps(entity).encode())

    error = refused(answer, 503, "deadline")
    assert (error["allowed"], answer.headers["retry-after"]) == (
        "0.1 seconds; send fewer entities or events at once",
        "1",
    )
