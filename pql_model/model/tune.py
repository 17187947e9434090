"""The only module that imports Optuna: a search over strongly regularised LightGBM on folds of the training period.

The result is an average, not a winner. With hundreds of conversions the best of many settings is best by luck as much
as by merit. The average of the two priors and the best settings found is never far from the best of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState
from sklearn.metrics import roc_auc_score

from pql_model.model.booster import SMALLEST_LEAF, Ensemble, Params
from pql_model.model.learner import Budget, Learner, Progress, TrainingRows, Trial, TuningResult
from pql_model.model.split import Folds
from pql_model.statistics.estimate import Z95
from pql_model.statistics.metrics import paired_difference

SEEDS = 2
"""Seeds averaged in a trial, and in each setting that is found. The priors have the seeds of `Params`."""
MOST_FOUND = 3
"""How many of the best settings are averaged with the priors."""
CONVERSIONS_PER_TRIAL = 10
"""One trial per this many conversions: with few conversions, the best of many trials is an accident."""


class SearchSpace(Protocol):
    """What tuning needs of the LightGBM learner."""

    @property
    def fixed(self) -> Mapping[str, Any]: ...

    @property
    def fixed_params(self) -> Mapping[str, Any]: ...

    @property
    def search(self) -> Mapping[str, Any]: ...

    def priors(self, rows: int) -> tuple[Params, ...]: ...

    def fit_settings(self, rows: TrainingRows, settings: tuple[Params, ...]) -> Ensemble: ...

    def with_settings(self, settings: tuple[Params, ...]) -> Learner: ...


@dataclass(frozen=True)
class _Problem:
    """A learner to tune, the training rows and the folds they are tuned on."""

    learner: SearchSpace
    rows: TrainingRows
    folds: Folds

    @cached_property
    def fold_rows(self) -> list[TrainingRows]:
        """The rows to learn from in each fold: the same objects in every trial, so that they are binned once."""
        return [self.rows.take(fold.fit) for fold in self.folds.folds]

    @cached_property
    def priors(self) -> tuple[Params, ...]:
        return self.learner.priors(len(self.rows.y))


def affordable(trials: int, conversions: int) -> int:
    """Return the number of trials: the two priors always, more as far as the conversions can tell settings apart.

    >>> affordable(30, conversions=40), affordable(30, conversions=150), affordable(30, conversions=900)
    (4, 15, 30)
    """
    return max(2, min(trials, conversions // CONVERSIONS_PER_TRIAL))


@dataclass(frozen=True)
class _Range:
    low: float
    high: float
    log: bool = False


def default_space(rows: int) -> dict[str, _Range]:
    """Return the default ranges. Large leaves and deep trees are not among them."""
    return {
        "num_leaves": _Range(2, 31, log=True),
        "min_data_in_leaf": _Range(SMALLEST_LEAF, max(40, min(2_000, rows // 20)), log=True),
        "learning_rate": _Range(0.015, 0.15, log=True),
        "rounds": _Range(40, 300, log=True),
        "feature_fraction": _Range(0.1, 1.0),
        "bagging_fraction": _Range(0.5, 1.0),
        "lambda_l2": _Range(0.1, 100.0, log=True),
        "path_smooth": _Range(0.0, 50.0),
    }


def suggest(trial: optuna.trial.BaseTrial, rows: int, learner: SearchSpace) -> Params:
    """Draw a setting from the default space, narrowed by what the learner fixes or searches otherwise."""
    fixed, space = learner.fixed_params, default_space(rows)
    for name, (low, high) in learner.search.items():
        log = space[name].log if name in space else False
        space[name] = _Range(low, high, log and low > 0)
    integers = {name for name, default in asdict(Params()).items() if type(default) is int}
    suggestion: dict[str, Any] = {}
    for name, ends in space.items():
        if name not in fixed:
            draw: Callable[..., Any] = trial.suggest_int if name in integers else trial.suggest_float
            kind = int if name in integers else float
            suggestion[name] = draw(name, kind(ends.low), kind(ends.high), log=ends.log)
    if "extra_trees" not in fixed:
        suggestion["extra_trees"] = trial.suggest_categorical("extra_trees", [True, False])
    return Params(**{"averaged": SEEDS, **fixed, **suggestion})


def _free(learner: SearchSpace) -> set[str]:
    """Return the names of hyperparameters that are left to search."""
    return {*default_space(0), *learner.search, "extra_trees"} - set(learner.fixed)


def tune(
    learner: SearchSpace,
    rows: TrainingRows,
    folds: Folds,
    budget: Budget,
    progress: Progress | None = None,
) -> TuningResult:
    """Search for hyperparameters; a study whose journal exists resumes where it stopped.

    Parameters
    ----------
    learner : SearchSpace
        What it fixes, or searches in other ranges than the default.
    rows, folds : TrainingRows, Folds
        Training rows and the folds within them.
    budget : Budget
        Trials, the priors among them; fewer are run where conversions are few (`affordable`). With a timeout the
        result depends on the machine's speed.
    progress : callable, optional
        Called with (finished, planned, best score so far).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").propagate = False
    study = optuna.create_study(
        study_name="pql",
        direction="maximize",
        storage=_storage(budget.journal),
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=1),
    )
    problem = _Problem(learner, rows, folds)
    priors, started = problem.priors, time.monotonic()
    trials = affordable(budget.trials, int(rows.y.sum())) if _free(learner) else len(priors)
    while len(finished := _finished(study)) < trials:
        out_of_time = budget.timeout is not None and time.monotonic() - started > budget.timeout
        if out_of_time and len(finished) >= len(priors):
            break
        if len(finished) < len(priors) and not _waiting(study):  # also where a run was killed in its first trials
            study.enqueue_trial({k: v for k, v in asdict(priors[len(finished)]).items() if k != "averaged"})
        # A fresh seed for each trial, and no regard to trials left open: a resumed search proposes what an
        # uninterrupted one would have proposed.
        study.sampler = optuna.samplers.TPESampler(
            seed=rows.seed + 7919 * len(finished), n_startup_trials=10, constant_liar=False
        )
        _one_trial(study, problem)
        if progress is not None:
            progress(len(_finished(study)), trials, _best(study).value or float("nan"))
    best = _best(study)
    trials_run = tuple(_record(number, trial) for number, trial in enumerate(_finished(study)))
    tuned = learner.with_settings(_averaged(study, problem))
    return TuningResult(tuned, asdict(_params(best, learner)), float(best.value or 0.0), trials_run)


