"""Conversions: the first payment of each entity, even if the table repeats them."""

from __future__ import annotations

import pytest
from staging import ACCOUNTS, CONVERSIONS, EVENTS, read_shop

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.time import DAY, parse_instant

JAN_5 = parse_instant("2026-01-05")


def conversions(home, paid, **keys):
    product = read_shop(home, EVENTS, ACCOUNTS, paid, **keys)
    return product.conversions, product.sources.conversions.set_aside


class TestConversions:
    def test_of_several_rows_the_first_in_time_counts_with_its_value(self, tmp_path):
        paid = "account,paid_at,mrr\na,2026-03-01,300\na,2026-01-20,100\nb,2026-02-01,50\na,2026-02-01,200\n"

        assert conversions(tmp_path, paid) == (
            [
                {"entity": "a", "time": JAN_5 + 15 * DAY, "value": 100.0},
                {"entity": "b", "time": JAN_5 + 27 * DAY, "value": 50.0},
            ],
            {},
        )

    def test_a_first_conversion_without_a_value_does_not_take_that_of_a_later_one(self, tmp_path):
        assert conversions(tmp_path, "account,paid_at,mrr\na,2026-01-20,\na,2026-02-01,200\n")[0] == [
            {"entity": "a", "time": JAN_5 + 15 * DAY, "value": None}
        ]

    def test_of_several_at_one_time_the_largest_value_counts(self, tmp_path):
        paid = "account,paid_at,mrr\na,2026-01-20,\na,2026-01-20,100\na,2026-01-20,300\na,2026-01-20,200\n"

        assert conversions(tmp_path, paid)[0][0]["value"] == 300.0

    def test_the_start_stands_in_where_there_was_no_trial(self, tmp_path):
        paid = "account,trial_end,begin\na,2026-01-20,2026-01-06\nb,,2026-01-21\n"
        buys = {"columns": {"entity": "account", "time": "trial_end", "start": "begin"}}

        times = [row["time"] for row in conversions(tmp_path, paid, buys=buys)[0]]
        assert times == [JAN_5 + 15 * DAY, JAN_5 + 16 * DAY]

    def test_a_trial_end_that_cannot_be_read_is_not_replaced_by_the_start(self, tmp_path):
        buys = {"columns": {"entity": "account", "time": "trial_end", "start": "begin"}}
        paid = "account,trial_end,begin\na,soon,2026-01-06\nb,,\na,2026-01-20,\n"

        found, set_aside = conversions(tmp_path, paid, buys=buys)
        assert [row["time"] for row in found] == [JAN_5 + 15 * DAY]
        assert set_aside == {"unparsable_time": 1, "not_paid": 1}

    @pytest.mark.parametrize(
        ("canceled", "counts"),
        [
            ("", True),
            ("2026-01-12", False),
            ("2026-01-20 12:00", False),
            ("2026-01-20 13:00", False),
            ("2026-01-20 13:01", True),
            ("2026-03-01", True),
            ("9999-12-31", True),
        ],
    )
    @pytest.mark.parametrize("resolution", ["instant", "day"])
    def test_a_subscription_cancelled_by_its_first_payment_was_never_paid(self, tmp_path, canceled, counts, resolution):
        paid = f"account,trial_end,canceled\na,2026-01-20 12:00,{canceled}\nb,2026-01-20 12:00,\n"
        buys = {"columns": {"entity": "account", "time": "trial_end", "canceled": "canceled"}}

        found, set_aside = conversions(tmp_path, paid, buys=buys, resolution=resolution)
        assert [row["entity"] for row in found] == (["a", "b"] if counts else ["b"])
        assert set_aside == ({} if counts else {"canceled_trial": 1})

    def test_a_subscription_without_a_trial_is_charged_when_it_starts(self, tmp_path):
        rows = ("a,2026-01-20,,2026-01-20", "b,2026-01-20 10:00,,2026-01-20 10:20", "c,2026-01-20,,2026-01-19")
        paid = "account,begin,trial_end,canceled\n" + "".join(f"{row}\n" for row in rows)
        buys = {"columns": {"entity": "account", "time": "trial_end", "start": "begin", "canceled": "canceled"}}

        found, set_aside = conversions(tmp_path, paid, buys=buys)
        assert ([row["entity"] for row in found], set_aside) == (["a", "b"], {"canceled_trial": 1})

    @pytest.mark.parametrize("said", ["true,false", "1,0", "True,"])
    def test_a_column_that_says_whether_and_not_how_much_was_refunded_is_refused(self, tmp_path, said):
        first, second = said.split(",")
        paid = f"account,paid_at,mrr,refunded\na,2026-01-20,49,{first}\nb,2026-01-21,49,{second}\n"
        buys = {"columns": {"entity": "account", "time": "paid_at", "value": "mrr", "refunded": "refunded"}}

        with pytest.raises(
            DataError, match=r"says whether a payment was refunded.*`conversions.where: \{refunded: \[false\]\}`"
        ):
            read_shop(tmp_path, paid=paid, buys=buys)

    def test_a_value_need_not_be_mapped(self, tmp_path):
        buys = {"columns": {"entity": "account", "time": "paid_at"}}

        assert conversions(tmp_path, CONVERSIONS, buys=buys)[0][0]["value"] is None

    def test_rows_that_cannot_be_used_are_counted_by_reason(self, tmp_path):
        paid = CONVERSIONS + ",2026-01-20,1\na,,1\nb,soon,1\nx,2026-01-20,1\nx,2026-01-21,1\ntoo,few\n"
        product = read_shop(tmp_path, paid=paid)

        assert product.sources.conversions.set_aside == {
            "broken_line": 1,
            "no_entity": 1,
            "unparsable_time": 1,
            "unknown_entity": 2,
            "not_paid": 1,
        }
        assert (product.sources.conversions.rows, len(product.conversions)) == (7, 1)

    def test_mostly_unusable_table_stops_the_run(self, tmp_path):
        paid = CONVERSIONS + "x,2026-01-20,1\ny,2026-01-20,1\n"
        expected = r"2 of 3 rows of paid\.csv cannot be used.*2 unknown_entity"

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, paid=paid, max_set_aside=0.5)

    @pytest.mark.parametrize(
        ("rows", "received"),
        [("", "an empty table"), ("x,2026-01-20,1\n", "1 unknown_entity"), ("a,,1\n", "1 not_paid")],
    )
    def test_table_without_conversions_is_refused(self, tmp_path, rows, received):
        with pytest.raises(NotEnoughDataError, match=rf"There are no conversions: paid\.csv .*Received: {received}"):
            read_shop(tmp_path, paid="account,paid_at,mrr\n" + rows)

    def test_ids_match_across_types(self, tmp_path):
        accounts = {"account": [1.0, 2.0], "signed_up": ["2026-01-05"] * 2}
        events = EVENTS.replace("\na,", "\n1,").replace("\nb,", "\n2,")
        product = read_shop(tmp_path, events, accounts, {"account": ["1"], "paid_at": ["2026-01-20"], "mrr": [1]})

        assert [row["entity"] for row in product.conversions] == ["1"]

    def test_mixed_zones_are_refused(self, tmp_path):
        paid = "account,paid_at,mrr\na,2026-01-20T09:00:00Z,1\nb,2026-01-20 09:00:00,1\n"

        with pytest.raises(DataError, match=r"paid\.csv: the times of `paid_at` mix time zones"):
            read_shop(tmp_path, paid=paid)

    def test_conversion_after_the_end_of_the_data_is_set_aside(self, tmp_path):
        paid = CONVERSIONS + "b,2026-01-31,1\nb,2026-02-03,1\nc,2026-01-31T00:00:01Z,1\n"
        rows, set_aside = conversions(tmp_path, paid, observed_until="2026-01-31")

        assert ([row["entity"] for row in rows], set_aside) == (["a", "b"], {"after_observed_until": 1})

    def test_a_conversion_in_the_far_future_is_set_aside_and_does_not_move_the_end(self, tmp_path):
        product = read_shop(tmp_path, paid=CONVERSIONS + "b,2099-01-01,1\n")

        assert product.sources.observed_until == JAN_5 + 15 * DAY
        assert [row["entity"] for row in product.conversions] == ["a"]
        assert product.sources.conversions.set_aside == {"after_observed_until": 1}

    def test_time_of_zero_is_not_a_conversion(self, tmp_path):
        paid = {"account": ["a", "b"], "paid_at": [1_768_867_200, 0], "mrr": [1, 1]}

        assert conversions(tmp_path, paid) == (
            [{"entity": "a", "time": JAN_5 + 15 * DAY, "value": 1.0}],
            {"not_paid": 1},
        )


