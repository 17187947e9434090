"""What the reader of the growth report should know about the data: seen, what it does to the figures, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

from pql_model.audit.finding import Finding

MUCH, TOO_MUCH = 0.1, 0.3
"""Shares of unusable rows that are worth a word, and that put the figures in doubt."""


def health_lines(
    findings: Sequence[Finding],
    set_aside: Mapping[str, int],
    rows_read: int,
    warnings: Sequence[str],
    moved: str | None,
) -> list[dict[str, str]]:
    """Lines of `level` (red, amber, ok), `saw`, `does`, `todo`.

    Parameters
    ----------
    set_aside
        Reason -> rows of events that could not be used, of `rows_read`.
    moved
        A sentence if the base rate of the later period differs from that of the earlier one.

    Examples
    --------
    >>> [line["level"] for line in health_lines([], {"bot": 50}, 100, [], None)]
    ['red']
    >>> health_lines([], {}, 100, [], None)[0]["saw"]
    'Nothing that stands out.'
    """
    lines = [*_unusable(set_aside, rows_read)]
    for finding in findings:
        if finding.action == "quarantined":
            lines.append(
                _line(
                    "amber",
                    f"`{_named(finding)}`: {finding.reason}",
                    "It knows the outcome, so it was kept out of everything here.",
                    "If it is known before the outcome, list it under `allow:`.",
                )
            )
        elif finding.action == "allowed":
            lines.append(
                _line(
                    "red",
                    f"`{_named(finding)}`: {finding.reason}",
                    "`allow:` lets it in. If it knows the outcome, every figure is too good.",
                    "Make sure that it is known before the outcome.",
                )
            )
        elif finding.action == "kept":
            lines.append(
                _line(
                    "amber",
                    f"`{_named(finding)}`: {finding.reason}",
                    "It is used. If it knows the outcome, the figures are too good.",
                    "Look at where it comes from.",
                )
            )
    lines += [
        _line("amber", warning, "Part of the data may be missing from what is counted.", "Look at the source.")
        for warning in warnings
    ]
    if moved is not None:
        lines.append(
            _line(
                "amber",
                moved,
                "Rates of later accounts are the ones to plan with; earlier ones differ.",
                "Find out what changed.",
            )
        )
    return lines or [_line("ok", "Nothing that stands out.", "Nothing lowers the verdict.", "Nothing.")]


def _named(finding: Finding) -> str:
    """Of a trait its own name, and not that of its column."""
    return (
        unquote_plus(finding.column.removeprefix("trait.")) if finding.column.startswith("trait.") else finding.column
    )


def _unusable(set_aside: Mapping[str, int], rows_read: int) -> list[dict[str, str]]:
    rows = sum(set_aside.values())
    share = rows / rows_read if rows_read else 0.0
    if share < MUCH:
        return []
    most = ", ".join(
        f"{reason.replace('_', ' ')} {count:,}" for reason, count in sorted(set_aside.items(), key=lambda r: -r[1])[:3]
    )
    level = "red" if share >= TOO_MUCH else "amber"
    return [
        _line(
            level,
            f"{share:.0%} of the rows of events cannot be used: {most}.",
            "Counts are lower than they were in truth.",
            "`pql check` shows them by table and reason.",
        )
    ]


def _line(level: str, saw: str, does: str, todo: str) -> dict[str, str]:
    return {"level": level, "saw": saw, "does": does, "todo": todo}
