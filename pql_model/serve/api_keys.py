"""API keys: several, compared in constant time, changed without a restart. Keys are kept as digests only."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path

from pql_model.errors import DataError

LEAST = 16


@dataclass
class ApiKeys:
    """Keys given, and those of a file that is read again when it changes.

    Parameters
    ----------
    given
        From the environment.
    file
        One key a line; empty lines and lines that begin with `#` do not count.

    Examples
    --------
    >>> keys = Keys(("0123456789abcdef",))
    >>> keys.needed, keys.allow("0123456789abcdef"), keys.allow("0123456789abcdeF"), keys.allow(None)
    (True, True, False, False)
    """

    given: tuple[str, ...] = ()
    file: Path | None = None
    _digests: tuple[bytes, ...] = field(default=(), init=False, repr=False)
    _stamp: tuple[int, int, int] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.reload()

    @property
    def needed(self) -> bool:
        """Whether a request must have a key: once a file or a key is given, also if the file has become empty."""
        return bool(self.given) or self.file is not None

    def reload(self) -> bool:
        """Read the file again if it has changed; whether it has.

        Raises
        ------
        DataError
            If a key is too short, or the file cannot be read.
        """
        stamp = self._file_stamp()
        if stamp is not None and stamp == self._stamp:
            return False
        keys = [*self.given, *self._of_file()]
        short = sum(len(key) < LEAST for key in keys)
        if short:
            raise DataError(
                "An API key is too short",
                received=f"{short} of {len(keys)} keys",
                allowed=f"at least {LEAST} characters",
                remedy="make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`",
            )
        changed = self._stamp is not None
        self._digests, self._stamp = tuple(_digest(key) for key in keys), stamp
        return changed

    def allow(self, key: str | None) -> bool:
        """Whether this is one of the keys; every one is compared, so the time tells nothing."""
        asked, found = _digest(key or ""), False
        for digest in self._digests:
            found |= hmac.compare_digest(asked, digest)
        return found and key is not None

    def _file_stamp(self) -> tuple[int, int, int] | None:
        if self.file is None:
            return None
        try:
            stat = self.file.stat()
        except OSError as error:
            raise DataError(f"The file of API keys cannot be read: {error.strerror}", received=self.file) from error
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _of_file(self) -> list[str]:
        if self.file is None:
            return []
        try:
            text = self.file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise DataError(f"The file of API keys cannot be read: {error}", received=self.file) from error
        lines = (line.strip() for line in text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
