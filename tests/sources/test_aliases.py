"""Merged users: chains are followed to their end, and what cannot be decided is an error that shows it."""

from __future__ import annotations

import random

import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from staging import log, put, read_shop, shop

from pql_model.errors import DataError
from pql_model.sources.aliases import read_aliases
from pql_model.sources.duckdb_session import open_session

ALIASES = {"table": "merges.csv", "columns": {"alias": "old", "user": "new"}}


def resolved(home, *rows):
    """Alias -> the id that counts, and the rows set aside."""
    put(home, "merges.csv", "old,new\n" + "".join(f"{row}\n" for row in rows))
    with open_session("1GB") as con:
        aliases = read_aliases(con, shop(home, aliases=ALIASES))
        rows = aliases.table.to_pyarrow().to_pylist()
        return {row["alias"]: row["user"] for row in rows}, aliases.set_aside


def test_chains_of_any_order_are_followed_to_their_end(tmp_path):
    rows = ["b,c", "x,c", "a,b", "c,d"]

    assert resolved(tmp_path, *rows) == ({"a": "d", "b": "d", "c": "d", "x": "d"}, {})


def test_a_long_chain_is_followed(tmp_path):
    users, _ = resolved(tmp_path, *(f"n{i},n{i + 1}" for i in range(300)))

    assert set(users.values()) == {"n300"}
    assert len(users) == 300


def test_rows_that_say_nothing_are_counted(tmp_path):
    rows = ["a,b", "a,b", "c,c", ",x", "y,", "12.0,13", "12,13", "1,2,3"]

    assert resolved(tmp_path, *rows) == (
        {"a": "b", "12": "13"},
        {"broken_line": 1, "no_user": 2, "alias_of_itself": 1, "repeated": 2},
    )


@pytest.mark.parametrize(
    ("rows", "circle"),
    [
        (["a,b", "b,a"], "a -> b -> a"),
        (["z,a", "a,b", "b,c", "c,a", "p,q"], "a -> b -> c -> a"),
        ([f"n{i:02},n{(i + 1) % 20:02}" for i in range(20)], "n00 -> n01 -> n02 -> n03 -> n04 -> n05 -> ... -> n00"),
    ],
)
def test_a_circle_is_an_error_that_names_it(tmp_path, rows, circle):
    with pytest.raises(DataError, match=rf"aliases of merges\.csv go in a circle.*Received: {circle}\. "):
        resolved(tmp_path, *rows)


def test_an_alias_of_two_users_is_an_error_with_examples(tmp_path):
    rows = [f"a{i},{user}" for i in range(5) for user in ("x", "y")]

    with pytest.raises(DataError, match=r"several users\. Received: a0 \(x and y\), a1 .*, a2 .* and 2 more\. .* Fix:"):
        resolved(tmp_path, *rows)


@examples(15, suppress=[HealthCheck.function_scoped_fixture])
@given(edges=st.dictionaries(st.integers(0, 12), st.integers(13, 20), max_size=8), extra=st.randoms())
def test_any_forest_of_merges_equals_a_walk(tmp_path, edges, extra):
    # ids point to larger ids only, so that there is no circle
    merges = {a: b for a, b in {**edges, 13: 15, 15: 19}.items() if a < b}
    rows = [f"{a},{b}" for a, b in merges.items()]
    extra.shuffle(rows)

    def walk(user):
        return walk(merges[user]) if user in merges else str(user)

    assert resolved(tmp_path, *rows)[0] == {str(a): walk(a) for a in merges}


def test_users_are_resolved_before_they_are_counted_and_excluded_by_either_id(tmp_path):
    put(tmp_path, "merges.csv", "old,new\nanon-1,ann\nanon-2,ann\nbob@old,bob\n")
    rows = ["a,anon-1,login,2026-01-10", "a,ann,login,2026-01-11", "b,anon-2,login,2026-01-11"]
    rows += ["b,bob,login,2026-01-11", "c,bob@old,login,2026-01-12", "c,carl,login,2026-01-12"]
    random.Random(1).shuffle(rows)

    for excluded in ("bob", "bob@old"):
        product = read_shop(tmp_path, log(*rows), aliases=ALIASES, exclude={"users": [excluded]})
        assert [e["user"] for e in product.events] == ["ann", "ann", "ann", "carl"]
        assert product.set_aside == {"excluded_user": 2}
        assert "bob" in product.sources.people.excluded_users  # also once the session is closed


def test_a_merged_user_is_a_bot_by_either_id(tmp_path):
    put(tmp_path, "merges.csv", "old,new\ngooglebot,u7\nu8,bingbot\n")
    rows = ["a,googlebot,login,2026-01-10", "a,u8,login,2026-01-10", "a,u9,login,2026-01-10"]

    assert read_shop(tmp_path, log(*rows), aliases=ALIASES).set_aside == {"bot": 2}


USERS = "account,signed_up,size\nanon,2026-01-03,small\nann,2026-01-05,big\nbob,2026-01-06,big\n"


def test_where_users_convert_the_rows_of_one_person_are_one_entity(tmp_path):
    put(tmp_path, "merges.csv", "old,new\nanon,ann\n")
    rows = ["anon,,login,2026-01-04", "ann,,login,2026-01-10", "bob,,login,2026-01-10"]
    paid = "account,paid_at,mrr\nanon,2026-01-20,100\n"
    product = read_shop(tmp_path, log(*rows), USERS, paid, entity="user", aliases=ALIASES)

    assert [(e["entity"], e["trait_size"]) for e in product.entities] == [("ann", "big"), ("bob", "big")]
    assert product.sources.entities.set_aside == {"merged": 1}
    assert [e["entity"] for e in product.events] == ["ann", "ann", "bob"]  # from the earliest sign-up on
    assert [c["entity"] for c in product.conversions] == ["ann"]


def test_an_id_with_two_sign_ups_of_its_own_is_still_refused(tmp_path):
    put(tmp_path, "merges.csv", "old,new\nanon,ann\n")

    with pytest.raises(DataError, match=r"several sign-up times per entity\. Received: ann"):
        read_shop(
            tmp_path, log("ann,,login,2026-01-10"), USERS + "ann,2026-01-07,big\n", entity="user", aliases=ALIASES
        )
