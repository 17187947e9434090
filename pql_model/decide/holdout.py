"""Who is never contacted, so that the effect of contact can be measured: a permanent share, by a hash of the name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

_BITS = 53
"""As many as a float holds exactly, so that the place is below 1."""


def place(product: str, entity: str, purpose: str = "hold-out") -> float:
    """The place of an entity in [0, 1): the same in every process, on every machine, in any order.

    The first 53 bits of the SHA-256 of purpose, product and entity with line feeds between them, UTF-8.

    >>> place("nimbus-boards", "acc-00007")
    0.4545...
    """
    text = f"{purpose}\n{product}\n{entity}".encode("utf-8", "surrogatepass")
    bits = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> (64 - _BITS)
    return bits / float(1 << _BITS)


def held_out(product: str, entities: Iterable[str], share: float) -> np.ndarray:
    """Whether each entity is in the hold-out, bool. A larger share holds all of a smaller one.

    >>> bool(held_out("nimbus-boards", map(str, range(10_000)), 0.1).mean().round(2) == 0.1)
    True
    """
    if share <= 0:
        return np.zeros(sum(1 for _ in entities), bool)
    return np.array([place(product, str(entity)) < share for entity in entities], bool)


def ties(product: str, entities: Iterable[str]) -> np.ndarray:
    """An order for equal probabilities that is fair and permanent, and has nothing to do with the hold-out; float."""
    return np.array([place(product, str(entity), "tie") for entity in entities], float)
