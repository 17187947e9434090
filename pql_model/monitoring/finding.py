"""A finding of the monitor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pql_model.errors import DataError, nearest
from pql_model.time import iso

Severity = Literal["act", "watch"]
Figure = float | int | str

DATA_KINDS = (
    "event_stopped",
    "event_renamed",
    "event_started",
    "volume_changed",
    "tracking_gap",
    "late_data",
    "trait_changed",
)
"""Findings about the data, in the order of their repair."""
MODEL_KINDS = ("score_drift", "base_rate_changed", "calibration_off", "performance_fell", "criterion_stale")
"""Findings about the model and the definitions."""
KINDS = (*DATA_KINDS, *MODEL_KINDS)


@dataclass(frozen=True)
class Finding:
    """One change since the model learnt, with its figure and what was expected instead.

    Attributes
    ----------
    kind
        One of `KINDS`.
    subject
        Name of the event, trait, source or definition; the old name of an event that was renamed. `all events`,
        `score` or `conversions` where the finding is about all of them.
    since
        Instant at which the change began, in microseconds; None where it has no beginning.
    figure
        The observed figure, rounded; the new name of an event that was renamed.
    expected
        The figure without the change, in the same unit; None where there was nothing to expect.
    words
        One sentence for people, with both figures and the date.
    severity
        `act`: somebody has to do something. `watch`: worth a look.

    Raises
    ------
    DataError
        If the kind or the severity is not one of those.

    Examples
    --------
    >>> finding = Finding("event_stopped", "invited", 0, 0.0, 21.4, "`invited` stopped on 1970-01-01.", "act")
    >>> finding.to_dict()["since"], finding.is_about_data
    ('1970-01-01', True)
    """

    kind: str
    subject: str
    since: int | None
    figure: Figure | None
    expected: Figure | None
    words: str
    severity: Severity

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            close = nearest(self.kind, KINDS)
            raise DataError(
                "A finding of the monitor has an unknown kind",
                received=self.kind,
                allowed=KINDS,
                remedy=f"use `{close}`" if close else "use one of them",
            )
        if self.severity not in ("act", "watch"):
            raise DataError(
                "A finding of the monitor has an unknown severity", received=self.severity, allowed=["act", "watch"]
            )

    @property
    def is_about_data(self) -> bool:
        """Whether the data, and not the model, have to be repaired."""
        return self.kind in DATA_KINDS

    def to_dict(self) -> dict[str, Figure | None]:
        """Element of `findings` in the output of `monitor`."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "since": None if self.since is None else iso(self.since),
            "figure": self.figure,
            "expected": self.expected,
            "words": self.words,
            "severity": self.severity,
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: those to act on first, then by kind in the order of `KINDS`, then the newest first.

    >>> late = Finding("late_data", "all events", None, 3, 0, "Late.", "watch")
    >>> stopped = Finding("event_stopped", "login", 0, 0, 9, "Stopped.", "act")
    >>> [finding.kind for finding in in_order([late, stopped])]
    ['event_stopped', 'late_data']
    """
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                finding.severity != "act",
                KINDS.index(finding.kind),
                -(finding.since or 0),
                finding.subject,
            ),
        )
    )
