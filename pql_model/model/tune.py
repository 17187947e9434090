"""The one door to Optuna: a search over strongly regularised LightGBM on folds inside the training period.

The result is an average, not a winner. With hundreds of conversions the best of many settings is best by luck
as much as by merit; the average of two priors and the few best found is never far from the best of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState
from sklearn.metrics import roc_auc_score

from pql_model.model.booster import Params, fit_ensemble, training_data
from pql_model.model.split import Folds
from pql_model.statistics.estimate import Z95
from pql_model.statistics.metrics import paired_difference

SEEDS = 2
"""Seeds averaged while trying a setting, and of each setting found; the priors have the seeds of `Params`."""
MOST_FOUND = 3
"""So many of the best settings are averaged with the priors."""
CONVERSIONS_PER_TRIAL = 10
"""One setting is tried for so many conversions: with few, the best of many is an accident."""
MAX_TUNING_ROWS, MAX_TUNING_CELLS = 40_000, 3_000_000
"""More training rows (or rows x columns) are thinned by whole entities for tuning; the final fit uses all."""
DEFAULT_TRIALS = 30
_SMALLEST_LEAF = 5


@dataclass(frozen=True)
class Trial:
    """One setting tried: its parameters, its mean score over folds, and how it ended."""

    number: int
    params: dict[str, Any]
    score: float | None
    state: str


@dataclass(frozen=True)
class Tuned:
    """What tuning came to.

    Attributes
    ----------
    settings
        Those that the model averages: the priors that were not clearly beaten, then the best that were found.
    params, score
        The best single setting and its score on the folds.
    trials
        Everything that was tried.
    """

    settings: tuple[Params, ...]
    params: Params
    score: float
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Problem:
    """What tuning works on: the training matrix and its folds.

    `entities` says which rows belong together, (rows,); without it each row is on its own. `monotone` is as in
    `fit_ensemble`.
    """

    X: np.ndarray
    y: np.ndarray
    names: list[str]
    categorical: list[int]
    folds: Folds
    seed: int
    entities: np.ndarray | None = None
    monotone: tuple[int, ...] = ()

    @cached_property
    def fold_data(self) -> list[Any]:
        """The rows of each fold to learn from, binned once for all trials."""
        return [training_data(self.X[f.fit], self.y[f.fit], self.names, self.categorical) for f in self.folds.folds]


def priors(rows: int) -> tuple[Params, Params]:
    """The settings tried first: a forest of random trees, and ordinary stumps, which find exact thresholds.

    Their leaves are such that a small table can fill them at all.
    """
    leaf = min(Params().min_data_in_leaf, max(_SMALLEST_LEAF, rows // Params().min_data_in_leaf))
    stumps = Params(
        num_leaves=2,
        min_data_in_leaf=leaf,
        rounds=150,
        feature_fraction=0.3,
        bagging_fraction=0.7,
        path_smooth=20.0,
        extra_trees=False,
    )
    return Params(min_data_in_leaf=leaf), stumps


def affordable(trials: int, conversions: int) -> int:
    """How many settings are tried: the two priors always, others as far as the conversions can tell them apart.

    >>> affordable(30, conversions=40), affordable(30, conversions=150), affordable(30, conversions=900)
    (4, 15, 30)
    """
    return max(2, min(trials, conversions // CONVERSIONS_PER_TRIAL))


def suggest(trial: optuna.trial.BaseTrial, rows: int) -> Params:
    """The search space. Extra trees are in it; large leaves and deep trees are not."""
    return Params(
        num_leaves=trial.suggest_int("num_leaves", 2, 31, log=True),
        min_data_in_leaf=trial.suggest_int(
            "min_data_in_leaf", _SMALLEST_LEAF, max(40, min(2_000, rows // 20)), log=True
        ),
        learning_rate=trial.suggest_float("learning_rate", 0.015, 0.15, log=True),
        rounds=trial.suggest_int("rounds", 40, 300, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.1, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
        lambda_l2=trial.suggest_float("lambda_l2", 0.1, 100.0, log=True),
        path_smooth=trial.suggest_float("path_smooth", 0.0, 50.0),
        extra_trees=trial.suggest_categorical("extra_trees", [True, False]),
        averaged=SEEDS,
    )


def tune(
    problem: Problem,
    trials: int = DEFAULT_TRIALS,
    timeout: float | None = None,
    journal: Path | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Tuned:
    """Search; a study whose journal file exists is taken up where it stopped.

    Parameters
    ----------
    trials
        Settings to try, the two priors among them; fewer are tried where conversions are few (`affordable`).
    journal
        File that remembers finished trials; a killed run resumes from it.
    timeout
        Seconds after which no new trial starts. With a timeout the result depends on the machine's speed.
    progress
        Called with (finished, planned, best score so far).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").propagate = False
    study = optuna.create_study(
        study_name="pql",
        direction="maximize",
        storage=_storage(journal),
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=1),
    )
    started, trials = time.monotonic(), affordable(trials, int(problem.y.sum()))
    known = priors(len(problem.y))
    while len(done := _finished(study)) < trials:
        if timeout is not None and len(done) >= len(known) and time.monotonic() - started > timeout:
            break
        if len(done) < len(known) and not _waiting(study):  # also where a run was killed in its first trials
            study.enqueue_trial({k: v for k, v in asdict(known[len(done)]).items() if k != "averaged"})
        # A fresh seed for each trial, and no regard to trials left open: a resumed search proposes what the
        # unbroken one would have proposed.
        study.sampler = optuna.samplers.TPESampler(
            seed=problem.seed + 7919 * len(done), n_startup_trials=10, constant_liar=False
        )
        _one_trial(study, problem)
        if progress is not None:
            progress(len(_finished(study)), trials, _best(study).value or float("nan"))
    best = _best(study)
    tried = tuple(_record(number, trial) for number, trial in enumerate(_finished(study)))
    return Tuned(_averaged(study, problem), _params(best), float(best.value or 0.0), tried)


