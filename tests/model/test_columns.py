"""Traits are typed from what they hold, and a table becomes the same matrix however it is laid out."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pql_model.errors import FeatureMismatchError
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.model.columns import (
    OTHER,
    Manifest,
    ModelColumn,
    as_texts,
    drop_uninformative,
    looks_like_id,
    type_traits,
)

nan = float("nan")
FEW = examples(40)


def typed(values, trait="plan", dtype=None):
    return type_traits(pd.DataFrame({trait_name(trait): pd.Series(values, dtype=dtype)}), [trait])


def same(matrix, rows):
    np.testing.assert_array_equal(matrix, np.array(rows, float))


# ---------------------------------------------------------------- how traits are typed


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, 3], "int64"),
        ([1.5, 2.5, nan], "float64"),
        ([1, None, 3], "Int64"),
        ([True, False, True], "bool"),
        ([True, None, False], "boolean"),
        ([True, None, False], object),
        (["12", " 7 ", None], "str"),
        (["1e3", "-2.5", ""], "str"),
        (["true", "False", None], "str"),
        ([Decimal("1.5"), None, Decimal(3)], object),
        ([1.0, float("inf"), 3.0], "float64"),
        ([1e20, 1e300, 3.0], "float64"),
    ],
)
def test_numbers_and_booleans_are_numbers_however_they_are_stored(values, dtype):
    types = typed(values, dtype=dtype)

    assert types.columns == (ModelColumn("trait.plan", "number"),)
    assert types.unused == {}


@pytest.mark.parametrize("dtype", ["str", object, "category"])
def test_texts_shared_by_several_entities_are_a_category_in_alphabetical_order(dtype):
    types = typed(["pro", "free", "pro", "free", None, " free "], dtype=dtype)

    assert types.columns == (ModelColumn("trait.plan", "category", ("free", "pro")),)


def test_one_word_among_numbers_makes_a_category():
    assert typed(["1", "2", "1", "2", "many", "many"]).columns[0].categories == ("1", "2", "many")


def test_rare_texts_are_put_together():
    types = typed(["free"] * 3 + ["pro"] * 2 + ["custom deal"])

    assert types.columns[0].categories == ("free", "pro", OTHER)


@pytest.mark.parametrize(
    "values",
    [
        ["2026-01-05", "2026-02-01", "2026-02-01"],
        ["2026-01-05T10:00:00Z", "2026-01-05 10:00", None],
        ["5.1.2026", "05/01/2026", "5.1.2026"],
        [dt.date(2026, 1, 5), None, dt.date(2026, 1, 6)],
        [None, dt.datetime(2026, 1, 5), dt.datetime(2026, 1, 6)],
    ],
    ids=["dates", "times", "European dates", "date objects", "datetime objects"],
)
@pytest.mark.parametrize("dtype", [object, None])
def test_dates_are_not_used_because_they_may_know_the_future(values, dtype):
    types = typed(values, dtype=dtype)

    assert types.columns == ()
    assert types.unused == {"plan": "a date or time, undated itself: it may know the future"}


def test_texts_of_which_few_look_like_dates_are_a_category():
    assert typed(["2026-01-05"] * 2 + ["n/a"] * 8).columns[0].categories == ("2026-01-05", "n/a")


@pytest.mark.parametrize("values", [["pro"] * 4, [7] * 4, [True] * 4, [None] * 4, ["", " ", None, ""], []])
def test_a_constant_trait_is_not_used(values):
    assert typed(values, dtype=object).unused == {"plan": "constant"}


@pytest.mark.parametrize("values", [[7, 7, None], ["true", None, "true"]])
def test_a_trait_that_is_sometimes_missing_is_used(values):
    assert typed(values, dtype=object).columns == (ModelColumn("trait.plan", "number"),)


def test_texts_that_differ_for_everyone_are_not_used():
    types = typed([f"user-{n}" for n in range(200)])

    assert types.columns == ()
    assert types.unused["plan"] == "an identifier or free text: 200 different values, none shared by 4 entities"


def test_the_50_most_frequent_categories_are_kept_with_ties_broken_by_name():
    common = [f"common {n:02}" for n in range(30) for _ in range(21)]
    rare = [f"rare {n:02}" for n in range(60) for _ in range(20)]
    values = pd.Series([*common, *rare, *[f"single {n}" for n in range(100)]])

    kept = typed(values).columns[0].categories

    assert kept == (*(f"common {n:02}" for n in range(30)), *(f"rare {n:02}" for n in range(20)), OTHER)
    assert typed(values.sample(frac=1, random_state=3)).columns[0].categories == kept


def test_many_entities_must_share_a_text_where_there_are_many_entities():
    values = ["pro"] * 19 + ["free"] * 20 + [f"x{n}" for n in range(2000)]

    assert typed(values).columns[0].categories == ("free", OTHER)


def test_traits_keep_their_order_and_unused_ones_have_a_reason():
    table = pd.DataFrame({"trait.b": ["1", "2"], "trait.a": [1, 1], "trait.c": [0.5, None]})

    types = type_traits(table, ["c", "a", "b"])

    assert [column.name for column in types.columns] == ["trait.c", "trait.b"]
    assert types.unused == {"a": "constant"}


@pytest.mark.parametrize("trait", ["company size", "a.b.c", 'a "quoted", {x}[0]:', "größe 🦊", "count.ever"])
def test_the_column_name_of_a_trait_is_plain_and_reads_back(trait):
    name = trait_name(trait)

    assert name.count(".") == 1
    assert name.isascii()
    assert not set(name) & set(' ,:"[]{}')
    assert ModelColumn(name, "number").text == trait


@pytest.mark.parametrize(
    "trait",
    ["id", "ID", "account_id", "accountId", "user-id", "crm.key", "email", "workEmail", "first name", "uuid", "Phone"],
)
def test_names_that_identify_an_entity(trait):
    assert looks_like_id(trait)


@pytest.mark.parametrize("trait", ["paid", "bid", "email_kind", "valid", "monkey", "region", "company_size", "idle"])
def test_names_that_describe_an_entity(trait):
    assert not looks_like_id(trait)


# ---------------------------------------------------------------- numbers and texts


@pytest.mark.parametrize("values", [[], [None, None]])
@pytest.mark.parametrize("dtype", [object, "str", "float64", "boolean"])
def test_null_values_of_any_type_are_missing(values, dtype):
    column = pd.Series(values, dtype=dtype)

    same(as_numbers(column), [nan] * len(values))
    coded = Manifest((ModelColumn("c", "category", ("a",)),)).matrix(pd.DataFrame({"c": column}))
    same(coded[:, 0], [nan] * len(values))


@pytest.mark.parametrize("dtype", [object, "float64"])
def test_a_whole_number_has_the_same_text_whatever_the_other_values(dtype):
    alone = as_texts(pd.Series([1.0], dtype=dtype))
    beside = as_texts(pd.Series([1.0, 2.5, None, 1e20, float("inf")], dtype=dtype))

    assert alone.tolist() == ["1"]
    assert beside.fillna("missing").tolist() == ["1", "2.5", "missing", "100000000000000000000", "inf"]


def test_texts_of_booleans_and_whole_numbers_match_the_values():
    assert as_texts(pd.Series([" TRUE", "False", "7.0", "-7.00", "007", "0.70", "v1.0", "true story"])).tolist() == [
        "true",
        "false",
        "7",
        "-7",
        "007",
        "0.70",
        "v1.0",
        "true story",
    ]
    before = ModelColumn("trait.beta", "category", ("False", "True", "maybe"))  # in a model of an older release
    old = Manifest((before,))
    same(old.matrix(pd.DataFrame({"trait.beta": ["true", False, "TRUE", "maybe"]}))[:, 0], [1, 0, 1, 2])


def test_texts_are_trimmed_and_blanks_are_missing():
    assert as_texts(pd.Series([" a ", "", "  ", None, "b"])).fillna("missing").tolist() == [
        "a",
        "missing",
        "missing",
        "missing",
        "b",
    ]


# ---------------------------------------------------------------- the matrix

MANIFEST = Manifest(
    (
        ModelColumn("login.count.last_7d", "feature"),
        ModelColumn("trait.seats", "number"),
        ModelColumn("trait.plan", "category", ("free", "pro", OTHER)),
        ModelColumn("trait.region", "category", ("eu", "us")),
    )
)
TABLE = pd.DataFrame(
    {
        "trait.region": ["us", "eu", "mars", None],
        "login.count.last_7d": [3.0, 0.0, nan, 1.0],
        "trait.plan": ["pro", " free", "gift", None],
        "trait.seats": ["5", "many", None, "1"],
        "entity": ["a", "b", "c", "d"],
    }
)


def test_the_matrix_holds_numbers_codes_and_nan_in_the_order_of_the_manifest():
    matrix = MANIFEST.matrix(TABLE)

    assert matrix.dtype == np.float64
    same(matrix, [[3, 5, 1, 1], [0, nan, 0, 0], [nan, nan, 2, nan], [1, 1, nan, nan]])


def test_an_unseen_category_counts_as_other_where_there_is_one_else_as_missing():
    table = TABLE.assign(**{"trait.plan": "never seen", "trait.region": "never seen"})

    same(MANIFEST.matrix(table)[:, 2:], [[2, nan]] * 4)


@given(st.permutations(list(TABLE.columns)), st.permutations(range(4)))
@FEW
def test_neither_the_order_of_columns_nor_of_rows_nor_the_index_matters(columns, rows):
    table = TABLE.iloc[list(rows)][columns]

    same(MANIFEST.matrix(table), MANIFEST.matrix(TABLE)[list(rows)])
    same(MANIFEST.matrix(table.set_axis([0] * 4)), MANIFEST.matrix(TABLE)[list(rows)])


@pytest.mark.parametrize("row", range(4))
def test_one_row_alone_gives_the_same_numbers_as_in_the_table(row):
    same(MANIFEST.matrix(TABLE.iloc[[row]]), MANIFEST.matrix(TABLE)[[row]])


def test_an_empty_table_gives_an_empty_matrix():
    assert MANIFEST.matrix(TABLE.iloc[:0]).shape == (0, 4)
    assert Manifest(()).matrix(TABLE).shape == (4, 0)


def test_a_table_without_some_columns_is_refused_with_their_names():
    expected = r"lacks 2 of 4 columns: trait\.seats, trait\.plan\. Received: 3 columns"

    with pytest.raises(FeatureMismatchError, match=expected):
        MANIFEST.matrix(TABLE.drop(columns=["trait.plan", "trait.seats"]))


# ---------------------------------------------------------------- the manifest as data

texts = st.text(min_size=1, max_size=6)
model_columns = st.one_of(
    st.builds(lambda t: ModelColumn(trait_name(t), "number"), texts),
    st.builds(lambda t, c: ModelColumn(trait_name(t), "category", tuple(c)), texts, st.lists(texts, max_size=3)),
    st.sampled_from(("login.count.last_7d", "any.sessions.ever")).map(lambda name: ModelColumn(name, "feature")),
)
manifests = st.lists(model_columns, max_size=5).map(lambda columns: Manifest(tuple(columns)))


@given(manifests)
@FEW
def test_a_manifest_survives_json(manifest):
    again = Manifest.from_dict(json.loads(json.dumps(manifest.to_dict())))

    assert again == manifest
    assert again.hash == manifest.hash


@given(manifests, manifests)
@FEW
def test_different_manifests_have_different_hashes(one, two):
    assert (one.hash == two.hash) == (one == two)


def test_a_bar_in_a_category_does_not_make_two_manifests_alike():
    one, two = (Manifest((ModelColumn("trait.plan", "category", c),)) for c in (("a|b",), ("a", "b")))

    assert one.hash != two.hash


def test_the_json_has_a_text_for_each_column():
    assert MANIFEST.to_dict() == {
        "hash": MANIFEST.hash,
        "columns": [
            {
                "name": "login.count.last_7d",
                "kind": "feature",
                "words": "number of `login` in the last 7 days",
                "categories": [],
            },
            {"name": "trait.seats", "kind": "number", "words": "seats", "categories": []},
            {"name": "trait.plan", "kind": "category", "words": "plan", "categories": ["free", "pro", "(other)"]},
            {"name": "trait.region", "kind": "category", "words": "region", "categories": ["eu", "us"]},
        ],
    }
    assert MANIFEST.categorical == [2, 3]


def test_columns_can_be_left_out():
    assert MANIFEST.without(["trait.seats", "not there"]).names == ["login.count.last_7d", "trait.plan", "trait.region"]


# ---------------------------------------------------------------- columns that say nothing


def test_constant_columns_and_copies_are_dropped_and_counted():
    table = pd.DataFrame(
        {
            "a": [1.0, 2.0, 3.0],
            "constant": [4.0, 4.0, 4.0],
            "missing": [nan, nan, nan],
            "copy of a": [1.0, 2.0, 3.0],
            "there or not": [4.0, nan, 4.0],
            "copy with gaps": [4.0, nan, 4.0],
            "zeros": [0.0, 0.0, 1.0],
            "gaps, not zeros": [nan, nan, 1.0],
        }
    )

    kept, dropped = drop_uninformative(table, list(table.columns))

    assert kept == ["a", "there or not", "zeros", "gaps, not zeros"]
    assert dropped == {"constant": 2, "same_as_another": 2}


def test_the_first_of_two_identical_columns_stays():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]})

    assert drop_uninformative(table, ["b", "a"])[0] == ["b"]


def test_without_rows_every_column_is_constant():
    assert drop_uninformative(pd.DataFrame({"a": pd.Series(dtype=float)}), ["a"]) == (
        [],
        {"constant": 1, "same_as_another": 0},
    )


def test_a_conforming_table_has_numbers_as_floats_and_categories_as_texts_or_none():
    manifest = Manifest((ModelColumn("trait.seats", "number"), ModelColumn("trait.size", "category", ("1", "2"))))
    table = pd.DataFrame(
        {"entity": ["a", "b", "c"], "trait.seats": ["5", "n/a", None], "trait.size": [1.0, np.nan, 2.0]}
    )
    result = manifest.conform(table)
    assert result["trait.seats"].dtype == np.float64
    assert result["trait.seats"].iloc[0] == 5
    assert result["trait.seats"].isna().tolist() == [False, True, True]
    assert result["trait.size"].tolist() == ["1", None, "2"]
    assert table["trait.seats"].tolist()[:2] == ["5", "n/a"]  # the given table is not changed
    np.testing.assert_array_equal(manifest.matrix(result), manifest.matrix(table))


def test_a_table_that_conforms_stays_as_it_is():
    manifest = Manifest((ModelColumn("trait.seats", "number"), ModelColumn("trait.size", "category", ("a",))))
    once = manifest.conform(pd.DataFrame({"trait.seats": [True, False], "trait.size": [" a", ""]}))
    pd.testing.assert_frame_equal(manifest.conform(once), once)
