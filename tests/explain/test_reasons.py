import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small_model import MANIFEST, small_model, small_table

from pql_model.explain.reasons import behaviour_of, behaviour_shares, explain
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest, ModelColumn

AS_IT_IS = Calibration("platt", slope=1.0)


@pytest.fixture(scope="module")
def model():
    return small_model()


def payload(contributions, table, manifest=MANIFEST, **kwargs):
    """The reasons of each row as a scored row holds them."""
    result = explain(contributions, table, manifest, kwargs.pop("calibration", AS_IT_IS), **kwargs)
    return [[reason.to_dict() for reason in reasons] for reasons in result.rows]


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


def held_out(rows, cells):
    """Rows that were not in training, some of their cells missing or of values never seen."""
    table, _ = small_table(rows=rows, seed=99)
    for row, name, which in cells:
        table.loc[row, name] = ([None, "never seen", ""] if name == "trait.size" else [np.nan, 1e9, -1.0])[which]
    return table


@examples(25)
@given(st.lists(st.tuples(st.integers(0, 39), st.sampled_from(MANIFEST.names), st.integers(0, 2)), max_size=30))
def test_the_parts_behaviours_and_the_base_value_add_up_to_the_margin(model, cells):
    table = held_out(40, cells)
    contributions = model.predictor.contributions(MANIFEST.matrix(table))
    result = explain(contributions, table, MANIFEST, model.calibration, top=None)
    margin = model.margin(table)
    np.testing.assert_allclose(result.usage + result.fit + result.timing + result.base, margin, atol=1e-6, rtol=0)
    behaviours = np.array([sum(reason.log_odds for reason in reasons) for reasons in result.rows])
    np.testing.assert_allclose(behaviours + result.base, margin, atol=1e-6, rtol=0)
    for part in ("usage", "fit", "timing"):
        sums = [sum(r.log_odds for r in reasons if r.part == part) for reasons in result.rows]
        np.testing.assert_allclose(sums, getattr(result, part), atol=1e-9, rtol=0)


def test_columns_of_one_behaviour_give_one_reason_with_the_strongest_column():
    contributions = zeros()
    contributions[0, :2] = [0.5, 0.2]  # both about Teammate Invited
    (reasons,) = payload(contributions, row(**{"Teammate+Invited.count.first_7d": 3.0}))
    assert reasons == [
        {
            "sign": "+",
            "log_odds": 0.7,
            "effect": 16.82,  # a probability of 66.82 % where it would be 50 % without
            "behaviour": "Teammate Invited",
            "part": "usage",
            "column": "Teammate+Invited.count.first_7d",
            "value": 3.0,
            "words": "3 `Teammate Invited` in the first 7 days (+)",
        }
    ]


@pytest.mark.parametrize(
    ("calibration", "effects"),
    [
        (
            AS_IT_IS,
            [23.11, -23.11],
        ),  # 50 % all told; sigmoid(-1) = 26.89 % without the first, 73.11 % without the second
        (Calibration("constant", intercept=-1.0), [0.0, 0.0]),
        (Calibration("isotonic", thresholds=(0.3, 0.9), probabilities=(0.1, 0.4)), [10.0, -11.55]),
    ],
)
def test_the_effect_is_the_probability_less_the_one_without_the_behaviour(calibration, effects):
    contributions = zeros()
    contributions[0, [3, 4]] = [1.0, -1.0]
    (reasons,) = payload(contributions, row(), calibration=calibration)
    assert [reason["effect"] for reason in reasons] == effects


def test_the_column_of_a_reason_has_the_sign_of_the_sum():
    contributions = zeros()
    contributions[0, :2] = [0.5, -0.9]
    ((reason,),) = payload(contributions, row())
    assert (reason["sign"], reason["log_odds"]) == ("-", -0.4)
    assert reason["column"] == "Teammate+Invited.active_days.ever"


def test_there_are_at_most_three_reasons_with_the_strongest_first():
    contributions = zeros()
    contributions[0, [0, 2, 3, 4]] = [0.1, -0.4, 0.3, 0.2]
    (reasons,) = payload(contributions, row())
    assert [r["column"] for r in reasons] == ["any.days_since_signup.ever", "trait.seats", "trait.size"]


def test_a_zero_contribution_is_no_reason_but_is_in_the_full_list():
    assert payload(zeros(), row()) == [[]]
    (whole,) = payload(zeros(), row(), top=None)
    assert [(r["behaviour"], r["part"], r["sign"]) for r in whole] == [
        ("Teammate Invited", "usage", ""),
        ("time since sign-up", "timing", ""),
        ("seats", "fit", ""),
        ("size", "fit", ""),
    ]
    assert not whole[0]["words"].endswith(")")


@pytest.mark.parametrize("signs", [[1, 1, 1], [-1, 1, -1], [1, -1, 1]])
def test_equal_reasons_follow_the_order_of_the_manifest(signs):
    contributions = zeros()
    contributions[0, 2:5] = np.array(signs) * np.array([0.3, 0.1 + 0.2, 0.3])  # 0.1 + 0.2 is a little more than 0.3
    (reasons,) = payload(contributions, row())
    assert [r["behaviour"] for r in reasons] == ["time since sign-up", "seats", "size"]


