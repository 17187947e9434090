import pytest
from sync_world import make_world

from pql_model.errors import DataError
from pql_model.sources.converted import converted_entities
from pql_model.sources.duckdb_session import open_session
from pql_model.time import parse_instant

NOW = parse_instant("2024-11-01")


def read(config):
    with open_session() as con:
        return converted_entities(con, config, NOW)


def test_who_converted_by_now_is_known_without_reading_events(tmp_path):
    world = make_world(tmp_path, "abc").targets()
    (tmp_path / "events.csv").unlink()
    assert read(world.config) == set()
    world.convert("a", "a", "unknown")
    with (tmp_path / "paid.csv").open("a") as file:
        file.write("b,2024-12-01\n")
    assert read(world.config) == {"a"}


def test_a_missing_table_is_an_error(tmp_path):
    world = make_world(tmp_path, "abc").targets()
    (tmp_path / "paid.csv").unlink()
    with pytest.raises(DataError, match=r"paid\.csv"):
        read(world.config)
