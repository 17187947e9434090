"""Which scored entities are PQLs, which are newly qualified, and which are suppressed and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pql_model.decide.capacity import Places, early, remembered
from pql_model.decide.policy import PolicyRule
from pql_model.decide.state import EntityState, RunState
from pql_model.time import DAY

EXCLUDED, HELD_OUT, COOL_DOWN, CAPACITY = "excluded", "held_out", "cool_down", "capacity"
SUPPRESSED = (EXCLUDED, HELD_OUT, COOL_DOWN, CAPACITY)


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
        Ratio: a PQL stays a PQL until its probability falls below `stay` times the threshold at which it became one.
    """
    previous = [before.entities.get(entity, _UNSEEN) for entity in rows.entity]
    threshold = np.array([rule.probability if e.threshold is None else e.threshold for e in previous], float)
    qualifies = _meets_rule(rule, rows, rule.probability) | rows.raised
    qualified_before = np.array(
        [_qualified_before(state, holdout) for state, holdout in zip(previous, rows.held_out.tolist(), strict=True)],
        bool,
    )
    cooling = np.array([e.alerted_at is not None and as_of - e.alerted_at < cool_down for e in previous], bool)
    queue = ~qualified_before & ~cooling & ~rows.excluded
    places = free_places(rule, before, as_of)
    admitted = _first_in_queue(queue, rows, places) if places is not None else queue & qualifies
    price = _price(admitted & ~rows.raised, rows.probability) if places is not None else None
    # Whoever was a lead before is still one where another is alerted with no more.
    as_good = rows.probability >= (price if price is not None else np.inf)
    stays = qualified_before & (qualifies | as_good | (rows.probability >= stay * threshold))
    returns = cooling & ~qualified_before & (_meets_rule(rule, rows, threshold) | rows.raised | as_good)
    selected = stays | returns | admitted
    is_pql = selected & rows.contactable
    newly_qualified = admitted & rows.contactable
    suppressed = np.full(len(qualifies), None, object)
    if places is not None:
        suppressed[queue & qualifies & ~admitted] = CAPACITY
    suppressed[returns & is_pql] = COOL_DOWN
    suppressed[selected & rows.held_out] = HELD_OUT
    suppressed[(qualifies | stays) & rows.excluded] = EXCLUDED
    state = _StateAfter(rule, rows, as_of, before, cool_down, price)
    return Selection(
        is_pql, newly_qualified, suppressed, state.of(previous, selected & ~rows.excluded, is_pql, newly_qualified)
    )


_UNSEEN = EntityState(False, None, None)


def _meets_rule(rule: PolicyRule, rows: SelectionInput, threshold: np.ndarray | float) -> np.ndarray:
    if rule.leads == 0:
        return np.zeros(len(rows.probability), bool)
    if rule.definition is not None:
        return rows.met if rows.met is not None else np.zeros(len(rows.probability), bool)
    return np.asarray(rows.probability >= threshold)


def _qualified_before(state: EntityState, held_out: bool) -> bool:
    """Entities of the hold-out are never PQLs but are selected like them: their state records when they first qualified."""
    return state.qualified_since is not None if held_out else state.is_pql


def free_places(rule: PolicyRule, before: RunState, as_of: int) -> Places | None:
    """Count the places of a capacity; None without one. An alert takes one even if its entity has left or paid since."""
    if not rule.leads or rule.per is None:
        return None
    since_last = as_of - before.as_of if before.as_of is not None else 0
    taken_for = rule.per - early(rule.per, since_last)
    alerted = (state.alerted_at for state in before.entities.values())
    freed = np.sort([at + taken_for - as_of for at in alerted if at is not None and as_of - at < taken_for])
    same_day = before.as_of is not None and before.as_of // DAY == as_of // DAY
    return Places(
        leads=rule.leads,
        period=rule.per,
        free=max(0, rule.leads - len(freed)),
        freed=freed,
        next_run=before.flow.time_to_next_run(as_of),
        rate=before.flow.rate(as_of, rule.flow, rule.per),
        day_price=before.day_price if same_day and before.day_price is not None else np.inf,
    )


def _first_in_queue(queue: np.ndarray, rows: SelectionInput, places: Places) -> np.ndarray:
    """Admit raised hands first, then by probability. The hold-out is admitted where it would have had a place, and takes none."""
    order = np.flatnonzero(queue)
    order = order[np.lexsort((rows.tie[order], -rows.probability[order], ~rows.raised[order]))]
    contactable = rows.contactable[order]
    place = np.cumsum(contactable) - contactable + 1  # after those of the leads ahead in the queue
    order, place = order[place <= places.free], place[place <= places.free]
    admitted = np.zeros(len(queue), bool)
    admitted[order[places.admits(rows.probability[order], place) | rows.raised[order]]] = True
    return admitted


def _price(admitted: np.ndarray, probability: np.ndarray) -> float | None:
    return float(probability[admitted].min()) if admitted.any() else None


@dataclass(frozen=True)
class _StateAfter:
    """What the next run must know."""

    rule: PolicyRule
    rows: SelectionInput
    as_of: int
    before: RunState
    cool_down: int
    price: float | None

    def of(
        self,
        previous: list[EntityState],
        qualifies: np.ndarray,
        is_pql: np.ndarray,
        newly_qualified: np.ndarray,
    ) -> RunState:
        """Entities that are no longer at risk are not PQLs, but what may still matter is remembered for a while."""
        entities = {
            entity: replace(state, is_pql=False, qualified_since=None)
            for entity, state in self.before.entities.items()
            if self._still_matters(state)
        }
        threshold = self.rule.probability if self.price is None else min(self.rule.probability, self.price)
        columns = (qualifies, is_pql, newly_qualified, self.rows.probability)
        columns_of_rows = zip(self.rows.entity, previous, *(c.tolist() for c in columns), strict=True)
        for entity, state, holds, pql, new, probability in columns_of_rows:
            since = self.as_of if state.qualified_since is None else state.qualified_since
            began = holds and state.qualified_since is None
            entities[entity] = EntityState(
                is_pql=pql,
                qualified_since=since if holds else None,
                alerted_at=self.as_of if new else state.alerted_at,
                seen_at=self.as_of,
                threshold=threshold if began else state.threshold,
                peak=max(state.peak, probability),
            )
        if not self.rule.leads or self.rule.per is None:
            return RunState(self.as_of, entities)
        takes_places = self.rows.contactable
        peak = np.array([state.peak for state in previous], float)
        flow = self.before.flow.after(
            self.as_of, peak[takes_places], self.rows.probability[takes_places], self.rule.per
        )
        return RunState(self.as_of, entities, flow, self._day_price())

    def _still_matters(self, state: EntityState) -> bool:
        """While it could return: in its cool-down, taking a place, or seen within the flow that is remembered."""
        alerted, seen, of_flow = state.alerted_at, state.seen_at, remembered(self.rule.per or 0)
        return (alerted is not None and self.as_of - alerted < max(self.cool_down, of_flow)) or (
            seen is not None and self.as_of - seen < of_flow
        )

    def _day_price(self) -> float | None:
        earlier = self.before.day_price if self.before.as_of and self.before.as_of // DAY == self.as_of // DAY else None
        return min((price for price in (earlier, self.price) if price is not None), default=None)
