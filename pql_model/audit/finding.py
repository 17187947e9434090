"""A finding of the leakage audit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

ROW_ORDER = "(row order)"
"""Name used for the position of a row in its file, which is not a column."""


@dataclass(frozen=True)
class Finding:
    """A suspicious column, or all columns of a suspicious event.

    Attributes
    ----------
    column
        Name in the feature table; the event's name for a finding about an event, `event.value` for one about a value;
        `(row order)`.
    kind
        For columns: `separates_too_well`, `pure_categories`, `filled_for_converters`, `missing_for_converters`,
        `identifier`, `row_order`, `later_than_as_of`, `undated_time`, `name_says_later`,
        `changes_between_extracts`, `suspicious`. For events and their values: `act_of_buying`, `after_conversion`,
        `sure_to_convert`, `name_says_outcome`, `regular_delay`, `written_back`, `suspicious`.
    reason
        What is wrong, with the figure.
    auc
        ROC-AUC of the column alone (or of whether it is filled); 0.5 is chance. None if no such figure applies.
    action
        `quarantined`: hidden from the model. `allowed`: would be quarantined, but the config lets it through.
        `kept`: visible to the model, worth a look. `named`: there is nothing to quarantine.
    columns
        Quarantined columns if they differ from `column`: the features of an event.
    """

    column: str
    kind: str
    reason: str
    auc: float | None
    action: str
    columns: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Element of `leakage` in the output of `check` and `train`."""
        auc = None if self.auc is None else round(self.auc, 4)
        payload: dict[str, object] = {"column": self.column, "reason": self.reason, "kind": self.kind}
        payload |= {"auc": auc, "action": self.action}
        return {**payload, "columns": list(self.columns)} if self.columns else payload


def quarantined(findings: Sequence[Finding]) -> list[str]:
    """Columns that are hidden from the model.

    >>> quarantined([Finding("paid", "act_of_buying", "", None, "quarantined", ("paid.count.ever",))])
    ['paid.count.ever']
    """
    guilty = [finding for finding in findings if finding.action == "quarantined"]
    return [name for finding in guilty for name in finding.columns or (finding.column,)]


def action_for(allowed: Collection[str], names: Iterable[str]) -> str:
    """Action for a guilty column known under these names.

    >>> action_for({"plan"}, ["trait.plan", "plan"]), action_for({"plan"}, ["trait.size", "size"])
    ('allowed', 'quarantined')
    """
    return "allowed" if any(name in allowed for name in names) else "quarantined"
