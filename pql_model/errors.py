"""Errors as data: each says what is wrong, what was received, what is allowed and how to fix it.

>>> raise DataError("`day` is not a column of events.csv", received="day", allowed=["date", "user"],
...                 remedy="map `time:` to one of them")
Traceback (most recent call last):
...
pql_model.errors.DataError: `day` is not a column of events.csv. Received: day. Allowed: date, user. Fix: map `time:` to one of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Find the allowed name closest to `name`; None if none is close."""
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def did_you_mean(close: str | None) -> str:
    """Phrase the question that follows an unknown name; empty where no name is close.

    >>> did_you_mean("events"), did_you_mean(None)
    (', did you mean `events`?', '')
    """
    return f", did you mean `{close}`?" if close else ""


def listed(names: Iterable[object], at_most: int = 12) -> str:
    """Join names as `a, b, c and 9 more`, which stays readable for 2,000 names."""
    texts = [str(name) for name in names]
    text = ", ".join(texts[:at_most])
    remaining = len(texts) - at_most
    return f"{text} and {remaining:,} more" if remaining > 0 else text


class PqlError(Exception):
    """Base of all errors that are not bugs of this library.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without the full stop.
    received : object, optional
        The invalid value.
    allowed : str or sequence of str, optional
        What is allowed: a sentence or a list of names.
    remedy : str, optional
        How to fix it, starting with a verb.

    Examples
    --------
    >>> error = PqlError("There is no table", received="event.csv", allowed=["events.csv"], remedy="correct `table:`")
    >>> str(error)
    'There is no table. Received: event.csv. Allowed: events.csv. Fix: correct `table:`.'
    >>> error.remedy, error.exit_code
    ('correct `table:`', 2)
    """

    exit_code = 2
    http_status = 422

    def __init__(
        self,
        what: str,
        *,
        received: object = None,
        allowed: str | Sequence[str] | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.received = received
        self.allowed = allowed
        self.remedy = remedy
        parts = [what.rstrip(".")]
        if received is not None:
            parts.append(f"Received: {received}")
        if allowed is not None:
            parts.append(f"Allowed: {allowed if isinstance(allowed, str) else listed(allowed)}")
        if remedy is not None:
            parts.append(f"Fix: {remedy.rstrip('.')}")
        super().__init__(" ".join(part if part.endswith("?") else f"{part}." for part in parts))

    def to_dict(self) -> dict[str, object]:
        """Return the error as a JSON object, for `--json` and HTTP."""
        return {
            "type": type(self).__name__,
            "message": str(self),
            "received": None if self.received is None else str(self.received),
            "allowed": self.allowed if self.allowed is None or isinstance(self.allowed, str) else list(self.allowed),
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Fault:
    """One error in a config file."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        position = f"line {self.line}: " if self.line else ""
        return f"{position}{self.path}: {self.message}" if self.path else f"{position}{self.message}"


class ConfigError(PqlError, ValueError):
    """The config is invalid. `faults` lists all its errors in the order of the file."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line or 0))
        count = f"{len(self.faults)} error{'s' if len(self.faults) != 1 else ''}"
        super().__init__(f"{source} has {count}:\n" + "\n".join(f"  - {fault}" for fault in self.faults))

    def to_dict(self) -> dict[str, object]:
        faults = [{"path": f.path, "line": f.line, "message": f.message} for f in self.faults]
        return {**super().to_dict(), "faults": faults}


class DataError(PqlError, ValueError):
    """The data are unusable."""


class NotEnoughDataError(DataError):
    """The data are too few to train on: no conversions, one class, or too short a history."""


class TooFewConversionsError(NotEnoughDataError):
    """There are too few conversions for any model. The error carries the verdict and the base rate.

    Parameters
    ----------
    what : str
        What is wrong.
    entities, conversions : int
        Number of entities at risk, and of those that converted.
    rate : dict
        The conversion rate: value, low and high.
    received, allowed : str
        The number of conversions, and how many are needed.
    """

    verdict = "too_few_conversions"

    def __init__(
        self,
        what: str,
        *,
        entities: int,
        conversions: int,
        rate: dict[str, float | None],
        received: str,
        allowed: str,
    ) -> None:
        self.base_rate = {"entities": entities, "conversions": conversions, "rate": rate}
        share, low, high = (f"{number:.1%}" for number in rate.values() if number is not None)
        super().__init__(
            what,
            received=f"{received}; {conversions:,} of {entities:,} entities converted, {share} (95 % interval {low} to {high})",
            allowed=allowed,
            remedy="wait for more conversions, or use an earlier step than the payment as the conversion",
        )

    def to_dict(self) -> dict[str, object]:
        return {**super().to_dict(), "verdict": self.verdict, "base_rate": self.base_rate}


class InputError(PqlError, ValueError):
    """A request is invalid.

    Parameters
    ----------
    field : str
        The path of the field, such as `events[3].time`.
    received : object
        The invalid value.
    allowed : str or sequence of str
        What is allowed.
    what : str, optional
        What is wrong.

    Examples
    --------
    >>> error = InputError("events[3].time", received="12", allowed="a date such as 2026-06-30")
    >>> str(error), error.http_status
    ('`events[3].time` cannot be used. Received: 12. Allowed: a date such as 2026-06-30.', 422)
    """

    def __init__(self, field: str, *, received: object, allowed: str | Sequence[str], what: str | None = None) -> None:
        self.field = field
        super().__init__(what or f"`{field}` cannot be used", received=received, allowed=allowed)

    def to_dict(self) -> dict[str, object]:
        return {**super().to_dict(), "field": self.field}


class FeatureMismatchError(PqlError, ValueError):
    """A table does not have the columns that a model was trained on."""

    http_status = 409


class ModelNotFoundError(PqlError, LookupError):
    """There is no such model in the registry."""

    http_status = 404


class LearnerError(PqlError):
    """A learner does not follow the protocol, or no learner of this name is registered."""
