"""The built-in learner: tuned LightGBM, averaged over settings and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from pql_model.model.booster import Ensemble, Params, bin_rows, fit_ensemble, priors
from pql_model.model.learner import Budget, Progress, TrainingRows, TuningResult
from pql_model.model.split import Folds

_PARAMS = frozenset(Params.__dataclass_fields__)


@dataclass(frozen=True)
class LightGBM:
    """LightGBM behind the learner protocol.

    Parameters
    ----------
    fixed : Mapping[str, Any]
        Hyperparameters that are fixed instead of searched, as under `model: {params: ...}` of `pql.yaml`.
    search : Mapping[str, Any]
        Ranges that are searched instead of the default ones, as under `model: {search: ...}`.
    settings : tuple[Params, ...]
        The settings that a fit averages. Empty until `tune` has chosen them: then the two priors are fitted.

    Examples
    --------
    `pql_model.train(config, learner=LightGBM(fixed={"num_leaves": 4}))` tunes everything else.

    >>> LightGBM(fixed={"num_leaves": 4}, search={"rounds": [50, 80]}).params
    {'settings': [], 'fixed': {'num_leaves': 4}, 'search': {'rounds': [50, 80]}}
    """

    name: ClassVar[str] = "lightgbm"
    keeps_monotone: ClassVar[bool] = True

    fixed: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[Params, ...] = ()

    # Binning a fold costs as much as several small fits, and tuning fits each fold many times.
    _binned: WeakKeyDictionary[TrainingRows, Any] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False, hash=False
    )

    @property
    def params(self) -> dict[str, object]:
        """Return the settings, and what was fixed or searched differently from the default."""
        own = {"fixed": dict(self.fixed), "search": dict(self.search)}
        return {"settings": [asdict(setting) for setting in self.settings], **{k: v for k, v in own.items() if v}}

    def fit(self, rows: TrainingRows) -> Ensemble:
        """Fit every setting with each of its seeds."""
        return self.fit_settings(rows, self.settings or self.priors(len(rows.y)))

    def fit_settings(self, rows: TrainingRows, settings: tuple[Params, ...]) -> Ensemble:
        """Fit these settings instead of the learner's own."""
        if rows not in self._binned:
            self._binned[rows] = bin_rows(rows, self._others)
        return fit_ensemble(self._binned[rows], settings, rows.seed, rows.monotone, self._others)

    def with_settings(self, settings: tuple[Params, ...]) -> LightGBM:
        """Return the same learner with settings that tuning has chosen."""
        return replace(self, settings=settings)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> LightGBM:
        """Return the learner whose `params` these are, such as those that a model was trained with."""
        settings = tuple(Params(**setting) for setting in params["settings"])
        return cls(params.get("fixed", {}), params.get("search", {}), settings)

    def load(self, files: Mapping[str, str]) -> Ensemble:
        """Read back what `Ensemble.save` returned."""
        return Ensemble.from_texts([files[f"booster_{k}.txt"] for k in range(len(files))])

    def tune(self, rows: TrainingRows, folds: Folds, budget: Budget, progress: Progress | None) -> TuningResult:
        """Search with Optuna, and average the best settings with the priors."""
        from pql_model.model.tune import tune  # a service loads models and needs no Optuna

        return tune(self, rows, folds, budget, progress)

    def priors(self, rows: int) -> tuple[Params, ...]:
        """Return the settings that are tried first, with what is fixed, and inside the ranges to search."""
        return tuple(dict.fromkeys(self._inside(prior) for prior in priors(rows)))

    @property
    def fixed_params(self) -> dict[str, Any]:
        """The part of `fixed` that a setting holds."""
        return {name: value for name, value in self.fixed.items() if name in _PARAMS}

    @property
    def _others(self) -> dict[str, Any]:
        """The part of `fixed` that all settings share, such as `max_bin`."""
        return {name: value for name, value in self.fixed.items() if name not in _PARAMS}

    def _inside(self, prior: Params) -> Params:
        values = asdict(prior)
        clipped = {name: min(max(values[name], low), high) for name, (low, high) in self.search.items()}
        return Params(**{**values, **clipped, **self.fixed_params})