def _storage(journal: Path | None) -> BaseStorage:
    if journal is None:
        return optuna.storages.InMemoryStorage()
    journal.parent.mkdir(parents=True, exist_ok=True)
    if journal.exists():  # a run that was killed in the middle of a line
        written = journal.read_bytes()
        journal.write_bytes(written[: written.rfind(b"\n") + 1])
    return JournalStorage(JournalFileBackend(str(journal)))


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """In order. A trial that a killed run left open is not among them and is tried again."""
    return [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def _waiting(study: optuna.Study) -> bool:
    return bool(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def _best(study: optuna.Study) -> optuna.trial.FrozenTrial:
    return _ranked(study)[0]


def _ranked(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    complete = [t for t in _finished(study) if t.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))


def _params(trial: optuna.trial.FrozenTrial) -> Params:
    return Params(**trial.params, averaged=SEEDS)


def _averaged(study: optuna.Study, problem: Problem) -> tuple[Params, ...]:
    """The priors that the best does not clearly beat, and the best that were found.

    The best of many looks better than it is: the largest of n standard normals is about sqrt(2 ln n), so a prior is
    left out only if the lead over it exceeds so many of its standard errors. What is found must beat one of them.
    """
    known, tried, ranked = priors(len(problem.y)), _finished(study), _ranked(study)
    first, best = tried[: len(known)], ranked[0]  # the first trials are the priors, and never pruned
    if best in first:
        return known
    luck = np.sqrt(2 * np.log(len(tried)))
    leads = [_lead(problem, _params(best), prior) for prior in known]
    kept = [prior for prior, (lead, error) in zip(known, leads, strict=True) if lead <= luck * error]
    least = min(trial.value or 0.0 for trial in first)
    found = [_params(t) for t in ranked[:MOST_FOUND] if t not in first and (t.value or 0.0) > least]
    return (*kept, *found)


def _lead(problem: Problem, first: Params, second: Params) -> tuple[float, float]:
    """By how much the first ranks better on the folds, and the standard error of that: a paired bootstrap of entities."""
    names = problem.entities if problem.entities is not None else np.arange(len(problem.y))
    found, weights = [], []
    for step, fold in enumerate(problem.folds.folds):
        ours, theirs = (_fold_margin(problem, params, step) for params in (first, second))
        y = problem.y[fold.check]
        found.append(paired_difference(y, ours, theirs, names[fold.check], resamples=300, seed=problem.seed))
        weights.append(float(y.sum()))
    share = np.array(weights) / sum(weights)
    errors = np.array([(estimate.high - estimate.low) / (2 * Z95) for estimate in found])
    return float(share @ [estimate.value for estimate in found]), float(np.sqrt(((share * errors) ** 2).sum()))


def _one_trial(study: optuna.Study, problem: Problem) -> None:
    trial = study.ask()
    params = suggest(trial, len(problem.y))
    scores, weights = [], []
    for step, fold in enumerate(problem.folds.folds):
        scores.append(_fold_score(problem, params, step))
        weights.append(float(problem.y[fold.check].sum()))
        so_far = float(np.average(scores, weights=weights))
        trial.report(so_far, step)
        if step + 1 < len(problem.folds.folds) and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    study.tell(trial, so_far)


def _fold_score(problem: Problem, params: Params, fold: int) -> float:
    return float(roc_auc_score(problem.y[problem.folds.folds[fold].check], _fold_margin(problem, params, fold)))


def _fold_margin(problem: Problem, params: Params, fold: int) -> np.ndarray:
    ensemble = fit_ensemble(problem.fold_data[fold], [replace(params, averaged=SEEDS)], problem.seed, problem.monotone)
    return ensemble.margin(problem.X[problem.folds.folds[fold].check])


def out_of_fold(problem: Problem, settings: tuple[Params, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Row positions that some fold checked, and their margins from models that had not seen them.

    A margin starts from the log-odds of the rows a model was fitted on, and these differ between folds. They are
    moved to those of all rows, so that calibration learns the level of the final model and not that of a fold.
    """
    fitted = [fit_ensemble(data, settings, problem.seed, problem.monotone) for data in problem.fold_data]
    level = _log_odds(problem.y)
    margins = [
        ensemble.margin(problem.X[fold.check]) + level - _log_odds(problem.y[fold.fit])
        for ensemble, fold in zip(fitted, problem.folds.folds, strict=True)
    ]
    return np.concatenate([fold.check for fold in problem.folds.folds]), np.concatenate(margins)


def _log_odds(y: np.ndarray) -> float:
    return float(np.log(y.mean() / (1 - y.mean())))


def _record(number: int, trial: optuna.trial.FrozenTrial) -> Trial:
    complete = trial.state == TrialState.COMPLETE
    return Trial(number, dict(trial.params), trial.value if complete else None, trial.state.name.lower())
