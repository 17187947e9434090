"""Learners by name: how a saved model finds the code that reads it. A model folder names a learner, never a module."""

from __future__ import annotations

import re
from importlib.metadata import entry_points

import numpy as np

from pql_model.config.model_settings import LIGHTGBM, ModelSettings
from pql_model.errors import LearnerError, did_you_mean, nearest
from pql_model.model.age_level import AGE_LEVEL_FILE
from pql_model.model.learner import Learner, Predictor, TrainingRows
from pql_model.model.lightgbm_learner import LightGBM

ENTRY_POINTS = "pql_model.learners"
"""Group of the entry points through which an installed package offers learners."""
RESERVED = (AGE_LEVEL_FILE, "calibration.json", "manifest.json", "model.json")
"""Files of a model folder that are not the learner's."""
_METHODS = {"learner": ("name", "params", "fit", "load"), "predictor": ("margin", "contributions", "save")}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.(txt|json)")
_CHECKED_ROWS = 200
_TOLERANCE = 1e-6

_registered: dict[str, Learner] = {}


def register_learner(learner: Learner) -> None:
    """Make a learner known under its name, so that models it trained can be loaded in this process.

    A package does the same for every process with an entry point in the group `pql_model.learners`, whose value is a
    learner or a class that is created without arguments.

    Parameters
    ----------
    learner : Learner
        Registering the same name again replaces the learner.

    Raises
    ------
    LearnerError
        If it does not follow the protocol, or takes the name of a built-in learner.

    Examples
    --------
    >>> register_learner("logistic regression")
    Traceback (most recent call last):
    ...
    pql_model.errors.LearnerError: This is not a learner: it lacks `name`, `params`, `fit`, `load`. Received: str. ...
    """
    check_learner(learner)
    if learner.name in _built_in() and not isinstance(learner, LightGBM):
        raise LearnerError(
            f"The name `{learner.name}` belongs to a built-in learner",
            received=type(learner).__name__,
            remedy="give your learner another `name`",
        )
    _registered[learner.name] = learner


def learner_named(name: str) -> Learner:
    """Return the learner of this name.

    Raises
    ------
    LearnerError
        If none is registered, with how to register it.
    """
    learners = {**_built_in(), **_registered}
    if name in learners:
        return learners[name]
    plugins = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in plugins:
        plugin = plugins[name].load()
        learner: Learner = plugin() if isinstance(plugin, type) else plugin
        register_learner(learner)
        return learner
    names = sorted({*learners, *plugins})
    raise LearnerError(
        f"No learner is registered under the name `{name}`{did_you_mean(nearest(name, names))}",
        received=name,
        allowed=names,
        remedy="call `pql_model.register_learner(...)` before loading the model, or install the package that offers "
        f"it as an entry point of the group `{ENTRY_POINTS}`",
    )


def configured_learner(settings: ModelSettings) -> Learner:
    """Return the learner that `model:` of a config names.

    Raises
    ------
    LearnerError
        If none is registered under this name.
    """
    if settings.learner == LIGHTGBM:
        return LightGBM(settings.params.chosen(), settings.search.chosen())
    return learner_named(settings.learner)


def check_learner(learner: object) -> None:
    """Refuse an object that does not follow the protocol.

    Raises
    ------
    LearnerError
        Naming what is missing.
    """
    _check_methods(learner, "learner")
    name = getattr(learner, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise LearnerError(
            "The name of a learner cannot be used",
            received=repr(name),
            allowed="lower-case letters, digits, `_` and `-`",
        )


def check_monotone(learner: Learner, monotone: tuple[int, ...]) -> None:
    """Refuse monotone constraints that a learner would ignore.

    Raises
    ------
    LearnerError
        If there are constraints and the learner does not say that it keeps them.
    """
    if any(monotone) and not getattr(learner, "keeps_monotone", False):
        raise LearnerError(
            f"The learner `{learner.name}` does not keep `monotone:` constraints",
            received=f"{sum(map(bool, monotone))} constrained columns",
            remedy="take `monotone:` out of the config, or give the learner `keeps_monotone = True` and have `fit` read `rows.monotone`",
        )


def check_predictor(learner: Learner, predictor: Predictor, rows: TrainingRows) -> None:
    """Refuse a predictor whose numbers a saved model or a service could not repeat.

    Raises
    ------
    LearnerError
        If margins are not finite, contributions do not add up to them, or the saved text reads back differently.
    """
    _check_methods(predictor, "predictor")
    X = rows.X[:_CHECKED_ROWS]
    margin, contributions = np.asarray(predictor.margin(X)), np.asarray(predictor.contributions(X))
    shapes = (margin.shape, contributions.shape)
    allowed = ((len(X),), (len(X), X.shape[1] + 1))
    if shapes != allowed:
        raise _broken(learner, "margins and contributions have the wrong shape", shapes, allowed)
    if not (np.isfinite(margin).all() and np.isfinite(contributions).all()):
        raise _broken(learner, "margins and contributions must be finite", "NaN or infinite numbers", "finite numbers")
    gap = float(np.abs(contributions.sum(axis=1) - margin).max(initial=0.0))
    if gap > _TOLERANCE:
        raise _broken(learner, "contributions do not add up to the margin", f"a gap of {gap:.3g}", f"{_TOLERANCE:g}")
    files = predictor.save()
    for name, text in files.items():
        if not _FILE.fullmatch(str(name)) or name in RESERVED or not isinstance(text, str):
            raise _broken(learner, "`save` must return text files", repr(name), "names such as `weights.json`, texts")
    again = learner.load(dict(files))
    if not np.array_equal(np.asarray(again.contributions(X)), contributions):
        raise _broken(learner, "`load` does not give back what `save` wrote", "other contributions", "the same numbers")


def _broken(learner: Learner, what: str, received: object, allowed: object) -> LearnerError:
    return LearnerError(
        f"The learner `{learner.name}` cannot be used: {what}",
        received=received,
        allowed=str(allowed),
        remedy="correct its class; see docs/extending.md",
    )


def _check_methods(thing: object, kind: str) -> None:
    missing = [name for name in _METHODS[kind] if not hasattr(thing, name)]
    if missing:
        raise LearnerError(
            f"This is not a {kind}: it lacks {', '.join(f'`{name}`' for name in missing)}",
            received=type(thing).__name__,
            allowed=list(_METHODS[kind]),
            remedy="see docs/extending.md",
        )


def _built_in() -> dict[str, Learner]:
    return {LightGBM.name: LightGBM()}
