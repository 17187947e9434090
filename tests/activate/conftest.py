"""What tests of delivery share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from receiver import Receiver, receiver

from pql_model.activate import http_sender


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, to whom messages are repeated without a pause."""
    monkeypatch.setattr(http_sender, "_FIRST_PAUSE_SECONDS", 0.001)
    with receiver() as running:
        yield running
