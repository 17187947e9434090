import json

import numpy as np
import pytest

from pql_model.decide.bands import Bands, band_table

USUAL = Bands.of({"high": 0.25, "medium": 0.1, "low": 0.03})


def test_a_probability_at_a_lower_bound_is_in_that_band():
    p = np.array([1.0, 0.25, 0.24999, 0.1, 0.03, 0.02999, 0.0])
    assert USUAL.of_probability(p).tolist() == ["high", "high", "medium", "medium", "low", "very_low", "very_low"]


def test_a_single_band_splits_in_two():
    assert Bands.of({"hot": 0.5}).of_probability(np.array([0.5, 0.4])).tolist() == ["hot", "very_low"]


def test_no_rows_have_no_bands():
    assert USUAL.of_probability(np.array([])).tolist() == []


def table(p, converted, entity=None):
    rows = np.arange(len(p)) if entity is None else entity
    return {b.name: b for b in band_table(USUAL, rows, np.asarray(converted, bool), np.asarray(p, float))}


def test_the_table_has_rows_and_rate_of_every_band():
    results = table([0.3] * 40 + [0.15] * 40 + [0.01] * 20, [1] * 12 + [0] * 28 + [1] * 6 + [0] * 34 + [0] * 20)
    assert [(b.name, b.at_least, b.below, b.rows, b.conversions) for b in results.values()] == [
        ("high", 0.25, 1.0, 40, 12),
        ("medium", 0.1, 0.25, 40, 6),
        ("low", 0.03, 0.1, 0, 0),
        ("very_low", 0.0, 0.03, 20, 0),
    ]
    assert results["high"].expected == pytest.approx(0.3)
    rate = results["high"].rate
    assert (rate.value, round(rate.low, 3), round(rate.high, 3)) == (0.3, 0.181, 0.454)
    assert [b.kept for b in results.values()] == [True, True, None, True]


def test_a_band_whose_rate_is_too_low_is_not_kept():
    assert table([0.3] * 200, [1] * 20 + [0] * 180)["high"].kept is False  # 10 %, at most 15 %
    assert table([0.01] * 200, [1] * 20 + [0] * 180)["very_low"].kept is False


def test_several_snapshots_of_an_entity_do_not_narrow_the_interval():
    alone = table([0.3] * 30, [1] * 9 + [0] * 21)["high"].rate
    thrice = table([0.3] * 90, [1] * 27 + [0] * 63, entity=np.repeat(np.arange(30), 3))["high"].rate
    assert thrice == alone


def test_an_empty_band_is_plain_json():
    payload = json.loads(json.dumps([b.to_dict() for b in table([0.3], [1]).values()], allow_nan=False))
    assert payload[2] == {
        "name": "low",
        "at_least": 0.03,
        "below": 0.1,
        "rows": 0,
        "entities": 0,
        "conversions": 0,
        "expected": None,
        "rate": {"value": None, "low": None, "high": None},
        "kept": None,
    }
