"""What all tests and doctests share: their environment, the quick set, and trainings that are done once a session."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestItem
from examples import LIGHT
from hypothesis import settings
from shared_training import SharedFolder

NOT_QUICK = ("slow", "browser", "bento", "kill", "notebook")

# Workers and processes that tests start: one thread each, as they share the cores, and compiled modules kept, since
# importing the libraries uncompiled takes three times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Draw few examples in property tests unless another profile is asked for."""
    if not config.getoption("hypothesis_profile", None):
        settings.load_profile(LIGHT)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as quick what has no marker that says otherwise."""
    for item in items:
        if not any(item.get_closest_marker(name) for name in NOT_QUICK):
            item.add_marker("quick")


def pytest_collection_finish() -> None:
    """Spare the garbage collector the libraries: it would walk through them during every test, a fifth of the time."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let the interpreter free the libraries when it ends: DuckDB's bindings report what is left."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _no_foreign_tracking_server() -> Iterator[None]:
    """Keep the tests' runs away from the tracking server of the developer's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> SharedFolder:
    """The folder in which the workers of this session share what is expensive to make."""
    base = tmp_path_factory.getbasetemp()
    return SharedFolder((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared")


@pytest.fixture(scope="session")
def with_store(shared_folder: SharedFolder) -> Callable[[Path], Path]:
    """Put an empty `mlflow.db` into a folder: creating its tables takes MLflow seconds, a copy takes none."""

    def put(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared_folder.empty_store(), folder / "mlflow.db")
        return folder

    return put


@pytest.fixture(scope="session")
def train_once(shared_folder: SharedFolder) -> Callable[..., Any]:
    """`pql_model.train` of a config whose folder holds its data: done once a session, copied from then on."""
    from pql_model.workflows.train import train

    def train_(config: str | Path, **options: Any) -> Any:
        return shared_folder.train(train, Path(config), **options)

    return train_


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, train_once: Callable[..., Any]) -> Any:
    """The demo, trained: version 1 is the champion. It is the training of the doctests too."""
    import pql_model

    folder = pql_model.make_demo(tmp_path_factory.mktemp("demo"), accounts=1200)
    return train_once(folder / "pql.yaml", trials=2)


@pytest.fixture(scope="session")
def retrained(trained: Any) -> Any:
    """The same once more: version 2, which is no better."""
    import pql_model

    return pql_model.train(trained.folder.parent.parent / "pql.yaml", trials=2)


@pytest.fixture(autouse=True)
def _doctests_train_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve `pql_model.train` in docstrings from the trainings of the session."""
    if isinstance(request.node, DoctestItem):
        import pql_model

        monkeypatch.setattr(pql_model, "train", request.getfixturevalue("train_once"))
