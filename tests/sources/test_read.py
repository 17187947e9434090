"""All tables of a product: matching ids, the end of the data, and warnings."""

from __future__ import annotations

import pytest
from staging import ACCOUNTS, CONVERSIONS, EVENTS, log, put, read_shop

from pql_model import time
from pql_model.errors import DataError
from pql_model.time import DAY, parse_instant

JAN_10 = parse_instant("2026-01-10")


class TestIds:
    def test_numbers_in_one_table_match_texts_in_another(self, tmp_path):
        events = {"account": [1, 2], "person": ["u", "u"], "action": ["x", "x"], "at": ["2026-01-10"] * 2}
        accounts = {"account": ["1.0", " 2 "], "signed_up": ["2026-01-05"] * 2}
        paid = {"account": [1.0], "paid_at": ["2026-01-20"], "mrr": [1]}
        product = read_shop(tmp_path, events, accounts, paid)

        assert [row["entity"] for row in product.events] == ["1", "2"]
        assert (product.set_aside, product.sources.conversions.set_aside) == ({}, {})

    def test_mismatched_ids_are_refused_with_examples_of_both(self, tmp_path):
        events = log("acc_9,u,login,2026-01-10", "acc_8,u,login,2026-01-10")
        expected = (
            r"No entity of events\.csv is listed in accounts\.csv: the ids do not match\. "
            r"Received: acc_8, acc_9 in events\.csv\. Allowed: ids such as a, b, c"
        )

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, events)

    def test_table_with_mismatched_ids_is_named(self, tmp_path):
        put(tmp_path, "lessons.csv", "student,at\n17,2026-01-10\n")
        lessons = {"table": "lessons.csv", "event": "lesson", "columns": {"entity": "student", "time": "at"}}

        with pytest.raises(DataError, match=r"No entity of lessons\.csv is listed in accounts\.csv"):
            read_shop(tmp_path, more=[lessons])

    def test_ids_are_case_sensitive(self, tmp_path):
        with pytest.raises(DataError, match=r"the ids do not match"):
            read_shop(tmp_path, log("A,u,login,2026-01-10"))


class TestTheEndOfTheData:
    def test_is_the_newest_event_or_payment_and_not_the_newest_sign_up(self, tmp_path):
        sources = read_shop(tmp_path, EVENTS, ACCOUNTS + "d,2026-01-25\n").sources

        assert sources.observed_until == parse_instant("2026-01-20")
        assert sources.events_until == parse_instant("2026-01-14")

    def test_is_not_moved_by_entities_that_do_not_count(self, tmp_path):
        stray = EVENTS + "zz_test,u,login,2026-02-09\nd,u,login,2026-02-09\n"
        accounts = "account,signed_up,kind\n" + "".join(f"{a},2026-01-05,real\n" for a in "abc") + "d,2026-01-05,test\n"
        for keys in ({"who": {"where": {"kind": ["real"]}}}, {"exclude": {"entities": {"kind": ["test"]}}}):
            assert read_shop(tmp_path, stray, accounts, **keys).sources.events_until == parse_instant("2026-01-14")

    def test_is_what_the_config_says(self, tmp_path):
        assert read_shop(tmp_path, observed_until="2026-01-12").sources.observed_until == parse_instant("2026-01-12")

    def test_is_not_moved_by_timestamps_in_the_future(self, tmp_path, monkeypatch):
        monkeypatch.setattr(time, "now", lambda: parse_instant("2026-06-01"))
        rows = [
            "a,u,login,2026-01-28",
            "a,u,login,2031-05-05",
            "b,u,login,2099-12-31",
            "a,u,login,2026-06-01T00:00:01Z",
        ]
        product = read_shop(tmp_path, log(*rows), ACCOUNTS + "d,2031-01-01\n", CONVERSIONS + "b,2031-01-01,1\n")

        assert product.sources.observed_until == parse_instant("2026-01-28")
        assert product.set_aside == {"after_observed_until": 3}

    def test_the_present_instant_itself_is_not_in_the_future(self, tmp_path, monkeypatch):
        monkeypatch.setattr(time, "now", lambda: parse_instant("2026-01-28"))

        assert read_shop(tmp_path, log("a,u,login,2026-01-28")).sources.observed_until == parse_instant("2026-01-28")

    def test_data_from_the_future_only_are_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(time, "now", lambda: parse_instant("2025-01-01"))

        with pytest.raises(DataError, match=r"No table has a time in the past\. Fix: check the time columns"):
            read_shop(tmp_path)

    def test_before_all_events_is_refused_with_both_instants(self, tmp_path):
        expected = (
            r"All events are later than observed_until\. "
            r"Received: observed_until 2026-01-09, first event 2026-01-10\. Fix: correct `observed_until`"
        )

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, observed_until="2026-01-09")

    def test_late_events_are_set_aside_and_the_rest_is_read(self, tmp_path):
        product = read_shop(tmp_path, observed_until="2026-01-11")

        assert (len(product.events), product.set_aside) == (6, {"after_observed_until": 9})


