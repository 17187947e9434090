import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pql_model.outlook.cohorts import Cohorts, Rates
from pql_model.outlook.methods import compare_methods, scored_by_age
from pql_model.time import DAY


def halved(days=300, change=250):
    """Of 100 a day 20 pay after 3 days; from a day on only 10 do, as a model sees and the age does not."""
    day = np.arange(days)
    payers = np.where(day < change, 20, 10)
    cells = [np.tile(day, 2), np.concatenate([day + 3, np.full(days, 10_000)])]
    return Cohorts.of(days, *cells, np.concatenate([payers, 100 - payers]))


def scored(cohorts, day, share):
    before = cohorts.before(day)
    usual = Rates.of(before).ahead(len(before.at_risk), 7).sum(axis=1)
    return day, scored_like(before, usual * share)


def scored_like(before, shares):
    from pql_model.outlook.projection import Scored

    return Scored(before.at_risk.astype(float), before.at_risk * shares, 7)


def test_the_model_is_used_where_it_was_nearer_at_past_dates():
    cohorts = halved()
    knows, not_ = ([scored(cohorts, day, share) for day in (256, 257, 258)] for share in (0.55, 1.6))
    assert compare_methods(cohorts, knows).method == "model"
    comparison = compare_methods(cohorts, not_)
    assert (comparison.method, comparison.dates) == ("age", 3)
    assert comparison.age_error < comparison.model_error


def test_two_dates_do_not_suffice_and_unfinished_ones_do_not_count():
    cohorts = halved()
    past = [scored(cohorts, day, 0.55) for day in (256, 257, 295)]
    comparison = compare_methods(cohorts, past)
    assert (comparison.method, comparison.dates) == ("age", 2)
    assert compare_methods(cohorts, []).to_dict() == {
        "method": "age",
        "dates": 0,
        "age_error": None,
        "model_error": None,
    }


@pytest.mark.hypothesis
@given(st.lists(st.integers(1, 40 * DAY), min_size=1, max_size=9))
def test_ages_are_counted_as_cohorts_count_them(before):
    as_of, days = 100 * DAY + 7, 50
    signed_up = as_of - np.array(before, np.int64)
    day = (signed_up - (as_of - days * DAY)) // DAY
    cohorts = Cohorts.of(days, day, np.full(len(day), days), np.ones(len(day), int))
    result = scored_by_age(as_of, signed_up, np.full(len(day), 0.5), days + 2, 30)
    assert result.entities.tolist() == cohorts.at_risk.tolist()
    assert result.expected.sum() == pytest.approx(len(day) / 2)
