from pathlib import Path

import pytest

from pql_model.errors import DataError
from pql_model.serve.settings import _HELP, Settings, workers_in

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
        "PQL_LEADS": "leads.html",
        "PQL_WORKERS": "2",
        "PQL_MAX_BODY_MB": "0.5",
        "PQL_MAX_PENDING_MB": "1.5",
        "PQL_MAX_BATCH": "10",
        "PQL_DEADLINE_SECONDS": "2.5",
        "PQL_MAX_IN_FLIGHT": "3",
    }

    assert given.keys() == _HELP.keys()
    assert workers_in(given) == 2
    assert Settings.of_environment(given) == Settings(
        bundle=Path("models/boards"),
        keys=("a", "b"),
        keys_file=Path("keys"),
        scores=Path("scores.parquet"),
        score_log=Path("log"),
        leads=Path("leads.html"),
        max_body=500_000,
        max_batch=10,
        deadline_seconds=2.5,
        max_in_flight=3,
        max_pending=1_500_000,
    )


def test_a_larger_body_has_room_beside_others():
    assert Settings.of_environment({**BUNDLE, "PQL_MAX_BODY_MB": "50"}).max_pending == 200_000_000
    with pytest.raises(DataError, match=r"PQL_MAX_PENDING_MB .* Received: 5. Allowed: at least PQL_MAX_BODY_MB, 10"):
        Settings.of_environment({**BUNDLE, "PQL_MAX_PENDING_MB": "5"})


def test_an_invalid_number_of_workers_is_refused():
    assert workers_in({}) == 1
    with pytest.raises(DataError, match=r"PQL_WORKERS .* Received: 0. Allowed: from 1"):
        workers_in({"PQL_WORKERS": "0"})


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
