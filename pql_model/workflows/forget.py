"""`pql forget ENTITY`: remove what pql has written about one entity, and about its users, from the files it has written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.state_file import state_path
from pql_model.errors import DataError, PqlError, listed
from pql_model.file_lock import file_lock
from pql_model.privacy.formats import Match
from pql_model.privacy.log_rows import LogRows
from pql_model.privacy.places import Place, find_places
from pql_model.privacy.subject import Subject
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Tracking
from pql_model.score_log.store import log_folder, log_table_of
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.files import paths_of
from pql_model.sources.id_forms import read_entity_id
from pql_model.sources.ids_of_entity import ids_of_entity
from pql_model.sources.read import read_sources

_WAITING = "A scoring run in this folder is in progress; waiting for it."
_WITH_IDS = "test_predictions.parquet and explorer_rows.parquet"


@dataclass(frozen=True)
class ForgottenPlace:
    """A place that holds, or held, rows of the entity."""

    path: str
    kind: str
    match: Match

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "kind": self.kind, "rows": self.match.rows, "cleared": self.match.cleared}


@dataclass(frozen=True)
class ForgetResult:
    """What was removed, or would be, and what was not touched.

    Attributes
    ----------
    entities, users
        The ids that were searched for.
    places
        Files and tables that held rows of the entity, and rows of others that named its users.
    not_reached
        Places that pql has written and this command cannot change.
    sources
        The company's own tables, which are never changed.
    notes
        Remarks, one sentence each.
    """

    entities: tuple[str, ...]
    users: tuple[str, ...]
    dry_run: bool
    places: tuple[ForgottenPlace, ...]
    not_reached: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql forget --json` prints."""
        return {
            "entities": list(self.entities),
            "users": list(self.users),
            "dry_run": self.dry_run,
            "rows": sum(place.match.rows for place in self.places),
            "cleared": sum(place.match.cleared for place in self.places),
            "places": [place.to_dict() for place in self.places],
            "not_reached": list(self.not_reached),
            "sources": list(self.sources),
            "notes": list(self.notes),
        }


def forget(
    config: Config | str | Path,
    entity: str,
    *,
    also: Sequence[str | Path] = (),
    dry_run: bool = False,
    listener: Listener | None = None,
) -> ForgetResult:
    """Remove one entity from everything that pql has written, beside the config and in the score log.

    Its rows are removed, and its users are cleared from the contacts of other rows. Each file is replaced atomically, so
    that the command can be killed and run again. The company's own tables are not changed: as long as they hold the entity,
    the next run reads it again.

    Parameters
    ----------
    config : Config or path
    entity : str
        Id of an entity, read as in the tables, or of a user.
    also : sequence of paths, optional
        Files and folders elsewhere that pql has written to: an output of `-o`, the score log of a service.
    dry_run : bool, optional
        Count and change nothing.
    listener : Listener, optional
        Receives progress.

    Raises
    ------
    DataError
        If nothing that pql has written holds the entity, or a file cannot be read.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> rows = pql_model.score(folder / "pql.yaml", as_of="2025-11-20").rows
    >>> result = forget(folder / "pql.yaml", rows["entity"][0])
    >>> "scores.parquet" in {Path(place.path).name for place in result.places}
    True
    """
    config = config if isinstance(config, Config) else load_config(config)
    _refuse_missing(also)
    stages = Stages(listener)
    with file_lock(state_path(config.home, config.name).with_suffix(".lock"), lambda: stages.listener.say(_WAITING)):
        with stages("find the files"):
            sources = _source_files(config)
            folders, of_mlflow = _mlflow_folders(config)
            not_reached = [*of_mlflow, *_sync_receivers(config)]
            places = _places(config, [*folders, *map(Path, also)], sources)
        with stages("find the ids"):
            subject, notes = _subject(config, entity, places)
        with stages("count"):
            found = [(place, place.content.count(subject)) for place in places]
        found = [(place, match) for place, match in found if match]
        if not found:
            raise _nothing_found(config, entity, not_reached)
        if not dry_run:
            with stages("remove"):
                # The users are cleared before the rows that name them are removed: a run after a kill finds them again.
                for clears_only in (True, False):
                    for place, match in found:
                        if match.cleared or not clears_only:
                            place.content.forget(subject, rows=not clears_only)
    return ForgetResult(
        tuple(sorted(subject.entities)),
        tuple(sorted(subject.users)),
        dry_run,
        tuple(ForgottenPlace(str(place.path), place.kind, match) for place, match in found),
        tuple(not_reached),
        tuple(_source_names(config)),
        tuple(notes),
    )


