"""From tables to findings: each change is named once, and what another one explains is not."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from pql_model.config.load import parse_config
from pql_model.monitoring.conversion_feed import missing_conversions
from pql_model.monitoring.data_health import data_findings
from pql_model.sources.conversions import Conversions
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.entities import Entities
from pql_model.sources.events import EventLog
from pql_model.sources.read import Sources
from pql_model.time import DAY, HOUR

FIRST, DAYS, CHANGED = 19_001, 170, 150  # a Monday
AS_OF = (FIRST + DAYS) * DAY
CONFIG = """
name: watched
entity: account
events:
  - {table: web.csv, columns: {entity: account, event: event, time: time@web@}}
  - {table: backend.csv, columns: {entity: account, event: event, time: time@backend@}}
entities: {table: accounts.csv, columns: {entity: account, signed_up: created}}
conversions: {table: paid.csv, columns: {entity: account, time: time}}
motion: freemium
"""


@pytest.fixture(scope="module")
def quiet():
    """Forty accounts that act on most days, on weekends less, and two sign-ups a day that never do."""
    rng = np.random.default_rng(2)
    parts = []
    for event, share, table in (
        ("login", 0.8, "web"),
        ("board", 0.5, "web"),
        ("card", 0.5, "web"),
        ("run", 0.5, "backend"),
    ):
        day, account = np.nonzero(rng.random((DAYS, 40)) < share * np.where(np.arange(DAYS) % 7 < 5, 1, 0.3)[:, None])
        parts.append(pd.DataFrame({"entity": account, "event": event, "day": day, "source": table}))
    log = pd.concat(parts, ignore_index=True)
    log["time"] = (FIRST + log["day"]) * DAY + rng.integers(0, 20 * HOUR, len(log))
    log["known_at"] = log["time"] + rng.integers(0, HOUR, len(log))
    return log


@contextmanager
def opened(log, arrival=False, size=None, paid_until=None):
    signed_up = np.r_[np.full(40, FIRST - 50), FIRST + np.arange(DAYS).repeat(2)] * DAY
    people = pd.DataFrame({"entity": np.arange(len(signed_up)).astype(str), "signed_up": signed_up, "excluded": False})
    people["trait_size"] = "small" if size is None else size(signed_up // DAY - FIRST)
    log = log.assign(entity=log["entity"].astype(str), user=None, n=1.0)
    known_at = log["known_at"] if arrival else pd.array([None] * len(log), "Int64")
    log = log.assign(known_at=known_at, user=log["user"].astype("string"))
    mark = ", known_at: loaded" if arrival else ""
    config = parse_config(CONFIG.replace("@web@", mark).replace("@backend@", mark))
    with open_session("500MB") as con:
        table = con.create_table("log", log)
        parts = {f"{name}.csv": table.filter(table.source == name) for name in ("web", "backend")}
        paid = pd.DataFrame({"entity": ["0"], "time": [AS_OF - 80 * DAY], "value": [1.0]})
        if paid_until is not None:  # the second sign-up of each day pays
            day = np.arange(paid_until)
            names, time = (41 + 2 * day).astype(str), (FIRST + day) * DAY + 20 * HOUR
            paid = pd.DataFrame({"entity": names, "time": time, "value": 1.0})
        conversions = Conversions(con.create_table("paid", paid), 1, {})
        events = EventLog(table, len(log), {}, table.limit(0), 0, parts)
        yield (
            Sources(events, Entities(con.create_table("people", people), ("size",), {}), conversions, AS_OF, ()),
            config,
        )


def found(log, as_of=AS_OF, **kwargs):
    options = {name: kwargs.pop(name) for name in ("traits", "learnt_until") if name in kwargs}
    with opened(log, **kwargs) as (sources, config):
        return [(f.kind, f.subject, f.severity) for f in data_findings(sources, config, as_of, **options)]


def since(log):
    return log["day"] >= CHANGED


def test_a_quiet_product_has_no_finding(quiet):
    assert found(quiet) == []
    assert found(quiet, arrival=True) == []


def test_a_renamed_event_is_one_finding(quiet):
    renamed = quiet.assign(event=quiet["event"].mask(since(quiet) & quiet["event"].eq("card"), "card_moved"))

    assert found(renamed) == [("event_renamed", "card", "act")]


def test_what_happens_later_is_not_known_earlier(quiet):
    renamed = quiet.assign(event=quiet["event"].mask(since(quiet) & quiet["event"].eq("card"), "card_moved"))

    assert found(renamed, as_of=(FIRST + CHANGED) * DAY) == []


def test_a_table_that_is_missing_for_a_week_is_one_gap_and_not_of_its_events(quiet):
    gap = quiet["source"].eq("backend") & quiet["day"].between(CHANGED, CHANGED + 6)

    assert found(quiet[~gap]) == [("tracking_gap", "backend.csv", "act")]


def test_a_table_that_ends_early_is_late_and_its_events_have_not_stopped(quiet):
    late = quiet["source"].eq("backend") & (quiet["day"] >= DAYS - 6)

    assert found(quiet[~late]) == [("late_data", "backend.csv", "act")]


def test_a_week_missing_everywhere_is_one_gap(quiet):
    assert found(quiet[~quiet["day"].between(CHANGED, CHANGED + 6)]) == [("tracking_gap", "all events", "act")]


def test_one_event_missing_for_a_week_is_a_gap_of_it(quiet):
    gap = quiet["event"].eq("login") & quiet["day"].between(CHANGED, CHANGED + 6)

    assert found(quiet[~gap]) == [("tracking_gap", "login", "act")]


def test_everything_sent_twice_is_one_finding(quiet):
    twice = pd.concat([quiet, quiet[since(quiet)]], ignore_index=True)

    assert found(twice) == [("volume_changed", "all events", "act")]


def test_rows_late_in_all_tables_are_one_finding(quiet):
    late = quiet.assign(known_at=quiet["known_at"] + 3 * DAY * since(quiet))

    assert found(late, arrival=True) == [("late_data", "all events", "act")]


def test_rows_late_without_a_column_of_arrival_are_missing_at_the_end(quiet):
    assert found(quiet[quiet["day"] < DAYS - 5]) == [("late_data", "all events", "act")]


def test_a_trait_that_the_model_does_not_read_is_not_judged(quiet):
    def recoded(day):
        return np.where(day >= 130, "S", "small")

    assert found(quiet, size=recoded) == [("trait_changed", "size", "act")]
    assert found(quiet, size=recoded, traits=[]) == []


def test_a_change_since_the_model_learnt_is_found_however_long_ago(quiet):
    stopped = quiet[~(quiet["event"].eq("card") & (quiet["day"] >= 90))]

    assert found(stopped, learnt_until=(FIRST + 80) * DAY) == [("event_stopped", "card", "act")]
    assert found(stopped) == []


def test_payments_that_end_before_the_events_are_found_and_named_once(quiet):
    assert found(quiet, paid_until=DAYS) == []
    assert found(quiet, paid_until=CHANGED) == [("event_stopped", "conversions", "act")]


def test_where_the_events_end_too_no_payment_was_due(quiet):
    assert found(quiet[quiet["day"] < DAYS - 5], paid_until=DAYS - 5) == [("late_data", "all events", "act")]


def test_what_must_be_repaired_before_a_training_is_named(quiet):
    with opened(quiet, paid_until=CHANGED) as (sources, config):
        missing = missing_conversions(sources, config, AS_OF)
        assert missing is not None
        assert missing.kind == "event_stopped"
        assert missing_conversions(sources, config, (FIRST + CHANGED) * DAY) is None
        assert missing_conversions(sources, config, FIRST * DAY) is None


def test_too_short_a_past_says_nothing(quiet):
    assert found(quiet[quiet["day"] >= DAYS - 60]) == []


def test_without_events_there_is_nothing_to_say(quiet):
    assert found(quiet, as_of=FIRST * DAY - 100 * DAY) == []
