import pytest

from pql_model.config.load import load_config
from pql_model.demo.world import make_world, write_world
from pql_model.errors import DataError
from pql_model.workflows.init import init


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("init") / "data"
    write_world(make_world(200), folder)
    return folder


def tables(data):
    return [data / "events.parquet"], data / "accounts.csv", data / "subscriptions.csv"


def test_config_is_written_with_reasons_and_relative_paths(data, tmp_path):
    result = init(*tables(data), output=data.parent / "pql.yaml", name="boards")
    config = load_config(result.path)
    assert (config.name, config.entity, config.motion) == ("boards", "account", "trial")
    assert config.events[0].table == "data/events.parquet"
    assert config.events[0].columns.model_dump(exclude_none=True) == {
        "entity": "account_id",
        "user": "user_id",
        "event": "action",
        "time": "occurred",
        "id": "event_id",
        "user_agent": "user_agent",
    }
    assert config.entities.columns.signed_up == "created_at"
    assert config.conversions.columns.model_dump(exclude_none=True) == {
        "entity": "account_id",
        "time": "paid_at",
        "value": "mrr",
    }
    assert result.to_dict() == {"config": str(data.parent / "pql.yaml"), "notes": list(result.notes), "questions": []}
    assert len(result.notes) >= 5
    assert not list(data.parent.glob("*.part"))


def test_existing_config_is_kept_unless_forced(data, tmp_path):
    path = tmp_path / "pql.yaml"
    path.write_text("mine")
    with pytest.raises(DataError, match=r"The config already exists. Received: .*pql.yaml. Fix: .*`--force`"):
        init(*tables(data), output=path)
    assert path.read_text() == "mine"
    assert load_config(init(*tables(data), output=path, force=True).path).motion == "trial"


def test_name_defaults_to_the_folder(data, tmp_path):
    folder = tmp_path / "My Product!"
    assert load_config(init(*tables(data), output=folder / "pql.yaml").path).name == "My-Product"


def test_missing_tables_are_left_to_fill_in(data, tmp_path):
    result = init([data / "events.parquet"], output=tmp_path / "pql.yaml")
    assert "# entities:" in result.path.read_text()
    assert "# conversions:" in result.path.read_text()
    assert any("There is no conversions table" in note for note in result.notes)


def test_a_missing_file_is_named_and_nothing_is_written(data, tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*event.parquet, did you mean `events.parquet`\?"):
        init([data / "event.parquet"], output=tmp_path / "pql.yaml")
    assert list(tmp_path.iterdir()) == []


def test_numbered_files_become_one_glob(data, tmp_path):
    for number in (1, 2, 10):
        (tmp_path / f"log-{number}.csv").write_text(
            f"who,what,at\nu{number},open,2025-01-0{number % 9 + 1}\nu1,close,2025-01-02\n"
        )
    files = sorted(tmp_path.glob("log-*.csv"))
    every = init(files, output=tmp_path / "all.yaml").path.read_text()
    assert every.count("- table:") == 1
    assert "- table: log-*.csv" in every
    some = init(files[:2], output=tmp_path / "some.yaml").path.read_text()
    assert some.count("- table:") == 2
