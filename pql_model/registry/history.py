"""The champions of a product in their order, as the registry remembers them, and its versions as people see them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.statistics.estimate import Estimate
from pql_model.time import iso

CHAMPIONS_TAG = "champions"
"""On the registered model: a JSON list of versions, the newest last. What was rolled back from is taken off."""
_NAN = float("nan")


@dataclass(frozen=True)
class Version:
    """A version of the registered model, as its tags tell; what an older release has not tagged is None.

    Attributes
    ----------
    aliases
        `champion`, `challenger`, and `previous` for what a rollback would lead to.
    roc_auc
        On its own test rows, so two versions are not compared by it.
    promotion
        What was decided after its training, and why.
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
        return {
            **vars(self),
            "aliases": list(self.aliases),
            "roc_auc": self.roc_auc.to_dict() if self.roc_auc else None,
        }


def version_of(
    number: str, created: int, run_id: str | None, tags: Mapping[str, str], aliases: Sequence[str]
) -> Version:
    """Read a version's tags; `created` in milliseconds."""
    auc = [float(tags.get(f"roc_auc{end}", _NAN)) for end in ("", "_low", "_high")]
    promotion, promoted_at = tags.get("promotion"), tags.get("promoted_at")
    if tags.get("to_be_promoted") == "true" and promoted_at is None:
        promotion = f"not promoted: its training was broken off before that ({promotion})"
    return Version(
        version=number,
        aliases=tuple(aliases),
        trained_at=iso(created * 1000),
        run_id=run_id or tags.get("run_id", ""),
        verdict=tags.get("verdict"),
        roc_auc=Estimate(*auc) if auc[0] == auc[0] else None,
        promotion=promotion,
        forced=tags.get("forced") == "true",
        promoted_at=promoted_at,
        rolled_back_at=tags.get("rolled_back_at"),
    )


def read_champions(tag: str | None) -> list[str]:
    """The versions in the tag; none where there is no such tag or a person has written something else into it."""
    try:
        found = json.loads(tag or "[]")
    except ValueError:
        return []
    return [str(version) for version in found] if isinstance(found, list) else []


def promoted(champions: Sequence[str], current: str | None, version: str) -> list[str]:
    """The history once `version` replaces `current`, which may have become champion without the history knowing.

    Who goes back to a version that was champion goes back in the history too: what came after it is taken off.

    >>> promoted(["1", "2"], "2", "3")
    ['1', '2', '3']
    >>> promoted(["1", "2", "3"], "3", "2")
    ['1', '2']
    """
    known = list(champions)
    if current is not None and known[-1:] != [current]:
        known.append(current)
    return known[: known.index(version) + 1] if version in known else [*known, version]


def previous(champions: Sequence[str], current: str | None, existing: Collection[str]) -> str | None:
    """The champion before `current`, of the versions that still exist.

    >>> previous(["1", "2", "3"], "3", {"1", "3"})
    '1'
    >>> previous(["1"], "2", {"1", "2"})
    '1'
    """
    before = champions[: champions.index(current)] if current in champions else champions
    return next((version for version in reversed(before) if version in existing and version != current), None)
