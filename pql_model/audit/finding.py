"""What the leakage audit says of one column or event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

ROW_ORDER = "(row order)"
"""Name of what is no column: the place of a row in its file."""


@dataclass(frozen=True)
class Finding:
    """A column, or all columns of an event, under suspicion.

    Attributes
    ----------
    column
        Its name in the feature table; the event's name where the finding is about an event; `(row order)`.
    kind
        Of columns: `separates_too_well`, `pure_categories`, `filled_for_converters`, `missing_for_converters`,
        `identifier`, `row_order`, `later_than_as_of`, `undated_time`, `name_says_later`,
        `changes_between_extracts`, `suspicious`. Of events: `act_of_buying`, `after_conversion`, `written_back`.
    reason
        What is wrong, in words, with the figure.
    auc
        ROC-AUC of the column (or of its being filled) alone; 0.5 is chance. None where no such figure says it.
    action
        `quarantined`: the model does not see it. `allowed`: it would have been, and the config lets it through.
        `kept`: the model sees it; look at it. `named`: there is nothing to take out.
    columns
        What is taken out, where that is not `column` itself: the features of an event.
    """

    column: str
    kind: str
    reason: str
    auc: float | None
    action: str
    columns: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The element of `leakage` in what `check` and `train` print."""
        auc = None if self.auc is None else round(self.auc, 4)
        payload: dict[str, object] = {"column": self.column, "reason": self.reason, "kind": self.kind}
        payload |= {"auc": auc, "action": self.action}
        return {**payload, "columns": list(self.columns)} if self.columns else payload


def quarantined(findings: Sequence[Finding]) -> list[str]:
    """Columns the model must not see.

    >>> quarantined([Finding("paid", "act_of_buying", "", None, "quarantined", ("paid.count.ever",))])
    ['paid.count.ever']
    """
    taken_out = [finding for finding in findings if finding.action == "quarantined"]
    return [name for finding in taken_out for name in finding.columns or (finding.column,)]


def taken_back(allowed: Collection[str], names: Iterable[str]) -> str:
    """What is done with a guilty column that has these names.

    >>> taken_back({"plan"}, ["trait.plan", "plan"]), taken_back({"plan"}, ["trait.size", "size"])
    ('allowed', 'quarantined')
    """
    return "allowed" if any(name in allowed for name in names) else "quarantined"
