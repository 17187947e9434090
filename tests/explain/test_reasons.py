import numpy as np
import pandas as pd
import pytest
from small_model import MANIFEST, small_model, small_table

from pql_model.explain.reasons import behaviour_of, behaviour_shares, explain
from pql_model.model.columns import Manifest, ModelColumn


def zeros(rows=1):
    return np.zeros((rows, 6))


def row(**changes):
    table, _ = small_table(rows=1)
    return table.assign(**{k: [v] for k, v in changes.items()})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (ModelColumn("Teammate+Invited.count.first_7d", "feature"), ("usage", "Teammate Invited")),
        (ModelColumn("any.breadth.ever", "feature"), ("usage", "activity as a whole")),
        (ModelColumn("any.days_since_signup.ever", "feature"), ("timing", "time since sign-up")),
        (ModelColumn("trait.company+size", "category", ("a",)), ("fit", "company size")),
        (ModelColumn("trait.seats", "number"), ("fit", "seats")),
    ],
)
def test_a_column_belongs_to_usage_fit_or_timing(column, expected):
    assert behaviour_of(column) == expected


def test_the_parts_and_the_base_value_add_up_to_the_margin():
    model, (table, _) = small_model(), small_table(seed=3)
    contributions = model.ensemble.contributions(MANIFEST.matrix(table))
    found = explain(contributions, table, MANIFEST)
    np.testing.assert_allclose(
        found.usage + found.fit + found.timing + found.base, model.margin(table), atol=1e-6, rtol=0
    )


def test_columns_of_one_behaviour_are_one_reason_told_by_the_loudest():
    contributions = zeros()
    contributions[0, :2] = [0.5, 0.2]  # both about Teammate Invited
    (reasons,) = explain(contributions, row(**{"Teammate+Invited.count.first_7d": 3.0}), MANIFEST).texts
    assert reasons == [
        {
            "sign": "+",
            "log_odds": 0.7,
            "column": "Teammate+Invited.count.first_7d",
            "value": 3.0,
            "words": "number of `Teammate Invited` in the first 7 days: 3 (+)",
        }
    ]


def test_the_column_that_tells_speaks_in_the_direction_of_the_sum():
    contributions = zeros()
    contributions[0, :2] = [0.5, -0.9]
    (reason,) = explain(contributions, row(), MANIFEST).texts[0]
    assert (reason["sign"], reason["log_odds"]) == ("-", -0.4)
    assert reason["column"] == "Teammate+Invited.active_days.ever"


def test_reasons_come_strongest_first_and_at_most_three():
    contributions = zeros()
    contributions[0, [0, 2, 3, 4]] = [0.1, -0.4, 0.3, 0.2]
    (reasons,) = explain(contributions, row(), MANIFEST).texts
    assert [r["column"] for r in reasons] == ["any.days_since_signup.ever", "trait.seats", "trait.size"]


def test_what_says_nothing_is_no_reason():
    assert explain(zeros(), row(), MANIFEST).texts == [[]]


@pytest.mark.parametrize(
    ("value", "told"), [(None, "unknown"), ("n/a", "unknown"), ("12", "12"), (True, "1"), (2.5, "2.5")]
)
def test_a_number_is_told_as_the_model_reads_it(value, told):
    contributions = zeros()
    contributions[0, 3] = 1.0
    (reason,) = explain(contributions, row(**{"trait.seats": value}), MANIFEST).texts[0]
    assert reason["words"] == f"seats: {told} (+)"


def test_a_category_is_told_as_text_and_a_missing_one_as_unknown():
    contributions = zeros()
    contributions[0, 4] = -1.0
    for value, told in (("large", "large"), (None, "unknown"), (np.nan, "unknown")):
        (reason,) = explain(contributions, row(**{"trait.size": value}), MANIFEST).texts[0]
        assert reason["words"] == f"size: {told} (-)"


def test_no_rows_have_no_reasons():
    found = explain(zeros(0), small_table(rows=1)[0][:0], MANIFEST)
    assert (found.texts, found.usage.shape) == ([], (0,))


def test_shares_of_behaviours_add_up_to_one_the_strongest_first():
    contributions = zeros(2)
    contributions[:, 0] = [1.0, -1.0]
    contributions[:, 1] = [1.0, 1.0]  # adds to the first within the behaviour
    contributions[:, 4] = [3.0, 0.0]
    found = behaviour_shares(contributions, MANIFEST)
    assert found["behaviour"].tolist() == ["size", "Teammate Invited", "seats", "time since sign-up"]
    assert found["mean_abs"].tolist() == [1.5, 1.0, 0.0, 0.0]
    assert found["share"].tolist() == [0.6, 0.4, 0.0, 0.0]
    assert found["part"].tolist() == ["fit", "usage", "fit", "timing"]


def test_a_model_that_looks_at_nothing_has_shares_of_zero():
    assert behaviour_shares(zeros(), MANIFEST)["share"].tolist() == [0.0] * 4


def test_the_table_is_not_changed():
    table, _ = small_table(rows=5)
    before = table.copy()
    explain(zeros(5), table, MANIFEST)
    pd.testing.assert_frame_equal(table, before)


def test_a_behaviour_that_did_not_happen_is_told_as_never():
    manifest = Manifest(
        (ModelColumn("Teammate+Invited.days_since_last.ever", "feature"), ModelColumn("x.max.mb.ever", "feature"))
    )
    table = pd.DataFrame({name: [np.nan] for name in manifest.names})
    words = [reason["words"] for reason in explain(np.array([[-1.0, 0.5, 0.0]]), table, manifest).texts[0]]
    assert words == ["days since the last `Teammate Invited`: never (-)", "largest mb of `x` so far: none (+)"]
