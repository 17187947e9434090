"""Each training is done once for all workers of a test session; whoever asks for it receives a copy of its files.

A copy is what the training would have left in the caller's folder: MLflow's database and the artifacts name that
folder. Tests may therefore change whatever they receive.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pql_model.file_lock import file_lock

Train = Callable[..., Any]
_BINARY = (".db", ".parquet", ".png")


class SharedFolder:
    """A folder that all workers of a session see.

    Parameters
    ----------
    path
        Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make_once(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the folder of this name; the first caller in any worker fills it, the others wait for it."""
        folder, finished = self.path / name, self.path / f"{name}.finished"
        with file_lock(self.path / f"{name}.lock", waiting=lambda: None):
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a caller that failed
                folder.mkdir(parents=True)
                make(folder)
                finished.touch()
        return folder

    def empty_store(self) -> Path:
        """Return an `mlflow.db` without runs: creating its tables takes MLflow seconds, a copy takes none."""
        return self.make_once("store", _make_store) / "mlflow.db"

    def train(self, train: Train, config: Path, **options: Any) -> Any:
        """Train as `train(config, **options)` would, or copy what it left when it was called with the same data.

        Parameters
        ----------
        train
            `pql_model.train`.
        config
            A `pql.yaml` in a folder that holds all of its data and no training yet.
        options
            Numbers and texts; with anything else, such as a learner, the training is not shared.
        """
        if not all(isinstance(value, (str, int, float)) for value in options.values()):
            return train(config, **options)
        home = config.parent
        folder = self.make_once(f"training-{_digest(home, options)}", lambda at: self._fill(at, train, config, options))
        _copy_training(folder / "home", home)
        return _Reader(folder / "result.pickle", home).load()

    def _fill(self, folder: Path, train: Train, config: Path, options: dict[str, Any]) -> None:
        home = Path(shutil.copytree(config.parent, folder / "home"))
        if not (home / "mlflow.db").exists():
            shutil.copy(self.empty_store(), home)
        result = train(home / config.name, **options)
        with (folder / "result.pickle").open("wb") as file:
            _Writer(file, home).dump(result)


def _make_store(folder: Path) -> None:
    from mlflow.tracking import MlflowClient

    import pql_model.registry.tracking  # noqa: F401 (sets MLflow's defaults)

    MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()


def _digest(home: Path, options: dict[str, Any]) -> str:
    """Return a digest of the data, the config and the arguments of a training."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    for path in sorted(path for path in home.rglob("*") if path.is_file() and path.name != "mlflow.db"):
        digest.update(str(path.relative_to(home)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _copy_training(source: Path, target: Path) -> None:
    """Copy a training's folder over the folder that it is asked for, and name that folder in its files."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    old, new = str(source), str(target)
    for path in target.rglob("*"):
        if path.is_file() and path.suffix not in _BINARY and old.encode() in (content := path.read_bytes()):
            path.write_bytes(content.replace(old.encode(), new.encode()))
    with closing(sqlite3.connect(target / "mlflow.db")) as store, store:
        for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for column in (row[1] for row in store.execute(f'PRAGMA table_info("{table}")').fetchall()):
                store.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)',
                    (old, new, old),
                )


class _Writer(pickle.Pickler):
    """Writes a result. Paths are noted as relative to its folder.

    Tables of a closed DuckDB session and the contents of caches are left out.
    """

    def __init__(self, file: Any, home: Path) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.home = str(home)

    def persistent_id(self, obj: Any) -> tuple[str, str] | None:
        import ibis

        if isinstance(obj, ibis.Table):
            return "closed", ""
        if isinstance(obj, WeakKeyDictionary):
            return "cache", ""
        if isinstance(obj, (str, Path)) and str(obj).startswith(self.home):
            return "text" if isinstance(obj, str) else "path", str(obj).removeprefix(self.home).removeprefix("/")
        return None


class _Reader(pickle.Unpickler):
    """Reads a result as if it had been trained in another folder."""

    def __init__(self, path: Path, new: Path) -> None:
        super().__init__(io.BytesIO(path.read_bytes()))
        self.new = new

    def persistent_load(self, pid: tuple[str, str]) -> Any:
        kind, rest = pid
        if kind == "closed":
            return None
        if kind == "cache":
            return WeakKeyDictionary()
        path = self.new / rest
        return str(path) if kind == "text" else path
