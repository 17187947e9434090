"""Which free accounts will pay, which behaviours predict it, and why.

The names below are the whole public door; the command line and the pipelines use the same ones. They load
what they need when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pql_model.config.load import load_config
    from pql_model.config.schema import Config
    from pql_model.errors import PqlError
    from pql_model.features.compile import build_features
    from pql_model.features.spec import Feature, parse_feature
    from pql_model.model.audit_table import audit_table
    from pql_model.model.fitted import FittedModel
    from pql_model.pipelines.backtest import backtest
    from pql_model.pipelines.check import check
    from pql_model.pipelines.criteria import judge_definition
    from pql_model.pipelines.demo import make_demo
    from pql_model.pipelines.explain import explain_entity
    from pql_model.pipelines.export import export
    from pql_model.pipelines.init import init
    from pql_model.pipelines.replay import replay
    from pql_model.pipelines.report import list_criteria, write_report
    from pql_model.pipelines.rollback import models, rollback
    from pql_model.pipelines.score import score
    from pql_model.pipelines.train import train
    from pql_model.pipelines.verify import verify

_HOME = {
    "Config": "config.schema",
    "Feature": "features.spec",
    "FittedModel": "model.fitted",
    "PqlError": "errors",
    "audit_table": "model.audit_table",
    "backtest": "pipelines.backtest",
    "build_features": "features.compile",
    "check": "pipelines.check",
    "explain_entity": "pipelines.explain",
    "export": "pipelines.export",
    "init": "pipelines.init",
    "judge_definition": "pipelines.criteria",
    "list_criteria": "pipelines.report",
    "load_config": "config.load",
    "make_demo": "pipelines.demo",
    "models": "pipelines.rollback",
    "parse_feature": "features.spec",
    "replay": "pipelines.replay",
    "rollback": "pipelines.rollback",
    "score": "pipelines.score",
    "train": "pipelines.train",
    "verify": "pipelines.verify",
    "write_report": "pipelines.report",
}

__all__ = [
    "Config",
    "Feature",
    "FittedModel",
    "PqlError",
    "audit_table",
    "backtest",
    "build_features",
    "check",
    "explain_entity",
    "export",
    "init",
    "judge_definition",
    "list_criteria",
    "load_config",
    "make_demo",
    "models",
    "parse_feature",
    "replay",
    "rollback",
    "score",
    "train",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"pql_model has no `{name}`. Allowed: {', '.join(__all__)}")
    return getattr(importlib.import_module(f"pql_model.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
