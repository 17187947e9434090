import pytest
from worlds import at, opened, product, rows_of

from pql_model.errors import DataError
from pql_model.sources.select_entity import select_entity

NAMES = ("acme", "Acme Labs", "globex", "initech", "o'brien & søn 🦊")
ACCOUNTS = [{"account": name, "signed_up": "2026-01-01"} for name in NAMES]
EVENTS = [{"account": name, "event": "login", "time": "2026-01-02"} for name in NAMES * 2]
PAID = [{"account": name, "time": "2026-01-20"} for name in ("acme", "globex")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    config = product(tmp_path_factory.mktemp("one"), ACCOUNTS, EVENTS, PAID)
    with opened(config) as (con, sources):
        yield lambda name: select_entity(con, config, sources, name)


@pytest.mark.parametrize("name", ["acme", "o'brien & søn 🦊"])
def test_only_the_rows_of_the_entity_remain(world, name):
    found = world(name)
    for table, rows in ((found.entities.table, 1), (found.events.table, 2), (found.conversions.table, name == "acme")):
        assert [row["entity"] for row in rows_of(table)] == [name] * rows


def test_end_of_the_data_is_unchanged(world):
    assert world("initech").observed_until == at("2026-01-20")  # the payment of another


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("acne", ", did you mean `acme`?"),
        ("ACME", ", did you mean `acme` or `Acme Labs`?"),
        ("labs", ", did you mean `Acme Labs`?"),
        ("zzzzzz", ""),
        ("", ""),
    ],
)
def test_unknown_id_is_refused_with_the_nearest(world, name, hint):
    with pytest.raises(DataError, match=r"^accounts\.csv has no entity") as caught:
        world(name)
    said = str(caught.value)
    assert said.startswith(f"accounts.csv has no entity `{name}`{hint}")
    assert ("did you mean" in said) == bool(hint)
    assert "Allowed: an id such as Acme Labs, acme, globex." in said
    assert caught.value.exit_code == 2
