"""What the service is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pql_model.errors import DataError

MEGABYTE = 1_000_000
_HELP = {
    "PQL_BUNDLE": "the bundle's folder",
    "PQL_API_KEYS": "keys with commas between them",
    "PQL_API_KEYS_FILE": "a file with one key a line, read again when it changes",
    "PQL_SCORES": "the file that `pql score` writes, for /lookup",
    "PQL_SCORE_LOG": "a folder in which every answer is written down, for `pql replay`",
    "PQL_MAX_BODY_MB": "largest request",
    "PQL_MAX_BATCH": "most entities in a batch",
    "PQL_DEADLINE_SECONDS": "after which a request is given up",
    "PQL_MAX_IN_FLIGHT": "requests at once, more are told to come again",
}
"""Every variable the service reads."""


@dataclass(frozen=True)
class Settings:
    """The service's settings; see `_HELP` for the variables."""

    bundle: Path
    keys: tuple[str, ...] = ()
    keys_file: Path | None = None
    scores: Path | None = None
    score_log: Path | None = None
    max_body: int = 10 * MEGABYTE
    max_batch: int = 1000
    deadline_seconds: float = 10.0
    max_in_flight: int = 64

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables.

        Raises
        ------
        DataError
            If one is missing or no positive number.

        Examples
        --------
        >>> settings = Settings.of_environment({"PQL_BUNDLE": "models/boards", "PQL_API_KEYS": "a, b", "PQL_MAX_BATCH": "50"})
        >>> settings.keys, settings.max_batch
        (('a', 'b'), 50)
        """
        given = dict(os.environ if environment is None else environment)
        bundle = given.get("PQL_BUNDLE")
        if not bundle:
            raise DataError(
                "The service does not know its bundle",
                received="no PQL_BUNDLE",
                allowed="a folder that `pql export` wrote",
                remedy="set PQL_BUNDLE, or start it with `pql serve`",
            )
        return cls(
            bundle=Path(bundle),
            keys=_keys(given.get("PQL_API_KEYS")),
            keys_file=_path(given, "PQL_API_KEYS_FILE"),
            scores=_path(given, "PQL_SCORES"),
            score_log=_path(given, "PQL_SCORE_LOG"),
            max_body=int(_number(given, "PQL_MAX_BODY_MB", cls.max_body / MEGABYTE) * MEGABYTE),
            max_batch=int(_number(given, "PQL_MAX_BATCH", cls.max_batch, least=1)),
            deadline_seconds=_number(given, "PQL_DEADLINE_SECONDS", cls.deadline_seconds),
            max_in_flight=int(_number(given, "PQL_MAX_IN_FLIGHT", cls.max_in_flight, least=1)),
        )


def _path(given: Mapping[str, str], name: str) -> Path | None:
    return Path(given[name]) if given.get(name) else None


def _keys(text: str | None) -> tuple[str, ...]:
    """The keys; a variable that is set and holds none is no reason to let everybody in."""
    if text is None:
        return ()
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise DataError(
            f"PQL_API_KEYS ({_HELP['PQL_API_KEYS']}) holds no key",
            received=repr(text),
            remedy="give at least one, or leave the variable out",
        )
    return keys


def _number(given: Mapping[str, str], name: str, usual: float, least: float = 1e-6) -> float:
    text = given.get(name)
    if not text:
        return usual
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number < 1e9:
        raise DataError(f"{name} ({_HELP[name]}) is no such number", received=text, allowed=f"from {least:g} to 1e9")
    return number