def _storage(journal: Path | None) -> BaseStorage:
    if journal is None:
        return optuna.storages.InMemoryStorage()
    journal.parent.mkdir(parents=True, exist_ok=True)
    if journal.exists():  # a run that was killed in the middle of a line
        content = journal.read_bytes()
        journal.write_bytes(content[: content.rfind(b"\n") + 1])
    return JournalStorage(JournalFileBackend(str(journal)))


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return finished trials in order. A trial that a killed run left open is not among them and runs again."""
    return [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def _waiting(study: optuna.Study) -> bool:
    return bool(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def _best(study: optuna.Study) -> optuna.trial.FrozenTrial:
    return _ranked(study)[0]


def _ranked(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    complete = [t for t in _finished(study) if t.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))


def _params(trial: optuna.trial.FrozenTrial, learner: SearchSpace) -> Params:
    return Params(**{"averaged": SEEDS, **learner.fixed_params, **trial.params})


def _averaged(study: optuna.Study, problem: _Problem) -> tuple[Params, ...]:
    """Return the priors that the best setting does not clearly beat, and the best settings found.

    The best of many trials looks better than it is: the largest of n standard normals is about sqrt(2 ln n). A prior is left
    out only if the lead over it exceeds that many of its standard errors. A setting that was found must beat at least
    one prior.
    """
    priors, finished, ranked = problem.priors, _finished(study), _ranked(study)
    first, best = finished[: len(priors)], ranked[0]  # the first trials are the priors, and never pruned
    if best in first:
        return priors
    luck = np.sqrt(2 * np.log(len(finished)))
    leads = [_lead(problem, _params(best, problem.learner), prior) for prior in priors]
    remaining = [prior for prior, (lead, error) in zip(priors, leads, strict=True) if lead <= luck * error]
    minimum = min(trial.value or 0.0 for trial in first)
    candidates = [
        _params(trial, problem.learner)
        for trial in ranked[:MOST_FOUND]
        if trial not in first and (trial.value or 0.0) > minimum
    ]
    return (*remaining, *candidates)


def _lead(problem: _Problem, first: Params, second: Params) -> tuple[float, float]:
    """Return by how much the first ranks better on the folds, and its standard error: a paired bootstrap of entities."""
    rows, folds = problem.rows, problem.folds.folds
    names = rows.entities if rows.entities is not None else np.arange(len(rows.y))
    differences, weights = [], []
    for step, fold in enumerate(folds):
        first_margin, second_margin = (_fold_margin(problem, params, step) for params in (first, second))
        y = rows.y[fold.check]
        differences.append(
            paired_difference(y, first_margin, second_margin, names[fold.check], resamples=300, seed=rows.seed)
        )
        weights.append(float(y.sum()))
    share = np.array(weights) / sum(weights)
    errors = np.array([(estimate.high - estimate.low) / (2 * Z95) for estimate in differences])
    return float(share @ [estimate.value for estimate in differences]), float(np.sqrt(((share * errors) ** 2).sum()))


def _one_trial(study: optuna.Study, problem: _Problem) -> None:
    trial = study.ask()
    params = suggest(trial, len(problem.rows.y), problem.learner)
    folds, scores, weights = problem.folds.folds, [], []
    for step, fold in enumerate(folds):
        scores.append(_fold_score(problem, params, step))
        weights.append(float(problem.rows.y[fold.check].sum()))
        so_far = float(np.average(scores, weights=weights))
        trial.report(so_far, step)
        if step + 1 < len(folds) and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    study.tell(trial, so_far)


def _fold_score(problem: _Problem, params: Params, fold: int) -> float:
    check = problem.folds.folds[fold].check
    return float(roc_auc_score(problem.rows.y[check], _fold_margin(problem, params, fold)))


def _fold_margin(problem: _Problem, params: Params, fold: int) -> np.ndarray:
    ensemble = problem.learner.fit_settings(problem.fold_rows[fold], (replace(params, averaged=SEEDS),))
    return ensemble.margin(problem.rows.X[problem.folds.folds[fold].check])


def _record(number: int, trial: optuna.trial.FrozenTrial) -> Trial:
    complete = trial.state == TrialState.COMPLETE
    params: Mapping[str, Any] = trial.params
    return Trial(number, dict(params), trial.value if complete else None, trial.state.name.lower())
