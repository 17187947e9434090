import asyncio
import threading
import time

import pytest

from pql_model.serve.admission import SMALL_BYTES, Admission, Held
from pql_model.serve.problem import ProblemError

LARGE = SMALL_BYTES + 1


def run(admission, *works, large=True, seconds=5.0):
    async def all_of():
        deadline = time.perf_counter() + seconds
        runs = [admission.run(work, large=large, deadline=deadline, seconds=seconds) for work in works]
        return await asyncio.gather(*runs, return_exceptions=True)

    return asyncio.run(all_of())


def test_large_bodies_take_no_room_of_small_ones():
    admission = Admission(64, 2 * LARGE)
    large, small = [Held(admission) for _ in range(3)], Held(admission)
    for held in large[:2]:
        held.add(LARGE)
    with pytest.raises(ProblemError, match="Too many large bodies at once"):
        large[2].add(LARGE)
    small.add(SMALL_BYTES)

    for held in (*large, small):
        held.release()
    assert (admission.small_bytes, admission.large_bytes) == (0, 0)


def test_a_body_that_grows_moves_to_the_large_ones():
    admission, parts = Admission(64, 1_000_000), [SMALL_BYTES, 5, 10]
    held = Held(admission)
    for part in parts:
        held.add(part)
    assert (admission.small_bytes, admission.large_bytes, held.is_large) == (0, sum(parts), True)


def test_small_bodies_are_limited_too():
    admission = Admission(64, 150_000)
    Held(admission).add(SMALL_BYTES)
    with pytest.raises(ProblemError, match="Too many requests at once"):
        Held(admission).add(SMALL_BYTES)


def test_room_is_asked_for_before_a_large_body_is_read():
    admission = Admission(64, 1_000_000)
    admission.refuse_large(1_000_000)
    with pytest.raises(ProblemError, match="Too many large bodies") as error:
        admission.refuse_large(1_000_001)
    assert (error.value.status, error.value.headers) == (429, {"retry-after": "1"})


def test_large_work_is_done_one_at_a_time():
    at_once, most = [], []

    def work():
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.02)
        at_once.pop()

    run(Admission(64, 10), *[work] * 4)
    assert most == [1, 1, 1, 1]


def test_at_the_deadline_what_waits_is_never_begun(monkeypatch):
    monkeypatch.setattr("pql_model.serve.admission._GRACE_SECONDS", 0.0)
    admission, release, begun = Admission(64, 10), threading.Event(), []
    results = run(admission, release.wait, lambda: begun.append(1), seconds=0.1)
    release.set()

    assert [(error.status, error.code) for error in results] == [(503, "deadline")] * 2
    assert run(admission, lambda: 7) == [7]  # the lane is free again
    assert begun == []


def test_a_failure_is_the_callers():
    [error] = run(Admission(64, 10), lambda: 1 / 0, large=False)
    assert isinstance(error, ZeroDivisionError)


def test_an_application_that_was_stopped_can_be_started_again():
    admission = Admission(64, 10)
    admission.close()
    assert run(admission, lambda: 7) == run(admission, lambda: 7, large=False) == [7]
