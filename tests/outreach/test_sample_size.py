"""How long it takes to see an effect."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.outreach.sample_size import entities_needed, wait_for
from pql_model.statistics.proportions import compare_arms


@pytest.mark.parametrize(("base", "effect", "share"), [(0.2, 0.1, 0.5), (0.15, 0.1, 0.2), (0.3, -0.1, 0.3)])
def test_with_so_many_entities_the_effect_is_seen_8_times_in_10(base, effect, share):
    n, rng = entities_needed(base, effect, share), np.random.default_rng(2)
    seen = []
    for _ in range(500):
        in_first = rng.random(n) >= share
        interval = compare_arms(rng.random(n) < base + effect * in_first, in_first).difference
        seen.append(interval.low > 0 if effect > 0 else interval.high < 0)

    assert 0.74 < np.mean(seen) < 0.87


@pytest.mark.parametrize(
    ("have", "coming", "flow", "weeks"),
    [
        (587, 0, 50, 0.0),  # they are there
        (500, 87, 50, 4.0),  # they wait for their outcome
        (387, 100, 50, 6.0),
        (0, 0, 0.5, None),  # more than ten years
        (0, 0, float("nan"), None),
    ],
)
def test_the_wait_is_what_is_missing_at_the_present_flow_and_a_horizon(have, coming, flow, weeks):
    wait = wait_for(0.2, 0.1, 0.5, have, flow, horizon_weeks=4.0, coming=coming)

    assert wait.entities == 587
    assert wait.weeks == weeks


def test_a_small_hold_out_takes_longest():
    needed = [entities_needed(0.2, 0.1, share) for share in (0.05, 0.1, 0.2, 0.5)]

    assert needed == sorted(needed, reverse=True)
