import pytest

from pql_model.discovery.number_marks import PLAIN, Marks, find_marks, to_plain


@pytest.mark.parametrize(
    ("columns", "decimal", "thousands"),
    [
        ({"price": ["12,50", "9,99"]}, ",", None),
        ({"price": ["1.250,50"], "users": ["1.250", "980"]}, ",", "."),
        ({"price": ["0,5"], "revenue": ["1.250", "980"]}, ",", "."),
        ({"population": ["1.250.000", "980"]}, ",", "."),
        ({"price": ["1,250.50", "980.00"]}, None, ","),
        ({"population": ["1,250,000", "980"]}, None, ","),
        ({"price": ["1 250,50", "980,00"]}, ",", " "),
        ({"price": ["1'250.50", "980.00"]}, None, "'"),
        ({"price": ["12.50", "9.99"]}, None, None),
        ({"price": ["12.50"], "seats": ["1,250", "980"]}, None, ","),
        ({"seconds": ["0.125", "12.250"]}, None, None),
        ({"seconds": ["1.125", "2.250", "3.500"]}, None, None),  # always three decimals: a fixed form
        ({"seats": ["12", "980"]}, None, None),
        ({"version": ["1.2.3", "1.10.0"]}, None, None),
        ({"ip": ["10.0.0.1"]}, None, None),
        ({"name": ["Smith, John", "12,50"]}, None, None),
        ({}, None, None),
    ],
)
def test_marks_follow_from_the_values_of_all_columns(columns, decimal, thousands):
    marks = find_marks(columns)
    assert (marks.decimal, marks.thousands, marks.ambiguous) == (decimal, thousands, ())


@pytest.mark.parametrize("values", [["1.250", "980"], ["1,250", "980"], ["3.383", "833", "1.171"]])
def test_a_column_that_can_be_read_in_two_ways_is_ambiguous(values):
    marks = find_marks({"amount": values, "seats": ["3", "5"]})
    assert (marks.decimal, marks.thousands, marks.ambiguous) == (None, None, ("amount",))


def test_columns_that_contradict_each_other_are_ambiguous():
    assert find_marks({"price": ["12.50"], "cost": ["12,50"]}).ambiguous == ("price", "cost")


def test_plain_numbers_need_no_marks():
    assert find_marks({"price": ["12.50", "980"]}) == PLAIN


def test_marks_are_taken_out():
    assert [to_plain(t, Marks(",", ".")) for t in ("1.250,50", " 980", "-3.000")] == ["1250.50", "980", "-3000"]
    assert to_plain("1\u202f250,5", Marks(",", " ")) == "1250.5"
