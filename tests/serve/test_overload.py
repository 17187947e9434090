"""More requests at once than the service can answer in time, and callers who are slow to send."""

import asyncio
import json
import time

import httpx
from calls import Caller, service_of


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


def test_too_many_at_once_are_told_to_come_again(bundle, entity, monkeypatch):
    call = Caller(service_of(bundle.path, max_in_flight=2))
    score = call.service.holder.engine.score
    monkeypatch.setattr(call.service.holder.engine, "score", lambda raw, now: (time.sleep(0.2), score(raw, now))[1])
    answers = call.together([("POST", "/score_batch", {"json": [entity]})] * 5)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    over = next(answer for answer in answers if answer.status_code == 429)
    assert over.json()["error"]["code"] == "overloaded"
    assert over.headers["retry-after"] == "1"
    assert call.post("/score", entity).status_code == 200


def test_small_requests_that_come_at_the_same_moment_are_counted_before_they_are_worked_on(bundle, entity):
    body = json.dumps(entity).encode()
    assert statuses(service_of(bundle.path, max_in_flight=3), *[(body, 0)] * 10) == [200] * 3 + [429] * 7


def test_metrics_are_told_under_load(bundle, entity):
    requests = [*[("POST", "/score", {"json": entity})] * 5, ("GET", "/metrics", {})]
    answers = Caller(service_of(bundle.path, max_in_flight=1)).together(requests)
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429, 200]


def test_callers_who_are_slow_to_send_take_nobodys_place(bundle, entity):
    service = service_of(bundle.path, max_in_flight=2)
    slow = [(slowly(entity), 0) for _ in range(5)]
    assert statuses(service, *slow[:2], (json.dumps(entity).encode(), 0.1)) == [200, 200, 200]
    assert (service._in_flight, service._arriving) == (0, 0)


def test_what_arrives_at_once_is_held_to_what_fits_into_memory(bundle, entity):
    service = service_of(bundle.path, max_in_flight=2, max_body=100_000)
    large = [(slowly(entity, padding=90_000), 0.1 * k) for k in range(3)]
    small = (json.dumps(entity).encode(), 0.3)
    assert statuses(service, *large, small) == [200, 200, 429, 200]
    assert (service._in_flight, service._arriving) == (0, 0)
