"""Which scored entities are PQLs, which are newly qualified, and which are suppressed and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pql_model.decide.policy import PolicyRule
from pql_model.decide.state import EntityState, RunState
from pql_model.time import DAY, HOUR

EXCLUDED, HELD_OUT, COOL_DOWN, CAPACITY = "excluded", "held_out", "cool_down", "capacity"
SUPPRESSED = (EXCLUDED, HELD_OUT, COOL_DOWN, CAPACITY)
_EARLY = 6 * HOUR
"""A run may start this much earlier than one period after the last and still get its places: schedulers jitter."""


@dataclass(frozen=True)
class SelectionInput:
    """Rows to decide on, (rows,), one per entity.

    Attributes
    ----------
    met
        Whether the definition of the rule is met; None where no definition decides.
    raised, excluded, held_out
        Bool: raised a hand, excluded by the policy, in the hold-out.
    tie
        Order among equal probabilities.
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
class Selection:
    """Decisions on the rows, and the state for the next run.

    Attributes
    ----------
    is_pql, newly_qualified
        Bool (rows,).
    suppressed
        Object (rows,): one of `SUPPRESSED`, or None.
    """

    is_pql: np.ndarray
    newly_qualified: np.ndarray
    suppressed: np.ndarray
    state: RunState


def select_alone(rule: PolicyRule, rows: SelectionInput) -> tuple[np.ndarray, np.ndarray]:
    """Decide on each row by itself: no earlier run, no other rows. With a capacity the level decides.

    Returns
    -------
    tuple of numpy.ndarray
        `is_pql` and `suppressed`, (rows,).
    """
    qualifies = _meets_rule(rule, rows, rule.probability) | rows.raised
    suppressed = np.full(len(qualifies), None, object)
    suppressed[qualifies & rows.held_out] = HELD_OUT
    suppressed[qualifies & rows.excluded] = EXCLUDED
    return qualifies & rows.contactable, suppressed


def select(
    rule: PolicyRule, rows: SelectionInput, as_of: int, before: RunState, cool_down: int, stay: float
) -> Selection:
    """Decide on all entities at one instant.

    Parameters
    ----------
    before
        State after the last run.
    cool_down
        Microseconds within which an entity is not alerted twice.
    stay
        Ratio: a PQL stays a PQL until its probability falls below `stay` times the threshold.
    """
    previous = [before.entities.get(entity) for entity in rows.entity]
    threshold = _threshold(rule, rows)
    qualifies = _meets_rule(rule, rows, threshold) | rows.raised
    qualified_before = np.array(
        [_qualified_before(state, holdout) for state, holdout in zip(previous, rows.held_out.tolist(), strict=True)],
        bool,
    )
    stays = qualified_before & (qualifies | (rows.probability >= stay * threshold))
    new = qualifies & ~qualified_before
    alerted_at = [state.alerted_at if state is not None else None for state in previous]
    cooling = np.array([at is not None and as_of - at < cool_down for at in alerted_at], bool)
    queue = new & ~cooling & ~rows.excluded
    at_level = rows.raised | (rows.probability >= rule.probability)
    places = _free_places(rule, before, as_of)
    admitted = _first_in_queue(queue, rows, at_level, places) if places is not None else queue
    selected = stays | (new & cooling) | admitted
    is_pql = selected & rows.contactable
    newly_qualified = admitted & rows.contactable
    suppressed = np.full(len(qualifies), None, object)
    suppressed[queue & at_level & ~admitted] = CAPACITY
    suppressed[new & cooling & is_pql] = COOL_DOWN
    suppressed[selected & rows.held_out] = HELD_OUT
    suppressed[(qualifies | stays) & rows.excluded] = EXCLUDED
    state = _state_after(rows, previous, before, as_of, selected, is_pql, newly_qualified)
    return Selection(is_pql, newly_qualified, suppressed, state)


