"""Numbers with marks are read as the table states, and refused where they could be read in two ways."""

from __future__ import annotations

import pytest
from staging import read_shop

from pql_model.errors import DataError

EVENT = "account{d}person{d}action{d}at{d}amount\n"


def events_of(amounts, delimiter=";"):
    quoted = [f'"{each}"' if delimiter in each else each for each in amounts]
    rows = [delimiter.join(("abc"[n % 3], "u", "login", "2026-01-12", each)) for n, each in enumerate(quoted)]
    return EVENT.replace("{d}", delimiter) + "".join(f"{row}\n" for row in rows)


def amounts_read(home, amounts, delimiter=";", **keys):
    log = {"values": {"amount": "amount"}, **keys}
    return sorted(row["value_amount"] for row in read_shop(home, events_of(amounts, delimiter), log=log).events)


TWO_WAYS = (
    (("1.250", "980"), ";"),
    (("1.250", "2.125", "3.001"), ";"),
    (("1.250", "980", "12"), ","),
    (tuple(f"{n}.{n}{n + 1}{n + 2}" for n in range(1, 7)) * 6 + ("7",), ","),
)


@pytest.mark.parametrize(("amounts", "delimiter"), TWO_WAYS)
def test_column_that_can_be_read_in_two_ways_is_refused_with_both_remedies(tmp_path, amounts, delimiter):
    message = r"Column `amount` of events\.csv can be read in two ways.*`.*thousands: '\.'` .* or `decimal: '\.'`"
    with pytest.raises(DataError, match=message):
        amounts_read(tmp_path, amounts, delimiter)


@pytest.mark.parametrize(("amounts", "delimiter"), TWO_WAYS)
def test_either_remedy_settles_it(tmp_path, amounts, delimiter):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert amounts_read(tmp_path / "a", amounts, delimiter, decimal=".") == sorted(map(float, amounts))
    assert amounts_read(tmp_path / "b", amounts, delimiter, thousands=".") == sorted(
        float(each.replace(".", "")) for each in amounts
    )


@pytest.mark.parametrize(
    ("amounts", "delimiter"),
    [
        (("0.125", "1.250", "980"), ";"),  # below 1
        (("1.250", "1250"), ";"),  # a thousand without a mark
        (("1.250", "2.5"), ";"),  # another count of decimals
        (("12.345", "7.001", "3.250"), ","),  # measured to three decimals
        (("12.345", "7"), ","),
        (("1250", "980", "1e3", "-5"), ";"),
        (("1.5", "2.25", "-0.75"), ","),
    ],
)
def test_plain_numbers_are_never_refused(tmp_path, amounts, delimiter):
    assert amounts_read(tmp_path, amounts, delimiter) == sorted(map(float, amounts))


@pytest.mark.parametrize(
    ("amounts", "remedy"),
    [
        (("1.250,50", "3,5"), "`decimal: ','` and `thousands: '.'`"),
        (("1.250.000", "3"), "`decimal: ','` and `thousands: '.'`"),
        (("1,250.50", "3"), "`decimal: '.'` and `thousands: ','`"),
        (("3,5", "12,25"), "`decimal: ','` for"),
        (("1'250", "3"), "`decimal: '.'` and `thousands: \"'\"`"),
        (("1\u202f250,5", "3"), "`decimal: ','` and `thousands: ' '`"),
        (("1,250", "980"), "`thousands: ','` for this table if 1,250 is more than a thousand, or `decimal: ','`"),
        (("$12.50", "$3"), "without its sign"),
        (("12 %", "3 %"), "without its sign"),
    ],
)
def test_numbers_that_need_marks_are_refused_with_the_keys_to_set(tmp_path, amounts, remedy):
    with pytest.raises(DataError, match=r"Column `amount` of events\.csv") as caught:
        amounts_read(tmp_path, amounts)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("amounts", "keys", "expected"),
    [
        (("1.250,50", "980", "-3,5"), {"decimal": ",", "thousands": "."}, [-3.5, 980, 1250.5]),
        (("1,250.50", "980"), {"thousands": ","}, [980, 1250.5]),
        (("1'250.5", "1\u2019000"), {"thousands": "'"}, [1000, 1250.5]),
        (("1 250,5", "1\u00a0000", "1\u202f001"), {"decimal": ",", "thousands": " "}, [1000, 1001, 1250.5]),
        (("1,250", "0,5"), {"decimal": ","}, [0.5, 1.25]),
        (("1.250", "true"), {"thousands": "."}, [1, 1250]),
    ],
)
def test_numbers_are_read_with_the_marks_of_their_table(tmp_path, amounts, keys, expected):
    assert amounts_read(tmp_path, amounts, **keys) == expected


def test_number_in_other_marks_than_those_stated_is_missing_and_reported(tmp_path):
    log = {"values": {"amount": "amount"}, "thousands": "."}
    read = read_shop(tmp_path, events_of(("1.250", "1.25", "980")), log=log)

    assert [row["value_amount"] for row in read.events] == [1250, None, 980]
    assert "1 values of `amount` in events.csv are not numbers and count as missing." in read.sources.warnings


def test_payments_and_numeric_traits_are_read_likewise(tmp_path):
    paid = "account;paid_at;mrr\na;2026-01-20;1.250\nb;2026-01-21;980\n"
    accounts = "account;signed_up;staff;version\na;2026-01-05;1.250;v1.250\nb;2026-01-06;980;2\nc;2026-01-07;;3\n"
    with pytest.raises(DataError, match=r"Column `staff` of accounts\.csv can be read in two ways"):
        read_shop(tmp_path, accounts=accounts, paid=paid)
    with pytest.raises(DataError, match=r"Column `mrr` of paid\.csv can be read in two ways"):
        read_shop(tmp_path, accounts=accounts, paid=paid, who={"thousands": "."})
    read = read_shop(tmp_path, accounts=accounts, paid=paid, who={"thousands": "."}, buys={"thousands": "."})

    assert [row["value"] for row in read.conversions] == [1250, 980]
    assert [row["trait_staff"] for row in read.entities] == ["1250", "980", None]
    assert [row["trait_version"] for row in read.entities] == ["v1.250", "2", "3"]


def test_counts_and_users_and_filters_are_read_likewise(tmp_path):
    weekly = "account;week;LOGINS;PEOPLE\na;2026-01-12;1.250;2.000\nb;2026-01-12;980;3\n"
    log = {"columns": {"entity": "account", "time": "week"}, "counts": {"login": "LOGINS"}, "covers": "1d"}
    log |= {"users": {"login": "PEOPLE"}, "where": {"LOGINS": {"at_least": 100}}, "thousands": "."}
    (tmp_path / "x").mkdir()
    config_events = read_shop(tmp_path / "x", weekly, log=log).events

    assert [(row["n"], row["users"]) for row in config_events] == [(1250, 2000), (980, 3)]
