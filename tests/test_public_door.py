"""The public names of the package: each has a docstring with an example, which runs as a doctest."""

import inspect

import pytest

import pql_model

NAMES = (
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
)


def test_the_public_names_are_exactly_these():
    assert tuple(pql_model.__all__) == NAMES
    assert tuple(dir(pql_model)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_a_docstring_with_an_example(name):
    text = inspect.getdoc(getattr(pql_model, name))
    assert text
    assert len(text.splitlines()[0]) > 15
    assert ">>> " in text


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_defined_in_the_package(name):
    assert getattr(pql_model, name).__module__.startswith("pql_model.")


def test_an_unknown_name_is_rejected_with_the_allowed_names():
    with pytest.raises(AttributeError, match=r"pql_model has no `trian`. Allowed: Config, Feature"):
        pql_model.trian  # noqa: B018