class TestOneWideTable:
    """Accounts that carry their own conversion: `paid_at` is empty for those who never paid."""

    WIDE = "account,signed_up,size,paid_at,mrr\na,2026-01-05,7,2026-01-20,100\nb,2026-01-06,8,,\nc,2026-01-07,9,,\n"

    def read(self, tmp_path, wide=WIDE, **keys):
        buys = {"table": "accounts.csv"}
        return read_shop(tmp_path, accounts=wide, buys=buys, max_set_aside=0.4, **keys)

    def test_entity_without_a_time_has_not_paid(self, tmp_path):
        product = self.read(tmp_path)

        assert [row["entity"] for row in product.conversions] == ["a"]
        assert product.sources.conversions.set_aside == {"not_paid": 2}

    def test_a_time_that_cannot_be_read_is_set_aside(self, tmp_path):
        wide = self.WIDE.replace("b,2026-01-06,8,,", "b,2026-01-06,8,soon,")

        with pytest.raises(DataError, match=r"1 of 2 rows of accounts\.csv cannot be used.*1 unparsable_time"):
            self.read(tmp_path, wide)

    def test_columns_of_the_payment_are_not_traits(self, tmp_path):
        assert self.read(tmp_path).sources.entities.traits == ("size",)

    def test_columns_of_the_payment_can_be_listed_as_traits(self, tmp_path):
        assert self.read(tmp_path, who={"traits": ["mrr"]}).sources.entities.traits == ("mrr",)


