"""Distribution of recent scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.monitoring.score_drift import drift_findings
from pql_model.time import DAY

NOW = 100 * DAY


def rows(rng, n, a=2.0, b=18.0, days=30) -> pd.DataFrame:
    as_of = NOW - rng.integers(1, days * 24, n) * DAY // 24
    return pd.DataFrame({"entity": np.arange(n), "as_of": as_of, "probability": rng.beta(a, b, n)})


def reference(rng, n=1500):
    return tuple(np.quantile(rng.beta(2, 18, n), np.linspace(0, 1, 1001)))


def test_quiet_months_are_quiet_and_other_accounts_are_seen():
    rng = np.random.default_rng(1)
    quiet = [drift_findings(rows(rng, 250), reference(rng), 1500, NOW) for _ in range(60)]
    other = [drift_findings(rows(rng, 250, a=0.8), reference(rng), 1500, NOW) for _ in range(20)]

    assert sum(map(len, quiet)) <= 1
    assert sum(map(len, other)) == 20
    assert {finding.severity for [finding] in other} == {"watch"}
    assert "lower than in the test period" in other[0][0].words


def test_rows_of_before_and_few_entities_say_nothing():
    rng = np.random.default_rng(2)
    old = rows(rng, 300, a=0.5).assign(as_of=NOW - 31 * DAY)
    assert drift_findings(old, reference(rng), 1500, NOW) == ()
    assert drift_findings(rows(rng, 20, a=0.5), reference(rng), 1500, NOW) == ()


def test_a_score_a_day_is_no_more_evidence():
    rng = np.random.default_rng(3)
    once = rows(rng, 60, a=1.6)
    daily = pd.concat([once] * 25, ignore_index=True)
    assert drift_findings(daily, reference(rng), 1500, NOW) == drift_findings(once, reference(rng), 1500, NOW)


def test_a_model_that_says_the_same_of_everybody_has_no_tenths():
    rng = np.random.default_rng(4)
    flat = rows(rng, 300).assign(probability=0.1)
    assert drift_findings(flat, (0.1,) * 1001, 1500, NOW) == ()


def test_entities_that_look_alike_are_no_drift_whichever_side_of_a_tenth_they_stand():
    rng = np.random.default_rng(5)
    alike = np.where(rng.random(3000) < 0.6, 0.08, rng.beta(2, 18, 3000).round(2))
    answers = tuple(np.quantile(alike, np.linspace(0, 1, 1001)))
    recent = [rows(rng, 300).assign(probability=rng.choice(alike, 300)) for _ in range(40)]
    assert sum(len(drift_findings(frame, answers, 3000, NOW)) for frame in recent) <= 1
