"""One lead as the page shows it: a scored row with its name, its dates and its range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pql_model.decide.select import EXCLUDED, HELD_OUT
from pql_model.decide.state import EntityState
from pql_model.model.conversion_value import VALUE_COLUMNS
from pql_model.statistics.estimate import Z95, Estimate


@dataclass(frozen=True)
class ListedLead:
    """A scored row, ready to be printed.

    Attributes
    ----------
    name
        What people call it; None where the data have no name.
    chance
        Its probability, with the range that the error of the overall level leaves.
    suppressed
        Why it is not a PQL or gets no alert; None if neither.
    since, alerted
        When it qualified, and when it was last alerted, microseconds; None where unknown.
    paid
        When it paid after it was scored; None if it did not.
    reasons
        Sign (`+`, `-` or empty) and statement of each.
    contact, others
        The person to call, and further ones, as scored rows hold them.
    next_step
        As scored rows hold it; None where no step is worth a nudge.
    value
        Expected value; None where it is not known.
    """

    entity: str
    name: str | None
    chance: Estimate
    band: str
    suppressed: str | None = None
    since: int | None = None
    alerted: int | None = None
    paid: int | None = None
    reasons: tuple[tuple[str, str], ...] = ()
    contact: Mapping[str, Any] | None = None
    others: tuple[Mapping[str, Any], ...] = ()
    next_step: Mapping[str, Any] | None = None
    value: Estimate | None = None

    @property
    def may_be_contacted(self) -> bool:
        """Whether to name a person: not for the hold-out, which contact would spoil, and not for who is excluded or has paid."""
        return self.paid is None and self.suppressed not in (EXCLUDED, HELD_OUT)


def make_lead(
    row: Mapping[str, Any],
    level_error: float,
    name: str | None = None,
    state: EntityState | None = None,
    paid: int | None = None,
) -> ListedLead:
    """Make a lead of a scored row.

    Parameters
    ----------
    row
        As `json_row` gives it. Columns that it lacks are not shown.
    level_error
        Standard error of the level of the probabilities, as a share of it.
    state
        The entity after the scoring run, if that is remembered.
    paid
        When it paid after it was scored.

    Examples
    --------
    >>> lead = make_lead({"entity": "a1", "probability": 0.4, "band": "high", "reasons": []}, 0.1)
    >>> lead.name, round(lead.chance.low, 2), round(lead.chance.high, 2)
    (None, 0.32, 0.48)
    """
    contact = row.get("contact")
    others = [person for person in row.get("contacts") or () if not contact or person["user"] != contact["user"]]
    return ListedLead(
        entity=str(row["entity"]),
        name=name,
        chance=chance_of(row["probability"], level_error),
        band=str(row["band"]),
        suppressed=row.get("suppressed"),
        since=state.qualified_since if state is not None else None,
        alerted=state.alerted_at if state is not None else None,
        paid=paid,
        reasons=tuple(_reason(reason) for reason in row.get("reasons") or ()),
        contact=contact or (others[0] if others else None),
        others=tuple(others if contact else others[1:]),
        next_step=row.get("next_step"),
        value=_value(row),
    )


def chance_of(probability: float, level_error: float) -> Estimate:
    """A probability with the 95 % interval that the error of the overall level leaves.

    >>> chance_of(0.9, 0.2).high
    1.0
    """
    off = Z95 * level_error
    return Estimate(probability, probability * max(0.0, 1 - off), min(1.0, probability * (1 + off)))


def _reason(reason: Mapping[str, Any]) -> tuple[str, str]:
    """The sign of a reason, and its words without it."""
    sign = str(reason.get("sign") or "")
    return sign, str(reason["words"]).removesuffix(f" ({sign})")


def _value(row: Mapping[str, Any]) -> Estimate | None:
    values = [row.get(column) for column in VALUE_COLUMNS]
    return Estimate(*(float(value) for value in values if value is not None)) if None not in values else None
