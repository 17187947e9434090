"""A small fitted model that needs no pipeline: two behaviours, a number trait and a category."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.decide.bands import Bands
from pql_model.decide.decider import DEFAULTS, KEY, Decider
from pql_model.decide.policy import PolicyRule
from pql_model.model.artifact import FittedModel, reference_quantiles
from pql_model.model.booster import Params, fit_ensemble, training_data
from pql_model.model.calibrate import fit_calibration
from pql_model.model.columns import Manifest, ModelColumn

MANIFEST = Manifest(
    (
        ModelColumn("Teammate+Invited.count.first_7d", "feature"),
        ModelColumn("Teammate+Invited.active_days.ever", "feature"),
        ModelColumn("any.days_since_signup.ever", "feature"),
        ModelColumn("trait.seats", "number"),
        ModelColumn("trait.size", "category", ("large", "small")),
    )
)
PARAMS = Params(rounds=30, averaged=2, min_data_in_leaf=10)


def small_table(rows: int = 400, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """A feature table and its outcomes: invitations and size matter."""
    rng = np.random.default_rng(seed)
    invited, large = rng.poisson(2, rows).astype(float), rng.random(rows) < 0.4
    table = pd.DataFrame(
        {
            "entity": [f"a{i:04d}" for i in range(rows)],
            "as_of": np.arange(rows) * 86_400_000_000,
            "Teammate+Invited.count.first_7d": invited,
            "Teammate+Invited.active_days.ever": np.minimum(invited, 3),
            "any.days_since_signup.ever": rng.choice([7.0, 14.0], rows),
            "trait.seats": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(1, 50, rows)),
            "trait.size": np.where(large, "large", "small"),
        }
    )
    odds = -2 + 0.6 * invited + 1.2 * large
    return table, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)


def small_model(seed: int = 1) -> FittedModel:
    table, y = small_table(seed=seed)
    X = MANIFEST.matrix(table)
    ensemble = fit_ensemble(training_data(X, y, MANIFEST.names, MANIFEST.categorical), [PARAMS], seed)
    calibration = fit_calibration(ensemble.margin(X), y)
    reference = reference_quantiles(calibration.apply(ensemble.margin(X)))
    facts = {
        "name": "tiny",
        "entity": "account",
        "motion": "trial",
        "horizon": "30d",
        "train": {"rows": 400, "entities": 400, "conversions": 160, "from": "2026-01-01", "to": "2026-03-01"},
        KEY: Decider("tiny", PolicyRule(0.5, None, "probability at least 0.5"), Bands.of(DEFAULTS.bands)).to_dict(),
        "test": {"rows": 100, "entities": 100, "conversions": 40, "from": "2026-04-01", "to": "2026-05-01"},
    }
    return FittedModel(ensemble, calibration, MANIFEST, reference, facts)
