"""Makes the helpers beside it (`worlds`) importable from every test folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _nobody_elses_tracking_server():
    """What a developer has set must not receive the tests' runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def _empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlflow.tracking import MlflowClient

    import pql_model.registry.tracking  # noqa: F401 (sets MLflow's defaults)

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def with_store(_empty_store: Path) -> Callable[[Path], Path]:
    """Put an empty `mlflow.db` into a folder: making its tables takes MLflow seconds, copying them nothing."""

    def put(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(_empty_store, folder / "mlflow.db")
        return folder

    return put


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, with_store: Callable[[Path], Path]) -> Any:
    """The demo, trained once for the whole session: version 1 is the champion."""
    import pql_model

    folder = with_store(tmp_path_factory.mktemp("demo"))
    pql_model.make_demo(folder, accounts=1200)
    return pql_model.train(folder / "pql.yaml", trials=2)


@pytest.fixture(scope="session")
def retrained(trained: Any) -> Any:
    """The same once more: version 2, which is no better."""
    import pql_model

    return pql_model.train(trained.folder.parent.parent / "pql.yaml", trials=2)
