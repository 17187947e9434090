"""`model:` of `pql.yaml`: which learner is trained, and the hyperparameters of the built-in LightGBM."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from pql_model.config.types import Strict

LIGHTGBM = "lightgbm"
_CALLED = {
    "colsample_bytree": "feature_fraction",
    "eta": "learning_rate",
    "min_child_samples": "min_data_in_leaf",
    "n_estimators": "rounds",
    "num_boost_round": "rounds",
    "num_iterations": "rounds",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
    "subsample": "bagging_fraction",
}
"""Names of scikit-learn's interface and aliases -> ours, which are LightGBM's own."""
_REPRODUCIBLE = "the same data, config and seed must give the same model on every machine"
_BASE_RATE = "calibration starts from the share of conversions in the training rows; a weight would shift it"
_REFUSED = {
    "objective": "the margin must be the log-odds of a conversion",
    "num_class": "there are two outcomes",
    "metric": "settings are compared by ROC-AUC on the folds",
    "boosting": "`rf` and `dart` average or rescale trees, and the margin would no longer be log-odds",
    "linear_tree": "the contributions of linear leaves are not defined",
    "is_unbalance": _BASE_RATE,
    "scale_pos_weight": _BASE_RATE,
    "monotone_constraints": "use the key `monotone:`, which names events and traits and refuses categories",
    "categorical_feature": "the types of the traits decide",
    "early_stopping_round": "the number of `rounds` is searched on the folds",
    "seed": "use the key `seed:` of the config",
    "random_state": "use the key `seed:` of the config",
    "num_threads": _REPRODUCIBLE,
    "n_jobs": _REPRODUCIBLE,
    "deterministic": _REPRODUCIBLE,
    "device_type": _REPRODUCIBLE,
}


def _explain_name(raw: Any) -> Any:
    """Say why a parameter is refused, or what it is called here."""
    for name in raw if isinstance(raw, dict) else ():
        if name in _REFUSED:
            raise ValueError(f"`{name}` cannot be set: {_REFUSED[name]}")
        if name in _CALLED:
            raise ValueError(f"`{name}` is called `{_CALLED[name]}` here")
    return raw


class LightGBMParams(Strict):
    """Hyperparameters of LightGBM that are fixed instead of searched."""

    num_leaves: int | None = Field(None, ge=2, le=1024, description="Leaves of a tree.")
    max_depth: int | None = Field(None, ge=-1, le=64, description="Depth of a tree; -1: no limit.")
    min_data_in_leaf: int | None = Field(None, ge=1, description="Rows that a leaf must hold.")
    learning_rate: float | None = Field(None, gt=0, le=1, description="Shrinkage of each tree.")
    rounds: int | None = Field(None, ge=1, le=10_000, description="Number of trees.")
    feature_fraction: float | None = Field(None, gt=0, le=1, description="Share of the columns each tree sees.")
    bagging_fraction: float | None = Field(None, gt=0, le=1, description="Share of the rows each tree sees.")
    lambda_l1: float | None = Field(None, ge=0, description="L1 penalty on leaf values.")
    lambda_l2: float | None = Field(None, ge=0, description="L2 penalty on leaf values.")
    min_gain_to_split: float | None = Field(None, ge=0, description="Gain that a split must bring.")
    path_smooth: float | None = Field(None, ge=0, description="Shrinkage of leaves towards their parents.")
    extra_trees: bool | None = Field(None, description="Draw thresholds at random.")
    averaged: int | None = Field(
        None, ge=1, le=20, description="Number of seeds that a prior setting is averaged over."
    )
    max_bin: int | None = Field(None, ge=3, le=1023, description="Bins of a column. Default: 127.")
    max_cat_threshold: int | None = Field(None, ge=1, description="Categories on one side of a split. Default: 16.")
    cat_smooth: float | None = Field(None, ge=0, description="Smoothing of rare categories. Default: 20.")
    cat_l2: float | None = Field(None, ge=0, description="L2 penalty in splits of categories. Default: 20.")
    min_data_per_group: int | None = Field(None, ge=1, description="Rows of a category. Default: 20.")

    @model_validator(mode="before")
    @classmethod
    def _names(cls, raw: Any) -> Any:
        return _explain_name(raw)

    def chosen(self) -> dict[str, Any]:
        """Return the parameters that are set, by name."""
        return self.model_dump(exclude_none=True)


def _ascending(ends: list[Any]) -> list[Any]:
    if ends[0] >= ends[1]:
        raise ValueError(f"a range is [lowest, highest]; give one value under `params`. Received: {ends}")
    return ends


_Range = Annotated[list[int], Field(min_length=2, max_length=2), AfterValidator(_ascending)]
_RealRange = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


class LightGBMSearch(Strict):
    """Ranges `[lowest, highest]` that tuning searches. What is not named keeps its default range."""

    num_leaves: _Range | None = Field(None, description="Default: [2, 31].")
    max_depth: _Range | None = Field(None, description="Not searched by default.")
    min_data_in_leaf: _Range | None = Field(None, description="Default: [5, a twentieth of the rows].")
    learning_rate: _RealRange | None = Field(None, description="Default: [0.015, 0.15].")
    rounds: _Range | None = Field(None, description="Default: [40, 300].")
    feature_fraction: _RealRange | None = Field(None, description="Default: [0.1, 1].")
    bagging_fraction: _RealRange | None = Field(None, description="Default: [0.5, 1].")
    lambda_l1: _RealRange | None = Field(None, description="Not searched by default.")
    lambda_l2: _RealRange | None = Field(None, description="Default: [0.1, 100].")
    min_gain_to_split: _RealRange | None = Field(None, description="Not searched by default.")
    path_smooth: _RealRange | None = Field(None, description="Default: [0, 50].")

    @model_validator(mode="before")
    @classmethod
    def _names(cls, raw: Any) -> Any:
        return _explain_name(raw)

    @model_validator(mode="after")
    def _within(self) -> LightGBMSearch:
        for name, ends in self.chosen().items():
            for end in ends:
                LightGBMParams.model_validate({name: end})  # an end that could not be a parameter
        return self

    def chosen(self) -> dict[str, list[Any]]:
        """Return the ranges that are set, by name."""
        return self.model_dump(exclude_none=True)


class ModelSettings(Strict):
    """Which learner is trained, and with which hyperparameters."""

    learner: str = Field(
        LIGHTGBM,
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="`lightgbm`, or the name of a learner of your own that is registered (docs/extending.md).",
    )
    params: LightGBMParams = Field(
        default_factory=LightGBMParams, description="LightGBM hyperparameters that are fixed instead of searched."
    )
    search: LightGBMSearch = Field(
        default_factory=LightGBMSearch, description="Ranges that tuning searches instead of the default ones."
    )

    @model_validator(mode="after")
    def _consistent(self) -> ModelSettings:
        params, search = self.params.chosen(), self.search.chosen()
        if self.learner != LIGHTGBM and (params or search):
            raise ValueError(
                f"`params` and `search` belong to the learner `{LIGHTGBM}`; a learner of your own is given its "
                f"parameters where it is created. Received: learner `{self.learner}`"
            )
        if both := sorted(set(params) & set(search)):
            raise ValueError(f"`{both[0]}` is both fixed under `params` and searched under `search`; keep one")
        return self
