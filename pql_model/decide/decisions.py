"""Decisions on scored rows: one function for a batch with its state and for a single row without."""

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
from pql_model.decide.state import RunState
from pql_model.model.conversion_value import RowValues
from pql_model.statistics.estimate import Estimate


@dataclass(frozen=True)
class Decisions:
    """Decisions, (rows,) each; None where a column they read is absent.

    Attributes
    ----------
    band, suppressed
        Texts; `suppressed` is None for a row that is not suppressed.
    newly_qualified
        None without state.
    criteria_met
        Bool (rows, criteria of the model).
    held_out
        Whether the entity is in the hold-out, whether or not it qualifies.
    state
        RunState for the next run; None without state.
    """

    band: np.ndarray
    is_pql: np.ndarray | None
    newly_qualified: np.ndarray | None
    suppressed: np.ndarray
    meets_definition: np.ndarray | None
    meets_in_force: np.ndarray | None
    criteria_met: np.ndarray | None
    held_out: np.ndarray
    state: RunState | None


def decide(
    decider: Decider,
    entity: Iterable[str],
    probability: np.ndarray,
    columns: Columns,
    *,
    as_of: int | None = None,
    before: RunState | None = None,
) -> Decisions:
    """Decide on scored rows.

    Parameters
    ----------
    entity
        Ids, one per row.
    columns
        What the conditions read, as far as it is present.
    as_of, before
        Instant of a batch, and the state of the run before: capacity, hysteresis and cool-down apply. Without them each
        row is decided alone, and the level of a capacity decides.

    Examples
    --------
    >>> from pql_model.decide.bands import Bands
    >>> from pql_model.decide.policy import PolicyRule
    >>> decider = Decider("boards", PolicyRule(0.2, None, ""), Bands.of({"high": 0.25, "low": 0.03}))
    >>> decisions = decide(decider, ["a", "b"], np.array([0.3, 0.01]), Columns(2))
    >>> decisions.band.tolist(), decisions.is_pql.tolist()
    (['high', 'very_low'], [True, False])
    """
    names = [str(name) for name in entity]
    qualifying = columns.meets(decider.qualifying) if decider.qualifying is not None else None
    rows = SelectionInput(
        entity=names,
        probability=probability,
        met=qualifying,
        raised=columns.holds_any(decider.hand_raise),
        excluded=columns.holds_any(decider.exclude),
        held_out=held_out(decider.name, names, decider.hold_out),
        tie=ties(decider.name, names) if before is not None and decider.rule.leads else np.zeros(len(names)),
    )
    selection = None
    is_pql: np.ndarray | None
    if before is not None and as_of is not None:
        selection = select(decider.rule, rows, as_of, before, decider.cool_down, decider.stay)
        is_pql, suppressed = selection.is_pql, selection.suppressed
    else:
        is_pql, suppressed = select_alone(decider.rule, rows)
        is_pql = None if decider.rule.definition is not None and qualifying is None else is_pql
    return Decisions(
        band=decider.bands.of_probability(probability),
        is_pql=is_pql,
        newly_qualified=selection.newly_qualified if selection is not None else None,
        suppressed=suppressed,
        meets_definition=columns.meets(decider.definition) if decider.definition is not None else None,
        meets_in_force=columns.meets(decider.in_force) if decider.in_force is not None else None,
        criteria_met=_criteria_met(decider, columns),
        held_out=rows.held_out,
        state=selection.state if selection is not None else None,
    )


def _criteria_met(decider: Decider, columns: Columns) -> np.ndarray | None:
    masks = [columns.holds(condition) for condition in decider.criteria]
    present = [mask for mask in masks if mask is not None]
    if len(present) < len(masks):
        return None
    return np.column_stack(present) if present else np.empty((columns.rows, 0), bool)


@dataclass(frozen=True)
class Summary:
    """A batch in numbers.

    Attributes
    ----------
    selected
        Expected conversions of the PQLs.
    bands
        Name -> rows and expected conversions.
    not_to_call
        The lowest band with rows that are not PQLs, never the highest: its name, those rows, their share of all rows, and
        the expected conversions that skipping them would miss.
    everybody
        Expected conversions of all rows.
    selected_value, everybody_value
        Their expected value; None where the value of a conversion is not known.
    """

    selected: Estimate
    bands: dict[str, tuple[int, Estimate]]
    not_to_call: tuple[str, int, float, Estimate]
    everybody: Estimate
    suppressed: dict[str, int]
    held_out: int
    selected_value: Estimate | None = None
    everybody_value: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        lowest, rows, share, cost = self.not_to_call
        return {
            "expected_conversions": self.selected.to_dict(),
            "expected_conversions_all": self.everybody.to_dict(),
            "expected_value": self.selected_value.to_dict() if self.selected_value is not None else None,
            "expected_value_all": self.everybody_value.to_dict() if self.everybody_value is not None else None,
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


def summarise(
    decider: Decider, decisions: Decisions, probability: np.ndarray, level_error: float, values: RowValues | None = None
) -> Summary:
    """Summarise the decisions on a batch.

    Parameters
    ----------
    level_error
        See `expected_conversions`.
    values
        What a conversion of each row is worth, where it is known.
    """
    pql = decisions.is_pql if decisions.is_pql is not None else np.zeros(len(probability), bool)
    non_pqls = {name: (decisions.band == name) & ~pql for name in decider.bands.names[:0:-1]}
    lowest = next((name for name, rows in non_pqls.items() if rows.any()), decider.bands.names[-1])
    skipped = non_pqls[lowest]
    reasons = {name: int((decisions.suppressed == name).sum()) for name in SUPPRESSED}
    return Summary(
        selected=expected_conversions(probability[pql], level_error),
        bands={
            name: (
                int((decisions.band == name).sum()),
                expected_conversions(probability[decisions.band == name], level_error),
            )
            for name in decider.bands.names
        },
        not_to_call=(
            lowest,
            int(skipped.sum()),
            float(skipped.mean()) if len(skipped) else 0.0,
            expected_conversions(probability[skipped], level_error),
        ),
        everybody=expected_conversions(probability, level_error),
        suppressed={name: n for name, n in reasons.items() if n},
        held_out=int(decisions.held_out.sum()),
        selected_value=values.of_all(probability, level_error, pql) if values is not None else None,
        everybody_value=values.of_all(probability, level_error) if values is not None else None,
    )
