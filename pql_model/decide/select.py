"""Who of those scored is a PQL, who is new, and who is not and why: hysteresis, cool-down, hold-out and places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pql_model.decide.policy import PolicyRule
from pql_model.decide.state import Remembered, State
from pql_model.time import DAY, HOUR

EXCLUDED, HELD_OUT, COOL_DOWN, CAPACITY = "excluded", "held_out", "cool_down", "capacity"
SUPPRESSED = (EXCLUDED, HELD_OUT, COOL_DOWN, CAPACITY)
_EARLY = 6 * HOUR
"""A run may begin so much earlier than one period after the last, and still have its places: clocks and logs jitter."""


@dataclass(frozen=True)
class SelectionInput:
    """Rows to decide on, (rows,), one an entity.

    Attributes
    ----------
    met
        Whether the definition of the rule is met; None where no definition decides.
    raised, excluded, held_out
        Bool: a raised hand, excluded by the policy, in the hold-out.
    tie
        The order of equal probabilities.
    """

    entity: list[str]
    probability: np.ndarray
    met: np.ndarray | None
    raised: np.ndarray
    excluded: np.ndarray
    held_out: np.ndarray
    tie: np.ndarray

    @property
    def contactable(self) -> np.ndarray:
        return np.asarray(~self.excluded & ~self.held_out)


@dataclass(frozen=True)
class Selected:
    """is_pql and newly_qualified, bool (rows,); suppressed, object: a reason or None; and what the next run must know."""

    is_pql: np.ndarray
    newly_qualified: np.ndarray
    suppressed: np.ndarray
    state: State


def select_alone(rule: PolicyRule, offered: SelectionInput) -> tuple[np.ndarray, np.ndarray]:
    """is_pql and suppressed without a memory and without neighbours: of a capacity the level decides."""
    wants = _by_rule(rule, offered, rule.probability) | offered.raised
    suppressed = np.full(len(wants), None, object)
    suppressed[wants & offered.held_out] = HELD_OUT
    suppressed[wants & offered.excluded] = EXCLUDED
    return wants & offered.contactable, suppressed


def select(
    rule: PolicyRule, offered: SelectionInput, as_of: int, before: State, cool_down: int, stay: float
) -> Selected:
    """Decide on everybody at one instant.

    Parameters
    ----------
    before
        What the last run left.
    cool_down
        Microseconds within which nobody is alerted twice.
    stay
        Who qualified stays until the probability falls below this part of the threshold.
    """
    known = [before.of.get(entity) for entity in offered.entity]
    threshold = _threshold(rule, offered)
    wants = _by_rule(rule, offered, threshold) | offered.raised
    # The hold-out is remembered by since when it qualifies: it is never a PQL, and must be chosen like one.
    was = np.array([_was(r, held) for r, held in zip(known, offered.held_out.tolist(), strict=True)], bool)
    keeps = was & (wants | (offered.probability >= stay * threshold))
    new = wants & ~was
    alerted = [r.alerted_at if r is not None else None for r in known]
    cooling = np.array([at is not None and as_of - at < cool_down for at in alerted], bool)
    queue = new & ~cooling & ~offered.excluded
    reached = offered.raised | ~(offered.probability < rule.probability)  # no level known: all have reached it
    places = _places(rule, before, as_of)
    admitted = _admit(queue, offered, reached, places) if places is not None else queue
    chosen = keeps | (new & cooling) | admitted
    is_pql = chosen & offered.contactable
    newly = admitted & offered.contactable
    suppressed = np.full(len(wants), None, object)
    suppressed[queue & reached & ~admitted] = CAPACITY
    suppressed[new & cooling & is_pql] = COOL_DOWN
    suppressed[chosen & offered.held_out] = HELD_OUT
    suppressed[(wants | keeps) & offered.excluded] = EXCLUDED
    return Selected(is_pql, newly, suppressed, _after(offered, known, before, as_of, chosen, is_pql, newly))


def _by_rule(rule: PolicyRule, offered: SelectionInput, threshold: float) -> np.ndarray:
    if rule.leads == 0:
        return np.zeros(len(offered.probability), bool)
    if rule.definition is not None:
        return offered.met if offered.met is not None else np.zeros(len(offered.probability), bool)
    return np.asarray(offered.probability >= threshold)


def _threshold(rule: PolicyRule, offered: SelectionInput) -> float:
    """Of a capacity its level, or what the last of its places goes for where fewer reach the level."""
    if not rule.leads:
        return rule.probability
    best = np.sort(offered.probability[offered.contactable])[::-1]
    last = float(best[min(rule.leads, len(best)) - 1]) if len(best) else np.inf
    return last if np.isnan(rule.probability) else min(rule.probability, last)


def _was(remembered: Remembered | None, held: bool) -> bool:
    if remembered is None:
        return False
    return remembered.qualified_since is not None if held else remembered.is_pql


@dataclass(frozen=True)
class _Places:
    """How many may be alerted now, and how many of them at most where fewer reach the level."""

    free: int
    filled: int


def _places(rule: PolicyRule, before: State, as_of: int) -> _Places | None:
    """Who was alerted counts, also who has left or paid since.

    Places for those below the level are given out evenly: as many as belong to the time since the last run. Else the first of
    seven daily runs would give the places of a week to whoever is there, and the leads of the other days would find none.
    """
    if not rule.leads:
        return None
    if rule.per is None:  # a model of an older release
        return _Places(rule.leads, rule.leads)
    free = max(0, rule.leads - _alerted(before, as_of, rule.per))
    if before.as_of is None:
        return _Places(free, rule.leads)
    # Runs of one day share its places: rounded up run by run, those of every hour would be several times a day's.
    elapsed = min(rule.per, max(as_of - before.as_of, DAY))
    return _Places(free, -(-rule.leads * elapsed // rule.per) - _alerted(before, as_of, elapsed))


def _alerted(before: State, as_of: int, within: int) -> int:
    """How many were alerted in so much time, but for what a run may begin early."""
    length = within - min(_EARLY, within // 4)
    return sum(r.alerted_at is not None and as_of - r.alerted_at < length for r in before.of.values())


def _admit(queue: np.ndarray, offered: SelectionInput, reached: np.ndarray, places: _Places) -> np.ndarray:
    """Raised hands first, then by probability. The hold-out takes no place, and is chosen where it would have had one."""
    rows = np.flatnonzero(queue)
    rows = rows[np.lexsort((offered.tie[rows], -offered.probability[rows], ~offered.raised[rows]))]
    contact = offered.contactable[rows]
    taken = np.cumsum(contact) - contact  # places taken by those before
    admitted = np.zeros(len(queue), bool)
    admitted[rows[(taken < places.free) & (reached[rows] | (taken < places.filled))]] = True
    return admitted


def _after(
    offered: SelectionInput,
    known: list[Remembered | None],
    before: State,
    as_of: int,
    chosen: np.ndarray,
    is_pql: np.ndarray,
    newly: np.ndarray,
) -> State:
    """Who is not at risk any more is no PQL, but an alert is not forgotten."""
    gone = {
        entity: Remembered(False, None, r.alerted_at) for entity, r in before.of.items() if r.alerted_at is not None
    }
    qualifies = (chosen & ~offered.excluded).tolist()
    now = {}
    for entity, r, q, pql, new in zip(offered.entity, known, qualifies, is_pql.tolist(), newly.tolist(), strict=True):
        since = (r.qualified_since if r is not None and r.qualified_since is not None else as_of) if q else None
        now[entity] = Remembered(pql, since, as_of if new else r.alerted_at if r is not None else None)
    return State(as_of, {**gone, **now})
