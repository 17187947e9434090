import pytest
from worlds import product

from pql_model.sources.display_names import name_column, read_display_names
from pql_model.sources.duckdb_session import open_session

EVENTS = [{"account": "a", "event": "x", "time": "2026-01-06"}]
PAID = [{"account": "a", "time": "2026-01-07"}]


def names(home, accounts, **config):
    accounts = [{"signed_up": "2026-01-05", **row} for row in accounts]
    with open_session() as con:
        return read_display_names(con, product(home, accounts, EVENTS, PAID, **config))


def test_the_names_are_trimmed_and_an_empty_one_is_left_out(tmp_path):
    found = names(tmp_path, [{"account": k, "company_name": v} for k, v in (("a", " Acme "), ("b", ""), ("c", "Bolt"))])
    assert (found.column, found.of) == ("company_name", {"a": "Acme", "c": "Bolt"})


def test_ids_are_read_as_everywhere(tmp_path):
    found = names(tmp_path, [{"account": 12.0, "name": "Acme"}, {"account": 13.0, "name": "Bolt"}])
    assert found.of == {"12": "Acme", "13": "Bolt"}


def test_a_column_that_many_entities_share_is_a_trait(tmp_path):
    found = names(tmp_path, [{"account": f"a{k}", "company": "yes" if k % 2 else "no"} for k in range(10)])
    assert (found.column, found.of) == (None, {})


def test_numbers_are_not_names(tmp_path):
    assert names(tmp_path, [{"account": f"a{k}", "name": k + 5} for k in range(4)]).column is None


def test_without_such_a_column_there_are_no_names(tmp_path):
    assert names(tmp_path, [{"account": "a", "region": "Europe"}]).column is None


@pytest.mark.parametrize(
    ("columns", "entity", "expected"),
    [
        (["Company", "Account Name"], "account", "Account Name"),
        (["WORKSPACE_NAME"], "account", "WORKSPACE_NAME"),
        (["email", "Full Name"], "user", "Full Name"),
        (["email"], "account", None),
        (["plan_name", "event_name", "first_name"], "account", None),
    ],
)
def test_the_most_telling_column_is_the_name(columns, entity, expected):
    assert name_column(columns, entity) == expected
