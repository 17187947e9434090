"""How far the model's contribution of a behaviour came true on later rows: the evidence behind a next step.

The margin of a row is split into the contribution of one behaviour and the rest. A logistic regression of the outcomes of
later rows on both, in calibrated log-odds, gives the slope of the contribution among rows that are alike in the rest: 1 if
accounts with more of the behaviour converted more often as predicted, 0 if they did not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

from pql_model.config.definition import Criterion
from pql_model.criteria.candidates import family_of
from pql_model.features.spec import declared_feature
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest
from pql_model.statistics.clustered_logistic import clustered_logistic
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.intervals import SampleSize


def behaviour_slopes(
    criteria: Sequence[Criterion],
    contributions: np.ndarray,
    manifest: Manifest,
    calibration: Calibration,
    converted: np.ndarray,
    entity: np.ndarray,
) -> dict[str, Estimate]:
    """Estimate the slope of each behaviour that a criterion is about, with a 95 % interval.

    Parameters
    ----------
    contributions
        SHAP values of later rows by the model that has not learnt from them, (rows, columns + 1).
    calibration
        That model's.
    converted, entity
        Outcomes and entities of the same rows. The interval takes entities as the units.

    Returns
    -------
    dict
        Behaviour -> slope; without behaviours that the model does not read or whose slope the rows do not determine.
    """
    behaviours = dict.fromkeys(declared_feature(c).family for c in criteria if c.event is not None)
    columns: dict[str, list[int]] = {}
    for j, column in enumerate(manifest.columns):
        columns.setdefault(family_of(column), []).append(j)
    margin, y = contributions.sum(axis=1), converted.astype(bool)
    code = np.unique(entity, return_inverse=True)[1]
    width = SampleSize.of(np.bincount(code, y), np.bincount(code)).half_width_in_sd
    slopes = {}
    for behaviour in behaviours:
        of_behaviour = contributions[:, columns.get(behaviour, [])].sum(axis=1)
        if not np.ptp(of_behaviour):
            continue
        rest, whole = (logit(calibration.apply(m)) for m in (margin - of_behaviour, margin))
        if not np.ptp(whole - rest):
            continue
        fit = clustered_logistic(np.column_stack([np.ones(len(y)), rest, whole - rest]), y, code)
        if fit is not None:
            slope, error = float(fit.coefficients[2]), fit.standard_error(2)
            slopes[behaviour] = Estimate(slope, slope - width * error, slope + width * error)
    return slopes
