"""Whether the hold-out was random and permanent: membership follows a hash of the entity, which can be computed again.

Where the share was changed, the arms of different times have different sizes, so only entities of the same share are
compared; an entity that was held out and released before its horizon ended belongs to neither arm. Both follow from the
hash alone, never from what came, so leaving entities out biases nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, mannwhitneyu

from pql_model.decide.holdout import unit_hash
from pql_model.time import iso

RELEASED = "held_out_for_a_part_of_the_horizon"
_LEAST_SEPARATION = 0.8
"""Chance that an entity of the hold-out has a smaller hash than another, below which the arms do not follow the hash: 1 for
a constant share, 0.5 for other arms."""
_ODD, _WINDOW = 3, 100
"""So many of so many entities in a row that are on the wrong side of a share mean that it was changed."""
_SUSPICIOUS = 0.001


@dataclass(frozen=True)
class Assignment:
    """The arms as they were assigned.

    Attributes
    ----------
    period
        Per entity of the frame: the number of the period in which the share did not change, int (rows,).
    released
        Per entity: held out at its first qualification, and released before its horizon ended, bool (rows,).
    periods
        Per period: from, rows, held_out, and the bounds of the share that the hashes allow.
    follows_hash
        Whether a share of the hash explains the arms.
    warnings
        Sentences on what is not as it should be.
    """

    period: np.ndarray
    released: np.ndarray
    periods: tuple[dict[str, Any], ...]
    follows_hash: bool
    warnings: tuple[str, ...]


def check_assignment(product: str, frame: pd.DataFrame, horizon: int) -> Assignment:
    """Check the arms of first qualifications.

    Parameters
    ----------
    product
        Name of the product, which the hash of the hold-out reads.
    frame
        See `Qualifications.frame`, sorted by instant.
    horizon
        Microseconds within which a conversion counts.
    """
    hashes = np.array([unit_hash(product, entity) for entity in frame["entity"].astype(str)], float)
    held_out, as_of = frame["held_out"].to_numpy(bool), frame["as_of"].to_numpy(float)
    follows_hash = _separates(hashes, held_out)
    period, bounds = _periods(hashes, held_out) if follows_hash else (np.zeros(len(frame), np.int64), [(0.0, 1.0)])
    released = np.zeros(len(frame), bool)
    alerted_at = frame["alerted_at"].to_numpy(float)
    if (held_out & (alerted_at > as_of)).any():
        released = _released(hashes, held_out, as_of, alerted_at, horizon)
    periods = tuple(
        {
            "from": iso(int(as_of[period == k][0])),
            "entities": int((period == k).sum()),
            "held_out": int((held_out & (period == k)).sum()),
            "share_at_least": low,
            "share_at_most": high,
        }
        for k, (low, high) in enumerate(bounds)
        if (period == k).any()
    )
    warnings = _warnings(frame, held_out, follows_hash, periods)
    return Assignment(period, released, periods, follows_hash, tuple(warnings))


def _separates(hashes: np.ndarray, held_out: np.ndarray) -> bool:
    """Whether small hashes are in the hold-out, as far as both arms have entities."""
    n1, n0 = int(held_out.sum()), int((~held_out).sum())
    if not n1 or not n0:
        return True
    larger = float(mannwhitneyu(hashes[~held_out], hashes[held_out]).statistic)
    return larger / (n1 * n0) >= _LEAST_SEPARATION


def _periods(hashes: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Cut the entities, in order of time, where a single share no longer explains their arms.

    A few entities that stand out are tolerated: merged and renamed ones had another id, hence another hash.
    """
    period, bounds = np.zeros(len(hashes), np.int64), [(0.0, 1.0)]
    odd: dict[bool, list[int]] = {True: [], False: []}
    row = 0
    while row < len(hashes):
        value, held, (low, high) = float(hashes[row]), bool(held_out[row]), bounds[-1]
        period[row] = len(bounds) - 1
        if (held and value >= high) or (not held and value < low):
            odd[held] = [place for place in odd[held] if row - place < _WINDOW] + [row]
            if len(odd[held]) == _ODD:  # the share was changed at the first of them
                row, odd = odd[held][0], {True: [], False: []}
                bounds.append((0.0, 1.0))
                continue
        else:
            bounds[-1] = (max(low, value), high) if held else (low, min(high, value))
        row += 1
    return period, bounds


def _released(
    hashes: np.ndarray, held_out: np.ndarray, as_of: np.ndarray, alerted_at: np.ndarray, horizon: int
) -> np.ndarray:
    """Entities of the released band of hashes whose horizon contains the release.

    The band is cut by the hash, so entities that converted before they could be alerted leave with the others.
    """
    later = held_out & (alerted_at > as_of)
    by_itself = later & (alerted_at < as_of + horizon)
    if later.sum() < _ODD:
        return np.asarray(by_itself)
    band, since = np.quantile(hashes[later], 0.05), np.quantile(alerted_at[later], 0.05)
    in_band = held_out & (hashes >= band) & (as_of < since) & (since < as_of + horizon)
    return np.asarray(in_band | by_itself)


def _warnings(
    frame: pd.DataFrame, held_out: np.ndarray, follows_hash: bool, periods: tuple[dict[str, Any], ...]
) -> list[str]:
    if not held_out.any() or held_out.all():
        return []
    warnings = []
    if not follows_hash:
        warnings.append(
            "The arms do not follow the hash of the hold-out: the product or its entities were renamed, or rows were "
            "changed. What follows holds only if the hold-out was random all the same."
        )
    elif len(periods) > 1:
        warnings.append(
            f"The share of the hold-out changed {len(periods) - 1} time{'s' if len(periods) > 2 else ''}: only entities "
            "of the same share are compared."
        )
    probability = frame["probability"].to_numpy(float)
    if not follows_hash or len(periods) == 1:  # shares that change over time mix the scores of the arms
        p = float(mannwhitneyu(probability[held_out], probability[~held_out]).pvalue)
        if p < _SUSPICIOUS:
            warnings.append(
                f"The hold-out and the others differ in their probabilities more than chance allows (p = {p:.1g}): "
                "somebody may have chosen them. The effect cannot be trusted."
            )
    for period in periods if follows_hash else ():
        low, high = (period[name] for name in ("share_at_least", "share_at_most"))
        n, held = int(period["entities"]), int(period["held_out"])
        likeliest = min(max(held / n, low), high)
        if 0 < likeliest < 1 and binomtest(held, n, likeliest).pvalue < _SUSPICIOUS:
            warnings.append(
                f"{held:,} of {n:,} that qualified were held out, where the share lies between {low:.1%} and "
                f"{high:.1%}: rows of one arm are missing from the log."
            )
    return warnings
