"""One id in several spellings."""

import pytest

from pql_model.sources.id_forms import normalise_id


@pytest.mark.parametrize(
    ("raw", "forms", "expected"),
    [
        ("\u00a0a\u200b ", ["spaces"], "a"),
        ("000", ["leading_zeros"], "0"),
        ("00a", ["leading_zeros"], "0a"),
        ('["a"]', ["brackets"], "a"),
        ("[]", ["brackets"], None),
        ("0015000000Gv7qJAAR", ["salesforce", "case"], "0015000000gv7qj"),
        ("0015000000gv7qjaar", ["salesforce"], "0015000000gv7qjaar"),
        ("A", [], "A"),
    ],
)
def test_id_is_brought_to_one_spelling(raw, forms, expected):
    assert normalise_id(raw, forms) == expected
