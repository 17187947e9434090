"""The end of the data: the newest event, and payments that keep coming after it."""

from __future__ import annotations

import pytest
from staging import log, read_shop

from pql_model import time
from pql_model.errors import DataError
from pql_model.sources.data_end import refuse_after_end
from pql_model.time import DAY, iso, parse_instant

JAN_1 = parse_instant("2026-01-01")
ACCOUNTS = "account,signed_up\n" + "".join(f"a{n},2025-12-01\n" for n in range(60))
EVENTS = log(*[f"a{n},u,login,{iso(JAN_1 + n * DAY)}" for n in range(60)])  # until 2026-03-01


def ends(home, days, **keys):
    """(observed_until, events_until, conversions, set aside, warnings) with one payment on each of these days."""
    rows = "".join(f"a{n},{iso(JAN_1 + day * DAY)},9\n" for n, day in enumerate(days))
    product = read_shop(home, EVENTS, ACCOUNTS, "account,paid_at,mrr\n" + rows, **keys)
    sources = product.sources
    about_end = [warning for warning in sources.warnings if "later than the newest event" in warning]
    return (
        (sources.observed_until - JAN_1) // DAY,
        (sources.events_until - JAN_1) // DAY,
        len(product.conversions),
        sources.conversions.set_aside,
        about_end,
    )


STEADY = tuple(range(2, 60, 2))


@pytest.mark.parametrize(
    ("days", "end", "used"),
    [
        (STEADY, 59, 29),
        ((*STEADY, 60, 62, 64, 67, 69), 69, 34),  # exported ten days after the log
        ((*STEADY, 61), 61, 30),  # the last payment of the export
        ((*STEADY, 180), 59, 29),  # a date that was only planned
        ((*STEADY, 61, 63, 65, 200), 65, 32),
        ((*STEADY, 90, 120, 150, 180), 59, 29),  # planned renewals: a quarter of the pace
    ],
)
def test_payments_extend_the_data_while_they_keep_their_pace(tmp_path, days, end, used):
    observed, events, conversions, set_aside, warnings = ends(tmp_path, days)

    assert (observed, events, conversions) == (end, 59, used)
    assert set_aside == ({"after_observed_until": len(days) - used} if used < len(days) else {})
    assert len(warnings) == (used < len(days))


def test_a_payment_that_does_not_count_moves_nothing(tmp_path):
    rows = "".join(
        f"a{n},{iso(JAN_1 + day * DAY)},{value}\n" for n, (day, value) in enumerate([(50, 9), (61, 0), (62, -9)])
    )
    sources = read_shop(tmp_path, EVENTS, ACCOUNTS, "account,paid_at,mrr\n" + rows).sources

    assert sources.observed_until == JAN_1 + 59 * DAY


def test_dates_after_the_present_are_never_used(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "now", lambda: JAN_1 + 64 * DAY)

    assert ends(tmp_path, (*STEADY, 61, 63, 65, 67, 69))[:3] == (63, 59, 31)


def test_the_config_has_the_last_word(tmp_path):
    assert ends(tmp_path, (*STEADY, 180), observed_until="2026-12-31")[:3] == (364, 364, 30)


def test_the_arrival_of_rows_does_not_move_the_end_and_a_counted_period_does(tmp_path):
    columns = {"entity": "account", "event": "action", "time": "at", "known_at": "loaded"}
    late = log("a0,x,2026-01-10,2026-01-10", "a1,x,2026-01-12,2026-06-01", header="account,action,at,loaded\n")
    no_pay = "account,paid_at,mrr\na0,2026-01-05,9\n"
    imported = read_shop(tmp_path / "1", late, ACCOUNTS, no_pay, log={"columns": columns}).sources
    weekly = {
        "columns": {"entity": "account", "time": "at"},
        "counts": {"mails": "n"},
        "covers": "7d",
    }
    counted = read_shop(
        tmp_path / "2", log("a0,2026-01-05,3", header="account,at,n\n"), ACCOUNTS, no_pay, log=weekly
    ).sources

    assert iso(imported.observed_until) == "2026-01-12"
    assert iso(counted.observed_until) == "2026-01-12"


def test_an_instant_after_the_end_is_refused_with_the_latest_one():
    refuse_after_end(JAN_1, JAN_1, "A look is taken")
    with pytest.raises(DataError, match="A look is taken where the data end, or before") as refused:
        refuse_after_end(JAN_1 + DAY, JAN_1, "A look is taken")
    assert "2026-01-01" in str(refused.value)
