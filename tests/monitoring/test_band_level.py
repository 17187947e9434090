"""Bands that do not keep their promises are found, beyond chance and beyond what the model says of its own level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pql_model.monitoring.band_level import band_findings

BANDS = {"very_low": 0.01, "low": 0.04, "medium": 0.1, "high": 0.25, "very_high": 0.5}
SIZES = {"very_low": 1500, "low": 800, "medium": 400, "high": 200, "very_high": 100}


def rows(seed, odds=None, daily=1):
    """Final rows whose bands convert as promised, but for those in `odds`: band -> factor."""
    rng = np.random.default_rng(seed)
    parts = []
    for band, p in BANDS.items():
        n = SIZES[band]
        rate = min(1.0, p * (odds or {}).get(band, 1.0))
        each = {
            "band": band,
            "probability": p,
            "converted": rng.random(n) < rate,
            "entity": [f"{band}{i}" for i in range(n)],
        }
        parts += [pd.DataFrame(each).assign(as_of=day * 86_400_000_000) for day in range(daily)]
    return pd.concat(parts, ignore_index=True)


def band_findings_of(*args, error=0.1, **options):
    return {f.subject: f for f in band_findings(rows(*args, **options), error, "version 1")}


def test_bands_that_keep_their_promises_are_quiet():
    assert sum(bool(band_findings_of(seed)) for seed in range(200)) <= 6  # 1 % are stated


def test_a_level_that_moves_by_what_the_model_says_of_itself_is_quiet():
    moved = np.exp(np.random.default_rng(1).normal(0, 0.1, 100))
    assert sum(bool(band_findings_of(seed, dict.fromkeys(BANDS, factor))) for seed, factor in enumerate(moved)) <= 4


@pytest.mark.parametrize("seed", range(5))
def test_a_score_that_is_too_steep_is_found_in_its_bands(seed):
    steep = band_findings_of(seed, {"very_high": 0.25, "low": 2.5})

    assert set(steep) == {"very_high", "low"}
    high = steep["very_high"]
    assert (high.kind, high.severity, high.expected) == ("calibration_off", "act", 50.0)
    assert high.words.startswith("Fewer conversions than promised in the band very high: ")
    assert steep["low"].words.startswith("More conversions than promised in the band low: ")


def test_a_score_a_day_is_no_more_entities():
    once, daily = band_findings(rows(3, {"high": 0.3}), 0.1, "v"), band_findings(rows(3, {"high": 0.3}, 30), 0.1, "v")
    assert once == daily != ()
    assert [len(band_findings_of(seed, daily=30)) for seed in range(20)].count(0) >= 19


def test_too_few_to_tell_and_no_rows_are_quiet():
    few = rows(0, {"very_high": 0.0}).groupby("band").head(12)
    assert band_findings(few, 0.1, "v") == ()
    assert band_findings(few.iloc[:0], 0.1, "v") == ()
