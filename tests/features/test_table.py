import pytest
from worlds import at, opened, product

from pql_model.errors import DataError
from pql_model.features.spec import Feature
from pql_model.features.table import feature_table, has_value
from pql_model.snapshots.labels import label_snapshots

ACCOUNTS = [
    {"account": name, "signed_up": "2026-01-01", "size": size} for name, size in (("a", "10"), ("b", None), ("c", "x"))
]
EVENTS = [
    {"account": "a", "event": "upload", "time": "2026-01-02", "mb": 2.5},
    {"account": "b", "event": "view", "time": "2026-01-03"},
]
PAID = [{"account": "b", "time": "2026-01-20"}]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    config = product(
        tmp_path_factory.mktemp("table"),
        ACCOUNTS,
        EVENTS,
        PAID,
        snapshots={"at_days": [7]},
        observed_until="2026-06-01",
    )
    with opened(config) as (con, sources):
        yield sources, label_snapshots(con, config, sources)


def test_features_and_traits_are_joined_and_sorted_by_entity(world):
    sources, snapshots = world
    features = [Feature("upload", "count"), Feature("upload", "sum", value="mb")]
    table = feature_table(sources, snapshots.table, features, {"size": "trait.size"})
    assert list(table.columns) == ["entity", "as_of", "upload.count.ever", "upload.sum.mb.ever", "trait.size"]
    assert table["entity"].tolist() == ["a", "b", "c"]
    assert table["as_of"].tolist() == [at("2026-01-08")] * 3
    assert table["upload.sum.mb.ever"].tolist() == [2.5, 0.0, 0.0]
    assert table["trait.size"].fillna("").tolist() == ["10", "", "x"]


def test_without_traits_there_are_features_only(world):
    sources, snapshots = world
    table = feature_table(sources, snapshots.table, [Feature("any", "count")], {})
    assert list(table.columns) == ["entity", "as_of", "any.count.ever"]


def test_value_missing_from_all_tables_is_refused(world):
    sources, snapshots = world
    gone = Feature("upload", "max", value="minutes")
    assert (has_value(sources, gone), has_value(sources, Feature("upload", "count"))) == (False, True)
    with pytest.raises(DataError, match=r"No event table has these values: minutes. Allowed: mb"):
        feature_table(sources, snapshots.table, [gone], {})


def test_a_share_divides_by_the_trait_where_it_is_a_positive_number(world):
    sources, snapshots = world
    part = Feature("any", "count", share_of="size")
    for traits in ({}, {"size": "trait.size"}):
        table = feature_table(sources, snapshots.table, [part, Feature("any", "count")], traits)
        assert list(table.columns) == ["entity", "as_of", "any.count.ever.of+size", "any.count.ever", *traits.values()]
        assert table["any.count.ever.of+size"].fillna(-1).tolist() == [0.1, -1, -1]


def test_a_share_of_a_trait_that_no_table_has_is_refused(world):
    sources, snapshots = world
    gone = Feature("any", "count", share_of="quota")
    assert not has_value(sources, gone)
    with pytest.raises(DataError, match=r"No table has these traits: quota. Allowed: size.*Fix: correct `share_of:`"):
        feature_table(sources, snapshots.table, [gone], {})
