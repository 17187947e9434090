"""A bundle: everything the service needs of a model in one folder of text and JSON files, each with a checksum.

`BUNDLE.json` is written last and has the SHA-256 of every file, so that an incomplete or altered folder is detected.
Nothing in a bundle is unpickled or executed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.errors import DataError
from pql_model.model.artifact import FittedModel

FORMAT = 1
MANIFEST = "BUNDLE.json"
MODEL, CRITERIA, METRICS, REPORT = "model", "criteria.json", "metrics.json", "report.html"


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    about
        Contents of `BUNDLE.json` without the checksums: name, version, run_id, trained_on, feature_set...
    criteria, metrics
        The output of `pql criteria list --json`, and the metrics of the training's `test`.
    report
        The growth report, HTML.
    digest
        SHA-256 of `BUNDLE.json`, which identifies the bundle.
    """

    path: Path
    about: dict[str, Any]
    model: FittedModel
    criteria: dict[str, Any]
    metrics: dict[str, Any]
    report: str
    digest: str

    @property
    def name(self) -> str:
        return str(self.about["name"])

    @property
    def version(self) -> str:
        return str(self.about["version"])


def write_bundle(
    folder: Path,
    model: FittedModel,
    about: dict[str, Any],
    criteria: dict[str, Any],
    metrics: dict[str, Any],
    report: str,
) -> Path:
    """Write a bundle atomically; an existing bundle is replaced.

    Parameters
    ----------
    about
        name, version, run_id, trained_on...; `feature_set` is added.

    Raises
    ------
    DataError
        If the folder holds something else.
    """
    if folder.exists() and not (folder / MANIFEST).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            "This folder holds something other than a bundle",
            received=folder,
            remedy="choose a new or an empty folder",
        )
    draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    try:
        model.save(draft / MODEL)
        for name, content in ((CRITERIA, criteria), (METRICS, metrics)):
            _write(draft / name, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False))
        _write(draft / REPORT, report)
        files = {
            path.relative_to(draft).as_posix(): _digest(path.read_bytes())
            for path in sorted(draft.rglob("*"))
            if path.is_file()
        }
        payload = {"format": FORMAT, **about, "feature_set": model.manifest.hash, "sha256": files}
        _write(draft / MANIFEST, json.dumps(payload, ensure_ascii=False, indent=1, allow_nan=False))
        _replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def load_bundle(folder: str | Path) -> Bundle:
    """Load a bundle and verify its checksums.

    Raises
    ------
    DataError
        If the folder is not a bundle, has another format, is incomplete, or was altered.
    """
    path = Path(folder)
    try:
        manifest = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise DataError(
            f"There is no complete bundle here: {MANIFEST} is missing",
            received=path,
            remedy="write one with `pql export -o FOLDER`",
        ) from error
    try:
        about = json.loads(manifest)
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            received = about.get("format") if isinstance(about, dict) else type(about).__name__
            raise DataError(
                "This bundle has another format",
                received=f"{path}: format {received}",
                allowed=str(FORMAT),
                remedy="export it again with this version of pql",
            )
        contents = {name: _verified_content(path, name, digest) for name, digest in about["sha256"].items()}
        model = FittedModel.load(path / MODEL)
        if (path / MANIFEST).read_bytes() != manifest:
            raise DataError("This bundle was replaced while it was being read", received=path, remedy="load it again")
        return Bundle(
            path=path,
            about={key: value for key, value in about.items() if key != "sha256"},
            model=model,
            criteria=json.loads(contents[CRITERIA]),
            metrics=json.loads(contents[METRICS]),
            report=contents[REPORT].decode(),
            digest=_digest(manifest),
        )
    except DataError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise DataError(
            f"This bundle is incomplete: {error}", received=path, remedy="export it again with `pql export`"
        ) from error


def _verified_content(folder: Path, name: str, digest: str) -> bytes:
    path = folder / name
    if folder.resolve() not in path.resolve().parents:
        raise DataError("This bundle lists a file outside its folder", received=name, remedy="do not use this bundle")
    content = path.read_bytes()
    if _digest(content) != digest:
        raise DataError(
            f"`{name}` of this bundle was altered after it was written",
            received=path,
            remedy="export it again with `pql export`",
        )
    return content


def _replace(draft: Path, folder: Path) -> None:
    """Rename the draft into place; the old folder is removed afterwards."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = folder.with_name(f".{folder.name}-old-{uuid.uuid4().hex}")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
