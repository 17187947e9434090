import json
from dataclasses import replace

import numpy as np
import pytest
from small_model import MANIFEST, small_model, small_table

from pql_model.explain.scored import scored_rows
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import OTHER, Manifest, ModelColumn
from pql_model.score_log.recompute import changes, differing, table_of
from pql_model.score_log.schema import LogRow, inputs_digest


@pytest.fixture(scope="module")
def model():
    return small_model()


def rows_of(model, table):
    scored, X = scored_rows(model, table), model.manifest.matrix(table)
    numbers = ("probability", "score", "usage", "fit", "timing")
    return [
        LogRow(
            entity=row["entity"],
            as_of=row["as_of"],
            scored_at=0,
            source="score",
            model_name="tiny",
            model_version="1",
            feature_set=row["feature_set"],
            reasons=json.loads(row["reasons"]),
            inputs=x,
            inputs_digest=inputs_digest(row["feature_set"], x),
            **{name: row[name] for name in numbers},
        )
        for row, x in zip(scored.to_dict("records"), X, strict=True)
    ]


def test_a_row_comes_out_of_its_own_numbers(model):
    assert differing(rows_of(model, small_table(60)[0]), model) == [[]] * 60
    assert differing([], model) == []


def test_a_row_alone_comes_out_as_among_others(model):
    rows = rows_of(model, small_table(60)[0])
    assert [differing([row], model) for row in rows] == [[[]]] * 60


@pytest.mark.parametrize("name", ["probability", "score", "usage", "fit", "timing"])
def test_a_number_that_is_another_is_named(model, name):
    [row] = rows_of(model, small_table(1)[0])
    assert differing([replace(row, **{name: getattr(row, name) + 2e-9})], model) == [[name]]
    assert differing([replace(row, **{name: getattr(row, name) + 1e-12})], model) == [[]]


def test_what_is_no_number_is_not_the_number_that_the_model_gives(model):
    [row] = rows_of(model, small_table(1)[0])
    assert differing([replace(row, probability=float("nan"), fit=float("nan"))], model) == [["probability", "fit"]]


def test_reasons_of_another_model_are_seen_and_another_wording_is_none(model):
    [row] = rows_of(model, small_table(1)[0])
    first, *others = row.reasons
    assert differing([replace(row, reasons=[{**first, "words": "said otherwise"}, *others])], model) == [[]]
    assert differing([replace(row, reasons=others)], model) == [["reasons"]]
    assert differing([replace(row, reasons=[{**first, "log_odds": first["log_odds"] + 0.001}, *others])], model) == [
        ["reasons"]
    ]
    [theirs] = rows_of(small_model(seed=2), small_table(1)[0])
    assert "reasons" in differing([replace(row, reasons=theirs.reasons)], model)[0]


def test_a_value_that_the_model_has_not_seen_comes_out_too(model):
    """The reasons say `huge`, which the numbers do not know: the model reads it as missing, or as another one."""
    table = small_table(40)[0].assign(**{"trait.size": "huge"})
    size = ModelColumn("trait.size", "category", ("large", "small", OTHER))
    known = FittedModel(
        model.predictor, model.calibration, Manifest((*MANIFEST.columns[:-1], size)), model.reference, model.facts
    )
    for fitted in (model, known):
        rows = rows_of(fitted, table)
        assert "huge" in {reason["value"] for row in rows for reason in row.reasons}
        assert differing(rows, fitted) == [[]] * 40
        lying = [{**r, "value": "large"} if r["value"] == "huge" else r for r in rows[0].reasons]
        assert differing([replace(rows[0], reasons=lying)], fitted) == [["reasons"]]


def test_the_table_of_numbers_gives_the_numbers_back(model):
    X = np.array([[2.0, np.nan, 7.0, 3.5, 1.0], [0.0, 1.0, 14.0, np.nan, np.nan]])
    table = table_of(X, MANIFEST)
    assert table["trait.size"].tolist() == ["small", None]
    np.testing.assert_array_equal(MANIFEST.matrix(table), X)


def test_what_changed_is_told_in_words_and_missing_is_missing():
    before = np.array([3.0, np.nan, 7.0, np.nan, 0.0])
    now = np.array([1234.5, np.nan, 7.0, 12.0, np.nan])
    found = changes(before, now, MANIFEST)
    assert [change.payload for change in found] == [
        "number of `Teammate Invited` in the first 7 days: 3 -> 1,234.5",
        "seats: missing -> 12",
        "size: large -> missing",
    ]
    assert found[1].to_dict() == {"column": "trait.seats", "words": "seats", "before": None, "now": 12.0}
    assert changes(before, before, MANIFEST) == ()
    assert changes(np.array([0.0] * 5), np.array([-0.0] * 5), MANIFEST) == ()
