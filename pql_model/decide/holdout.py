"""The hold-out: a permanent random share of entities that is never contacted, so that the effect of contact can be measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

_BITS = 53
"""A float holds this many exactly, so the result is below 1."""


def unit_hash(product: str, entity: str, purpose: str = "hold-out") -> float:
    """Hash an entity to a number in [0, 1): the same in every process and on every machine.

    The first 53 bits of the SHA-256 of purpose, product and entity, joined by line feeds, in UTF-8.

    >>> unit_hash("nimbus-boards", "acc-00007")
    0.4545...
    """
    text = f"{purpose}\n{product}\n{entity}".encode("utf-8", "surrogatepass")
    bits = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> (64 - _BITS)
    return bits / float(1 << _BITS)


def held_out(product: str, entities: Iterable[str], share: float) -> np.ndarray:
    """Test whether each entity is in the hold-out, bool (entities,). A larger share contains every smaller one.

    >>> bool(held_out("nimbus-boards", map(str, range(10_000)), 0.1).mean().round(2) == 0.1)
    True
    """
    if share <= 0:
        return np.zeros(sum(1 for _ in entities), bool)
    return np.array([unit_hash(product, str(entity)) < share for entity in entities], bool)


def ties(product: str, entities: Iterable[str]) -> np.ndarray:
    """Order equal probabilities by a hash: fair, permanent and independent of the hold-out. Float (entities,)."""
    return np.array([unit_hash(product, str(entity), "tie") for entity in entities], float)
