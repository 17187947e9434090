"""A bundle of the demo's champion, exported once for the whole session."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from calls import Caller, service_of

from pql_model.serve.bundle import Bundle
from pql_model.serve.engine import ScoringEngine


@pytest.fixture(scope="session")
def bundle(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    import pql_model

    folder = tmp_path_factory.mktemp("models") / "boards"
    return pql_model.export(trained.folder.parent.parent / "pql.yaml", output=folder, model="1").bundle


@pytest.fixture
def copied(bundle: Bundle, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(bundle.path, tmp_path / "boards"))


@pytest.fixture(scope="session")
def engine(bundle: Bundle) -> ScoringEngine:
    return ScoringEngine(bundle)


@pytest.fixture(scope="session")
def call(bundle: Bundle) -> Caller:
    return Caller(service_of(bundle.path))


@pytest.fixture
def entity() -> dict[str, Any]:
    """A request that is answered with 200."""
    return {
        "entity": "acme",
        "signed_up": "2026-01-01",
        "as_of": "2026-01-08",
        "traits": {"company_size": "1-10", "region": "Europe"},
        "events": [
            {"event": "Board Created", "time": "2026-01-01T09:00:00Z", "user": "u1"},
            {"event": "Card Moved", "time": "2026-01-02T09:00:00Z", "user": "u2"},
        ],
    }
