import numpy as np
import pandas as pd
import pytest

from pql_model.audit.table import audit_table
from pql_model.errors import DataError

N = 1000


def leads(sort=False):
    rng = np.random.default_rng(1)
    y = rng.random(N) < 0.2
    table = pd.DataFrame(
        {
            "Lead Number": rng.permutation(N),
            "industry": rng.choice(["a", "b", "c"], N),
            "seats": rng.poisson(3, N) + 2 * y,
            "Tags": np.where(y & (rng.random(N) < 0.95), "won", "open"),
            "paid_at": np.where(y, "2026-01-01", "2026-01-02"),
            "paid": y.astype(int),
        }
    )
    return table.sort_values("paid", kind="stable", ascending=False, ignore_index=True) if sort else table


def kinds(findings):
    return {finding.column: finding.kind for finding in findings}


def test_guilty_columns_are_found_under_their_own_names():
    assert kinds(audit_table(leads(), "paid")) == {"Tags": "separates_too_well", "paid_at": "undated_time"}


def test_rows_sorted_by_the_outcome_are_found():
    assert kinds(audit_table(leads(sort=True), "paid"))["(row order)"] == "row_order"


def test_an_identifier_that_follows_the_outcome_is_found():
    table = leads(sort=True).assign(customer_id=range(N))
    assert kinds(audit_table(table, "paid"))["customer_id"] == "identifier"


def test_allow_lets_a_column_back_in():
    found = {finding.column: finding.action for finding in audit_table(leads(), "paid", allow=["Tags"])}
    assert found["Tags"] == "allowed"


def test_the_outcome_may_be_boolean():
    table = leads()
    assert kinds(audit_table(table.assign(paid=table["paid"] == 1), "paid")) == kinds(audit_table(table, "paid"))


@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        ({}, "payd", r"has no column `payd`, did you mean `paid`"),
        ({"paid": 1}, "paid", r"`paid` holds a single value"),
        ({"paid": 2}, "paid", r"does not give an outcome for every row. Received: 2"),
        ({"paid": None}, "paid", r"does not give an outcome for every row"),
    ],
)
def test_an_invalid_outcome_is_refused(change, column, words):
    with pytest.raises(DataError, match=words):
        audit_table(leads().assign(**change), column)


def test_an_empty_table_is_refused():
    with pytest.raises(DataError, match=r"holds a single value\. Received: an empty table"):
        audit_table(leads().head(0), "paid")


def test_columns_of_the_same_name_are_refused():
    table = leads().rename(columns={"seats": "industry"})
    with pytest.raises(DataError, match="columns of the same name: industry"):
        audit_table(table, "paid")
