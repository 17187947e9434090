"""What to do about the findings: one rule, the mildest remedy that mends all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pql_model.monitoring.finding import Finding
from pql_model.payload import select_attributes

Remedy = Literal["keep", "watch", "recalibrate", "retrain", "fix_tracking", "stop"]
REMEDIES: tuple[Remedy, ...] = ("keep", "watch", "recalibrate", "retrain", "fix_tracking", "stop")
ACTS = frozenset({"recalibrate", "retrain", "fix_tracking", "stop"})
"""Remedies that somebody has to carry out."""

_DO = {
    "keep": "Nothing has to be done",
    "watch": "Nothing has to be done now; have a look",
    "recalibrate": "Recalibrate: run `pql train --refit`",
    "retrain": "Retrain: run `pql train`",
    "fix_tracking": "Repair the data before anything else",
    "stop": "Stop using the scores",
}


@dataclass(frozen=True)
class Advice:
    """The remedy, and why, the most important reason first."""

    remedy: Remedy
    why: tuple[str, ...]

    @property
    def acts(self) -> bool:
        """Whether anything must be done."""
        return self.remedy in ACTS

    @property
    def headline(self) -> str:
        """The first line of the page."""
        return f"{_DO[self.remedy]}."

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, "why", advice="remedy")


def advise(findings: Sequence[Finding], hopeless: str | None = None, quiet: str = "") -> Advice:
    """Choose the remedy.

    1. Data that are broken come first: every figure that reads them may follow from that.
    2. If the level is off and the ranking is not, recalibration suffices.
    3. If the ranking fell, or the definition that qualifies leads is stale, only a new training mends it; it sets the level too.
    4. If besides the model no longer beats the baselines, and recent outcomes do not teach a better one, stop.

    Parameters
    ----------
    findings
        All of them. Those of severity `watch` lead to no more than `watch`.
    hopeless
        Why the model should not be used at all, where its ranking fell: see `rivals.hopeless`.
    quiet
        The reason where nothing was found.
    """
    to_do = [finding for finding in findings if finding.severity == "act"]
    kinds = {finding.kind for finding in to_do}
    broken = [finding.words for finding in to_do if finding.is_about_data]
    ranking = [f.words for f in to_do if f.kind in ("performance_fell", "criterion_stale")]
    level = [f.words for f in to_do if f.kind in ("calibration_off", "base_rate_changed", "score_drift")]
    if broken:
        after = (
            ["What was found about the model cannot be judged before the data are repaired."] if ranking + level else []
        )
        return Advice("fix_tracking", (*broken, *after))
    if "performance_fell" in kinds and hopeless is not None:
        return Advice("stop", (*ranking, hopeless, *level))
    if ranking:
        return Advice("retrain", (*ranking, *level))
    if level:
        return Advice("recalibrate", tuple(level))
    if findings:
        return Advice("watch", tuple(finding.words for finding in findings))
    return Advice("keep", (quiet or "Nothing has changed beyond chance.",))
