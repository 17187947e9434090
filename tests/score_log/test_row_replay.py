import json
from dataclasses import replace

import numpy as np
import pytest
from small_model import MANIFEST, small_model, small_table

from pql_model.explain.scored import scored_rows
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import OTHER, Manifest, ModelColumn
from pql_model.score_log.log_schema import LogRow, inputs_digest
from pql_model.score_log.row_replay import differing_parts, input_changes, inputs_table


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


def test_rows_are_reproduced_from_their_inputs(model):
    assert differing_parts(rows_of(model, small_table(60)[0]), model) == [[]] * 60
    assert differing_parts([], model) == []


def test_a_single_row_is_reproduced_as_among_others(model):
    rows = rows_of(model, small_table(60)[0])
    assert [differing_parts([row], model) for row in rows] == [[[]]] * 60


@pytest.mark.parametrize("name", ["probability", "score", "usage", "fit", "timing"])
def test_a_different_number_is_named(model, name):
    [row] = rows_of(model, small_table(1)[0])
    assert differing_parts([replace(row, **{name: getattr(row, name) + 2e-9})], model) == [[name]]
    assert differing_parts([replace(row, **{name: getattr(row, name) + 1e-12})], model) == [[]]


def test_nan_differs_from_any_number(model):
    [row] = rows_of(model, small_table(1)[0])
    assert differing_parts([replace(row, probability=float("nan"), fit=float("nan"))], model) == [
        ["probability", "fit"]
    ]


def test_different_reasons_are_reported_but_not_different_wording(model):
    [row] = rows_of(model, small_table(1)[0])
    first, *others = row.reasons
    assert differing_parts([replace(row, reasons=[{**first, "words": "said otherwise"}, *others])], model) == [[]]
    assert differing_parts([replace(row, reasons=others)], model) == [["reasons"]]
    assert differing_parts(
        [replace(row, reasons=[{**first, "log_odds": first["log_odds"] + 0.001}, *others])], model
    ) == [["reasons"]]
    [theirs] = rows_of(small_model(seed=2), small_table(1)[0])
    assert "reasons" in differing_parts([replace(row, reasons=theirs.reasons)], model)[0]


def test_an_unseen_category_is_reproduced(model):
    """The reasons say `huge`, which the numbers do not know: the model reads it as missing, or as another one."""
    table = small_table(40)[0].assign(**{"trait.size": "huge"})
    size = ModelColumn("trait.size", "category", ("large", "small", OTHER))
    known = FittedModel(
        model.predictor, model.calibration, Manifest((*MANIFEST.columns[:-1], size)), model.reference, model.facts
    )
    for fitted in (model, known):
        rows = rows_of(fitted, table)
        assert "huge" in {reason["value"] for row in rows for reason in row.reasons}
        assert differing_parts(rows, fitted) == [[]] * 40
        lying = [{**r, "value": "large"} if r["value"] == "huge" else r for r in rows[0].reasons]
        assert differing_parts([replace(rows[0], reasons=lying)], fitted) == [["reasons"]]


def test_inputs_table_is_the_inverse_of_the_matrix(model):
    X = np.array([[2.0, np.nan, 7.0, 3.5, 1.0], [0.0, 1.0, 14.0, np.nan, np.nan]])
    table = inputs_table(X, MANIFEST)
    assert table["trait.size"].tolist() == ["small", None]
    np.testing.assert_array_equal(MANIFEST.matrix(table), X)


def test_input_changes_have_sentences():
    before = np.array([3.0, np.nan, 7.0, np.nan, 0.0])
    now = np.array([1234.5, np.nan, 7.0, 12.0, np.nan])
    changes = input_changes(before, now, MANIFEST)
    assert [change.sentence for change in changes] == [
        "number of `Teammate Invited` in the first 7 days: 3 -> 1,234.5",
        "seats: missing -> 12",
        "size: large -> missing",
    ]
    assert changes[1].to_dict() == {"column": "trait.seats", "words": "seats", "before": None, "now": 12.0}
    assert input_changes(before, before, MANIFEST) == ()
    assert input_changes(np.array([0.0] * 5), np.array([-0.0] * 5), MANIFEST) == ()
