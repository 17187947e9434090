"""Events just before the sign-up raise the question of the time zone, and only where an offset explains them."""

from __future__ import annotations

import numpy as np
import pytest
from staging import log, read_shop

from pql_model.sources.zone_check import WIDEST, explaining_offset
from pql_model.time import DAY, HOUR, MINUTE, iso, parse_instant

JAN_1 = parse_instant("2026-01-01")
LAGS = {
    "seconds": lambda rng, n: rng.exponential(20e6, n),
    "minutes": lambda rng, n: rng.exponential(6 * MINUTE, n),
    "hours": lambda rng, n: rng.exponential(8 * HOUR, n),
    "half at once": lambda rng, n: np.where(rng.random(n) < 0.5, rng.exponential(60e6, n), rng.exponential(DAY, n)),
}


def early(lag, offset, entities=600, seed=0):
    """Gap and sign-up of the entities whose first event lies before a sign-up that is `offset` ahead."""
    rng = np.random.default_rng(seed)
    gaps = (np.asarray(offset) - lag(rng, entities)).astype(np.int64)
    signups = JAN_1 + rng.integers(0, 300 * DAY, entities)
    return gaps[gaps > 0], signups[gaps > 0]


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("hours", [1, 2, 5, 5.5, 8, 11, 14])
def test_the_offset_is_named_whatever_the_lag_of_the_first_event(lag, hours):
    found = [explaining_offset(*early(LAGS[lag], int(hours * HOUR), seed=seed)) for seed in range(5)]

    assert set(found) <= {int(hours * HOUR), None}
    assert (
        None not in found or lag == "hours"
    )  # first events spread over hours look like honest visits before the sign-up


def test_with_summer_time_the_larger_of_two_offsets_is_named():
    rng = np.random.default_rng(3)
    offset = np.where(rng.random(600) < 0.45, HOUR, 2 * HOUR)

    assert explaining_offset(*early(LAGS["minutes"], offset)) == 2 * HOUR


HONEST = {
    "a visit before the sign-up": lambda rng, n: rng.exponential(15 * MINUTE, n),
    "a longer visit": lambda rng, n: rng.exponential(90 * MINUTE, n),
    "visits of the same day": lambda rng, n: rng.exponential(6 * HOUR, n),
    "visits of the same session": lambda rng, n: rng.uniform(0, 30 * MINUTE, n),
    "old rows of an import": lambda rng, n: rng.uniform(0, 60 * DAY, n),
    "a sign-up written by hand": lambda rng, n: rng.lognormal(np.log(2 * HOUR), 0.7, n),
    "a sign-up in the next nightly run": lambda rng, n: rng.uniform(0, DAY, n),
}


@pytest.mark.parametrize("kind", HONEST)
def test_honest_events_before_the_sign_up_raise_no_question(kind):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 800))
        gaps = np.maximum(1, HONEST[kind](rng, n)).astype(np.int64)

        assert explaining_offset(gaps, JAN_1 + rng.integers(0, 300 * DAY, n)) is None, seed


def test_sign_ups_stamped_by_an_hourly_job_raise_no_question():
    rng = np.random.default_rng(1)
    signups = JAN_1 + rng.integers(0, 300 * 24, 500) * HOUR + 7 * MINUTE
    gaps = rng.integers(1, HOUR, 500)

    assert explaining_offset(gaps, signups) is None


def test_few_entities_and_wider_gaps_raise_no_question():
    gaps, signups = early(LAGS["seconds"], 2 * HOUR, entities=15)

    assert explaining_offset(gaps, signups) is None
    assert explaining_offset(np.full(50, WIDEST + HOUR), JAN_1 + np.arange(50) * 7 * MINUTE) is None


@pytest.mark.parametrize(("ahead", "asks"), [(0, False), (2 * HOUR, True)])
def test_a_run_names_the_offset_and_the_column(tmp_path, ahead, asks):
    starts = [JAN_1 + n * (DAY + 7 * MINUTE) for n in range(80)]
    accounts = "account,signed_up\n" + "".join(f"a{n},{iso(start + ahead)}\n" for n, start in enumerate(starts))
    rows = [
        f"a{n},u,login,{iso(start + delay)}" for n, start in enumerate(starts) for delay in (MINUTE, 3 * HOUR, 2 * DAY)
    ]
    paid = f"account,paid_at,mrr\na1,{iso(starts[1] + 5 * DAY)},9\n"
    warnings = [w for w in read_shop(tmp_path, log(*rows), accounts, paid).sources.warnings if "time zone" in w]

    assert bool(warnings) is asks
    if asks:
        assert warnings[0].startswith(
            "80 entities have events before their sign-up, at most 2 hours before and most of them just under it: the times of "
            "`signed_up` in accounts.csv seem to be 2 hours ahead of those of the events."
        )
