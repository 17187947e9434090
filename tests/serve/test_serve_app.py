"""Every endpoint, with valid and invalid requests."""

import asyncio
import json
import logging

import pytest
from calls import NOW, Caller, refused, service_of

from pql_model.serve import app as module
from pql_model.serve.app import ENDPOINTS, LOG
from pql_model.serve.bundle import load_bundle, write_bundle

KEY, OTHER_KEY = "crm-0123456789abcdef", "nudge-0123456789abcdef"


@pytest.fixture
def with_keys(bundle):
    return Caller(service_of(bundle.path, keys=(KEY, OTHER_KEY)))


# ---------------------------------------------------------------- endpoints


def test_score_answers_with_the_row_of_the_engine(call, engine, entity):
    answer = call.post("/score", entity)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    noticed = {"set_aside": {}, "unknown_events": {}, "unknown_values": {}, "unknown_traits": []}
    assert answer.json() == {**engine.score(entity, NOW).row, **noticed}


def test_finished_features_are_scored(call, engine):
    features = {c.name: 1.0 for c in engine.model.manifest.columns if c.kind == "feature"}
    features["any.days_since_signup.ever"] = engine.scope.ages[0]
    request = {"entity": "a", "features": features}

    assert call.post("/score", request).json()["probability"] == engine.score(request, NOW).row["probability"]
    first = next(iter(features))
    del features[first]
    assert "are missing" in refused(call.post("/score", request), 422, "invalid", f"features.{first}")["received"]


def test_a_batch_keeps_its_order_and_has_an_error_per_invalid_row(call, entity):
    rows = [{**entity, "entity": f"e{k}"} for k in range(5)]
    rows[1]["events"], rows[3] = [{"event": "Login"}], "nobody"
    answer = call.post("/score_batch", rows)

    assert answer.status_code == 200
    payload = answer.json()
    assert [row.get("entity") for row in payload["rows"]] == ["e0", None, "e2", None, "e4"]
    assert payload["errors"] == 2
    assert [row["error"]["field"] for row in payload["rows"] if "error" in row] == ["events[0].time", "body"]
    assert (
        call.post("/score_batch", {"entities": rows}).json()["rows"][0]
        == payload["rows"][0]
        == call.post("/score", rows[0]).json()
    )


def test_a_batch_has_one_to_a_thousand_entities(call, entity):
    for number in (0, 1001):
        error = refused(call.post("/score_batch", [entity] * number), 422, "invalid", "body")
        assert error["received"] == f"{number} entities"
        assert error["allowed"] == "1 to 1000"
    assert len(call.post("/score_batch", [{}] * 1000).json()["rows"]) == 1000


@pytest.mark.parametrize("body", [{}, {"entities": {}}, {"entities": [], "more": 1}, "x", 1, None])
def test_a_batch_is_a_list(call, body):
    refused(call.post("/score_batch", body), 422, "invalid", "body")


def test_lookup_finds_batch_scores(bundle, tmp_path):
    import pandas as pd

    scores = tmp_path / "scores.parquet"
    call = Caller(service_of(bundle.path, scores=scores))
    assert "pql score" in refused(call.post("/lookup", ["a"]), 404, "no_scores")["allowed"]
    pd.DataFrame({"entity": ["a", "b"], "probability": [0.1, 0.2]}).to_parquet(scores)
    call.service.refresh()

    result = {"rows": [{"entity": "b", "probability": 0.2}], "missing": ["x"]}
    assert call.post("/lookup", ["b", "x"]).json() == call.post("/lookup", {"entities": ["b", "x"]}).json() == result
    for body in ({}, [], ["a"] * 1001, {"entities": "a"}):
        refused(call.post("/lookup", body), 422, "invalid", "entities")
    assert refused(call.post("/lookup", ["a", 12]), 422, "invalid", "entities[1]")["received"] == "12"


