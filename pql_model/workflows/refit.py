"""Refit a tested model on everything that is final, so that what is served has learnt from the newest outcomes too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pql_model.config.schema import Config
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.evaluation.drift import newest_level
from pql_model.model.artifact import REFIT, FittedModel, reference_quantiles
from pql_model.model.learner import Learner
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.model.monotone import monotone_directions
from pql_model.model.split import describe
from pql_model.model.train import refit_model
from pql_model.registry.tracking import RegisteredModel
from pql_model.workflows.prepare import TrainingData


def refit_tested(
    config: Config, data: TrainingData, X: np.ndarray, tested: FittedModel, learner: Learner
) -> tuple[FittedModel, np.ndarray]:
    """Fit the tested settings on all rows with a final outcome; the newest of them set the level.

    Parameters
    ----------
    config : Config
    data : TrainingData
    X : numpy.ndarray
        Matrix of all snapshots with a final outcome, (rows, columns).
    tested : FittedModel
        The model that the verdict is about. It stays with the refitted one, for the gate and to explain test rows.
    learner : Learner
        With the settings of the tested model.

    Returns
    -------
    model : FittedModel
        The refitted model.
    probability : numpy.ndarray
        What it says of the test rows without having seen them (out of fold), (test rows,). Its scores are percentiles of these.
    """
    frame, test = data.snapshots.frame, data.split.test
    fit = refit_model(
        frame,
        X,
        data.manifest,
        config.horizon,
        config.motion,
        config.seed,
        learner,
        monotone_directions(config.monotone, data.manifest),
    )
    final = frame.iloc[fit.checked].assign(probability=fit.calibration.apply(fit.margins))
    level = newest_level(final, config.horizon, data.sources.observed_until)
    calibration = fit.calibration.moved(level.addition)
    unseen = tested.calibration.moved(level.addition).apply(tested.predictor.margin(X))
    unseen[fit.checked] = calibration.apply(fit.margins)
    facts = {**tested.facts, REFIT: {**describe(frame, np.ones(len(frame), bool)), "level": level.to_dict()}}
    model = replace(
        tested,
        predictor=fit.predictor,
        calibration=calibration,
        reference=reference_quantiles(unseen[test]),
        answers=reference_quantiles(calibration.apply(fit.predictor.margin(X[test]))),
        facts=facts,
        tested=tested,
    )
    return model, unseen[test]


def champion_learner(champion: RegisteredModel | None, configured: Learner) -> Learner:
    """Return the learner with the settings of the champion, for a training without a search.

    Raises
    ------
    ModelNotFoundError
        If no model is the champion.
    DataError
        If the config names another learner than the champion's.
    """
    if champion is None:
        raise ModelNotFoundError(
            "The product has no champion to take the settings from",
            received="--refit",
            remedy="run `pql train` once without `--refit`",
        )
    settings = champion.model.facts["learner"]
    if settings["name"] != configured.name:
        raise DataError(
            f"The champion was trained with the learner `{settings['name']}`, and the config names another one",
            received=configured.name,
            remedy="run `pql train` without `--refit`",
        )
    return LightGBM.from_params(settings["params"]) if isinstance(configured, LightGBM) else configured
