"""Tables of three shapes become one log, and every other row has exactly one reason."""

from __future__ import annotations

import random

import pytest
from staging import log, put, read_shop, shop

from pql_model.errors import DataError
from pql_model.sources.events import REASONS, value_names
from pql_model.time import DAY, HOUR, parse_instant

JAN_10 = parse_instant("2026-01-10")
JAN_12 = JAN_10 + 2 * DAY


def counted(home, *rows, **keys):
    """The reasons of a log, beside one row that is fine."""
    return read_shop(home, log("a,u,login,2026-01-10", *rows), **keys).set_aside


class TestALog:
    def test_a_row_becomes_an_event_known_when_it_happened(self, tmp_path):
        assert read_shop(tmp_path, log("a,u1,Teammate Invited 🚀,2026-01-10T12:00:00Z")).events == [
            {
                "entity": "a",
                "user": "u1",
                "event": "Teammate Invited 🚀",
                "time": JAN_10 + 12 * HOUR,
                "known_at": None,
                "n": 1.0,
                "users": None,
            }
        ]

    def test_row_without_a_user_has_no_user(self, tmp_path):
        assert read_shop(tmp_path, log("a,,login,2026-01-10", "a,null,login,2026-01-11")).events[0]["user"] is None

    def test_values_are_numbers_or_missing(self, tmp_path):
        rows = ["a,u,login,2026-01-10,1.5", "a,u,login,2026-01-11,", "a,u,login,2026-01-12,x"]
        header = "account,person,action,at,mb\n"
        product = read_shop(tmp_path, log(*rows, header=header), log={"values": {"megabytes": "mb"}})

        assert [event["value_megabytes"] for event in product.events] == [1.5, None, None]

    def test_events_that_happen_at_once_all_count(self, tmp_path):
        assert len(read_shop(tmp_path, log(*["a,u,login,2026-01-10T10:00:00Z"] * 3)).events) == 3

    def test_event_called_any_is_renamed(self, tmp_path):
        assert read_shop(tmp_path, log("a,u,any,2026-01-10")).events[0]["event"] == "any (event)"

    def test_names_of_events_that_are_numbers_are_texts(self, tmp_path):
        product = read_shop(tmp_path, {"account": ["a"], "person": ["u"], "action": [17.0], "at": ["2026-01-10"]})

        assert product.events[0]["event"] == "17"

    def test_every_row_read_is_an_event_or_set_aside(self, tmp_path):
        rows = ["a,u,login,2026-01-10", "b,u,login,soon", ",u,login,2026-01-10", "x,u,login,2026-01-10", "too,few"]
        product = read_shop(tmp_path, log(*rows))

        assert product.sources.events.rows_read == 5
        assert len(product.events) + sum(product.set_aside.values()) == 5


