"""Use it, use it with care, or do not use it yet: the first thing a reader of the growth report sees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pql_model.criteria.definition_metrics import DefinitionMetrics
from pql_model.criteria.results import CriteriaResults

LEAST_LIFT = 1.5
THRESHOLDS = (
    f"Use: the low end of the recommended rule's lift on later accounts is at least {LEAST_LIFT:g}, it beats the rule in force "
    "by more than chance (or none is in force), and no check of the data is red.",
    "Use with care: its lift is above 1 beyond chance, and something of the above is missing.",
    "Do not use yet: no rule was confirmed on later accounts, or too few met it to judge.",
)


def badge(found: CriteriaResults, verdict: str, health: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """name, sentence, would_change, thresholds.

    Parameters
    ----------
    verdict
        The model's: a rule is not held back by it, but the reader is told.
    health
        Findings about the data; a `red` one lowers the badge.
    """
    name, would_change = _judged(found, health)
    sentence = _sentence(found, verdict, name)
    return {"name": name, "sentence": sentence, "would_change": would_change, "thresholds": list(THRESHOLDS)}


def _judged(found: CriteriaResults, health: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    best = found.recommended
    if best is None:
        return "do_not_use", "More conversions, or events that tell more: see what goes with conversion below."
    if best.later.note is not None or not best.later.lift.low > 1:
        return "do_not_use", "More later accounts that meet the rule."
    lacking = []
    if best.later.lift.low < LEAST_LIFT:
        lacking.append(f"a lift that is surely at least {LEAST_LIFT:g}: more later accounts would narrow its range")
    if found.in_force is not None and not _beats(best.later, found.in_force.verdict.later):
        lacking.append("a clear lead over the rule in force: more later accounts would show whether there is one")
    red = [line["saw"] for line in health if line["level"] == "red"]
    if red:
        lacking.append(f"clean data ({red[0].rstrip('.')})")
    if lacking:
        return "use_with_care", f"What is missing: {'; '.join(lacking)}."
    return "use", f"A lift below {LEAST_LIFT:g} on newer accounts, or a check of the data that turns red."


def _beats(new: DefinitionMetrics, today: DefinitionMetrics) -> bool:
    """Whether the new rule's rate is higher beyond doubt: the two ranges do not overlap, as everywhere on the page."""
    return new.rate.low > today.rate.high or math.isnan(today.rate.value)


def _sentence(found: CriteriaResults, verdict: str, name: str) -> str:
    """Why the badge is what it is."""
    best = found.recommended
    model = "" if verdict in ("ready", "weak") else f" The model behind the scores is not ready ({verdict})."
    if best is None:
        looked = (
            f"{found.tested} rules were tested on later accounts"
            if found.tested
            else "no behaviour stood out on earlier accounts"
        )
        return f"No rule can be recommended: {looked}, and none held.{model}"
    if name == "do_not_use":
        return f"The rule did not show itself on later accounts: {best.later.note or 'its lead may be chance'}.{model}"
    today = (
        ""
        if found.in_force is None
        else " and against the rule in force"
        if _beats(best.later, found.in_force.verdict.later)
        else ""
    )
    lead = f"at least {best.later.lift.low:.1f} times the usual rate"
    return f"It was found on earlier accounts and held on later ones{today}: {lead}.{model}"
