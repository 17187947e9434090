"""Settings of the service, from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pql_model.errors import DataError

MEGABYTE = 1_000_000
_HELP = {
    "PQL_BUNDLE": "folder of the bundle",
    "PQL_API_KEYS": "API keys, separated by commas",
    "PQL_API_KEYS_FILE": "file with one API key per line, reloaded when it changes",
    "PQL_SCORES": "file of `pql score`, for /lookup",
    "PQL_SCORE_LOG": "folder of the score log, for `pql replay`",
    "PQL_LEADS": "page of `pql leads`, for /leads",
    "PQL_WORKERS": "number of processes that answer",
    "PQL_MAX_BODY_MB": "maximum size of a request body",
    "PQL_MAX_PENDING_MB": "maximum size of all large bodies that are held at once",
    "PQL_MAX_BATCH": "maximum number of entities in a batch",
    "PQL_DEADLINE_SECONDS": "time limit of a request",
    "PQL_MAX_IN_FLIGHT": "maximum number of concurrent requests; others get a 429",
}
"""Every variable the service reads."""


@dataclass(frozen=True)
class Settings:
    """Settings of the service; `_HELP` lists the variables."""

    bundle: Path
    keys: tuple[str, ...] = ()
    keys_file: Path | None = None
    scores: Path | None = None
    score_log: Path | None = None
    leads: Path | None = None
    max_body: int = 10 * MEGABYTE
    max_batch: int = 1000
    deadline_seconds: float = 10.0
    max_in_flight: int = 64
    max_pending: int = 40 * MEGABYTE

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables.

        Raises
        ------
        DataError
            If one is missing or invalid.

        Examples
        --------
        >>> settings = Settings.of_environment({"PQL_BUNDLE": "models/boards", "PQL_API_KEYS": "a, b", "PQL_MAX_BATCH": "50"})
        >>> settings.keys, settings.max_batch
        (('a', 'b'), 50)
        """
        variables = dict(os.environ if environment is None else environment)
        bundle = variables.get("PQL_BUNDLE")
        if not bundle:
            raise DataError(
                "The service has no bundle",
                received="no PQL_BUNDLE",
                allowed="a folder that `pql export` wrote",
                remedy="set PQL_BUNDLE, or start it with `pql serve`",
            )
        max_body = int(_number(variables, "PQL_MAX_BODY_MB", cls.max_body / MEGABYTE) * MEGABYTE)
        max_pending = _number(variables, "PQL_MAX_PENDING_MB", max(cls.max_pending, 4 * max_body) / MEGABYTE)
        if max_pending * MEGABYTE < max_body:
            raise DataError(
                f"PQL_MAX_PENDING_MB ({_HELP['PQL_MAX_PENDING_MB']}) is smaller than one body may be",
                received=f"{max_pending:g}",
                allowed=f"at least PQL_MAX_BODY_MB, {max_body / MEGABYTE:g}",
            )
        return cls(
            bundle=Path(bundle),
            keys=_keys(variables.get("PQL_API_KEYS")),
            keys_file=_path(variables, "PQL_API_KEYS_FILE"),
            scores=_path(variables, "PQL_SCORES"),
            score_log=_path(variables, "PQL_SCORE_LOG"),
            leads=_path(variables, "PQL_LEADS"),
            max_body=max_body,
            max_batch=int(_number(variables, "PQL_MAX_BATCH", cls.max_batch, minimum=1)),
            deadline_seconds=_number(variables, "PQL_DEADLINE_SECONDS", cls.deadline_seconds),
            max_in_flight=int(_number(variables, "PQL_MAX_IN_FLIGHT", cls.max_in_flight, minimum=1)),
            max_pending=int(max_pending * MEGABYTE),
        )


def workers_in(environment: Mapping[str, str]) -> int:
    """Read the number of processes that answer, which is needed before anything else.

    Raises
    ------
    DataError
        If it is not a number from 1.
    """
    return int(_number(environment, "PQL_WORKERS", 1, minimum=1))


def _path(variables: Mapping[str, str], name: str) -> Path | None:
    return Path(variables[name]) if variables.get(name) else None


def _keys(text: str | None) -> tuple[str, ...]:
    """Read the keys. A variable that is set without a key is an error: it must not open the service to everybody."""
    if text is None:
        return ()
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise DataError(
            f"PQL_API_KEYS ({_HELP['PQL_API_KEYS']}) has no key",
            received=repr(text),
            remedy="set at least one key, or unset the variable",
        )
    return keys


def _number(variables: Mapping[str, str], name: str, default: float, minimum: float = 1e-6) -> float:
    text = variables.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not minimum <= number < 1e9:
        raise DataError(
            f"{name} ({_HELP[name]}) is not a valid number", received=text, allowed=f"from {minimum:g} to 1e9"
        )
    return number