def test_model_describes_the_model(call, bundle):
    payload = call("GET", "/model").json()

    assert (payload["name"], payload["version"], payload["feature_set"]) == (
        "nimbus-boards",
        "1",
        bundle.model.manifest.hash,
    )
    assert payload["trained_on"]["conversions"] > 0
    assert [f["name"] for f in payload["features"]] == list(bundle.model.manifest.names)
    assert payload["metrics"] == bundle.metrics


def test_criteria_and_report_come_from_the_bundle(call, bundle):
    assert call("GET", "/criteria").json() == bundle.criteria
    report = call("GET", "/report")
    assert report.text == bundle.report
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    assert report.headers["x-content-type-options"] == "nosniff"


def test_the_landing_page_has_a_content_security_policy(call):
    answer = call("GET", "/")

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "nimbus-boards" in answer.text


# ---------------------------------------------------------------- bad input


def with_event(**event):
    return lambda entity: entity | {"events": [{"event": "Login", "time": "2026-01-02"} | event]}


BODIES = {
    "empty": (b"", 400, "body"),
    "spaces": (b"  ", 400, "body"),
    "not JSON": (b"entity=acme", 400, "body"),
    "cut off": (b'{"entity": "ac', 400, "body"),
    "an array": (b"[]", 422, "body"),
    "a number": (b"1", 422, "body"),
    "null": (b"null", 422, "body"),
    "deeply nested": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "body"),
    "NaN": (b'{"entity": NaN}', 400, "body"),
    "Infinity": (b'{"entity": "a", "traits": {"x": -Infinity}}', 400, "body"),
    "a key twice": (b'{"entity": "a", "entity": "b"}', 400, "body"),
    "a lone surrogate": (b'{"entity": "\\ud800", "events": []}', 400, "body"),
    "a byte that is not UTF-8": (b'{"entity": "\xff"}', 400, "body"),
    "a very long number": (b'{"entity": ' + b"1" * 4000 + b', "events": []}', 422, "entity"),
}


@pytest.mark.parametrize(("body", "status", "field"), BODIES.values(), ids=BODIES)
def test_an_invalid_body_is_refused_and_the_next_one_answered(call, entity, body, status, field):
    raw = json.loads(b'{"signed_up": "2026-01-01"}')
    if status == 422 and body[:1] == b"{":
        body = body[:-1] + b"," + json.dumps(raw).encode()[1:]
    refused(call.post("/score", body), status, "not_json" if status == 400 else "invalid", field)
    assert call.post("/score", entity).status_code == 200


FIELDS = {
    "no entity": (lambda e: e | {"entity": " "}, "entity"),
    "null as entity": (lambda e: e | {"entity": None}, "entity"),
    "an unknown key": (lambda e: e | {"acount": "a"}, "acount"),
    "a key of a megabyte": (lambda e: e | {"x" * 1_000_000: 1}, "x" * 60 + "…"),
    "no sign-up": (lambda e: {k: v for k, v in e.items() if k != "signed_up"}, "signed_up"),
    "no events": (lambda e: {k: v for k, v in e.items() if k != "events"}, "events"),
    "events that are none": (lambda e: e | {"events": {}}, "events"),
    "an event that is none": (lambda e: e | {"events": [1]}, "events[0]"),
    "an unknown key of an event": (with_event(tiem="2026-01-01"), "events[0].tiem"),
    "a time as a number that is neither an epoch nor a date": (with_event(time=17672256), "events[0].time"),
    "a time in another form": (with_event(time="01/02/2026"), "events[0].time"),
    "the 30th of February": (with_event(time="2026-02-30"), "events[0].time"),
    "the year 9999": (with_event(time="9999-12-31T23:59:59Z"), "events[0].time"),
    "the year 9999 as sign-up": (lambda e: e | {"signed_up": "9999-12-31"}, "signed_up"),
    "a sign-up after as_of": (lambda e: e | {"signed_up": "2026-01-09"}, "signed_up"),
    "an as_of in the future": (lambda e: e | {"as_of": "2026-03-03"}, "as_of"),
    "a negative count": (with_event(n=-1), "events[0].n"),
    "a count of none": (with_event(n=0), "events[0].n"),
    "a negative number of users": (with_event(users=-1), "events[0].users"),
    "a value that is a text": (with_event(values={"megabytes": "3"}), "events[0].values.megabytes"),
    "a value that is huge": (with_event(values={"megabytes": 10**400}), "events[0].values.megabytes"),
    "a trait that is a list": (lambda e: e | {"traits": {"region": ["Europe"]}}, "traits.region"),
    "a trait that is huge": (lambda e: e | {"traits": {"region": 10**400}}, "traits.region"),
    "a long trait": (lambda e: e | {"traits": {"region": "x" * 1001}}, "traits.region"),
}


