import math

import pytest

from pql_model.score_log.row_diff import NUMBERS, SAME, compare_rows, nearly_equal

ROW = {
    "entity": "acme",
    "probability": 0.25,
    "score": 80.0,
    "usage": 0.5,
    "fit": -0.1,
    "timing": 0.0,
    "band": "high",
    "is_pql": True,
    "reasons": '[{"behaviour": "login", "contribution": 0.5}]',
    "criteria_met": "[]",
    "meets_definition": None,
    "meets_in_force": True,
    "nearest_missing": None,
    "next_step": None,
    "contact": None,
    "contacts": None,
    "suppressed": None,
}


def compared(**answer):
    return compare_rows("service", [ROW], [ROW | answer])


def test_equal_rows_have_no_differences():
    diff = compared(reasons=[{"behaviour": "login", "contribution": 0.5}], criteria_met=[])
    assert (diff.rows, diff.refused, diff.same) == (1, 0, True)
    assert diff.largest == dict.fromkeys(NUMBERS, 0.0)
    assert diff.different == dict.fromkeys((*NUMBERS, *SAME), 0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("probability", 0.25 + 2e-9),
        ("probability", None),
        ("probability", math.nan),
        ("fit", None),
        ("band", "low"),
        ("is_pql", False),
        ("is_pql", None),
        ("is_pql", 1),
        ("reasons", []),
        ("reasons", None),
        ("reasons", [{"behaviour": "login", "contribution": 0.5 + 2e-9}]),
        ("reasons", [{"behaviour": "login"}]),
        ("criteria_met", [{"id": "c1"}]),
        ("meets_definition", False),
        ("meets_in_force", None),
        ("nearest_missing", {"id": "c1"}),
        ("next_step", {"criterion": "c1"}),
        ("contact", {"user": "ann"}),
        ("contacts", [{"user": "ann"}]),
        ("suppressed", "bot"),
    ],
)
def test_a_different_value_is_counted(column, value):
    diff = compared(**{column: value})
    assert diff.different[column] == 1
    assert sum(diff.different.values()) == 1
    assert not diff.same


def test_a_difference_below_the_tolerance_is_reported_but_not_counted():
    diff = compared(probability=0.25 + 1e-12, reasons=[{"behaviour": "login", "contribution": 0.5 - 1e-12}])
    assert diff.largest["probability"] == pytest.approx(1e-12, rel=1e-3)
    assert diff.same


def test_the_largest_difference_of_all_rows_is_reported():
    rows = [ROW, ROW, ROW]
    diff = compare_rows("service", rows, [ROW | {"usage": 0.5 + d} for d in (0.1, -0.3, 0.2)])
    assert diff.largest["usage"] == pytest.approx(0.3)
    assert diff.different["usage"] == 3


def test_an_error_is_a_refusal_with_its_message():
    diff = compare_rows("service", [ROW, ROW], [{"error": {"message": "no"}}, ROW])
    assert (diff.rows, diff.refused, diff.first_refusal, diff.same) == (2, 1, "acme: no", False)
    assert diff.to_dict()["refused"] == {"rows": 1, "first": "acme: no"}


def test_a_missing_answer_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        compare_rows("service", [ROW, ROW], [ROW])


def test_booleans_are_not_numbers_and_none_is_not_zero():
    assert not nearly_equal(1, True)
    assert not nearly_equal(0.0, None)
    assert not nearly_equal("1", 1)
    assert nearly_equal(1, 1.0)
    assert nearly_equal(None, None)
