"""What a data scientist passes to Python beside `pql.yaml`: a learner, hyperparameters, a search space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pql_model.config.load import load_config, parse_part
from pql_model.config.model_settings import ModelSettings
from pql_model.config.schema import Config
from pql_model.model.learner import Learner
from pql_model.model.learners import configured_learner, register_learner


def extend_config(
    config: Config | str | Path,
    *,
    learner: str | Learner | None = None,
    params: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
) -> tuple[Config, Learner]:
    """Read a config, put the arguments into it, and return it with the learner to fit.

    A learner that is passed as an object is registered, so that this process can load the models it trains.

    Raises
    ------
    ConfigError
        If the config or an argument cannot be used.
    LearnerError
        If the learner does not follow the protocol, or is not registered.
    """
    config = config if isinstance(config, Config) else load_config(config)
    if learner is not None and not isinstance(learner, str):
        register_learner(learner)
    name = learner if isinstance(learner, str) else learner.name if learner is not None else None
    own = {"learner": name, "params": params, "search": search}
    if given := {key: value for key, value in own.items() if value is not None}:
        kept = config.model.model_dump(exclude_none=True) if name in (None, config.model.learner) else {}
        settings = parse_part({**kept, **given}, ModelSettings, "This call")
        config = config.model_copy(update={"model": settings}).at(config.home)
    if learner is not None and not isinstance(learner, str):
        return config, learner
    return config, configured_learner(config.model)
