"""Names of traits that suggest a value written or judged later, and the evidence that makes such a trait guilty.

A name alone is a reason to ask. It convicts beside evidence of time (the value was filled in during some periods only, or
later than its neighbours) or of the outcome (filled or missing with it, or a separation beyond what honest traits with such a
name reach).
"""

from __future__ import annotations

import numpy as np

from pql_model.discovery.vocabulary import vocabulary, words
from pql_model.statistics.estimate import wilson_around
from pql_model.statistics.univariate_auc import auc_lower_bound, corrected_z, odds_ratio

MAX_STATE_AUC, MAX_JUDGEMENT_AUC = 0.68, 0.76
"""Limits for the lower bound of the ROC-AUC. A name such as `last activity` says itself that it describes the end of the
record; a rank or score may have been known at sign-up, and the best honest one measured reaches 0.67."""
MIN_NAMED_FILL_ODDS = 3.0
MIN_FILL_RANGE = 0.5
_PERIODS, _MIN_PERIOD = 10, 30

_STATES = vocabulary("last latest recent status stage tag tags disposition outcome notable")
_JUDGEMENTS = vocabulary("quality score grade rating rank index")
_CRM_OBJECTS = vocabulary("lead deal opportunity")
_KNOWN_AT_FIRST = vocabulary("source origin channel medium campaign number id type created form page country")


def later_word(name: str) -> str | None:
    """Return the word in a name that suggests a value written or judged later, if any.

    >>> later_word("Last Activity"), later_word("leadProfile"), later_word("Lead Source"), later_word("company_size")
    ('last', 'lead profile', None, None)
    """
    parts = words(name)
    if parts and parts[0] in _CRM_OBJECTS and len(parts) > 1 and not _KNOWN_AT_FIRST.intersection(parts):
        return " ".join(parts[:2])
    return next((part for part in parts if part in _STATES or part in _JUDGEMENTS), None)


def named_evidence(
    name: str, filled: np.ndarray, auc: float, y: np.ndarray, clock: np.ndarray | None, dated: bool, tried: int
) -> str | None:
    """Return the evidence against a trait with such a name, in words, if there is any.

    Parameters
    ----------
    filled, y
        Whether each entity has a value, and whether it converted.
    auc
        ROC-AUC of the trait alone.
    clock, dated
        Sign-up time or position in the file, and whether it is the time.
    tried
        Number of columns judged.
    """
    z = corrected_z(tried)
    low = auc_lower_bound(auc, y, z)
    state = _STATES.intersection(words(name))
    limit = MAX_STATE_AUC if state else MAX_JUDGEMENT_AUC
    if low > limit:
        return f"it predicts with ROC-AUC {auc:.3f} (at least {low:.3f}), more than honest traits of such a name"
    return _filled_with_outcome(filled, y, z) or (_filled_in_periods(filled, clock, dated) if low > 0.5 else None)


def _filled_with_outcome(filled: np.ndarray, y: np.ndarray, z: float) -> str | None:
    a, b, c, d = (int(n.sum()) for n in (filled & y, filled & ~y, ~filled & y, ~filled & ~y))
    if min(a + b, c + d, a + c, b + d) == 0:
        return None
    for what, cells, yes, no in (
        ("filled", (a, b, c, d), a / (a + c), b / (b + d)),
        ("missing", (c, d, a, b), c / (a + c), d / (b + d)),
    ):
        if odds_ratio(*cells, z).low > MIN_NAMED_FILL_ODDS:
            return f"it is {what} for {yes:.0%} of those who converted and {no:.0%} of the others"
    return None


def _filled_in_periods(filled: np.ndarray, clock: np.ndarray | None, dated: bool) -> str | None:
    """Detect a value that was filled in during some periods only, or for older entities and not yet for newer ones.

    A share that merely rises is a column that was introduced at some time, which is honest.
    """
    if clock is None or len(filled) < _PERIODS * _MIN_PERIOD:
        return None
    parts = np.array_split(filled[np.argsort(clock, kind="stable")], _PERIODS)
    shares = np.array([part.mean() for part in parts])
    n = len(parts[-1])
    if wilson_around(shares.max(), n).low - wilson_around(shares.min(), n).high < MIN_FILL_RANGE:
        return None
    high = shares > (shares.max() + shares.min()) / 2
    switches = int((high[1:] != high[:-1]).sum())
    if switches < 2 and not (dated and high[0]):
        return None
    order = "time of sign-up" if dated else "position in the file"
    return f"it is filled for {shares.min():.0%} to {shares.max():.0%} of the entities, depending on their {order}"