def _meets_rule(rule: PolicyRule, rows: SelectionInput, threshold: float) -> np.ndarray:
    if rule.leads == 0:
        return np.zeros(len(rows.probability), bool)
    if rule.definition is not None:
        return rows.met if rows.met is not None else np.zeros(len(rows.probability), bool)
    return np.asarray(rows.probability >= threshold)


def _threshold(rule: PolicyRule, rows: SelectionInput) -> float:
    """With a capacity: the level, or the probability of the last place where fewer entities reach the level."""
    if not rule.leads:
        return rule.probability
    best = np.sort(rows.probability[rows.contactable])[::-1]
    last = float(best[min(rule.leads, len(best)) - 1]) if len(best) else np.inf
    return min(rule.probability, last)


def _qualified_before(state: EntityState | None, held_out: bool) -> bool:
    """Entities of the hold-out are never PQLs but are selected like them: their state records when they first qualified."""
    if state is None:
        return False
    return state.qualified_since is not None if held_out else state.is_pql


@dataclass(frozen=True)
class _FreePlaces:
    """Alerts that are left now, and how many of them entities below the level may have."""

    total: int
    below_level: int


def _free_places(rule: PolicyRule, before: RunState, as_of: int) -> _FreePlaces | None:
    """Count the places of a capacity. An alert takes one even if its entity has left or converted since.

    Places for entities below the level are spread evenly over time, in proportion to the time since the last run.
    Otherwise the first of seven daily runs would fill the week, and the leads of the other days would find no place.
    """
    if not rule.leads or rule.per is None:
        return None
    total = max(0, rule.leads - _alerts_within(before, as_of, rule.per))
    if before.as_of is None:
        return _FreePlaces(total, rule.leads)
    # Runs of one day share its places: rounding up for every hourly run would give several times a day's.
    elapsed = min(rule.per, max(as_of - before.as_of, DAY))
    return _FreePlaces(total, -(-rule.leads * elapsed // rule.per) - _alerts_within(before, as_of, elapsed))


def _alerts_within(before: RunState, as_of: int, duration: int) -> int:
    length = duration - min(_EARLY, duration // 4)
    alerted_at = (state.alerted_at for state in before.entities.values())
    return sum(at is not None and as_of - at < length for at in alerted_at)


def _first_in_queue(queue: np.ndarray, rows: SelectionInput, at_level: np.ndarray, places: _FreePlaces) -> np.ndarray:
    """Admit raised hands first, then by probability. The hold-out is admitted where it would have had a place, and takes none."""
    order = np.flatnonzero(queue)
    order = order[np.lexsort((rows.tie[order], -rows.probability[order], ~rows.raised[order]))]
    contactable = rows.contactable[order]
    leads_ahead = np.cumsum(contactable) - contactable  # places of those ahead in the queue
    admitted = np.zeros(len(queue), bool)
    admitted[order[(leads_ahead < places.total) & (at_level[order] | (leads_ahead < places.below_level))]] = True
    return admitted


def _state_after(
    rows: SelectionInput,
    previous: list[EntityState | None],
    before: RunState,
    as_of: int,
    selected: np.ndarray,
    is_pql: np.ndarray,
    newly_qualified: np.ndarray,
) -> RunState:
    """State for the next run. Entities that are no longer at risk are not PQLs, but their alerts are remembered."""
    entities = {
        entity: EntityState(False, None, state.alerted_at)
        for entity, state in before.entities.items()
        if state.alerted_at is not None
    }
    qualifies = (selected & ~rows.excluded).tolist()
    columns = (rows.entity, previous, qualifies, is_pql.tolist(), newly_qualified.tolist())
    for entity, state, holds, pql, new in zip(*columns, strict=True):
        since, alerted_at = (state.qualified_since, state.alerted_at) if state is not None else (None, None)
        since = as_of if since is None else since
        entities[entity] = EntityState(pql, since if holds else None, as_of if new else alerted_at)
    return RunState(as_of, entities)
