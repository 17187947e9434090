from pathlib import Path

import pytest

from pql_model.errors import DataError
from pql_model.serve.settings import _HELP, Settings

BUNDLE = {"PQL_BUNDLE": "models/boards"}


def test_only_the_bundle_is_required():
    settings = Settings.of_environment(BUNDLE)

    assert settings == Settings(bundle=Path("models/boards"))
    assert (settings.max_body, settings.max_batch, settings.deadline_seconds, settings.keys) == (
        10_000_000,
        1000,
        10.0,
        (),
    )


def test_every_variable_is_read():
    given = {
        **BUNDLE,
        "PQL_API_KEYS": " a ,b,",
        "PQL_API_KEYS_FILE": "keys",
        "PQL_SCORES": "scores.parquet",
        "PQL_SCORE_LOG": "log",
        "PQL_MAX_BODY_MB": "0.5",
        "PQL_MAX_BATCH": "10",
        "PQL_DEADLINE_SECONDS": "2.5",
        "PQL_MAX_IN_FLIGHT": "3",
    }

    assert given.keys() == _HELP.keys()
    assert Settings.of_environment(given) == Settings(
        Path("models/boards"), ("a", "b"), Path("keys"), Path("scores.parquet"), Path("log"), 500_000, 10, 2.5, 3
    )


def test_a_missing_bundle_is_refused_with_a_fix(monkeypatch):
    monkeypatch.delenv("PQL_BUNDLE", raising=False)
    for given in ({}, {"PQL_BUNDLE": ""}, None):
        with pytest.raises(
            DataError, match=r"The service has no bundle. Received: no PQL_BUNDLE.* Fix: set PQL_BUNDLE"
        ):
            Settings.of_environment(given)


@pytest.mark.parametrize("text", ["-1", "0", "many", "nan", "inf", "1e12"])
@pytest.mark.parametrize("name", ["PQL_MAX_BODY_MB", "PQL_MAX_BATCH", "PQL_DEADLINE_SECONDS", "PQL_MAX_IN_FLIGHT"])
def test_an_invalid_limit_is_refused(name, text):
    with pytest.raises(DataError, match=rf"{name} .* is not a valid number. Received: {text}. Allowed: from"):
        Settings.of_environment({**BUNDLE, name: text})


@pytest.mark.parametrize("name", ["PQL_MAX_BATCH", "PQL_MAX_IN_FLIGHT"])
def test_a_fraction_of_a_request_is_refused(name):
    with pytest.raises(DataError, match=r"Received: 0.5. Allowed: from 1 to"):
        Settings.of_environment({**BUNDLE, name: "0.5"})


@pytest.mark.parametrize("keys", ["", " , "])
def test_an_empty_list_of_keys_is_refused(keys):
    with pytest.raises(DataError, match=r"PQL_API_KEYS .* has no key"):
        Settings.of_environment({**BUNDLE, "PQL_API_KEYS": keys})
