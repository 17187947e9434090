import numpy as np
import pandas as pd
import pytest

from pql_model.monitoring.traits import count_trait, trait_findings
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY

FIRST, DAYS, RECENT = 19_000, 200, 144
CHANGED = 175
SIZES = np.array(["1-10", "11-50", "51-200", "201-1000"])
SHARES = [0.46, 0.31, 0.16, 0.07]


@pytest.fixture(scope="module")
def con():
    with open_session("500MB") as con:
        yield con


def sign_ups(seed, a_day=8):
    """Days of sign-up, and a generator for their traits."""
    rng = np.random.default_rng(seed)
    return rng, np.sort(rng.integers(0, DAYS, a_day * DAYS))


def findings_of(con, day, values):
    frame = pd.DataFrame({"signed_up": (FIRST + day) * DAY, "excluded": False, "trait_size": values})
    table = con.create_table("people", frame, overwrite=True)
    counted = count_trait(table, "size", (FIRST + DAYS) * DAY, (FIRST + RECENT) * DAY)
    return trait_findings(counted, FIRST + RECENT)


def test_traits_of_the_same_process_do_not_change(con):
    found = []
    for seed in range(12):
        rng, day = sign_ups(seed)
        texts = np.where(rng.random(len(day)) < 0.2, None, rng.choice(SIZES, len(day), p=SHARES))
        found += findings_of(con, day, texts)
        found += findings_of(con, day, rng.lognormal(3, 2, len(day)))

    assert found == []


def test_values_under_other_names_are_a_change_with_its_day(con):
    rng, day = sign_ups(1)
    old = rng.choice(SIZES, len(day), p=SHARES)
    values = np.where(day >= CHANGED, np.char.add(old, " people"), old)
    [finding] = findings_of(con, day, values)

    assert (finding.kind, finding.subject, finding.severity) == ("trait_changed", "size", "act")
    assert abs(finding.since - (FIRST + CHANGED) * DAY) <= 2 * DAY
    assert "`1-10 people`" in finding.words


def test_a_new_value_alone_is_watched(con):
    rng, day = sign_ups(2)
    old = rng.choice(SIZES, len(day), p=SHARES)
    [finding] = findings_of(con, day, np.where((day >= CHANGED) & (rng.random(len(day)) < 0.2), "partner", old))

    assert finding.severity == "watch"
    assert finding.figure == pytest.approx(0.2, abs=0.06)


def test_a_mix_that_moves_is_no_change_of_meaning(con):
    rng, day = sign_ups(3)
    old = rng.choice(SIZES, len(day), p=SHARES)
    small = (day >= CHANGED) & (rng.random(len(day)) < 0.5)

    assert findings_of(con, day, np.where(small, "1-10", old)) == []


def test_a_campaign_that_ends_is_not_a_value_that_vanishes(con):
    rng, day = sign_ups(4)
    source = np.where((day // 30 % 2 == 1) & (day < CHANGED) & (rng.random(len(day)) < 0.4), "advert", "search")

    assert [finding for finding in findings_of(con, day, source) if finding.severity == "act"] == []


def test_missing_values_that_jump_are_a_change(con):
    rng, day = sign_ups(5)
    old = rng.choice(SIZES, len(day), p=SHARES).astype(object)
    [finding] = findings_of(con, day, np.where((day >= CHANGED) & (rng.random(len(day)) < 0.6), None, old))

    assert finding.figure == pytest.approx(0.6, abs=0.1)
    assert finding.expected == 0
    assert abs(finding.since - (FIRST + CHANGED) * DAY) <= 3 * DAY


def test_what_is_filled_in_as_entities_grow_older_is_no_jump(con):
    rng, day = sign_ups(6)
    age = DAYS - day
    filled = rng.random(len(day)) < 0.8 * (1 - np.exp(-age / 30))

    assert findings_of(con, day, np.where(filled, "A. Ito", None)) == []


def test_numbers_that_grow_with_age_have_no_other_unit(con):
    rng, day = sign_ups(7)

    assert findings_of(con, day, rng.poisson(2.0 * (DAYS - day)) + 1.0) == []


@pytest.mark.parametrize("factor", [1000.0, 0.001, 1 / 12])
def test_another_unit_is_found(con, factor):
    rng, day = sign_ups(8)
    number = rng.lognormal(3, 1, len(day))
    [finding] = findings_of(con, day, np.where(day >= CHANGED, number * factor, number))

    assert finding.figure / finding.expected == pytest.approx(factor, rel=0.4)
    assert "unit" in finding.words


def test_a_trait_of_lists_is_not_judged(con):
    frame = pd.DataFrame({"signed_up": [FIRST * DAY], "excluded": [False], "trait_size": [["a"]]})

    assert count_trait(con.create_table("lists", frame), "size", (FIRST + 1) * DAY, FIRST * DAY) is None


def test_entities_without_a_date_of_sign_up_are_not_judged(con):
    frame = pd.DataFrame({"signed_up": pd.array([None], "Int64"), "excluded": [False], "trait_size": ["a"]})

    assert count_trait(con.create_table("undated", frame), "size", (FIRST + 1) * DAY, FIRST * DAY) is None
