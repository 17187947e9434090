"""What is decided on scored rows: the same function for a batch with its memory and for one row without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.criteria.evaluate import Columns
from pql_model.decide.decider import Decider
from pql_model.decide.holdout import held_out, ties
from pql_model.decide.policy import expected_conversions
from pql_model.decide.select import SUPPRESSED, SelectionInput, select, select_alone
from pql_model.decide.state import State
from pql_model.statistics.estimate import Estimate


@dataclass(frozen=True)
class Decisions:
    """What is decided, (rows,) each; None where the columns it takes are not there.

    Attributes
    ----------
    band, suppressed
        Texts; `suppressed` is None where nothing holds the row back.
    newly_qualified
        None without a memory.
    criteria_met
        Bool (rows, criteria of the model).
    held_out
        Whether the entity is in the hold-out, whether or not it qualifies.
    state
        What the next run must know; None without a memory.
    """

    band: np.ndarray
    is_pql: np.ndarray | None
    newly_qualified: np.ndarray | None
    suppressed: np.ndarray
    meets_definition: np.ndarray | None
    criteria_met: np.ndarray | None
    held_out: np.ndarray
    state: State | None


def decide(
    decider: Decider,
    entity: Iterable[str],
    probability: np.ndarray,
    columns: Columns,
    *,
    as_of: int | None = None,
    before: State | None = None,
) -> Decisions:
    """Decide on scored rows.

    Parameters
    ----------
    entity
        Ids, one a row.
    columns
        What the conditions read, as far as it is known.
    as_of, before
        The instant of a batch and what the run before left: then capacity, hysteresis and cool-down hold. Without them
        each row is decided alone, and a capacity is the probability at which the test period gave so many leads.

    Examples
    --------
    >>> decider = Decider.of_facts({"rule": {"probability": 0.2, "leads": None, "words": ""}}, [0.1])
    >>> found = decide(decider, ["a", "b"], np.array([0.3, 0.01]), Columns(2))
    >>> found.band.tolist(), found.is_pql.tolist()
    (['high', 'very_low'], [True, False])
    """
    names = [str(name) for name in entity]
    qualifying = columns.meets(decider.qualifying) if decider.qualifying is not None else None
    offered = SelectionInput(
        entity=names,
        probability=probability,
        met=qualifying,
        raised=columns.holds_any(decider.hand_raise),
        excluded=columns.holds_any(decider.exclude),
        held_out=held_out(decider.name, names, decider.hold_out),
        tie=ties(decider.name, names) if before is not None and decider.rule.leads else np.zeros(len(names)),
    )
    is_pql: np.ndarray | None
    if before is not None and as_of is not None:
        selected = select(decider.rule, offered, as_of, before, decider.cool_down, decider.stay)
        is_pql, newly, suppressed, state = (
            selected.is_pql,
            selected.newly_qualified,
            selected.suppressed,
            selected.state,
        )
    else:
        is_pql, suppressed = select_alone(decider.rule, offered)
        newly, state = None, None
        unknown = decider.rule.definition is not None and qualifying is None
        is_pql = None if unknown or decider.rule.unknown else is_pql
    return Decisions(
        band=decider.bands.of_probability(probability),
        is_pql=is_pql,
        newly_qualified=newly,
        suppressed=suppressed,
        meets_definition=columns.meets(decider.definition) if decider.definition is not None else None,
        criteria_met=_criteria_met(decider, columns),
        held_out=offered.held_out,
        state=state,
    )


def _criteria_met(decider: Decider, columns: Columns) -> np.ndarray | None:
    held = [columns.holds(condition) for condition in decider.criteria]
    known = [found for found in held if found is not None]
    if len(known) < len(held):
        return None
    return np.column_stack(known) if known else np.empty((columns.rows, 0), bool)


@dataclass(frozen=True)
class Summary:
    """A batch in numbers.

    Attributes
    ----------
    selected
        Conversions to expect of the PQLs; of who is suppressed and no PQL nothing is counted.
    bands
        Name -> rows and conversions to expect.
    not_to_call
        Of the lowest band that holds anybody but PQLs (never the highest): its name, rows without the PQLs, their share of
        all, and the conversions that leaving them costs.
    everybody
        Conversions to expect of all rows.
    """

    selected: Estimate
    bands: dict[str, tuple[int, Estimate]]
    not_to_call: tuple[str, int, float, Estimate]
    everybody: Estimate
    suppressed: dict[str, int]
    held_out: int

    def to_dict(self) -> dict[str, Any]:
        lowest, rows, share, cost = self.not_to_call
        return {
            "expected_conversions": self.selected.to_dict(),
            "bands": {n: {"rows": k, "expected_conversions": e.to_dict()} for n, (k, e) in self.bands.items()},
            "not_to_call": {
                "bands": [lowest],
                "rows": rows,
                "share": share,
                "expected_conversions": cost.to_dict(),
                "of": self.everybody.to_dict(),
            },
            "suppressed": self.suppressed,
            "held_out": self.held_out,
        }


def summarise(decider: Decider, decisions: Decisions, probability: np.ndarray, learnt_from: float | None) -> Summary:
    """Count a batch.

    Parameters
    ----------
    learnt_from
        See `expected_conversions`.
    """
    pql = decisions.is_pql if decisions.is_pql is not None else np.zeros(len(probability), bool)
    others = {name: (decisions.band == name) & ~pql for name in decider.bands.names[:0:-1]}
    lowest = next((name for name, rows in others.items() if rows.any()), decider.bands.names[-1])
    left = others[lowest]
    reasons = {name: int((decisions.suppressed == name).sum()) for name in SUPPRESSED}
    return Summary(
        selected=expected_conversions(probability[pql], learnt_from),
        bands={
            name: (
                int((decisions.band == name).sum()),
                expected_conversions(probability[decisions.band == name], learnt_from),
            )
            for name in decider.bands.names
        },
        not_to_call=(
            lowest,
            int(left.sum()),
            float(left.mean()) if len(left) else 0.0,
            expected_conversions(probability[left], learnt_from),
        ),
        everybody=expected_conversions(probability, learnt_from),
        suppressed={name: n for name, n in reasons.items() if n},
        held_out=int(decisions.held_out.sum()),
    )
