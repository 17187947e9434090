"""A small history of snapshots with outcomes and probabilities, for the tests that need one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.evaluation.expected_vs_observed import OutcomeHistory
from pql_model.time import DAY, Duration, parse_instant


def history(n: int = 400, rate: float = 0.3, seed: int = 4, **columns: object) -> OutcomeHistory:
    """One snapshot an entity: n in January and February 2026, half of them training, the rest test."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "entity": [f"a{i}" for i in range(n)],
            "as_of": parse_instant("2026-01-01") + np.arange(n) * (58 * DAY // n),
            "converted": rng.random(n) < rate,
            "probability": rate,
        }
    ).assign(**columns)
    train = np.arange(n) < n // 2
    return OutcomeHistory(frame, train, ~train, Duration.parse("7d"), "platt")