class TestReasons:
    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("a,u,login", "broken_line"),
            ('"a,u,login,2026-01-10', "broken_line"),
            (",u,login,2026-01-10", "no_entity"),
            ("nan,u,login,2026-01-10", "no_entity"),
            ("a,u,,2026-01-10", "no_event"),
            ("a,u,login,", "unparsable_time"),
            ("a,u,login,soon", "unparsable_time"),
            ("a,u,login,9999-12-31", "unparsable_time"),
            ("a,googlebot,login,2026-01-10", "bot"),
            ("x,u,login,2026-01-10", "unknown_entity"),
            ("a,u,login,2026-01-04T23:59:59Z", "before_signup"),
            ("a,u,login,2026-01-31T00:00:01Z", "after_observed_until"),
        ],
    )
    def test_each_reason_alone(self, tmp_path, row, reason):
        assert counted(tmp_path, row, observed_until="2026-01-31") == {reason: 1}

    def test_events_at_sign_up_and_at_the_end_of_the_data_count(self, tmp_path):
        rows = ["a,u,login,2026-01-05", "a,u,login,2026-01-31"]

        assert counted(tmp_path, *rows, observed_until="2026-01-31") == {}

    def test_row_with_several_problems_has_the_first_reason(self, tmp_path):
        """Row by row, the faults are taken away from the front: each row has one reason fewer to choose from."""
        header = "account,person,action,at,id\n"
        rows = [
            ",googlebot,,soon,1",
            "x,googlebot,,soon,1",
            "x,googlebot,login,soon,1",
            "x,googlebot,login,2025-01-01,1",  # the first row that can be read keeps the id ...
            "x,googlebot,login,2025-01-02,1",  # ... so this one is a duplicate, not a bot
            "x,blocked,login,2025-01-01,2",
            "x,u,login,2025-01-01,3",
            "a,u,login,2025-01-01,4",
            "a,u,login,2031-01-01,5",
            "a,u,login,2026-01-10,6",
            "nothing at all",
            ",tester,,soon,1",
            "a,u,login,2026-01-10,6",
        ]
        product = read_shop(
            tmp_path,
            log(*rows, header=header).encode() + b"a,u,\xff,2026-01-10,7\n",
            exclude={"users": ["blocked"]},
            observed_until="2026-01-31",
            log={
                "columns": {"entity": "account", "user": "person", "event": "action", "time": "at", "id": "id"},
                "where": {"person": {"not": ["tester"]}},
                "drop_repeats": True,
            },
        )

        of_an_account = [reason for reason in REASONS if reason not in ("no_user", "no_membership")]
        assert product.set_aside == dict.fromkeys(of_an_account, 1)
        assert list(product.set_aside) == of_an_account
        assert len(product.events) == 1
        assert product.sources.events.rows_read == 14

    def test_reasons_are_counted_by_table_and_in_total(self, tmp_path):
        lesson = {"table": "more.csv", "event": "lesson", "columns": {"entity": "who", "time": "when"}}
        put(tmp_path, "more.csv", "who,when\nb,soon\n,2026-01-10\nb,2026-01-12\n")
        product = read_shop(tmp_path, log("a,u,login,soon", "a,u,login,2026-01-10"), more=[lesson, lesson])

        assert product.sources.events.set_aside == {
            "events.csv": {"unparsable_time": 1},
            "more.csv": {"no_entity": 1, "unparsable_time": 1},
            "more.csv#2": {"no_entity": 1, "unparsable_time": 1},
        }
        assert product.set_aside == {"no_entity": 2, "unparsable_time": 3}
        assert (product.sources.events.rows_read, len(product.events)) == (8, 3)

    def test_mostly_unusable_table_stops_the_run_with_counts(self, tmp_path):
        rows = ["a,u,login,2026-01-10", "a,u,login,soon", "x,u,login,2026-01-10", "a,u"]
        expected = (
            r"3 of 4 rows of events\.csv cannot be used, more than the share `max_set_aside: 0\.7`\. "
            r"Received: 1 broken_line \(.*\), 1 unparsable_time \(.*\), 1 unknown_entity \(.*\)\. Fix: correct"
        )

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, log(*rows), max_set_aside=0.7)

    def test_a_table_at_the_stated_share_is_used(self, tmp_path):
        rows = ["a,u,login,2026-01-10", "a,u,login,soon"]

        assert read_shop(tmp_path, log(*rows), max_set_aside=0.5).set_aside == {"unparsable_time": 1}


