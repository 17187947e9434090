"""Entities: one row each, even if the table repeats them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from staging import ACCOUNTS, EVENTS, read_shop

from pql_model.errors import DataError
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

        assert product.sources.warnings == (
            "`exclude.entities.domain` matches no row of accounts.csv.",
            "10 of 15 rows of events.csv name ids that accounts.csv does not list.",
        )
