"""One product with one registered version for the tests of a module, and a fresh one for those that register more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from records import add, config_in

from pql_model.config.schema import Config
from pql_model.registry.tracking import RegisteredModel, Tracking

WithStore = Callable[[Path], Path]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, with_store: WithStore) -> Path:
    return with_store(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def config(home: Path) -> Config:
    return config_in(home)


@pytest.fixture(scope="module")
def logged(config: Config, home: Path) -> RegisteredModel:
    """Version 1, with verdict and description."""
    return add(Tracking(config), home, verdict="ready")


@pytest.fixture(scope="module")
def client(home: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


@pytest.fixture
def fresh(tmp_path: Path, with_store: WithStore) -> Tracking:
    """A product of its own: nothing registered yet."""
    return Tracking(config_in(with_store(tmp_path)))