class TestDuplicates:
    COLUMNS = {"entity": "account", "user": "person", "event": "action", "time": "at", "id": "id"}  # noqa: RUF012
    HEADER = "account,person,action,at,id,loaded,size\n"

    def read(self, tmp_path, *rows, known=True):
        columns = {**self.COLUMNS, "known_at": "loaded"} if known else self.COLUMNS
        return read_shop(tmp_path, log(*rows, header=self.HEADER), log={"columns": columns, "values": {"size": "size"}})

    def test_the_row_that_arrived_first_stays(self, tmp_path):
        product = self.read(
            tmp_path,
            "a,u,login,2026-01-10,1,2026-01-14,7",
            "a,u,login,2026-01-10,1,2026-01-12,8",
            "a,u,login,2026-01-10,1,2026-01-13,9",
        )

        assert [(e["known_at"], e["value_size"]) for e in product.events] == [(JAN_10 + 2 * DAY, 8.0)]
        assert product.set_aside == {"duplicate_id": 2}

    def test_a_row_without_arrival_arrived_when_it_happened(self, tmp_path):
        product = self.read(tmp_path, "a,u,login,2026-01-10,1,2026-01-14,7", "a,u,login,2026-01-11,1,,8")

        assert [(e["time"], e["known_at"]) for e in product.events] == [(JAN_10 + DAY, None)]

    def test_without_arrivals_the_row_that_happened_first_stays(self, tmp_path):
        product = self.read(tmp_path, "a,u,login,2026-01-12,1,,7", "a,u,login,2026-01-10,1,,8", known=False)

        assert [e["value_size"] for e in product.events] == [8.0]

    def test_of_rows_that_differ_in_a_value_only_the_smallest_stays_in_any_order(self, tmp_path):
        rows = [f"a,u,login,2026-01-1{day},{day},,{size}" for day in range(5) for size in range(1, 9)]
        random.Random(7).shuffle(rows)

        assert [e["value_size"] for e in self.read(tmp_path, *rows).events] == [1.0] * 5

    def test_rows_without_an_id_are_never_duplicates(self, tmp_path):
        rows = ["a,u,login,2026-01-10,,,1", "a,u,login,2026-01-10,,,1", "a,u,login,2026-01-10,nan,,1"]

        product = self.read(tmp_path, *rows)

        assert (len(product.events), product.set_aside) == (3, {})

    def test_an_id_repeats_within_an_entity_only(self, tmp_path):
        """Exports write an event of two accounts as two rows with one id."""
        product = self.read(
            tmp_path, "a,u,login,2026-01-10,1,,", "b,u,login,2026-01-10,1,,", "b,u,login,2026-01-10,1,,"
        )

        assert ([e["entity"] for e in product.events], product.set_aside) == (["a", "b"], {"duplicate_id": 1})

    def test_an_id_is_the_same_as_a_number_and_as_a_text(self, tmp_path):
        assert self.read(tmp_path, "a,u,login,2026-01-10,12,,", "a,u,login,2026-01-11,12.0,,").set_aside == {
            "duplicate_id": 1
        }

    def test_unusable_row_does_not_claim_an_id(self, tmp_path):
        product = self.read(tmp_path, ",u,login,2026-01-01,1,,", "a,u,login,soon,1,,", "a,u,login,2026-01-10,1,,")

        assert (len(product.events), product.set_aside) == (1, {"no_entity": 1, "unparsable_time": 1})

    def test_a_repeated_row_of_a_bot_is_a_duplicate_first(self, tmp_path):
        product = self.read(tmp_path, *["a,googlebot,login,2026-01-10,1,,"] * 3, "a,u,login,2026-01-10,2,,")

        assert product.set_aside == {"duplicate_id": 2, "bot": 1}

    def test_ids_are_compared_within_a_table(self, tmp_path):
        put(tmp_path, "lessons.csv", "who,when,id\na,2026-01-10,1\n")
        lessons = {"table": "lessons.csv", "event": "lesson", "columns": {"entity": "who", "time": "when", "id": "id"}}
        rows = log("a,u,login,2026-01-10,1,,", header=self.HEADER)
        product = read_shop(tmp_path, rows, log={"columns": self.COLUMNS}, more=[lessons])

        assert (len(product.events), product.set_aside) == (2, {})


