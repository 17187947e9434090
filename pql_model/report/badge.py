"""Use it, use it with care, or do not use it yet: the first thing a reader of the growth report sees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pql_model.criteria.found import FoundCriteria, FoundDefinition
from pql_model.criteria.tested import Tested
from pql_model.criteria.words import counted_of, rate_text

LEAST_LIFT = 1.5
THRESHOLDS = (
    f"Use: the low end of the recommended rule's lift on later accounts is at least {LEAST_LIFT:g}, it beats the rule in force "
    "by more than chance (or none is in force), and no check of the data is red.",
    "Use with care: its lift is above 1 beyond chance, and something of the above is missing.",
    "Do not use yet: no rule was confirmed on later accounts, or too few met it to judge.",
)


def badge(found: FoundCriteria, verdict: str, health: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """name, sentence, would_change, thresholds.

    Parameters
    ----------
    verdict
        The model's: a rule is not held back by it, but the reader is told.
    health
        Findings about the data; a `red` one lowers the badge.
    """
    name, would_change = _judged(found, health)
    sentence = _sentence(found, verdict)
    return {"name": name, "sentence": sentence, "would_change": would_change, "thresholds": list(THRESHOLDS)}


def _judged(found: FoundCriteria, health: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    best = found.recommended
    if best is None:
        return "do_not_use", "More conversions, or events that tell more: see what goes with conversion below."
    if best.later.note is not None or not best.later.lift.low > 1:
        return "do_not_use", "More later accounts that meet the rule."
    lacking = []
    if best.later.lift.low < LEAST_LIFT:
        lacking.append(f"a lift that is surely at least {LEAST_LIFT:g}: more later accounts would narrow its range")
    if found.in_force is not None and not _beats(best.later, found.in_force.later):
        lacking.append("a clear lead over the rule in force: more later accounts would show whether there is one")
    red = [line["saw"] for line in health if line["level"] == "red"]
    if red:
        lacking.append(f"clean data ({red[0].rstrip('.')})")
    if lacking:
        return "use_with_care", f"What is missing: {'; '.join(lacking)}."
    return "use", f"A lift below {LEAST_LIFT:g} on newer accounts, or a check of the data that turns red."


def _beats(new: Tested, today: Tested) -> bool:
    """Whether the new rule's rate is higher by more than chance (Newcombe's interval of a difference, 1998, method 10)."""
    a, b = new.rate, today.rate
    if math.isnan(a.value) or math.isnan(b.value):
        return not math.isnan(a.value)
    return a.value - b.value > math.hypot(a.value - a.low, b.high - b.value)


def _sentence(found: FoundCriteria, verdict: str) -> str:
    best: FoundDefinition | None = found.recommended
    if best is None:
        looked = (
            f"{found.tested} rules were tested on later accounts"
            if found.tested
            else "no behaviour stood out on earlier accounts"
        )
        return f"No rule can be recommended: {looked}, and none held."
    per = counted_of(best.later.rate, best.later.base)
    told = f"Of accounts that meet the rule {rate_text(best.later.rate, per)} converted; of all, {rate_text(best.later.base, per)}."
    return told if verdict in ("ready", "weak") else f"{told} The model behind the scores is not ready ({verdict})."
