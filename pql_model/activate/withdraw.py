"""Leads that must not be sent any more: who converted since, or is no longer a PQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from pql_model.activate.lead import LeadKey
from pql_model.activate.outbox import CONVERTED, NOT_A_PQL, WITHDRAWN, Outbox
from pql_model.decide.state import RunState


def withdrawal_of(state: RunState | None, converted: Collection[str], entity: str) -> str | None:
    """Say why a lead must not be sent any more; None if it may be.

    Parameters
    ----------
    state
        After the newest remembered run; None if its memory is gone.
    converted
        Entities that have converted by now.
    """
    if entity in converted:
        return CONVERTED
    if state is None:
        return None
    remembered = state.entities.get(entity)
    return None if remembered is not None and remembered.is_pql else NOT_A_PQL


def sort_leads(
    keys: Collection[LeadKey], withdrawal: Callable[[str], str | None]
) -> tuple[list[LeadKey], dict[LeadKey, str]]:
    """Split leads into those to send, in their order, and those to withdraw, with the reason.

    >>> sort_leads([("a", 1), ("b", 1)], {"a": None, "b": "converted"}.get)
    ([('a', 1)], {('b', 1): 'converted'})
    """
    reasons = {key: withdrawal(key[0]) for key in keys}
    withdrawn = {key: reason for key, reason in reasons.items() if reason is not None}
    return [key for key in reasons if key not in withdrawn], withdrawn


def record_withdrawals(
    outbox: Outbox, target: str, ready: Collection[LeadKey], withdrawn: dict[LeadKey, str], now: int
) -> dict[str, int]:
    """Store what was withdrawn and what returned; count by reason what is newly withdrawn."""
    before = outbox.withdrawn_keys(target)
    for reason in sorted(set(withdrawn.values())):
        outbox.mark(target, [key for key, why in withdrawn.items() if why == reason], WITHDRAWN, reason, now)
    outbox.reopen(target, before.intersection(ready))
    return count_withdrawals(withdrawn, before)


def count_withdrawals(withdrawn: dict[LeadKey, str], before: Collection[LeadKey]) -> dict[str, int]:
    """Count by reason the leads that were not withdrawn before."""
    counts: Counter[Any] = Counter(reason for key, reason in withdrawn.items() if key not in before)
    return dict(counts)
