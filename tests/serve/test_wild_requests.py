"""Whatever a caller sends: a scored row that JSON can hold, or an error that names a field. Never anything else."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
from calls import NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pql_model.errors import InputError
from pql_model.serve.problem import ProblemError
from pql_model.serve.strict_json import parse

TIMES = (
    "2026-01-01",
    "2026-01-02T23:59:59.999999Z",
    "2026-01-08",
    "2025-12-31",
    "1900-01-01",
    "2199-12-31T23:59:59Z",
    "9999-12-31",
    "1970-01-01",
    "2026-01-05T00:00+14:00",
    "2026-02-30",
    "",
)
NUMBERS = (0, -0.0, 1, -1, 1e300, -1e300, 1e301, 5e-324, 10**400, True, 0.1, math.nan, math.inf)
TEXTS = ("", " ", "null", "Board Created", "any", "🎉", "\ud800", "x" * 2000, "a\u0000b", "{}", "1e999", "bot")
anything = st.recursive(
    st.none() | st.sampled_from((*NUMBERS, *TIMES, *TEXTS)) | st.text(max_size=5) | st.floats() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3),
    max_leaves=5,
)
mostly = st.sampled_from((True,) * 40 + (False,))


def often(*usual):
    """One of these; rarely anything."""
    return mostly.flatmap(lambda good: st.sampled_from(usual) if good else anything)


times = often(
    "2026-01-01",
    "2026-01-02T23:59:59.999999Z",
    "2026-01-08",
    "2025-12-31",
    "2026-01-05T00:00+14:00",
    "2199-12-31T23:59:59Z",
    "1900-01-01",
)
numbers = often(0, -0.0, 1, -1, 1e300, -1e300, 5e-324, True, 0.1)
events = st.fixed_dictionaries(
    {"event": often("Board Created", "Card Moved", "🎉 new"), "time": times},
    optional={
        "user": often("u1", "u2", None),
        "values": st.dictionaries(st.just("megabytes"), numbers, max_size=1),
        "id": often("i1", "i2", None),
        "known_at": times,
        "n": often(1, 2.5, 1e300),
        "users": often(0, 3),
    },
)
bodies = st.fixed_dictionaries(
    {
        "entity": often("acme"),
        "signed_up": often("2026-01-01"),
        "as_of": often("2026-01-08", "2026-01-15"),
        "events": st.lists(events, max_size=6),
    },
    optional={
        "traits": st.dictionaries(st.sampled_from(("company_size", "region", "?")), often(*TEXTS[:5]), max_size=2)
    },
)


def judged(engine, body):
    """What became of it."""
    try:
        answer = engine.score(parse(json.dumps(body).encode()), NOW)
    except InputError as error:
        payload = ProblemError.of(error)
        fine = payload.to_dict()["error"]["field"] and 400 <= error.http_status < 500
        json.dumps(payload.to_dict(), ensure_ascii=False, allow_nan=False).encode()
        return "refused" if fine else "no field"
    json.dumps(answer.row, ensure_ascii=False, allow_nan=False).encode()
    known = {"duplicate_id", "bot", "excluded_user", "before_signup", "after_as_of", "known_later"}
    return "scored" if 0 < answer.row["probability"] < 1 and set(answer.set_aside) <= known else "no score"


@pytest.mark.hypothesis  # for the heavy profile
def test_any_request_is_scored_or_refused_and_leaves_no_state(engine, entity):
    before, became = engine.score(entity, NOW).row, Counter()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=bodies | anything)
    def check(body):
        judgement = judged(engine, body)
        became[judgement] += 1
        assert judgement in ("scored", "refused")

    check()
    assert min(became["scored"], became["refused"]) > 10
    assert engine.score(entity, NOW).row == before