@pytest.mark.parametrize(("change", "field"), FIELDS.values(), ids=FIELDS)
def test_an_invalid_field_is_named(call, entity, change, field):
    error = refused(call.post("/score", change(entity)), 422, "invalid", field)
    assert error["allowed"]
    assert len(json.dumps(error)) < 1500
    assert call.post("/score", entity).status_code == 200


@pytest.mark.parametrize("time", ["2026-01-02T10:00:00", "2025-12-31", "2026-01-08", "2026-01-02 10:00:00+02:00"])
def test_times_without_a_zone_or_outside_the_period_are_accepted(call, entity, time):
    assert call.post("/score", with_event(time=time)(entity)).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_another_method_is_refused_with_the_accepted_one(call, method):
    for path, (accepted, _) in ENDPOINTS.items():
        answer = call(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, accepted)
        if method != "HEAD":  # whose answers have no body
            refused(answer, 405, "method", words=f"{path} accepts {accepted} only")


@pytest.mark.parametrize(
    "path", ["/scores", "/score/", "/../etc/passwd", "/%00", "/docs.json", "/static_content/x.js", "/model/x"]
)
def test_an_unknown_path_gets_the_known_ones(call, path):
    assert "/score_batch" in refused(call("GET", path), 404, "unknown_path")["allowed"]


