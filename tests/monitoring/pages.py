"""Pages of the monitor, made of hand-made results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from said import START

from pql_model.criteria.definition_metrics import Outcomes, evaluate_definition
from pql_model.monitoring.advice import advise
from pql_model.monitoring.early import EarlyEstimate
from pql_model.monitoring.finding import Finding
from pql_model.monitoring.last_look import Changes
from pql_model.monitoring.monitor_page import MonitorPage
from pql_model.monitoring.ranking import Ranking
from pql_model.monitoring.realised import Realised, outcomes, qualified_outcome
from pql_model.monitoring.staleness import DefinitionOverTime
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY


def sums(name: str, groups: list[str], rate: float = 0.12, expected: float = 0.12) -> pd.DataFrame:
    """Sums of single entities."""
    n = np.array([180 - 9 * i for i in range(len(groups))])
    observed = np.round(n * rate)
    return pd.DataFrame({name: groups}).assign(
        entities=n, rows=3 * n, converting=observed, weight=n, expected=n * expected, observed=observed,
        oo=observed, ow=observed, ww=n, ee=n * expected**2, eo=observed * expected,
    )  # fmt: skip


def realised(rate: float = 0.12) -> Realised:
    months = [f"2026-{m:02d}" for m in range(1, 9)]
    return Realised(
        outcomes(sums("all", ["all"], rate))[0],
        outcomes(sums("band", ["high", "medium", "low", "very_low"], rate)),
        outcomes(sums("month", months, rate)),
        outcomes(sums("model_version", ["1", "2"], rate)),
        outcomes(sums("source", ["score", "replayed"], rate)),
        qualified_outcome(pd.DataFrame({"qualified": [True, False], "entities": [120, 800], "converted": [40, 60]})),
        outcomes(sums("origin", ["logged", "replayed"], rate)),
    )


def quiet_page() -> MonitorPage:
    mask = np.arange(400) < 100
    met = evaluate_definition(
        mask, Outcomes(np.arange(400), np.arange(400) * DAY, np.arange(400) * DAY, np.arange(400) % 5 == 0)
    )
    ranking = Ranking(
        START,
        900,
        600,
        70,
        Estimate(0.74, 0.68, 0.8),
        Estimate(0.76, 0.71, 0.81),
        0.75,
        Estimate(-0.01, -0.06, 0.04),
        False,
    )
    return MonitorPage(
        "boards", "accounts", START + 250 * DAY, "30 days", "2", advise([], quiet="Nothing has changed beyond chance."),
        (), Changes(START + 243 * DAY, "watch", (), ("Scores were lower.",)), realised(),
        EarlyEstimate(200, 24.0, 13.0, 12.0, Estimate(0.92, 0.5, 1.7)), ranking,
        (DefinitionOverTime("recommended", "at least 3 `Teammate Invited`", met, met, START, None),), (),
    )  # fmt: skip


def alarming_page(event: str = "Board Created") -> MonitorPage:
    findings = (
        Finding("event_stopped", event, START + 200 * DAY, 0.0, 21.0, f"`{event}` stopped: 0 a day where 21 were usual.", "act"),
        Finding("calibration_off", "probability", START + 150 * DAY, 20.0, 60.0, "Conversions are fewer than promised: 20.", "act"),
        Finding("score_drift", "score", START + 220 * DAY, 0.3, 0.1, "Scores are lower than in the test period.", "watch"),
    )  # fmt: skip
    changes = Changes(START + 243 * DAY, "keep", (findings[0].words,), ())
    return replace(
        quiet_page(), findings=findings, advice=advise(findings), realised=realised(0.04), changes=changes,
        notes=("The newest event is of 2026-09-01.",),
    )  # fmt: skip


def first_page() -> MonitorPage:
    return replace(
        quiet_page(), realised=None, early=None, ranking=None, definitions=(), changes=Changes(None, None, (), ())
    )
