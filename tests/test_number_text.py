import pytest

from pql_model.number_text import percent


@pytest.mark.parametrize(
    ("share", "expected"), [(0, "0.0%"), (0.078, "7.8%"), (0.0994, "9.9%"), (0.0996, "10%"), (0.1, "10%"), (1, "100%")]
)
def test_one_decimal_below_ten_percent_and_none_above(share, expected):
    assert percent(share) == expected
