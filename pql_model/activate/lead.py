"""A lead on its way to a target, and the id that makes a repeat recognisable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LeadKey = tuple[str, int]
"""Entity, and the instant at which it qualified."""


@dataclass(frozen=True)
class Lead:
    """One qualification of one entity.

    Attributes
    ----------
    qualified_at
        The instant of the run in which it was newly qualified.
    row
        The scored row of that run, as the service answers it.
    """

    entity: str
    qualified_at: int
    row: dict[str, Any]

    @property
    def key(self) -> LeadKey:
        return self.entity, self.qualified_at


def message_id(product: str, target: str, leads: Iterable[LeadKey]) -> str:
    """Derive the idempotency key of a message from its target and its qualifications, so that a repeat has the same.

    >>> message_id("boards", "crm", [("a1", 5)]) == message_id("boards", "crm", [("a1", 5)])
    True
    >>> message_id("boards", "crm", [("a1", 5)]) == message_id("boards", "crm", [("a1", 6)])
    False
    """
    text = json.dumps([product, target, sorted(leads)], ensure_ascii=True, separators=(",", ":"))
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
