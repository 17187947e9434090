"""A bundle: everything the service needs of a model in one folder of text and JSON files, each with a checksum.

The files of one version are in a folder of their own, and `BUNDLE.json` names them with their SHA-256, and has one of itself. A
new version is written beside the old one, and takes its place when `BUNDLE.json` is replaced, which is one step on every
system: whenever a writer is killed, there is a complete bundle. Nothing in a bundle is unpickled or executed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write
from pql_model.errors import DataError
from pql_model.file_lock import file_lock
from pql_model.model.artifact import FittedModel

FORMAT = 2
MANIFEST = "BUNDLE.json"
DIGEST = "digest"
"""Key of `BUNDLE.json`: the SHA-256 of everything else in it."""
_LOCK = ".lock"
_VERSION = re.compile(r"[0-9a-f]{16}")
_UNFINISHED = re.compile(r"\.draft-[0-9a-f]{32}|\.BUNDLE\.json\..+\.part")
_FORMAT_1 = ("criteria.json", "metrics.json", "model", "report.html")
_ATTEMPTS = 5
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
    if folder.exists() and not (folder / MANIFEST).exists() and not (folder.is_dir() and _has_only_litter(folder)):
        raise DataError(
            "This folder holds something other than a bundle",
            received=folder,
            remedy="choose a new or an empty folder",
        )
    with file_lock(folder / _LOCK, waiting=lambda: None):
        _sweep(folder)  # before writing, too: a killed writer may have left the disk full
        draft = folder / f".draft-{uuid.uuid4().hex}"
        try:
            model.save(draft / MODEL)
            for name, content in ((CRITERIA, criteria), (METRICS, metrics)):
                _write(draft / name, _json(content))
            _write(draft / REPORT, report)
            digests = {path.relative_to(draft).as_posix(): _digest(path.read_bytes()) for path in _files(draft)}
            version = _digest(_json(digests).encode())[:16]
            files = {f"{version}/{name}": digest for name, digest in digests.items()}
            payload = json.loads(
                _json({"format": FORMAT, **about, "feature_set": model.manifest.hash, "sha256": files})
            )
            manifest = _json({**payload, DIGEST: digest_of(payload)})
            if (folder / version).exists() and not _holds(folder, files):
                shutil.rmtree(folder / version)  # damaged: no loss to its readers
            if not (folder / version).exists():
                draft.rename(folder / version)
            atomic_write(folder / MANIFEST, lambda path: _write(path, manifest))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sweep(folder)
    return folder


def load_bundle(folder: str | Path) -> Bundle:
    """Load a bundle and verify its checksums.

    Raises
    ------
    DataError
        If the folder is not a bundle, has another format, is incomplete, or was altered.
    """
    path = Path(folder)
    for _ in range(_ATTEMPTS):
        manifest = _read_manifest(path)
        try:
            return _load(path, manifest)
        except DataError:
            if _read_manifest(path) == manifest:
                raise
    raise DataError("This bundle was replaced while it was being read", received=path, remedy="load it again")


def _read_manifest(path: Path) -> bytes:
    try:
        return (path / MANIFEST).read_bytes()
    except OSError as error:
        raise DataError(
            f"There is no complete bundle here: {MANIFEST} is missing",
            received=path,
            remedy="write one with `pql export -o FOLDER`",
        ) from error


def _load(path: Path, manifest: bytes) -> Bundle:
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
        if about.pop(DIGEST) != digest_of(about):
            raise _altered(MANIFEST, path)
        contents = {name: _verified_content(path, name, digest) for name, digest in about["sha256"].items()}
        [version] = {name.split("/")[0] for name in contents}
        return Bundle(
            path=path,
            about={key: value for key, value in about.items() if key != "sha256"},
            model=FittedModel.load(path / version / MODEL),
            criteria=json.loads(contents[f"{version}/{CRITERIA}"]),
            metrics=json.loads(contents[f"{version}/{METRICS}"]),
            report=contents[f"{version}/{REPORT}"].decode(),
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
        raise _altered(name.partition("/")[2], path)
    return content


def _altered(name: str, path: Path) -> DataError:
    text = f"`{name}` of this bundle was altered after it was written"
    return DataError(text, received=path, remedy="export it again with `pql export`")


def _sweep(folder: Path) -> None:
    """Remove what this and earlier versions of pql wrote here and nothing refers to: old versions, and what killed writers left.

    Files of others stay. The writer's lock is held, so that nothing is removed that is being written.
    """
    try:
        about = json.loads((folder / MANIFEST).read_bytes())
        current = {str(name).split("/")[0] for name in about["sha256"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return  # nothing is known about what is needed
    for path in folder.iterdir():
        if (_is_litter(path) or path.name in _FORMAT_1) and path.name not in current:
            _remove(path)
    # Before format 2, a bundle was written beside its folder.
    beside = re.compile(rf"\.{re.escape(folder.name)}-(old-)?[0-9a-f]{{32}}")
    for path in folder.absolute().parent.iterdir():
        if beside.fullmatch(path.name) and path.is_dir():
            _remove(path)


def _is_litter(path: Path) -> bool:
    return bool(_VERSION.fullmatch(path.name) or _UNFINISHED.fullmatch(path.name))


def _has_only_litter(folder: Path) -> bool:
    """Whether a folder is empty, but for what a writer left that was killed before its first bundle was complete."""
    return all(path.name == _LOCK or _is_litter(path) for path in folder.iterdir())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _holds(folder: Path, files: dict[str, str]) -> bool:
    """Whether the folder has these files, unaltered."""
    try:
        return all(_digest((folder / name).read_bytes()) == digest for name, digest in files.items())
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)


def digest_of(about: dict[str, Any]) -> str:
    """Of what a manifest says, not of how it is laid out."""
    return _digest(json.dumps(about, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode())


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
