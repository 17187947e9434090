"""Payments that stand in their table twice: the same account, amount and time, from some day on.

The first payment counts, so that no score shows it; sums of values and what a refund takes back do. A subscription that is paid
every month is not a repeat. Line items of one invoice look like repeats, so only a share that rose is a finding.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import hypergeom

from pql_model.config.schema import Config
from pql_model.monitoring.conversion_feed import FEWEST_CONVERSIONS, SUBJECT
from pql_model.monitoring.counts import noise_of
from pql_model.monitoring.daily import count_repeated_payments
from pql_model.monitoring.finding import Finding, Severity
from pql_model.monitoring.volume import SHORTEST, SURE
from pql_model.sources.read import Sources
from pql_model.time import DAY, SECOND, iso

WITHIN = 5 * SECOND
"""Payments of one amount that are this close are one payment."""
LEAST_RISE, ACT_RISE = 0.2, 0.5
"""Rise of the share of repeated payments that is a finding, and one to act on."""


def repeat_findings(sources: Sources, config: Config, first_day: int, first: int, as_of: int) -> list[Finding]:
    """Find a day since which payments are repeated more often.

    Parameters
    ----------
    first_day
        Day of column 0, in days since 1970.
    first
        Column from which on changes are looked for.
    as_of
        Instant in microseconds; its last whole day counts.
    """
    paid, repeated = count_repeated_payments(sources, first_day, as_of, WITHIN)
    start = repeats_since(paid, repeated, first)
    if start is None:
        return []
    before, after = (float(repeated[side].sum() / paid[side].sum()) for side in (slice(0, start), slice(start, None)))
    since = (first_day + start) * DAY
    words = (
        f"Since {iso(since)} {after:.0%} of the payments in {config.conversions.table} stand in it again, of the same {config.entity}, "
        f"amount and time; before, {before:.0%} did. Values count twice, and one refund no longer takes a payment back."
    )
    severity: Severity = "act" if after - before >= ACT_RISE else "watch"
    return [Finding("volume_changed", SUBJECT, since, round(after, 4), round(before, 4), words, severity)]


def repeats_since(paid: np.ndarray, repeated: np.ndarray, first: int) -> int | None:
    """The column since which more payments are repeated, beyond chance; None where there is none.

    Parameters
    ----------
    paid, repeated
        (days,): entities that paid, and those of them with a repeated payment.

    Examples
    --------
    >>> paid = np.full(60, 2.0)
    >>> repeats_since(paid, np.where(np.arange(60) < 50, 0, paid), 30), repeats_since(paid, np.zeros(60), 30)
    (50, None)
    """
    starts = np.arange(max(first, 1), len(paid) - SHORTEST + 1)
    n, r = np.cumsum(paid), np.cumsum(repeated)
    starts = starts[n[starts - 1] >= FEWEST_CONVERSIONS] if len(starts) else starts
    if not len(starts):
        return None
    n0, r0 = n[starts - 1], r[starts - 1]
    n1, r1 = n[-1] - n0, r[-1] - r0
    rise = r1 / np.maximum(n1, 1) - r0 / n0
    gain = _log_likelihood(r0, n0) + _log_likelihood(r1, n1)
    best = int(np.argmax(np.where(rise >= LEAST_RISE, gain, -np.inf)))
    if rise[best] < LEAST_RISE:
        return None
    start = int(starts[best])
    past = np.arange(len(paid)) < start
    # rows that are imported twice now and then come in days that are alike: so many fewer payments are independent
    each = noise_of(repeated, paid * r0[best] / n0[best], past).dispersion
    total, marked, drawn = (round(x / each) for x in (n[-1], r[-1], n1[best]))
    chance = hypergeom.sf(np.floor(r1[best] / each) - 1, total, marked, drawn) * len(starts)
    return start if chance < SURE else None


def _log_likelihood(hits: np.ndarray, of: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / of
        parts = (np.where(k > 0, k * np.log(p), 0.0) for k, p in ((hits, share), (of - hits, 1 - share)))
        return np.asarray(sum(parts))