def test_the_first_of_equally_strong_columns_is_used():
    contributions = zeros()
    contributions[0, :2] = [0.3, 0.1 + 0.2]
    assert payload(contributions, row())[0][0]["column"] == "Teammate+Invited.count.first_7d"


def test_a_row_has_bit_identical_sums_alone_and_among_others(model):
    table, _ = small_table(seed=5)
    contributions = model.predictor.contributions(MANIFEST.matrix(table))
    together = explain(contributions, table, MANIFEST, model.calibration, top=None)
    for i in (0, 17, 399):
        alone = explain(contributions[i : i + 1], table[i : i + 1], MANIFEST, model.calibration, top=None)
        assert alone.rows[0] == together.rows[i]
        assert (alone.usage[0], alone.fit[0]) == (together.usage[i], together.fit[i])


def test_a_trait_and_an_event_of_one_name_are_two_behaviours():
    manifest = Manifest((ModelColumn("login.count.ever", "feature"), ModelColumn("trait.login", "number")))
    table = pd.DataFrame({"login.count.ever": [3.0], "trait.login": [4.0]})
    (reasons,) = payload(np.array([[0.5, -0.25, 0.0]]), table, manifest)
    assert [(r["part"], r["log_odds"], r["words"]) for r in reasons] == [
        ("usage", 0.5, "3 `login` so far (+)"),
        ("fit", -0.25, "login is 4 (-)"),
    ]


@pytest.mark.parametrize(
    ("value", "words"), [(None, "unknown"), ("n/a", "unknown"), ("12", "12"), (True, "1"), (2.5, "2.5")]
)
def test_a_number_is_written_as_the_model_reads_it(value, words):
    contributions = zeros()
    contributions[0, 3] = 1.0
    assert payload(contributions, row(**{"trait.seats": value}))[0][0]["words"] == f"seats is {words} (+)"


def test_a_category_is_written_as_text_and_a_missing_one_as_unknown():
    contributions = zeros()
    contributions[0, 4] = -1.0
    for value, words in (
        ("large", "large"),
        (None, "unknown"),
        (np.nan, "unknown"),
        ("tiny", "tiny, new to the model"),
    ):
        assert payload(contributions, row(**{"trait.size": value}))[0][0]["words"] == f"size is {words} (-)"


@pytest.mark.parametrize(
    ("age", "when"), [(3.0, "so far, of the first 7 days"), (7.0, "in the first 7 days"), (None, "in the first 7 days")]
)
def test_an_open_first_window_is_mentioned_where_the_age_is_known(age, when):
    contributions = zeros()
    contributions[0, 0] = 1.0
    table = row(**{"Teammate+Invited.count.first_7d": 2.0, "any.days_since_signup.ever": age})
    assert payload(contributions, table)[0][0]["words"] == f"2 `Teammate Invited` {when} (+)"


def test_no_rows_have_no_reasons():
    reasons = explain(zeros(0), small_table(rows=1)[0][:0], MANIFEST, AS_IT_IS)
    assert (reasons.rows, reasons.usage.shape) == ([], (0,))


def test_a_model_without_columns_has_no_reasons():
    reasons = explain(np.array([[-1.0]]), pd.DataFrame(index=[0]), Manifest(()), AS_IT_IS, top=None)
    assert (reasons.rows, reasons.usage.tolist(), reasons.base.tolist()) == ([[]], [0.0], [-1.0])


def test_shares_of_behaviours_add_up_to_one_in_descending_order():
    contributions = zeros(2)
    contributions[:, 0] = [1.0, -1.0]
    contributions[:, 1] = [1.0, 1.0]  # adds to the first within the behaviour
    contributions[:, 4] = [3.0, 0.0]
    result = behaviour_shares(contributions, MANIFEST)
    assert result["behaviour"].tolist() == ["size", "Teammate Invited", "seats", "time since sign-up"]
    assert result["mean_abs"].tolist() == [1.5, 1.0, 0.0, 0.0]
    assert result["share"].tolist() == [0.6, 0.4, 0.0, 0.0]
    assert result["part"].tolist() == ["fit", "usage", "fit", "timing"]


def test_a_constant_model_has_shares_of_zero():
    assert behaviour_shares(zeros(), MANIFEST)["share"].tolist() == [0.0] * 4


def test_the_table_is_not_changed():
    table, _ = small_table(rows=5)
    before = table.copy()
    explain(zeros(5), table, MANIFEST, AS_IT_IS)
    pd.testing.assert_frame_equal(table, before)


def test_a_behaviour_that_never_happened_is_written_as_such():
    manifest = Manifest(
        (ModelColumn("Teammate+Invited.days_since_last.ever", "feature"), ModelColumn("x.max.mb.ever", "feature"))
    )
    table = pd.DataFrame({name: [np.nan] for name in manifest.names})
    words = [reason["words"] for reason in payload(np.array([[-1.0, 0.5, 0.0]]), table, manifest)[0]]
    assert words == ["no `Teammate Invited` so far (-)", "no mb of `x` so far (+)"]
