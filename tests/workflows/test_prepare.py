import pandas as pd
import pytest
from products import trial_files

from pql_model.config.load import load_config
from pql_model.errors import DataError
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.progress import Silent, Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.workflows.prepare import _typed, features_of, has_users, prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prepare")


def prepared(config, also=None):
    with open_session("1GB") as con:
        return prepare(con, load_config(config), Stages(), also)


def test_the_table_has_a_row_for_each_snapshot_in_the_order_of_the_labels(folder):
    result = prepared(trial_files(folder))
    frame = result.snapshots.frame
    assert result.table["entity"].tolist() == frame["entity"].tolist()
    assert result.table["as_of"].tolist() == frame["as_of"].tolist()
    assert len(result.converted) == len(frame) == len(result.split.train) == len(result.split.test)
    assert {"login.count.first_7d", "any.count.ever", "trait.seats"} <= set(result.table.columns)


def test_an_excluded_entity_is_counted_and_not_trained_on(folder):
    result = prepared(trial_files(folder, exclude={"entities": {"seats": [3]}}))
    assert result.snapshots.left_out["excluded"] > 0
    assert not (result.table["trait.seats"] == 3).any()


def test_features_of_the_definition_alone_are_computed_but_not_given_to_the_model(folder):
    definition = {"all": [{"event": "login", "at_least": 2, "within": "first 5d"}]}
    result = prepared(trial_files(folder, definition=definition))
    assert "login.count.first_5d" in result.table.columns
    assert "login.count.first_5d" not in result.manifest.names


def test_a_definition_that_names_an_event_the_data_do_not_have_is_refused(folder):
    config = trial_files(folder, definition={"all": [{"event": "logins", "at_least": 2}]})
    with pytest.raises(DataError, match=r"names event `logins`, which the data do not have, did you mean `login`?"):
        prepared(config)


def test_monotone_names_an_event_or_trait_of_the_data(folder):
    with pytest.raises(DataError, match=r"`monotone` names `logn`, which the data do not have, did you mean `login`\?"):
        prepared(trial_files(folder, monotone={"logn": "increasing"}))


def test_an_excluded_value_that_no_entity_has_is_reported(folder, monkeypatch):
    heard = []
    monkeypatch.setattr(Silent, "say", lambda self, sentence: heard.append(sentence))
    prepared(trial_files(folder, policy={"probability": 0.2, "exclude": {"seats": [3, "three"]}}))
    assert heard[1:] == ["`policy: {exclude: ...}` names `three` of `seats`, which no snapshot has."]


def test_the_policy_names_events_and_traits_of_the_data(folder):
    with pytest.raises(
        DataError, match=r"The exclude names trait `seat`, which the data do not have, did you mean `seats`\?"
    ):
        prepared(trial_files(folder, policy={"probability": 0.2, "exclude": {"seat": [3]}}))


def test_monotone_is_refused_for_a_categorical_trait(tmp_path):
    config = trial_files(tmp_path, monotone={"size": "increasing"})
    accounts = pd.read_parquet(tmp_path / "accounts.parquet")
    accounts["size"] = ["small", "large"] * (len(accounts) // 2)
    accounts.to_parquet(tmp_path / "accounts.parquet")
    with pytest.raises(DataError, match="names the trait `size`, whose values are categories: these have no order"):
        prepared(config)


def test_the_features_of_another_model_are_computed_where_possible(folder):
    also = Manifest((ModelColumn("login.count.first_3d", "feature"), ModelColumn("login.sum.mb.ever", "feature")))
    result = prepared(trial_files(folder), also)
    assert "login.count.first_3d" in result.table.columns
    assert "login.sum.mb.ever" not in result.table.columns
    assert features_of(None) == []


def test_a_column_that_is_named_like_an_id_is_used_only_when_it_is_listed(folder):
    table = pd.DataFrame({"entity": ["a", "b", "c"], "trait.region_id": [1, 2, 2]})
    entities = {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}}
    plain, listed = (
        load_config(trial_files(folder, entities=e)) for e in (entities, {**entities, "traits": ["region_id"]})
    )
    result = _typed(plain, table, ("region_id",))
    assert result.unused == {"region_id": "its name suggests an identifier; list it under `traits` to use it"}
    assert [column.name for column in _typed(listed, table, ("region_id",)).columns] == ["trait.region_id"]


def test_users_are_counted_only_for_accounts_whose_log_names_them(folder):
    config = load_config(trial_files(folder))
    assert not has_users(config)
    table = {"table": "e", "columns": {"entity": "account", "event": "action", "time": "time", "user": "u"}}
    assert has_users(load_config(trial_files(folder, events=[table])))
    assert not has_users(load_config(trial_files(folder, events=[table], entity="user")))