class TestWarningsOfValues:
    def warnings(self, tmp_path, *rows):
        return read_shop(tmp_path, paid="account,paid_at,mrr\n" + "".join(f"{row}\n" for row in rows)).sources.warnings

    def test_payments_without_a_value_or_with_a_text_count_and_are_said(self, tmp_path):
        rows = ("a,2026-01-20,", "b,2026-01-20,many", "c,2026-01-20,9")

        assert self.warnings(tmp_path, *rows) == (
            "1 of 3 rows of paid.csv have no `mrr` and count as payments of unknown amount.",
            "1 values of `mrr` in paid.csv are not numbers; their rows count as payments of unknown amount.",
        )

    def test_a_table_of_mostly_free_rows_is_questioned(self, tmp_path):
        found = self.warnings(tmp_path, "a,2026-01-20,0", "b,2026-01-20,0", "c,2026-01-20,9")

        assert len(found) == 1
        assert found[0].startswith("2 of 3 rows of paid.csv have a `mrr` of 0 or below and are not payments.")

    def test_a_column_of_texts_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"Column `mrr` of paid\.csv does not hold numbers\. Received: 1 texts"):
            self.warnings(tmp_path, "a,2026-01-20,gold")


class TestEntitiesThatAreNotSelected:
    def test_their_rows_in_other_tables_are_left_out_with_that_reason(self, tmp_path):
        accounts = "account,signed_up,kind\na,2026-01-05,customer\nb,2026-01-05,internal\nc,2026-01-05,internal\n"
        paid = CONVERSIONS + "b,2026-01-20,1\nx,2026-01-20,1\n"
        product = read_shop(tmp_path, EVENTS, accounts, paid, who={"where": {"kind": ["customer"]}}, max_set_aside=0.5)

        assert [row["entity"] for row in product.entities] == ["a"]
        assert product.set_aside == {"not_selected": 10}
        assert product.sources.entities.set_aside == {"not_selected": 2}
        assert product.sources.conversions.set_aside == {"not_selected": 1, "unknown_entity": 1}
