"""Atomic writing of files: under a temporary name, then renamed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file completely or not at all.

    Parameters
    ----------
    path : Path
        The file.
    write : callable
        Receives the path of a temporary file in the same folder, which replaces `path` on success and is removed on
        failure.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def atomic_write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text, with its line feeds as they are, completely or not at all."""
    atomic_write(path, lambda at: at.write_bytes(text.encode("utf-8")))
