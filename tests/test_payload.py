import json
from dataclasses import dataclass

import numpy as np
import pytest

from pql_model.payload import select_attributes, to_payload
from pql_model.statistics.estimate import Estimate


@dataclass(frozen=True)
class Month:
    name: str
    rate: Estimate


@dataclass(frozen=True)
class Result:
    months: tuple[Month, ...]
    text: str

    @property
    def rows(self) -> int:
        return 12

    def to_dict(self):
        return select_attributes(self, "rows", "months", words="text", digits=2)


RESULT = Result((Month("2026-01", Estimate(1 / 3, 0.25, float("nan"))),), "it holds")


def test_nested_dataclasses_estimates_and_tuples_become_json():
    assert RESULT.to_dict() == {
        "rows": 12,
        "months": [{"name": "2026-01", "rate": {"value": 0.33, "low": 0.25, "high": None}}],
        "words": "it holds",
    }


def test_an_object_inside_another_gives_its_own_to_dict():
    assert to_payload({"result": RESULT}) == {"result": RESULT.to_dict()}


def test_without_names_all_fields_are_selected_and_renamed_ones_once():
    assert list(select_attributes(RESULT, words="text")) == ["months", "words"]


@pytest.mark.parametrize("value", [True, 7, "1.005", None])
def test_only_floats_are_rounded(value):
    assert to_payload(value, digits=2) is value


def test_a_numpy_float_becomes_a_float():
    rate = to_payload(np.float64(0.125))

    assert (type(rate), rate) == (float, 0.125)
    assert json.dumps(to_payload({"rate": np.float64("nan")})) == '{"rate": null}'


def test_an_unknown_attribute_is_an_error():
    with pytest.raises(AttributeError, match="rowz"):
        select_attributes(RESULT, "rowz")
