"""The badge of the growth report: use, use with care, or do not use yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pql_model.criteria.definition_metrics import DefinitionMetrics
from pql_model.criteria.results import CriteriaResults

LEAST_LIFT = 1.5
THRESHOLDS = (
    f"Use: the low end of the recommended rule's lift on later accounts is at least {LEAST_LIFT:g}, it beats the rule in force "
    "beyond chance (or none is in force), no check of the data is red, and the model is not suspicious.",
    "Use with care: its lift is above 1 beyond chance, but not all of the above holds.",
    "Do not use yet: no rule was confirmed on later accounts, or too few met it to judge.",
)


def badge(results: CriteriaResults, verdict: str, health: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Judge the recommended rule: name, sentence, would_change, thresholds.

    Parameters
    ----------
    verdict
        The model's verdict. The sentence names it; only `suspicious` lowers the badge, since a rule may rest on the same leak.
    health
        Findings about the data; a `red` one lowers the badge.
    """
    name, would_change = _judge(results, verdict, health)
    sentence = _sentence(results, verdict, name)
    return {"name": name, "sentence": sentence, "would_change": would_change, "thresholds": list(THRESHOLDS)}


def _judge(results: CriteriaResults, verdict: str, health: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    best = results.recommended
    if best is None:
        return "do_not_use", "More conversions, or more informative events: see what goes with conversion below."
    if best.later.note is not None or not best.later.lift.low > 1:
        return "do_not_use", "More later accounts that meet the rule."
    lacking = []
    if best.later.lift.low < LEAST_LIFT:
        lacking.append(
            f"a lift that is certainly at least {LEAST_LIFT:g}: more later accounts would narrow its interval"
        )
    if results.in_force is not None and not _beats(best.later, results.in_force.verdict.later):
        lacking.append("a clear lead over the rule in force: more later accounts would show whether there is one")
    red = [line["saw"] for line in health if line["level"] == "red"]
    if red:
        lacking.append(f"clean data ({red[0].rstrip('.')})")
    if verdict == "suspicious":
        lacking.append("a check of what the model reads: it is better than honest data allow")
    if lacking:
        return "use_with_care", f"What is missing: {'; '.join(lacking)}."
    return "use", f"A lift below {LEAST_LIFT:g} on newer accounts, or a check of the data that turns red."


def _beats(new: DefinitionMetrics, today: DefinitionMetrics) -> bool:
    """Whether the new rule's rate is higher and the two intervals do not overlap, as everywhere on the page."""
    return new.rate.low > today.rate.high or math.isnan(today.rate.value)


def _sentence(results: CriteriaResults, verdict: str, name: str) -> str:
    """Explain the badge."""
    best = results.recommended
    model = "" if verdict in ("ready", "weak") else f" The model behind the scores is not ready ({verdict})."
    if best is None:
        looked = (
            f"{results.tested} rules were tested on later accounts"
            if results.tested
            else "no behaviour stood out on earlier accounts"
        )
        return f"No rule can be recommended: {looked}, and none was confirmed.{model}"
    if name == "do_not_use":
        return f"The rule was not confirmed on later accounts: {best.later.note or 'its lead may be chance'}.{model}"
    today = (
        ""
        if results.in_force is None
        else ", where it also beat the rule in force"
        if _beats(best.later, results.in_force.verdict.later)
        else ""
    )
    lead = f"at least {best.later.lift.low:.1f} times the usual rate"
    return f"It was found on earlier accounts and confirmed on later ones{today}: {lead}.{model}"
