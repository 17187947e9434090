"""The leading reason of an alert, from the score log."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest

from pql_model.outreach.score_reasons import leading, leading_behaviours
from tests.outreach.ledgers import T0


def reason(behaviour, sign):
    return {"behaviour": behaviour, "sign": sign}


def test_the_leading_reason_is_that_of_the_alerts_own_row():
    batch = pa.table(
        {
            "entity": ["a", "a", "b"],
            "as_of": pa.array([T0, T0 + 1, T0], pa.int64()).cast(pa.timestamp("us", "UTC")),
            "model_version": ["1", "1", "1"],
            "reasons": [json.dumps([reason(name, "+")]) for name in ("Invite", "Export", "Import")],
        }
    )
    leads = pd.DataFrame({"entity": ["a", "c"], "as_of": [float(T0), float(T0)], "model_version": ["1", "1"]})

    assert leading_behaviours([batch], leads).tolist() == ["Invite", None]
    assert leading_behaviours([], leads).tolist() == [None, None]


@pytest.mark.parametrize("text", [None, "", "[]", "{", "[1]", "{}", json.dumps([reason("Invite", "-")])])
def test_a_row_without_a_raising_reason_has_none(text):
    assert leading(text) is None