class TestNothingLeft:
    def test_an_empty_log_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"No usable event is left\. Received: tables without rows"):
            read_shop(tmp_path, log())

    def test_log_without_usable_rows_is_refused_with_the_reasons(self, tmp_path):
        rows = ["a,u,login,soon", "a,bot,login,2026-01-10", "a,u,login,2026-01-01"]
        expected = r"No usable event is left\. Received: 1 unparsable_time, 1 bot, 1 before_signup"

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, log(*rows))

    def test_one_entity_with_one_event_is_read(self, tmp_path):
        product = read_shop(tmp_path, log("a,u,login,2026-01-10"), "account,signed_up\na,2026-01-05\n")

        assert (len(product.events), len(product.entities), len(product.conversions)) == (1, 1, 1)

    def test_a_table_of_entities_that_is_mostly_unusable_stops_the_run(self, tmp_path):
        accounts = "account,signed_up\na,2026-01-05\nb,\nc,soon\n,2026-01-05\n"
        expected = r"3 of 4 rows of accounts\.csv cannot be used.*1 no_entity .*2 unparsable_time"

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, accounts=accounts, max_set_aside=0.7)


class TestZones:
    def test_log_with_mixed_offsets_is_refused(self, tmp_path):
        rows = ["a,u,login,2026-01-10T10:00:00Z", "a,u,login,2026-01-10T10:00:00", "a,u,login,2026-01-10"]

        with pytest.raises(
            DataError, match=r"events\.csv: the times of `at` mix time zones.*1 with an offset, 1 without"
        ):
            read_shop(tmp_path, log(*rows))

    def test_arrivals_with_mixed_offsets_are_refused(self, tmp_path):
        columns = {"entity": "account", "event": "action", "time": "at", "known_at": "loaded"}
        rows = ["a,x,2026-01-10,2026-01-10T10:00:00Z", "a,x,2026-01-10,2026-01-10 10:00"]

        with pytest.raises(DataError, match=r"events\.csv: the times of `loaded` mix time zones"):
            read_shop(tmp_path, log(*rows, header="account,action,at,loaded\n"), log={"columns": columns})

    def test_unreadable_rows_do_not_count_as_mixed(self, tmp_path):
        rows = ["a,u,login,2026-01-10T10:00:00Z", "a,u,login,10:00 o'clock"]

        assert read_shop(tmp_path, log(*rows)).set_aside == {"unparsable_time": 1}

    def test_tables_may_differ(self, tmp_path):
        accounts = "account,signed_up\na,2026-01-05T10:00:00+02:00\n"

        assert read_shop(tmp_path, log("a,u,login,2026-01-10T10:00:00"), accounts).set_aside == {}


class TestResolution:
    ACCOUNTS = "account,signed_up\na,2026-01-10T15:00:00Z\n"

    def test_by_the_day_the_day_of_sign_up_counts(self, tmp_path):
        product = read_shop(tmp_path, log("a,u,login,2026-01-10"), self.ACCOUNTS, resolution="day")

        assert (product.events[0]["time"], product.entities[0]["signed_up"]) == (JAN_10, JAN_10)
        assert (product.set_aside, product.sources.warnings) == ({}, ())

    def test_by_the_day_every_time_of_every_table_is_its_date(self, tmp_path):
        columns = {"entity": "account", "event": "action", "time": "at", "known_at": "loaded"}
        rows = log("a,x,2026-01-11T23:59:59Z,2026-01-12T01:00:00Z", header="account,action,at,loaded\n")
        paid = "account,paid_at,mrr\na,2026-01-20T20:00:00Z,1\n"
        product = read_shop(tmp_path, rows, self.ACCOUNTS, paid, resolution="day", log={"columns": columns})

        assert (product.events[0]["time"], product.events[0]["known_at"]) == (JAN_10 + DAY, JAN_10 + 2 * DAY)
        assert product.conversions[0]["time"] == JAN_10 + 10 * DAY

    def test_dates_beside_sign_ups_with_a_time_of_day_warn(self, tmp_path):
        product = read_shop(tmp_path, log("a,u,login,2026-01-10", "a,u,login,2026-01-11"), self.ACCOUNTS)

        assert product.set_aside == {"before_signup": 1}
        assert len(product.sources.warnings) == 1
        assert product.sources.warnings[0].startswith("Events have dates only while sign-ups have a time of day")


class TestWarnings:
    def test_clean_data_give_no_warnings(self, tmp_path):
        assert read_shop(tmp_path).sources.warnings == ()

    def test_log_that_ends_long_before_the_data_warns(self, tmp_path):
        warnings = read_shop(tmp_path, observed_until="2026-03-31").sources.warnings

        assert len(warnings) == 1
        assert warnings[0].startswith("Only 0 of 15 events lie in the last 30 days before observed_until (2026-03-31).")
