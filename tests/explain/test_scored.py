import json

import numpy as np
import pytest
from small_model import small_model, small_table

from pql_model.errors import FeatureMismatchError
from pql_model.explain.scored import scored_rows


@pytest.fixture(scope="module")
def model():
    return small_model()


def test_scored_rows_have_the_probability_of_the_model(model):
    table, _ = small_table(seed=9)
    rows = scored_rows(model, table)
    np.testing.assert_allclose(rows["probability"], model.probability(table), rtol=0, atol=1e-9)
    assert rows["score"].tolist() == model.score(rows["probability"].to_numpy()).tolist()


def test_usage_fit_timing_and_base_add_up_to_the_margin(model):
    table, _ = small_table(seed=9)
    rows = scored_rows(model, table)
    base = model.predictor.contributions(model.manifest.matrix(table))[:, -1]
    np.testing.assert_allclose(
        rows[["usage", "fit", "timing"]].sum(axis=1) + base, model.margin(table), rtol=0, atol=1e-6
    )


def test_the_columns_are_those_of_a_scored_row(model):
    rows = scored_rows(model, small_table(rows=3)[0])
    assert list(rows.columns) == [
        "entity",
        "as_of",
        "probability",
        "score",
        "usage",
        "fit",
        "timing",
        "reasons",
        "feature_set",
    ]
    assert rows["entity"].tolist() == ["a0000", "a0001", "a0002"]
    assert rows["feature_set"].unique().tolist() == [model.manifest.hash]


def test_reasons_are_json_with_plain_text(model):
    reasons = json.loads(scored_rows(model, small_table(rows=1)[0])["reasons"].iloc[0])
    assert 1 <= len(reasons) <= 3
    assert set(reasons[0]) == {"sign", "log_odds", "effect", "behaviour", "part", "column", "value", "words"}


def test_a_row_is_scored_the_same_alone_and_among_others(model):
    table, _ = small_table(seed=9)
    together = scored_rows(model, table).iloc[[17]].reset_index(drop=True)
    alone = scored_rows(model, table.iloc[[17]].reset_index(drop=True))
    assert together.to_dict("records") == alone.to_dict("records")


def test_without_entity_and_as_of_the_features_are_enough(model):
    table, _ = small_table(rows=3)
    assert "entity" not in scored_rows(model, table.drop(columns=["entity", "as_of"])).columns


def test_an_empty_table_gives_no_rows_and_all_columns(model):
    rows = scored_rows(model, small_table(rows=1)[0][:0])
    assert len(rows) == 0
    assert "reasons" in rows.columns


def test_a_missing_column_is_named(model):
    with pytest.raises(FeatureMismatchError, match=r"lacks 1 of 5 columns: trait.size"):
        scored_rows(model, small_table(rows=1)[0].drop(columns="trait.size"))