def test_an_internal_error_is_logged_and_reveals_nothing(bundle, entity, monkeypatch, caplog):
    call = Caller(service_of(bundle.path))

    def fail(*_):
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(LOG, "propagate", True)
    with monkeypatch.context() as patch:
        patch.setattr(call.service.reloader.engine, "score", fail)
        answer = call.post("/score", entity)
    refused(answer, 500, "fault")
    assert "secret" not in answer.text + caplog.text
    [line] = [payload for payload in map(json.loads, caplog.messages) if payload["what"] == "fault"]
    assert line["error"] == "RuntimeError"
    assert "test_serve_app.py" in line["trace"][-1]
    assert line["trace"][-1].endswith(" fail")
    assert call.post("/score", entity).status_code == 200


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "header", [("authorization", f"Bearer {KEY}"), ("x-api-key", OTHER_KEY), ("authorization", f"bearer  {KEY} ")]
)
def test_any_key_in_either_header_is_accepted(with_keys, entity, header):
    assert with_keys.post("/score", entity, headers=dict([header])).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": KEY[:-1]},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"x-api-key": b"\xff"},
    ],
)
def test_without_a_valid_key_nothing_is_revealed(with_keys, entity, headers):
    for method, path in [
        ("POST", "/score"),
        ("GET", "/model"),
        ("GET", "/report"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("PUT", "/score"),
    ]:
        answer = with_keys(method, path, content=b"{", headers=headers)
        refused(answer, 401, "key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "nimbus" not in answer.text


def test_public_paths_need_no_key(with_keys):
    assert [with_keys("GET", path).status_code for path in ("/", "/openapi.json")] == [200, 200]


@pytest.mark.parametrize("name", ["key", "api_key", "API-Key", "X-API-Key", "token", "authorization"])
def test_a_key_in_the_url_is_refused_even_if_valid(with_keys, entity, name):
    answer = with_keys.post(f"/score?{name}={KEY}", entity, headers={"x-api-key": KEY})
    assert "Authorization: Bearer KEY" in refused(answer, 400, "key_in_address")["allowed"]


def test_keys_are_reloaded_without_a_restart(bundle, entity, tmp_path):
    file = tmp_path / "keys"
    file.write_text(KEY)
    call = Caller(service_of(bundle.path, keys_file=file))
    statuses = [call.post("/score", entity, headers={"x-api-key": key}).status_code for key in (KEY, OTHER_KEY)]
    file.write_text(OTHER_KEY)
    call.service.refresh()

    assert statuses == [200, 401]
    assert [call.post("/score", entity, headers={"x-api-key": key}).status_code for key in (KEY, OTHER_KEY)] == [
        401,
        200,
    ]


# ---------------------------------------------------------------- while it runs


@pytest.fixture
def lines(caplog, monkeypatch):
    monkeypatch.setattr(LOG, "propagate", True)
    caplog.set_level(logging.INFO, LOG.name)
    return lambda: [json.loads(record.message) for record in caplog.records if record.name == LOG.name]


def test_a_new_bundle_is_reloaded_without_a_restart(copied, entity, lines):
    call = Caller(service_of(copied))
    before = load_bundle(copied)
    about = {k: v for k, v in before.about.items() if k not in ("format", "feature_set")} | {"version": "2"}
    write_bundle(copied, before.model, about, before.criteria, before.metrics, before.report)
    first = call.post("/score", entity).json()["model_version"]
    call.service.refresh()

    assert (first, call.post("/score", entity).json()["model_version"], call("GET", "/model").json()["version"]) == (
        "1",
        "2",
        "2",
    )
    assert 'version="2"' in call("GET", "/metrics").text
    assert ("reloaded", "bundle", "nimbus-boards version 2") in [
        (x["what"], x.get("part"), x.get("words")) for x in lines()
    ]


def test_a_repeated_failure_is_logged_once(bundle, tmp_path, lines):
    file = tmp_path / "keys"
    file.write_text(KEY)
    service = service_of(bundle.path, keys_file=file)
    file.write_text("short")
    for _ in range(3):
        service.refresh()

    assert [line["what"] for line in lines()] == ["reload_failed"]
    assert service.keys.allow(KEY)


def test_refreshing_continues_after_an_error(bundle, monkeypatch):
    service, refreshes = service_of(bundle.path), []
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.01)

    def refresh():
        refreshes.append(1)
        raise RuntimeError("a disk that is gone")

    monkeypatch.setattr(service, "refresh", refresh)

    async def run():
        app = service.app()
        async with app.router.lifespan_context(app):
            while len(refreshes) < 3:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_failing_score_log_does_not_block_reloading(copied, tmp_path, monkeypatch):
    file = tmp_path / "keys"
    file.write_text(KEY)
    service = service_of(copied, keys_file=file, score_log=tmp_path / "log")
    monkeypatch.setattr(service.log, "flush_if_due", lambda: 1 / 0)
    file.write_text(OTHER_KEY)
    with pytest.raises(ZeroDivisionError, match="division"):
        service.refresh()

    assert service.keys.allow(OTHER_KEY)


def test_the_log_has_nothing_that_was_sent(call, entity, lines):
    call.post(
        "/score?who=mallory",
        {**entity, "entity": "Ms Personal", "traits": {"region": "Secretland"}},
        headers={"x-api-key": KEY},
    )
    call.post("/score", {"entity": "Ms Personal", "what": "Secretland"})
    call("GET", "/Ms-Personal")
    call("MALLORY", "/score")

    payload = lines()
    assert [(line["path"], line["status"]) for line in payload] == [
        ("/score", 200),
        ("/score", 422),
        ("other", 404),
        ("/score", 405),
    ]
    assert payload[-1]["method"] == "other"
    assert not any(word in json.dumps(payload) for word in ("Personal", "Secretland", "mallory", "MALLORY", KEY))
