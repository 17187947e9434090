from collections import Counter

import pytest
from sketches import ACTS, column, ids, table, times

from pql_model.discovery.keys import EntityIds, choose_key, compare, is_measure, table_id
from pql_model.discovery.sketch import ColumnSketch
from pql_model.sources.column_profile import is_sampled


def values(name, texts):
    """A column with these values in its rows."""
    made = column(name, texts)
    return ColumnSketch(name, made.samples, len(set(texts)), 1.0, made.kind, tuple(texts[:200]), Counter(texts))


NUMBERS = [str(n) for n in range(1, 301)]
ACCOUNTS = values("account_id", NUMBERS)
LOG = (column("event", ACTS), column("at", times()))


def key_among(*columns, ids_column=ACCOUNTS, kind="account"):
    sketch = table("log.csv", *columns, *LOG, rows=300)
    return choose_key(sketch, None, EntityIds(table("accounts.csv", ids_column, rows=300), ids_column, kind))


# ---------------------------------------------------------------- what is not a key


@pytest.mark.parametrize("name", ["USERS_EMAIL", "clicks", "seats_used", "num_visits", "amount"])
def test_a_measure_is_not_a_key_however_well_its_values_match(name):
    assert key_among(values(name, ["1", "2", "3"] * 100)) is None


def test_a_column_of_many_zeros_is_a_measure():
    assert is_measure(values("x", ["0"] * 30 + ["5"] * 70))
    assert not is_measure(values("ref", NUMBERS))


def test_small_numbers_match_by_accident():
    match = compare(values("stars", ["1", "2", "3", "4", "5"] * 60), ACCOUNTS, 300)
    assert (match.share, match.is_accidental, match.tier) == (1.0, True, 0)


def test_references_lie_among_the_ids_like_any_sample_of_them():
    match = compare(values("ref", NUMBERS[::7]), ACCOUNTS, 43)
    assert (match.share, match.is_accidental, match.tier) == (1.0, False, 2)


def test_large_numbers_do_not_match_by_accident():
    known = [str(9_000_000 + 977 * n) for n in range(300)]
    assert compare(values("ref", known[:5] * 9), values("id", known), 45).tier == 2


def test_no_column_is_better_than_a_wrong_one():
    assert key_among(values("stars", ["1", "2", "3", "4", "5"] * 60), values("course", ["x", "y"] * 150)) is None


# ---------------------------------------------------------------- which one it is


def test_the_column_that_refers_wins_over_the_decoys_before_it():
    key = key_among(values("floor", ["3", "4"] * 150), values("months", ["1", "12"] * 150), values("ref", NUMBERS))
    assert key.column.name == "ref"
    assert key.rivals == ()


def test_the_same_name_wins_over_a_column_that_matches_as_well():
    key = key_among(values("partner", NUMBERS), values("account_id", NUMBERS))
    assert (key.column.name, key.rivals) == ("account_id", ())


def test_a_generic_name_needs_matching_values():
    own = values("id", [str(n) for n in range(5000, 5300)])
    refer = values("portal", NUMBERS)
    assert key_among(own, refer, ids_column=values("id", NUMBERS)).column.name == "portal"


def test_the_same_name_is_the_key_even_where_zeros_are_cut():
    padded = values("account_id", [f"{n:05d}" for n in range(300)])
    cut = values("account_id", [str(n) for n in range(300)])
    key = key_among(values("invoice", [f"{n:05d}" for n in range(200, 500)]), cut, ids_column=padded)
    assert key.column.name == "account_id"


def test_columns_that_match_nearly_as_well_are_rivals():
    key = key_among(
        values("from_x", ids("acc_", 200)),
        values("to_x", [*ids("acc_", 199), "?"]),
        ids_column=values("id", ids("acc_", 200)),
    )
    assert key.column.name == "from_x"
    assert [rival.column.name for rival in key.rivals] == ["to_x"]


def test_a_column_that_is_filled_in_few_rows_is_no_rival():
    rare = ColumnSketch("invited_by", ("acc_100",) * 9, 1, 0.05, "text", (), {"acc_100": 9})
    key = key_among(rare, values("ref", ids("acc_", 200)), ids_column=values("id", ids("acc_", 200)))
    assert (key.column.name, key.rivals) == ("ref", ())


def test_lists_of_ids_match_by_their_members():
    lists = values("account", [f'["{name}", "acc_100"]' for name in ids("acc_", 100)])
    match = compare(lists, values("id", ids("acc_", 100)), 100)
    assert (match.share, match.rows) == (1.0, 1.0)


def test_hash_samples_are_compared_where_both_would_hold_a_value():
    everything = [f"acc_{n}" for n in range(2_000)]

    sampled = [name for name in everything if is_sampled(name, 1)]
    parent = ColumnSketch("id", tuple(sampled), 2_000, 1.0, "text", (), dict.fromkeys(sampled, 1), 1)
    match = compare(values("ref", everything), parent, 2_000)
    assert (match.values, match.share) == (len(sampled), 1.0)


# ---------------------------------------------------------------- the ids of the entities


def test_the_unique_column_that_others_refer_to_is_the_id():
    entities = table("list.csv", values("row", NUMBERS), values("ref", ids("x_", 300)), rows=300)
    log = table("log.csv", values("who", ids("x_", 100) * 3), *LOG, rows=300)
    assert table_id(entities, [log]).column.name == "ref"


def test_counts_are_no_ids_of_the_entities():
    entities = table("list.csv", values("seats", NUMBERS), values("id", [str(900 + n) for n in range(300)]), rows=300)
    assert table_id(entities).column.name == "id"
