"""Data health in the growth report: what was found, its effect on the figures, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

from pql_model.audit.finding import Finding

MUCH, TOO_MUCH = 0.1, 0.3
"""Shares of unusable rows that are worth mentioning, and that put the figures in doubt."""


def health_lines(
    findings: Sequence[Finding],
    set_aside: Mapping[str, int],
    rows_read: int,
    warnings: Sequence[str],
    moved: str | None,
) -> list[dict[str, str]]:
    """List the findings about the data: `level` (red, amber, ok), `saw`, `does`, `todo`.

    Parameters
    ----------
    set_aside
        Reason -> rows of events that could not be used, of `rows_read`.
    moved
        A sentence if the base rates of the earlier and later periods differ.

    Examples
    --------
    >>> [line["level"] for line in health_lines([], {"bot": 50}, 100, [], None)]
    ['red']
    >>> health_lines([], {}, 100, [], None)[0]["saw"]
    'Nothing unusual.'
    """
    lines = [*_unusable(set_aside, rows_read)]
    for finding in findings:
        if finding.action == "quarantined":
            lines.append(
                _line(
                    "amber",
                    f"`{_named(finding)}`: {finding.reason}",
                    "It contains the outcome, so it was excluded from everything here.",
                    "If it is known before the outcome, list it under `allow:`.",
                )
            )
        elif finding.action == "allowed":
            lines.append(
                _line(
                    "red",
                    f"`{_named(finding)}`: {finding.reason}",
                    "`allow:` includes it. If it contains the outcome, every figure is too good.",
                    "Make sure that it is known before the outcome.",
                )
            )
        elif finding.action == "kept":
            lines.append(
                _line(
                    "amber",
                    f"`{_named(finding)}`: {finding.reason}",
                    "It is used. If it contains the outcome, the figures are too good.",
                    "Check where it comes from.",
                )
            )
    lines += [_line("amber", warning, "Counts may miss part of the data.", "Check the source.") for warning in warnings]
    if moved is not None:
        lines.append(
            _line(
                "amber",
                moved,
                "Plan with the rates of later accounts; earlier ones differ.",
                "Find out what changed.",
            )
        )
    return lines or [_line("ok", "Nothing unusual.", "Nothing lowers the verdict.", "Nothing.")]


def _named(finding: Finding) -> str:
    """A trait is called by its own name, not by that of its column."""
    return (
        unquote_plus(finding.column.removeprefix("trait.")) if finding.column.startswith("trait.") else finding.column
    )


def _unusable(set_aside: Mapping[str, int], rows_read: int) -> list[dict[str, str]]:
    rows = sum(set_aside.values())
    share = rows / rows_read if rows_read else 0.0
    if share < MUCH:
        return []
    largest = ", ".join(
        f"{reason.replace('_', ' ')} {count:,}" for reason, count in sorted(set_aside.items(), key=lambda r: -r[1])[:3]
    )
    level = "red" if share >= TOO_MUCH else "amber"
    return [
        _line(
            level,
            f"{share:.0%} of the event rows cannot be used: {largest}.",
            "Counts are lower than they really were.",
            "`pql check` shows them by table and reason.",
        )
    ]


def _line(level: str, saw: str, does: str, todo: str) -> dict[str, str]:
    return {"level": level, "saw": saw, "does": does, "todo": todo}
