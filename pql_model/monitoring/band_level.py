"""Whether the bands keep their promises where the level as a whole does: too steep a score is right on average only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.monitoring.finding import Finding
from pql_model.monitoring.level import ALPHA, FEWEST_EXPECTED, LEAST_CHANGE, tail
from pql_model.statistics.multiple_testing import holm
from pql_model.time import DAY, iso


def band_findings(rows: pd.DataFrame, level_error: float, who: str) -> tuple[Finding, ...]:
    """`calibration_off` of single bands.

    Parameters
    ----------
    rows
        entity, as_of, band, probability, converted: final rows that the model has not learnt from. An entity counts once in a band.
    level_error
        Standard error of the level of the probabilities, as a share of it.
    who
        Whose rows these are, such as `version 3`.
    """
    weight = 1.0 / rows.groupby(["entity", "band"])["as_of"].transform("size")
    sums = (
        rows.assign(expected=rows["probability"] * weight, observed=rows["converted"].astype(float) * weight)
        .groupby("band")
        .agg(
            expected=("expected", "sum"),
            observed=("observed", "sum"),
            entities=("entity", "nunique"),
            since=("as_of", "min"),
        )
    )
    sums = sums[(sums["expected"] > 0) & (sums[["expected", "observed"]].max(axis=1) >= FEWEST_EXPECTED)]
    if sums.empty:
        return ()
    p_values = holm(tail(sums["observed"], sums["expected"], level_error))
    off = np.abs(sums["observed"] / sums["expected"] - 1) > LEAST_CHANGE
    return tuple(_finding(str(name), row, who) for name, row in sums[off & (p_values < ALPHA)].iterrows())


def _finding(band: str, row: pd.Series, who: str) -> Finding:
    side = "Fewer" if row["observed"] < row["expected"] else "More"
    since = int(row["since"])
    words = (
        f"{side} conversions than promised in the band {band.replace('_', ' ')}: {row['observed']:.0f} since "
        f"{iso(since // DAY * DAY)}, where the probabilities of {who} promised {row['expected']:.0f}, for "
        f"{row['entities']:,.0f} entities. The level of all bands together is within what chance explains."
    )
    return Finding(
        "calibration_off", band, since, round(float(row["observed"]), 1), round(float(row["expected"]), 1), words, "act"
    )