class TestArrival:
    COLUMNS = {"entity": "account", "event": "action", "time": "at", "known_at": "loaded"}  # noqa: RUF012

    def read(self, tmp_path, *loaded):
        rows = [f"a,login,2026-01-10T0{place}:00:00Z,{when}" for place, when in enumerate(loaded)]
        return read_shop(tmp_path, log(*rows, header="account,action,at,loaded\n"), log={"columns": self.COLUMNS})

    def test_a_late_row_is_known_when_it_arrived(self, tmp_path):
        product = self.read(tmp_path, "2026-01-12T00:00:00Z", "")

        assert [event["known_at"] for event in product.events] == [JAN_10 + 2 * DAY, None]

    def test_unreadable_arrival_is_set_aside(self, tmp_path):
        product = self.read(tmp_path, "2026-01-12T00:00:00Z", "soon")

        assert (len(product.events), product.set_aside) == (1, {"unparsable_time": 1})

    def test_an_arrival_does_not_move_the_end_of_the_data(self, tmp_path):
        assert self.read(tmp_path, "2026-02-03T00:00:00Z").sources.observed_until == parse_instant("2026-01-20")


class TestOneEventATable:
    def test_every_row_is_that_event(self, tmp_path):
        columns = {"entity": "student_id", "time": "date_watched"}
        rows = "student_id,date_watched,minutes_watched\na,2026-01-10,12.5\nb,2026-01-11,\n"
        keys = {"log": {"columns": columns, "event": "lesson_watched", "values": {"minutes": "minutes_watched"}}}

        assert read_shop(tmp_path, rows, **keys).events == [
            {
                "entity": "a",
                "user": None,
                "event": "lesson_watched",
                "time": JAN_10,
                "known_at": None,
                "n": 1.0,
                "users": None,
                "value_minutes": 12.5,
            },
            {
                "entity": "b",
                "user": None,
                "event": "lesson_watched",
                "time": JAN_10 + DAY,
                "known_at": None,
                "n": 1.0,
                "users": None,
                "value_minutes": None,
            },
        ]


