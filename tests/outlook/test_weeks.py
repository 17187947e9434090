"""The forecast of a steady product with known numbers."""

import numpy as np
import pytest

from pql_model.outlook.cohorts import Cohorts
from pql_model.outlook.daily_history import History
from pql_model.outlook.weeks import make_outlook
from pql_model.time import DAY, WEEK

NEVER = 10_000


def history(days=260, seed=1, values=True, payers=4.0):
    """40 sign-ups a day; four of them pay after a week, 50 to 150 each."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    paid = rng.poisson(payers, days)
    cohorts = Cohorts.of(
        days, np.tile(day, 2), np.concatenate([day + 7, np.full(days, NEVER)]), np.concatenate([paid, 40 - paid])
    )
    when = np.repeat(day + 7, paid)
    when = when[when < days]
    return History(
        1000 * DAY,
        cohorts,
        when if values else np.empty(0, int),
        rng.uniform(50, 150, len(when)) if values else np.empty(0),
    )


def test_the_weeks_add_up_and_follow_each_other():
    outlook = make_outlook(history(), weeks=4)
    total, weeks = outlook.total, outlook.weeks
    assert total.conversions.value == pytest.approx(112, rel=0.12)
    assert total.conversions.value == pytest.approx(sum(week.conversions.value for week in weeks))
    assert total.value.value == pytest.approx(sum(week.value.value for week in weeks))
    assert total.conversions.value == pytest.approx(total.at_risk + total.still_to_sign_up)
    assert [week.from_ for week in weeks] == [1000 * DAY + k * WEEK for k in range(4)]
    assert total.sign_ups.value == pytest.approx(1120, rel=0.03)
    assert weeks[0].still_to_sign_up < 1 < weeks[0].at_risk


def test_the_value_is_that_of_a_conversion_times_their_number():
    outlook = make_outlook(history(), weeks=4)
    assert outlook.value.overall.value == pytest.approx(100, rel=0.05)
    assert outlook.total.value.value == pytest.approx(
        outlook.total.conversions.value * outlook.value.overall.value, rel=1e-9
    )
    assert outlook.total.value.low < outlook.total.value.value < outlook.total.value.high
    assert make_outlook(history(values=False), weeks=4).total.value is None


def test_past_dates_are_checked_with_what_was_known_then():
    full = history()
    outlook = make_outlook(full, weeks=4)
    assert len(outlook.checked) == 8
    assert sum(date.held for date in outlook.checked) >= 7
    last = outlook.checked[-1]
    day = full.cohorts.days - (1000 * DAY - last.as_of) // DAY
    then = make_outlook(History(last.as_of, full.cohorts.before(day), full.value_day, full.value), weeks=4)
    assert vars(last.conversions) == pytest.approx(vars(then.total.conversions))
    assert last.observed == full.cohorts.conversions[day : day + 28].sum()


def test_a_short_past_has_a_wide_interval_and_no_check():
    short = make_outlook(history(days=30), weeks=4)
    assert short.checked == ()
    long = make_outlook(history(), weeks=4)
    widths = [(each.high - each.low) / each.value for each in (short.total.conversions, long.total.conversions)]
    assert widths[0] > widths[1]


def test_after_a_year_without_a_conversion_hardly_any_is_expected():
    full = history(days=500)
    counts = full.cohorts.counts.copy()
    counts[:, -1] += counts[:, 135:-1].sum(axis=1)
    counts[:, 135:-1] = 0
    outlook = make_outlook(History(0, Cohorts(counts, full.cohorts.older), np.empty(0), np.empty(0)), weeks=4)
    assert outlook.total.conversions.low == 0
    assert outlook.total.conversions.value < 20
    assert outlook.past_weeks[-1][1] == 0


def test_a_week_of_data_is_forecast():
    outlook = make_outlook(history(days=8, payers=8), weeks=2)
    assert np.isfinite(outlook.total.conversions.high)
