"""Which free accounts will pay, which behaviours predict it, and why.

The names below are the whole public door; the command line and the pipelines use the same ones. They load
what they need when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 11):  # noqa: UP036 (pip refuses such a Python; a clone on the path does not)
    raise ImportError(
        "pql_model needs Python 3.11 or later. Received: Python {}.{}. "
        "Fix: create the environment with a newer Python, such as `python3.13 -m venv .venv`.".format(
            *sys.version_info[:2]
        )
    )

if TYPE_CHECKING:
    from pql_model.audit.table import audit_table
    from pql_model.config.load import load_config
    from pql_model.config.schema import Config
    from pql_model.errors import PqlError
    from pql_model.explain.shap_door import contributions_from, explanation
    from pql_model.features.compile import build_features
    from pql_model.features.spec import Feature, parse_feature
    from pql_model.model.artifact import FittedModel
    from pql_model.model.learner import Learner, Predictor, TrainingRows
    from pql_model.model.learners import register_learner
    from pql_model.model.lightgbm_learner import LightGBM
    from pql_model.workflows.backtest import backtest
    from pql_model.workflows.check import check
    from pql_model.workflows.criteria import test_criteria
    from pql_model.workflows.criteria_dbt import criteria_dbt
    from pql_model.workflows.criteria_hubspot import criteria_hubspot
    from pql_model.workflows.criteria_sql import criteria_sql
    from pql_model.workflows.demo import make_demo
    from pql_model.workflows.effect import effect
    from pql_model.workflows.explain import explain_entity
    from pql_model.workflows.export import export
    from pql_model.workflows.extensions import with_features
    from pql_model.workflows.features import write_features
    from pql_model.workflows.feedback import feedback
    from pql_model.workflows.forecast import forecast
    from pql_model.workflows.forget import forget
    from pql_model.workflows.funnel import funnel
    from pql_model.workflows.init import init
    from pql_model.workflows.leads import write_leads
    from pql_model.workflows.monitor import monitor
    from pql_model.workflows.replay import replay
    from pql_model.workflows.report import list_criteria, write_report
    from pql_model.workflows.rollback import models, rollback
    from pql_model.workflows.score import score
    from pql_model.workflows.simulate import simulate_policy
    from pql_model.workflows.sync import sync
    from pql_model.workflows.train import train
    from pql_model.workflows.verify import verify

__version__ = "0.1.0"
"""The version, which the package's metadata takes from here."""

_HOME = {
    "Config": "config.schema",
    "Feature": "features.spec",
    "FittedModel": "model.artifact",
    "PqlError": "errors",
    "audit_table": "audit.table",
    "backtest": "workflows.backtest",
    "build_features": "features.compile",
    "check": "workflows.check",
    "criteria_dbt": "workflows.criteria_dbt",
    "criteria_hubspot": "workflows.criteria_hubspot",
    "criteria_sql": "workflows.criteria_sql",
    "contributions_from": "explain.shap_door",
    "effect": "workflows.effect",
    "explain_entity": "workflows.explain",
    "explanation": "explain.shap_door",
    "export": "workflows.export",
    "forecast": "workflows.forecast",
    "feedback": "workflows.feedback",
    "forget": "workflows.forget",
    "funnel": "workflows.funnel",
    "init": "workflows.init",
    "test_criteria": "workflows.criteria",
    "Learner": "model.learner",
    "LightGBM": "model.lightgbm_learner",
    "Predictor": "model.learner",
    "TrainingRows": "model.learner",
    "list_criteria": "workflows.report",
    "load_config": "config.load",
    "make_demo": "workflows.demo",
    "models": "workflows.rollback",
    "monitor": "workflows.monitor",
    "parse_feature": "features.spec",
    "register_learner": "model.learners",
    "replay": "workflows.replay",
    "rollback": "workflows.rollback",
    "score": "workflows.score",
    "simulate_policy": "workflows.simulate",
    "sync": "workflows.sync",
    "train": "workflows.train",
    "verify": "workflows.verify",
    "with_features": "workflows.extensions",
    "write_features": "workflows.features",
    "write_leads": "workflows.leads",
    "write_report": "workflows.report",
}

__all__ = [
    "Config",
    "Feature",
    "FittedModel",
    "Learner",
    "LightGBM",
    "PqlError",
    "Predictor",
    "TrainingRows",
    "audit_table",
    "backtest",
    "build_features",
    "check",
    "contributions_from",
    "criteria_dbt",
    "criteria_hubspot",
    "criteria_sql",
    "effect",
    "explain_entity",
    "explanation",
    "export",
    "feedback",
    "forecast",
    "forget",
    "funnel",
    "init",
    "list_criteria",
    "load_config",
    "make_demo",
    "models",
    "monitor",
    "parse_feature",
    "register_learner",
    "replay",
    "rollback",
    "score",
    "simulate_policy",
    "sync",
    "test_criteria",
    "train",
    "verify",
    "with_features",
    "write_features",
    "write_leads",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"pql_model has no `{name}`. Allowed: {', '.join(__all__)}")
    return getattr(importlib.import_module(f"pql_model.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