class TestAlreadyCounted:
    LOG = {  # noqa: RUF012
        "columns": {"entity": "portal", "time": "week"},
        "counts": {"email_sent": "EMAILS", "deal_edited": "DEALS"},
        "users": {"email_sent": "USERS"},
        "covers": "7d",
    }
    HEADER = "portal,week,EMAILS,DEALS,USERS\n"

    def read(self, tmp_path, *rows, **keys):
        return read_shop(tmp_path, log(*rows, header=self.HEADER), log=self.LOG, **keys)

    def test_each_count_is_a_row_known_when_its_time_is_over(self, tmp_path):
        assert self.read(tmp_path, "a,2026-01-12,40,3,2").events == [
            {
                "entity": "a",
                "user": None,
                "event": "deal_edited",
                "time": JAN_12,
                "known_at": JAN_12 + 7 * DAY,
                "n": 3.0,
                "users": None,
            },
            {
                "entity": "a",
                "user": None,
                "event": "email_sent",
                "time": JAN_12,
                "known_at": JAN_12 + 7 * DAY,
                "n": 40.0,
                "users": 2.0,
            },
        ]

    def test_zero_and_missing_counts_give_no_rows(self, tmp_path):
        product = self.read(tmp_path, "a,2026-01-12,0,,", "a,2026-01-19,0,2,0", "b,2026-01-12,,0,")

        assert [(e["entity"], e["event"], e["n"]) for e in product.events] == [("a", "deal_edited", 2.0)]
        assert product.set_aside == {}

    def test_a_row_that_cannot_be_used_is_one_row_however_much_it_counts(self, tmp_path):
        rows = [
            "a,2026-01-12,1,1,1",
            "x,2026-01-12,1,1,1",  # unknown, two counts
            "x,2026-01-12,0,0,0",  # unknown, no count
            ",2026-01-12,1,1,1",
            "a,soon,1,1,1",
            "a,2025-12-29,1,1,1",  # before the sign-up, two counts
            "a,2031-01-06,1,0,1",
        ]
        product = self.read(tmp_path, *rows)

        assert product.set_aside == {
            "no_entity": 1,
            "unparsable_time": 1,
            "unknown_entity": 2,
            "before_signup": 1,
            "after_observed_until": 1,
        }
        assert (product.sources.events.rows_read, len(product.events)) == (7, 2)

    def test_several_counts_in_an_unusable_row_are_one_unusable_row(self, tmp_path):
        """One unknown portal among four rows is a quarter, not more than half, of the table."""
        rows = ["a,2026-01-12,1,1,1", "b,2026-01-12,0,1,1", "c,2026-01-12,0,0,0", "x,2026-01-12,1,1,1"]

        assert self.read(tmp_path, *rows, max_set_aside=0.3).set_aside == {"unknown_entity": 1}

    def test_the_end_of_the_last_row_that_is_over_is_the_end_of_the_data(self, tmp_path):
        product = self.read(tmp_path, "a,2026-01-12,1,1,1", "a,2026-01-19,1,1,1")

        assert product.sources.observed_until == parse_instant("2026-01-26")

    def test_arrival_before_the_end_of_the_period_is_ignored(self, tmp_path):
        keys = {**self.LOG, "columns": {**self.LOG["columns"], "known_at": "loaded"}, "users": {}}
        rows = ["a,2026-01-12,1,0,2026-01-13", "b,2026-01-12,1,0,2026-01-25", "c,2026-01-12,1,0,"]
        product = read_shop(tmp_path, log(*rows, header="portal,week,EMAILS,DEALS,loaded\n"), log=keys)

        assert [e["known_at"] for e in product.events] == [
            parse_instant(day) for day in ("2026-01-19", "2026-01-25", "2026-01-19")
        ]

    def test_negative_number_of_users_is_unknown(self, tmp_path):
        events = self.read(tmp_path, "a,2026-01-12,40,,-2", "b,2026-01-12,1,,0").events
        assert [event["users"] for event in events] == [None, 0.0]

    def test_unreadable_and_negative_counts_warn(self, tmp_path):
        product = self.read(tmp_path, "a,2026-01-12,40,n/a,2", "a,2026-01-19,-3,5,2")

        assert [(e["event"], e["n"]) for e in product.events] == [("email_sent", 40.0), ("deal_edited", 5.0)]
        assert product.sources.warnings == (
            "1 values of `DEALS` in events.csv are not numbers and count as missing.",
            "1 counts of `EMAILS` in events.csv are negative and count as 0.",
        )

    def test_column_of_counts_without_numbers_is_refused(self, tmp_path):
        with pytest.raises(
            DataError, match=r"Column `EMAILS` of events\.csv does not hold numbers\. Received: 2 texts"
        ):
            self.read(tmp_path, "a,2026-01-12,many,3,2", "a,2026-01-19,few,3,2")
        with pytest.raises(
            DataError, match=r"Column `EMAILS` of events\.csv can be read in two ways.*`thousands: ','`"
        ):
            self.read(tmp_path, 'a,2026-01-12,"1,200",3,2', 'a,2026-01-19,"1,300",3,2')

    def test_empty_column_of_counts_gives_no_events(self, tmp_path):
        assert len(self.read(tmp_path, "a,2026-01-12,,3,2").events) == 1


class TestValues:
    def test_values_of_all_tables_are_columns_of_the_log(self, tmp_path):
        config = shop(tmp_path, log={"values": {"b": "x", "a": "y"}})

        assert value_names([*config.events, *config.events]) == ["a", "b"]

    def test_column_of_values_without_numbers_is_refused(self, tmp_path):
        rows = log("a,u,login,2026-01-10,5 GB", header="account,person,action,at,size\n")

        with pytest.raises(DataError, match=r"Column `size` of events\.csv does not hold numbers\. Received: 1 texts"):
            read_shop(tmp_path, rows, log={"values": {"size": "size"}})
