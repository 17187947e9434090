"""More requests at once than the service can answer in time, callers who send too much or too slowly, work that takes too long."""

import asyncio
import json
import time

import httpx
from calls import Caller, pieces, refused, service_of


def statuses(service, *requests):
    """Of requests to `/score`, each a body and after how many seconds it is sent."""

    async def one(client, body, after):
        await asyncio.sleep(after)
        return (await client.post("/score", content=body)).status_code

    async def run():
        transport = httpx.ASGITransport(service.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://pql") as client:
            return await asyncio.gather(*(one(client, body, after) for body, after in requests))

    return asyncio.run(run())


async def slowly(entity, padding=0):
    yield b" " * padding
    await asyncio.sleep(0.4)
    yield json.dumps(entity).encode()


def test_too_many_requests_get_a_429(bundle, entity, monkeypatch):
    call = Caller(service_of(bundle.path, max_in_flight=2))
    score = call.service.reloader.engine.score
    monkeypatch.setattr(call.service.reloader.engine, "score", lambda raw, now: (time.sleep(0.2), score(raw, now))[1])
    answers = call.together([("POST", "/score_batch", {"json": [entity]})] * 5)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    over = next(answer for answer in answers if answer.status_code == 429)
    assert over.json()["error"]["code"] == "overloaded"
    assert over.headers["retry-after"] == "1"
    assert call.post("/score", entity).status_code == 200


def test_simultaneous_requests_are_counted_before_any_is_processed(bundle, entity):
    body = json.dumps(entity).encode()
    assert statuses(service_of(bundle.path, max_in_flight=3), *[(body, 0)] * 10) == [200] * 3 + [429] * 7


def test_metrics_are_served_under_load(bundle, entity):
    requests = [*[("POST", "/score", {"json": entity})] * 5, ("GET", "/metrics", {})]
    answers = Caller(service_of(bundle.path, max_in_flight=1)).together(requests)
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429, 200]


def test_slow_senders_take_no_place(bundle, entity):
    service = service_of(bundle.path, max_in_flight=2)
    slow = [(slowly(entity), 0) for _ in range(5)]
    assert statuses(service, *slow[:2], (json.dumps(entity).encode(), 0.1)) == [200, 200, 200]
    assert (service.admission.in_flight, service.admission.small_bytes, service.admission.large_bytes) == (0, 0, 0)


def test_arriving_bodies_are_limited_by_total_size(bundle, entity):
    service = service_of(bundle.path, max_body=200_000, max_pending=400_000)
    large = [(slowly(entity, padding=190_000), 0.1 * k) for k in range(3)]
    small = (json.dumps(entity).encode(), 0.3)
    assert statuses(service, *large, small) == [200, 200, 429, 200]
    assert (service.admission.in_flight, service.admission.small_bytes, service.admission.large_bytes) == (0, 0, 0)


def test_a_body_of_30_megabytes_is_refused_before_it_is_read(call, entity):
    body = b'{"entity": "' + b"x" * 30_000_000 + b'"}'
    error = refused(call.post("/score", body), 413, "too_large")
    assert error["allowed"] == "10 MB"
    unannounced = call(
        "POST", "/score", content=pieces(*[body[k : k + 1_000_000] for k in range(0, 30_000_000, 1_000_000)])
    )
    refused(unannounced, 413, "too_large")
    assert unannounced.headers["connection"] == "close"
    assert call.post("/score", entity).status_code == 200


def test_a_large_body_does_not_block_other_requests(call, entity, monkeypatch):
    """A long body is worked on beside the others: the short one that comes after it is answered before."""
    order, score = [], call.service.reloader.engine.score

    def watched(raw, now):
        if raw["entity"] == "long":
            time.sleep(0.3)
        answer = score(raw, now)
        order.append(raw["entity"])
        return answer

    monkeypatch.setattr(call.service.reloader.engine, "score", watched)
    events = entity["events"] * 1500
    answers = call.together(
        [
            ("POST", "/score", {"json": {**entity, "entity": "long", "events": events}}),
            ("POST", "/score", {"json": {**entity, "entity": "short"}}),
        ]
    )

    assert [answer.status_code for answer in answers] == [200, 200]
    assert order == ["short", "long"]


def test_a_slow_sender_gets_a_408(bundle, entity):
    call = Caller(service_of(bundle.path, deadline_seconds=0.1))

    async def receive():
        await asyncio.sleep(0.06)
        return {"type": "http.request", "body": b" ", "more_body": True}

    began = time.perf_counter()
    status, payload = call.raw("/score", receive)
    assert (status, payload["error"]["code"], payload["error"]["allowed"]) == (408, "slow", "0.1 seconds")
    assert time.perf_counter() - began < 1
    assert call.post("/score", entity).status_code == 200


def test_a_closed_connection_affects_no_other_request(call, entity):
    async def receive():
        return {"type": "http.disconnect"}

    assert call.raw("/score", receive)[0] == 499
    assert call.post("/score", entity).status_code == 200


def test_a_batch_beyond_the_deadline_gets_a_503(bundle, entity, monkeypatch):
    call = Caller(service_of(bundle.path, deadline_seconds=0.2))
    score = call.service.reloader.engine.score
    monkeypatch.setattr(call.service.reloader.engine, "score", lambda raw, now: (time.sleep(0.05), score(raw, now))[1])

    error = refused(
        call.post("/score_batch", [entity] * 100),
        503,
        "deadline",
        words="of 100 entities were scored",
    )
    assert error["allowed"] == "0.2 seconds; send fewer entities or events at once"
