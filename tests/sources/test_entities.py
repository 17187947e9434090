"""Entities and conversions: one row each, even if the tables repeat them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from staging import ACCOUNTS, CONVERSIONS, EVENTS, read_shop

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.time import DAY, HOUR, parse_instant

JAN_5 = parse_instant("2026-01-05")
NO_SIGNUP = {"motion": "freemium", "who": {"columns": {"entity": "account"}}}


def entities(home, accounts, **keys):
    product = read_shop(home, EVENTS, accounts, **keys)
    return product.entities, product.sources.entities.set_aside


class TestEntities:
    def test_each_entity_is_a_row_with_sign_up_and_unconverted_traits(self, tmp_path):
        accounts = "account,signed_up,size,at\na,2026-01-05T09:00:00Z,51-200,x\nb,2026-01-06,,y\n"

        assert entities(tmp_path, accounts) == (
            [
                {
                    "entity": "a",
                    "signed_up": JAN_5 + 9 * HOUR,
                    "excluded": False,
                    "trait_size": "51-200",
                    "trait_at": "x",
                },
                {"entity": "b", "signed_up": JAN_5 + DAY, "excluded": False, "trait_size": None, "trait_at": "y"},
            ],
            {},
        )

    def test_traits_keep_their_types(self, tmp_path):
        accounts = {
            "account": ["a"],
            "signed_up": ["2026-01-05"],
            "seats": [7],
            "paying": [True],
            "share": [0.5],
            "plan": pa.array(["free"]).dictionary_encode(),
        }
        row = entities(tmp_path, accounts)[0][0]

        assert {key: value for key, value in row.items() if key.startswith("trait_")} == {
            "trait_seats": 7,
            "trait_paying": True,
            "trait_share": 0.5,
            "trait_plan": "free",
        }

    def test_every_column_without_another_use_is_a_trait(self, tmp_path):
        accounts = "account,signed_up,size,region\na,2026-01-05,1,eu\n"

        assert read_shop(tmp_path, accounts=accounts).sources.entities.traits == ("size", "region")

    def test_traits_can_be_chosen(self, tmp_path):
        accounts = "account,signed_up,size,region\na,2026-01-05,1,eu\n"
        product = read_shop(tmp_path, accounts=accounts, who={"traits": ["region"]})

        assert product.sources.entities.traits == ("region",)
        assert "trait_size" not in product.entities[0]

    def test_a_chosen_trait_that_does_not_exist_comes_with_the_nearest(self, tmp_path):
        with pytest.raises(DataError, match=r"accounts\.csv has no column `regoin`, did you mean `region`"):
            read_shop(tmp_path, accounts="account,signed_up,region\na,2026-01-05,eu\n", who={"traits": ["regoin"]})

    def test_traits_whose_names_differ_in_case_only_are_refused_until_one_is_chosen(self, tmp_path):
        accounts = "account,signed_up,Size,size\na,2026-01-05,1,2\n"

        with pytest.raises(DataError, match=r"differ only in case: Size, size\. Fix: list .* under `entities\.traits`"):
            read_shop(tmp_path, accounts=accounts)
        assert read_shop(tmp_path, accounts=accounts, who={"traits": ["size"]}).entities[0]["trait_size"] == "2"

    def test_rows_without_an_id_and_broken_lines_are_counted(self, tmp_path):
        accounts = ACCOUNTS + ",2026-01-05\nnan,2026-01-05\nd\n"

        assert entities(tmp_path, accounts)[1] == {"broken_line": 1, "no_entity": 2}

    def test_a_missing_column_comes_with_the_nearest(self, tmp_path):
        with pytest.raises(DataError, match=r"accounts\.csv has no column `signed_up`, did you mean `signedup`"):
            read_shop(tmp_path, accounts="account,signedup\na,2026-01-05\n")

    @pytest.mark.parametrize("accounts", ["account,signed_up\n", "account,signed_up\n,2026-01-05\n"])
    def test_table_without_entities_is_refused(self, tmp_path, accounts):
        with pytest.raises(DataError, match=r"accounts\.csv has no usable entity\. Received: (no rows|1 no_entity)"):
            read_shop(tmp_path, accounts=accounts)


class TestSignUps:
    def test_in_a_trial_an_entity_without_one_is_set_aside(self, tmp_path):
        rows, set_aside = entities(tmp_path, ACCOUNTS + "d,\ne,soon\n")

        assert ([row["entity"] for row in rows], set_aside) == (["a", "b", "c"], {"unparsable_time": 2})

    def test_in_freemium_an_entity_without_one_is_eligible_from_the_start(self, tmp_path):
        rows, set_aside = entities(tmp_path, ACCOUNTS + "d,\n", motion="freemium")

        assert ([row["signed_up"] for row in rows][2:], set_aside) == ([JAN_5 + 2 * DAY, None], {})

    def test_freemium_unreadable_sign_up_differs_from_a_missing_one(self, tmp_path):
        rows, set_aside = entities(tmp_path, ACCOUNTS + "d,soon\n", motion="freemium")

        assert ([row["entity"] for row in rows], set_aside) == (["a", "b", "c"], {"unparsable_time": 1})

    def test_in_freemium_a_column_in_a_form_that_cannot_be_read_stops_the_run(self, tmp_path):
        accounts = "account,signed_up\na,31/01/2026\nb,30/01/2026\n"

        with pytest.raises(DataError, match=r"accounts\.csv has no usable entity\. Received: 2 unparsable_time"):
            read_shop(tmp_path, accounts=accounts, motion="freemium")

    def test_in_freemium_the_column_may_be_left_out(self, tmp_path):
        rows, set_aside = entities(tmp_path, "account,size\na,7\n", **NO_SIGNUP)

        assert (rows, set_aside) == ([{"entity": "a", "signed_up": None, "excluded": False, "trait_size": "7"}], {})

    def test_mixed_zones_are_refused(self, tmp_path):
        accounts = "account,signed_up\na,2026-01-05T09:00:00Z\nb,2026-01-05 09:00:00\n"

        with pytest.raises(
            DataError, match=r"accounts\.csv: the times of `signed_up` mix time zones.*1 with.*1 without"
        ):
            read_shop(tmp_path, accounts=accounts)

    def test_unreadable_time_has_no_offset_information(self, tmp_path):
        accounts = "account,signed_up\na,2026-01-05T09:00:00Z\nb,99:99 o'clock\n"

        assert entities(tmp_path, accounts)[1] == {"unparsable_time": 1}

    def test_by_the_day_every_sign_up_is_its_date(self, tmp_path):
        assert (
            entities(tmp_path, "account,signed_up\na,2026-01-05T23:59:00Z\n", resolution="day")[0][0]["signed_up"]
            == JAN_5
        )


class TestRepeatedEntities:
    def test_repeated_entity_is_kept_once_and_counted(self, tmp_path):
        rows, set_aside = entities(tmp_path, ACCOUNTS + "a,2026-01-05\na,2026-01-05T00:00:00\n")

        assert ([row["entity"] for row in rows], set_aside) == (["a", "b", "c"], {"repeated": 2})

    def test_ids_that_differ_in_type_only_are_one_entity(self, tmp_path):
        accounts = "account,signed_up\n12,2026-01-05\n12.0,2026-01-05\na,2026-01-05\n"
        rows, set_aside = entities(tmp_path, accounts)

        assert ([row["entity"] for row in rows], set_aside) == (["12", "a"], {"repeated": 1})

    def test_different_sign_ups_are_refused_with_examples(self, tmp_path):
        accounts = ACCOUNTS + "a,2026-02-01\nb,2026-01-06T12:00:00Z\n"
        expected = (
            r"accounts\.csv has several sign-up times per entity\. Received: a \(2026-01-05 and 2026-02-01\), "
            r"b \(2026-01-06 and 2026-01-06T12:00:00Z\)\. Allowed: one row per entity"
        )

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, accounts=accounts)

    def test_freemium_sign_up_is_taken_from_the_row_that_has_it(self, tmp_path):
        accounts = "account,signed_up,size\na,,1\na,2026-01-05,2\n"

        assert entities(tmp_path, accounts, motion="freemium") == (
            [{"entity": "a", "signed_up": JAN_5, "excluded": False, "trait_size": "2"}],
            {"repeated": 1},
        )

    def test_same_row_is_kept_in_any_order(self, tmp_path):
        rows = [f"a,2026-01-05,{size}\n" for size in (3, 1, 2)]
        forth = entities(tmp_path / "1", "account,signed_up,size\n" + "".join(rows))
        back = entities(tmp_path / "2", "account,signed_up,size\n" + "".join(reversed(rows)))

        assert forth == back
        assert forth[0][0]["trait_size"] == "1"

    def test_an_entity_is_excluded_if_one_of_its_rows_is(self, tmp_path):
        accounts = "account,signed_up,domain\na,2026-01-05,aaa.com\na,2026-01-05,test.com\nb,2026-01-05,b.com\n"
        rows = entities(tmp_path, accounts, exclude={"entities": {"domain": ["test.com"]}})[0]

        assert [(row["entity"], row["excluded"]) for row in rows] == [("a", True), ("b", False)]


class TestExcluded:
    def excluded(self, tmp_path, accounts, values):
        rows = read_shop(tmp_path, accounts=accounts, exclude={"entities": values}).entities
        return [row["entity"] for row in rows if row["excluded"]]

    def test_by_a_column_of_the_table(self, tmp_path):
        accounts = "account,signed_up,domain\na,2026-01-05, acme.com\nb,2026-01-05,b.com\nc,2026-01-05,\n"

        assert self.excluded(tmp_path, accounts, {"domain": ["acme.com"]}) == ["a"]

    def test_by_several_columns_each_of_which_suffices(self, tmp_path):
        accounts = "account,signed_up,domain,plan\na,2026-01-05,acme.com,x\nb,2026-01-05,b.com,staff\nc,2026-01-05,,\n"

        assert self.excluded(tmp_path, accounts, {"domain": ["acme.com"], "plan": ["staff", "test"]}) == ["a", "b"]

    def test_by_the_id(self, tmp_path):
        assert self.excluded(tmp_path, ACCOUNTS, {"account": ["b"]}) == ["b"]

    @pytest.mark.parametrize(
        "column", [["true", "false", None], ["True", "False", None], ["TRUE", "FALSE", "FALSE"], [True, False, None]]
    )
    def test_by_a_boolean_in_any_spelling(self, tmp_path, column):
        accounts = {"account": ["a", "b", "c"], "signed_up": ["2026-01-05"] * 3, "internal": column}

        assert self.excluded(tmp_path, accounts, {"internal": [True]}) == ["a"]

    @pytest.mark.parametrize("column", [[1.0, 2.0, None], [1, 2, 2], ["1", "2", ""]])
    def test_by_a_number_whatever_its_type(self, tmp_path, column):
        accounts = {"account": ["a", "b", "c"], "signed_up": ["2026-01-05"] * 3, "tier": column}

        assert self.excluded(tmp_path, accounts, {"tier": [1]}) == ["a"]

    def test_by_a_column_that_is_not_a_trait(self, tmp_path):
        accounts = "account,signed_up,domain\na,2026-01-05,acme.com\n"
        product = read_shop(
            tmp_path, accounts=accounts, who={"traits": []}, exclude={"entities": {"domain": ["acme.com"]}}
        )

        assert product.entities == [{"entity": "a", "signed_up": JAN_5, "excluded": True}]

    def test_by_a_column_that_does_not_exist_is_refused_with_the_nearest(self, tmp_path):
        accounts = "account,signed_up,domain\na,2026-01-05,acme.com\n"
        expected = r"no column `domian`, did you mean `domain`.*Received: exclude\.entities\.domian"

        with pytest.raises(DataError, match=expected):
            self.excluded(tmp_path, accounts, {"domian": ["acme.com"]})

    def test_by_a_value_without_matches_warns(self, tmp_path):
        accounts = "account,signed_up,domain\na,2026-01-05,acme.com\n"
        product = read_shop(tmp_path, accounts=accounts, exclude={"entities": {"domain": ["acme.org"]}})

        assert product.sources.warnings == ("`exclude.entities.domain` matches no row of accounts.csv.",)


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

    def test_a_value_need_not_be_mapped(self, tmp_path):
        buys = {"columns": {"entity": "account", "time": "paid_at"}}

        assert conversions(tmp_path, CONVERSIONS, buys=buys)[0][0]["value"] is None

    def test_rows_that_cannot_be_used_are_counted_by_reason(self, tmp_path):
        paid = CONVERSIONS + ",2026-01-20,1\na,,1\nb,soon,1\nx,2026-01-20,1\nx,2026-01-21,1\ntoo,few\n"
        product = read_shop(tmp_path, paid=paid)

        assert product.sources.conversions.set_aside == {
            "broken_line": 1,
            "no_entity": 1,
            "unparsable_time": 2,
            "unknown_entity": 2,
        }
        assert (product.sources.conversions.rows, len(product.conversions)) == (7, 1)

    def test_mostly_unusable_table_stops_the_run(self, tmp_path):
        paid = CONVERSIONS + "x,2026-01-20,1\ny,2026-01-20,1\n"
        expected = r"2 of 3 rows of paid\.csv cannot be used.*2 unknown_entity"

        with pytest.raises(DataError, match=expected):
            read_shop(tmp_path, paid=paid, max_set_aside=0.5)

    @pytest.mark.parametrize(
        ("rows", "received"),
        [("", "an empty table"), ("x,2026-01-20,1\n", "1 unknown_entity"), ("a,,1\n", "1 unparsable_time")],
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
            {"unparsable_time": 1},
        )


class TestOneWideTable:
    """Accounts that carry their own conversion: `paid_at` is empty for those who never paid."""

    WIDE = "account,signed_up,size,paid_at,mrr\na,2026-01-05,7,2026-01-20,100\nb,2026-01-06,8,,\nc,2026-01-07,9,,\n"

    def read(self, tmp_path, wide=WIDE, **keys):
        buys = {"table": "accounts.csv"}
        return read_shop(tmp_path, accounts=wide, buys=buys, max_set_aside=0.4, **keys)

    def test_entity_without_a_time_has_not_converted_and_is_not_set_aside(self, tmp_path):
        product = self.read(tmp_path)

        assert [row["entity"] for row in product.conversions] == ["a"]
        assert product.sources.conversions.set_aside == {}

    def test_a_time_that_cannot_be_read_is_set_aside(self, tmp_path):
        wide = self.WIDE.replace("b,2026-01-06,8,,", "b,2026-01-06,8,soon,")

        with pytest.raises(DataError, match=r"1 of 2 rows of accounts\.csv cannot be used.*1 unparsable_time"):
            self.read(tmp_path, wide)

    def test_columns_of_the_payment_are_not_traits(self, tmp_path):
        assert self.read(tmp_path).sources.entities.traits == ("size",)

    def test_columns_of_the_payment_can_be_listed_as_traits(self, tmp_path):
        assert self.read(tmp_path, who={"traits": ["mrr"]}).sources.entities.traits == ("mrr",)
