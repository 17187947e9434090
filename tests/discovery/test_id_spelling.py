from collections import Counter

import pytest

from pql_model.discovery.id_spelling import spelling_forms
from pql_model.discovery.sketch import ColumnSketch


def column(*values):
    return ColumnSketch("id", values, len(set(values)), 1.0, "text", values, Counter(values))


ACCOUNTS = column("00012", "00700", "acc_1", "001A00000000012QAB")


@pytest.mark.parametrize(
    ("child", "forms", "gained"),
    [
        (column("12", "700"), ("leading_zeros",), 2),
        (column("ACC_1", "00012"), ("case",), 1),
        (column("acc_1\u00a0"), ("spaces",), 1),
        (column("ACC_1\u00a0"), ("spaces", "case"), 1),
        (column('["acc_1"]'), (), 0),  # a list of ids is read as its members
        (column("001A00000000012"), ("salesforce",), 1),
        (column("00012", "acc_1"), (), 0),
        (column("x", "y"), (), 0),
        (column("12", *(f"x{n}" for n in range(9))), (), 0),  # one in ten may be chance
    ],
)
def test_the_fewest_forms_that_bring_most_ids_together(child, forms, gained):
    assert spelling_forms(child, ACCOUNTS) == (forms, gained)


def test_forms_that_make_two_ids_one_are_not_used():
    assert spelling_forms(column("7"), column("007", "0007")) == ((), 0)
