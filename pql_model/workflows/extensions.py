"""Arguments that extend `pql.yaml` from Python: a learner, hyperparameters, a search space, features."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.atomic import atomic_write
from pql_model.config.definition import subject_json
from pql_model.config.load import load_config, parse_part
from pql_model.config.model_settings import ModelSettings
from pql_model.config.own_features import OwnFeature
from pql_model.config.schema import Config
from pql_model.features.spec import Feature
from pql_model.model.learner import Learner
from pql_model.model.learners import configured_learner, register_learner

_CALL = "This call"


def extend_config(
    config: Config | str | Path,
    *,
    learner: str | Learner | None = None,
    params: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    features: Sequence[Feature | OwnFeature | Mapping[str, Any]] = (),
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
    config = with_features(config, features)
    if learner is not None and not isinstance(learner, str):
        register_learner(learner)
    name = learner if isinstance(learner, str) else learner.name if learner is not None else None
    own = {"learner": name, "params": params, "search": search}
    if overrides := {key: value for key, value in own.items() if value is not None}:
        base = config.model.model_dump(exclude_none=True) if name in (None, config.model.learner) else {}
        settings = parse_part({**base, **overrides}, ModelSettings, _CALL)
        config = config.model_copy(update={"model": settings}).at(config.home)
    if learner is not None and not isinstance(learner, str):
        return config, learner
    return config, configured_learner(config.model)


def with_features(config: Config | str | Path, features: Sequence[Feature | OwnFeature | Mapping[str, Any]]) -> Config:
    """Add features to a config, for the functions that take no `features` themselves, such as `score`.

    Parameters
    ----------
    config : Config, str or Path
        A config or the path of a `pql.yaml`.
    features : sequence of Feature or mapping
        A `Feature`, or a mapping like an item under `features:` of the config. The `table` of dated columns may be a
        `pandas.DataFrame`; it is written to `.pql/features/` beside the config.

    Returns
    -------
    Config
        The same config with the features added.

    Raises
    ------
    ConfigError
        If the config or a feature cannot be used.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=100)
    >>> frame = pd.DataFrame({"account": ["a1"], "at": ["2025-01-05"], "nps": [9]})
    >>> config = with_features(folder / "pql.yaml", [
    ...     Feature("Teammate Invited", "days_to_first"),
    ...     {"table": frame, "columns": {"entity": "account", "time": "at"}, "values": ["nps"]},
    ... ])
    >>> [feature.event or list(feature.values) for feature in config.features]
    ['Teammate Invited', ['nps']]
    """
    config = config if isinstance(config, Config) else load_config(config)
    if not features:
        return config
    own = [
        item if isinstance(item, OwnFeature) else parse_part(_declared(item, config.home), OwnFeature, _CALL)
        for item in features
    ]
    return config.model_copy(update={"features": [*config.features, *own]}).at(config.home)


def _declared(item: Feature | Mapping[str, Any], home: Path) -> dict[str, Any]:
    if isinstance(item, Feature):
        return {**subject_json(item), "window": str(item.window)}
    raw = dict(item)
    if isinstance(raw.get("table"), pd.DataFrame):
        raw["table"] = _written(raw["table"], home)
    return raw


def _written(frame: pd.DataFrame, home: Path) -> str:
    """Write a table under a digest of its content: the same data give the same config, and a run can resume."""
    # DuckDB reads no nanoseconds with a time zone, and the rest of pql knows microseconds only.
    content = frame.to_parquet(None, index=False, coerce_timestamps="us", allow_truncated_timestamps=True)
    name = f".pql/features/{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    atomic_write(home / name, lambda path: path.write_bytes(content))
    return name
