"""The registry's record of a product: its champions in order, and each version as its tags describe it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate
from pql_model.time import iso

CHAMPIONS_TAG = "champions"
"""On the registered model: a JSON list of versions, the newest last. A version that was rolled back is removed."""


@dataclass(frozen=True)
class ModelVersion:
    """A version of the registered model. Fields that its tags do not have are None.

    Attributes
    ----------
    aliases : tuple of str
        `champion`, `challenger`, and `previous` for the version that a rollback would promote.
    roc_auc : Estimate or None
        On its own test rows, so it does not compare two versions.
    promotion : str or None
        The decision after its training, and the reason.
    """

    version: str
    aliases: tuple[str, ...]
    trained_at: str
    run_id: str
    verdict: str | None
    roc_auc: Estimate | None
    promotion: str | None
    forced: bool
    promoted_at: str | None
    rolled_back_at: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the element of `models` in `pql models --json`."""
        return select_attributes(self)


def parse_version(
    number: str, created: int, run_id: str | None, tags: Mapping[str, str], aliases: Sequence[str]
) -> ModelVersion:
    """Read a version's tags; `created` is in milliseconds."""
    promotion, promoted_at = tags.get("promotion"), tags.get("promoted_at")
    if tags.get("gate") in ("passed", "forced") and promoted_at is None:
        promotion = f"not promoted: its training was interrupted before that ({promotion})"
    return ModelVersion(
        version=number,
        aliases=tuple(aliases),
        trained_at=iso(created * 1000),
        run_id=run_id or "",
        verdict=tags.get("verdict"),
        roc_auc=_parse_estimate(tags.get("roc_auc", "")),
        promotion=promotion,
        forced=tags.get("gate") == "forced",
        promoted_at=promoted_at,
        rolled_back_at=tags.get("rolled_back_at"),
    )


def version_tags(verdict: str, roc_auc: Estimate, gate: str, reason: str) -> dict[str, str]:
    """Write the tags that `parse_version` reads: few and short, since MLflow shows them all in one narrow column.

    Parameters
    ----------
    gate : str
        `passed` or `forced` where the version is to be promoted.
    reason : str
        Why it is promoted or not, as a sentence.

    >>> version_tags("ready", Estimate(0.7, 0.6, 0.8), "passed", "promoted: it is better")["roc_auc"]
    '0.700000 (0.600000 to 0.800000)'
    """
    figures = f"{roc_auc.value:.6f} ({roc_auc.low:.6f} to {roc_auc.high:.6f})"
    return {"verdict": verdict, "roc_auc": figures, "gate": gate, "promotion": reason}


def _parse_estimate(text: str) -> Estimate | None:
    parts = re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", text)
    return Estimate(*map(float, parts.groups())) if parts else None


def parse_champions(tag: str | None) -> list[str]:
    """Read the versions in the tag; none if there is no tag or a person has overwritten it with something else."""
    try:
        versions = json.loads(tag or "[]")
    except ValueError:
        return []
    return [str(version) for version in versions] if isinstance(versions, list) else []


def champions_after(champions: Sequence[str], current: str | None, version: str) -> list[str]:
    """Return the history once `version` replaces `current`, which may have become champion without the history.

    Promoting a version that was champion before goes back in the history too: later champions are removed.

    >>> champions_after(["1", "2"], "2", "3")
    ['1', '2', '3']
    >>> champions_after(["1", "2", "3"], "3", "2")
    ['1', '2']
    """
    history = list(champions)
    if current is not None and history[-1:] != [current]:
        history.append(current)
    return history[: history.index(version) + 1] if version in history else [*history, version]


def previous_champion(champions: Sequence[str], current: str | None, existing: Collection[str]) -> str | None:
    """Return the last champion before `current` whose version still exists, or None.

    >>> previous_champion(["1", "2", "3"], "3", {"1", "3"})
    '1'
    >>> previous_champion(["1"], "2", {"1", "2"})
    '1'
    """
    before = champions[: champions.index(current)] if current in champions else champions
    return next((version for version in reversed(before) if version in existing and version != current), None)
