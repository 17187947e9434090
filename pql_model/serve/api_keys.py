"""API keys: several, compared in constant time, replaced without a restart. Only digests of keys are kept."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path

from pql_model.errors import DataError

MIN_LENGTH = 16


@dataclass
class ApiKeys:
    """Keys of the environment, and keys of a file that is reloaded when it changes.

    Parameters
    ----------
    fixed
        Keys of the environment.
    file
        A file with one key per line; empty lines and lines that start with `#` are ignored.

    Examples
    --------
    >>> keys = ApiKeys(("0123456789abcdef",))
    >>> keys.needed, keys.allow("0123456789abcdef"), keys.allow("0123456789abcdeF"), keys.allow(None)
    (True, True, False, False)
    """

    fixed: tuple[str, ...] = ()
    file: Path | None = None
    _digests: tuple[bytes, ...] = field(default=(), init=False, repr=False)
    _stamp: tuple[int, int, int] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.reload()

    @property
    def needed(self) -> bool:
        """Whether requests need a key: if there is a key or a file, even an empty one."""
        return bool(self.fixed) or self.file is not None

    def reload(self) -> bool:
        """Reload the file if it has changed, and return whether it had.

        Raises
        ------
        DataError
            If a key is too short, or the file cannot be read.
        """
        stamp = self._file_stamp()
        if stamp is not None and stamp == self._stamp:
            return False
        keys = [*self.fixed, *self._read_file()]
        short = sum(len(key) < MIN_LENGTH for key in keys)
        if short:
            raise DataError(
                "An API key is too short",
                received=f"{short} of {len(keys)} keys",
                allowed=f"at least {MIN_LENGTH} characters",
                remedy="generate one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`",
            )
        changed = self._stamp is not None
        self._digests, self._stamp = tuple(_digest(key) for key in keys), stamp
        return changed

    def allow(self, key: str | None) -> bool:
        """Test whether this is one of the keys. All are compared, so that the time reveals nothing."""
        received, allowed = _digest(key or ""), False
        for digest in self._digests:
            allowed |= hmac.compare_digest(received, digest)
        return allowed and key is not None

    def _file_stamp(self) -> tuple[int, int, int] | None:
        if self.file is None:
            return None
        try:
            stat = self.file.stat()
        except OSError as error:
            raise DataError(f"The file of API keys cannot be read: {error.strerror}", received=self.file) from error
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read_file(self) -> list[str]:
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