# ---------------------------------------------------------------- where


def _places(config: Config, more: Sequence[Path], sources: Sequence[Path]) -> list[Place]:
    folder = log_folder(config)
    roots = [config.home, *([folder] if folder is not None else []), *more]
    targets = [config.home / path for target in config.sync if (path := getattr(target, "path", None))]
    outputs = [file for path in targets for file in path.parent.glob(path.name.replace("{as_of}", "*"))]
    places = list(find_places([*roots, *outputs], sources))
    table = log_table_of(config)
    if table is not None:
        places.append(Place(Path(table.name), "score log table", LogRows(table)))
    return places


def _sync_receivers(config: Config) -> list[str]:
    """Where targets of `sync:` have brought rows to; a file of ours is a place, what was imported from it is not."""
    words = {
        "table": "rows in the table `{0.table}`",
        "hubspot": "what HubSpot imported from `{0.path}`",
        "salesforce": "what Salesforce imported from `{0.path}`",
        "webhook": "messages that its receiver has stored",
        "slack": "messages in Slack",
        "notify": "notifications",
    }
    return [f"sync target `{t.name}`: {words[t.kind].format(t)}" for t in config.sync if t.kind in words]


def _source_tables(config: Config) -> list[str]:
    more = [getattr(config, key, None) for key in ("members", "aliases", "history", "feedback", "stages")]
    dated = [feature.table for feature in config.features if getattr(feature, "table", None)]
    specs = [config.entities, config.conversions, *config.events, *(spec for spec in more if spec is not None)]
    return [*(spec.table for spec in specs), *dated]


def _source_names(config: Config) -> list[str]:
    return list(dict.fromkeys(_source_tables(config)))


def _source_files(config: Config) -> list[Path]:
    files: list[Path] = []
    for table in _source_names(config):
        try:
            files += [Path(path) for path in paths_of(table, config.home, config.connection)]
        except DataError:  # a table that is gone is not in the way
            continue
    return files


def _mlflow_folders(config: Config) -> tuple[list[Path], list[str]]:
    """Folders of this machine in which MLflow keeps the files of trainings, and the places that cannot be reached."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (config.home / "mlflow.db").exists():
        return [], []
    try:
        folders = Tracking(config).artifact_folders()
    except PqlError as error:
        return [], [f"the files of MLflow's runs ({_WITH_IDS} of each): {error}"]
    local = {run: _local(uri) for run, uri in folders.items()}
    remote = [f"{_WITH_IDS} of the MLflow run {run}, in {folders[run]}" for run, path in local.items() if path is None]
    return [path for path in local.values() if path is not None and path.exists()], remote


def _local(uri: str) -> Path | None:
    parts = urlparse(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri) if not parts.scheme else None


def _refuse_missing(also: Sequence[str | Path]) -> None:
    missing = [str(path) for path in also if not Path(path).exists()]
    if missing:
        raise DataError(
            "There is no such file or folder", received=listed(missing), remedy="correct `--also`, or leave it out"
        )


# ---------------------------------------------------------------- whom


def _subject(config: Config, entity: str, places: Sequence[Place]) -> tuple[Subject, list[str]]:
    """The ids of the entity and of its users, from the files and from the source tables."""
    ids = {entity.strip(), read_entity_id(entity, config.normalise) or entity.strip()}
    named = {user for place in places for user in place.content.users(Subject(frozenset(ids)))}
    notes: list[str] = []
    try:
        with open_session() as con:
            sources = read_sources(con, config, may_lack_conversions=True)
            people = ids_of_entity(config, sources, sorted(ids), named)
        ids, named = people.entities, people.users
    except PqlError as error:
        notes.append(f"The source tables cannot be read, so users are known only from the files: {error}")
    return Subject(frozenset(ids), frozenset(ids | named)), notes


def _nothing_found(config: Config, entity: str, not_reached: Sequence[str]) -> DataError:
    beside = f"; {listed(not_reached, 2)} cannot be searched" if not_reached else ""
    return DataError(
        f"Nothing that pql has written holds `{entity}`{beside}",
        received=entity,
        allowed=f"an id of the {config.entity}s or of a user, as in your tables; ids are case-sensitive",
        remedy="correct the id, or name outputs that lie elsewhere with `--also`",
    )
