"""What the monitor found last time, so that the next look can say what has changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write_text
from pql_model.errors import DataError
from pql_model.monitoring.advice import Advice
from pql_model.monitoring.finding import Finding
from pql_model.time import iso, parse_instant


@dataclass(frozen=True)
class Look:
    """An earlier look: its instant, its advice, and `kind: subject` -> words of its findings."""

    as_of: int
    advice: str
    findings: dict[str, str]

    @classmethod
    def of(cls, as_of: int, advice: Advice, findings: Sequence[Finding]) -> Look:
        return cls(as_of, advice.remedy, {_key(finding): finding.words for finding in findings})


@dataclass(frozen=True)
class Changes:
    """What is new since the last look, and what has gone.

    Attributes
    ----------
    since
        The instant of the last look; None at the first.
    advice
        Its advice.
    new, gone
        Findings in words.
    """

    since: int | None
    advice: str | None
    new: tuple[str, ...]
    gone: tuple[str, ...]

    @classmethod
    def between(cls, last: Look | None, look: Look) -> Changes:
        """Compare with an earlier look; without one there are no changes."""
        if last is None:
            return cls(None, None, (), ())
        now = look.findings
        return cls(
            last.as_of,
            last.advice,
            tuple(words for key, words in now.items() if key not in last.findings),
            tuple(words for key, words in last.findings.items() if key not in now),
        )

    def to_dict(self) -> dict[str, Any]:
        since = None if self.since is None else iso(self.since)
        return {"since": since, "advice": self.advice, "new": list(self.new), "gone": list(self.gone)}


def look_path(home: Path, product: str) -> Path:
    """The file beside the config, one a product."""
    return home / ".pql" / f"monitor-{product}.json"


def read_looks(path: Path, latest: int | None = None) -> list[Look]:
    """Read the last two looks, the older first.

    Parameters
    ----------
    latest
        Looks at later instants are left out: nothing can have been known there.

    Raises
    ------
    DataError
        If the file holds something else.
    """
    if not path.exists():
        return []
    try:
        looks = [
            Look(parse_instant(raw["as_of"]), str(raw["advice"]), {str(k): str(v) for k, v in raw["findings"].items()})
            for raw in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"The last looks of the monitor cannot be read: {error}",
            received=path,
            remedy="delete the file: the next look then says nothing of changes",
        ) from error
    return [look for look in looks if latest is None or look.as_of <= latest]


def look_before(looks: Sequence[Look], as_of: int) -> Look | None:
    """The newest look at an earlier instant: a look that is repeated has the same changes again."""
    return next((look for look in reversed(looks) if look.as_of < as_of), None)


def write_look(path: Path, look: Look, latest: int | None = None) -> None:
    """Add a look, atomically, and keep two; a look at the past, behind the newest one up to `latest`, is not remembered."""
    looks = read_looks(path, latest)
    if looks and looks[-1].as_of > look.as_of:
        return
    kept = [*(earlier for earlier in looks if earlier.as_of != look.as_of), look][-2:]
    content = [{"as_of": iso(one.as_of), "advice": one.advice, "findings": one.findings} for one in kept]
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(content, ensure_ascii=False, indent=1))


def _key(finding: Finding) -> str:
    return f"{finding.kind}: {finding.subject}"
