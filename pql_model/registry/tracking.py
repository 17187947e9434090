"""The one door to MLflow: runs, registered models, aliases. SQLite beside the config unless told otherwise."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import ColSpec, DataType, Schema

from pql_model.atomic import atomic_write
from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.decide.nearest import AGE
from pql_model.errors import DataError, ModelNotFoundError, PqlError
from pql_model.file_lock import file_lock
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.learner import Trial
from pql_model.registry.history import CHAMPIONS_TAG, Version, previous, promoted, read_champions, version_of
from pql_model.statistics.estimate import Estimate
from pql_model.time import iso, now

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_PLACE = "pql.logged_from"
"""Tag of a run: the folder and machine that log it, as a digest. Who holds that folder's lock knows the others are dead."""
_CODE = Path(__file__).with_name("pyfunc.py")


@dataclass(frozen=True)
class Registered:
    """A version of a registered model."""

    name: str
    version: str
    run_id: str
    model: FittedModel


@dataclass(frozen=True)
class Logged:
    """A finished run with its model, not registered yet."""

    run_id: str
    model_uri: str
    model: FittedModel


@dataclass(frozen=True)
class Record:
    """Everything one training leaves behind."""

    params: dict[str, Any]
    trials: Sequence[Trial]
    metrics: dict[str, Estimate]
    numbers: dict[str, float]
    tags: dict[str, str]
    files: dict[str, Path]


class Tracking:
    """MLflow for one product.

    Parameters
    ----------
    config
        Names the experiment and the registered model.
    uri
        Tracking server; default: `MLFLOW_TRACKING_URI`, else `mlflow.db` beside the config.
    """

    def __init__(self, config: Config, uri: str | None = None) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.name = config.name
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{config.home / 'mlflow.db'}"
        self._lock = config.home / ".pql" / "registry.lock"
        place = f"{platform.node()}:{self._lock.resolve()}"
        self._place = hashlib.sha256(place.encode()).hexdigest()[:16]
        try:
            _make_store(self.uri)
            self.client = MlflowClient(self.uri, self.uri)
            self.experiment_id = self._experiment(config)
        except MlflowException as error:
            raise PqlError(
                f"MLflow cannot be used: {error}", received=self.uri, remedy="check MLFLOW_TRACKING_URI"
            ) from error

    def _experiment(self, config: Config) -> str:
        found = self.client.get_experiment_by_name(config.name)
        if found is None:
            place = (config.home / "mlruns").as_uri() if self.uri.startswith("sqlite") else None
            try:
                return str(self.client.create_experiment(config.name, artifact_location=place))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # that is: another training was quicker
                    raise
                found = self.client.get_experiment_by_name(config.name)
        return str(found.experiment_id)

    @contextmanager
    def alone(self, waiting: Callable[[], object]) -> Iterator[None]:
        """Nobody else registers or promotes from this folder meanwhile; `waiting` is called once if somebody does now.

        What the gate has compared with is then still the champion when the aliases change. Machines that share a
        tracking server but not the folder do not see this lock.
        """
        with file_lock(self._lock, waiting):
            yield

    def log(self, model: FittedModel, record: Record) -> Logged:
        """Log a finished run with all its files and its model; nothing is registered yet. Only while `alone`."""
        self._close_dead_runs()
        with self._as_default(), self._run() as run_id:
            mlflow.log_params(record.params)
            mlflow.set_tags(record.tags)
            mlflow.log_metrics(record.numbers)
            mlflow.log_metrics({f"{n}{end}": v for n, e in record.metrics.items() for end, v in _ends(e) if v == v})
            for folder, path in record.files.items():
                put = mlflow.log_artifacts if path.is_dir() else mlflow.log_artifact  # a folder: what is in it
                put(str(path), artifact_path=folder if folder != "." else None)
            self._log_trials(run_id, record.trials)
            return Logged(run_id, self._log_model(model).model_uri, model)

    def register(self, logged: Logged, tags: dict[str, str]) -> Registered:
        """Make a version of a logged model, whole and with all its tags at once, and the challenger."""
        with self._as_default():
            self._ensure_registered_model()
            made = self.client.create_model_version(
                self.name, logged.model_uri, logged.run_id, tags={"run_id": logged.run_id, **tags}
            )
        version = str(made.version)
        self.client.set_registered_model_alias(self.name, CHALLENGER, version)
        return Registered(self.name, version, logged.run_id, logged.model)

    def _close_dead_runs(self) -> None:
        """Runs that were being logged from here when their process was killed would be running for ever."""
        query = f"tags.`{_PLACE}` = '{self._place}' and attributes.status = 'RUNNING'"
        for run in self.client.search_runs([self.experiment_id], query):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def _log_model(self, model: FittedModel) -> Any:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # MLflow asks for type hints and examples that a feature table does not have
            model.save(Path(folder) / "model")
            return mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_CODE),
                artifacts={"model": str(Path(folder) / "model")},
                signature=_signature(model),
                pip_requirements=["pql-model"],
            )

    def _ensure_registered_model(self) -> None:
        try:
            self.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _log_trials(self, run_id: str, trials: Sequence[Trial]) -> None:
        for trial in trials:
            child = self.client.create_run(
                self.experiment_id,
                run_name=f"trial {trial.number}",
                tags={"mlflow.parentRunId": run_id, _PLACE: self._place},
            )
            for key, value in trial.params.items():
                self.client.log_param(child.info.run_id, key, value)
            if trial.score is not None:
                self.client.log_metric(child.info.run_id, "fold_roc_auc", trial.score)
            self.client.set_terminated(child.info.run_id, "FINISHED" if trial.state == "complete" else "KILLED")

    def promote(self, version: str, by: str = "auto") -> None:
        """Make a version the champion, then note when and `by` what. Only while `alone`.

        The alias comes first: a history that ends with another version than the champion mends itself.
        """
        before, champions = self.champion(), self._champions()
        self.client.set_registered_model_alias(self.name, CHAMPION, version)
        history = json.dumps(promoted(champions, before, version))
        self.client.set_registered_model_tag(self.name, CHAMPIONS_TAG, history)
        instant = iso(now())
        self.client.set_model_version_tag(self.name, version, "promoted_at", instant)
        self.client.set_model_version_tag(self.name, version, "promoted_by", by)
        if "rolled_back_at" in self.client.get_model_version(self.name, version).tags:
            self.client.delete_model_version_tag(self.name, version, "rolled_back_at")
        if by == "rollback" and before is not None:
            self.client.set_model_version_tag(self.name, before, "rolled_back_at", instant)

    def champion(self) -> str | None:
        """The champion's version, without loading it."""
        return self._aliases().get(CHAMPION)

    def versions(self) -> list[Version]:
        """Every version of the registered model, the newest first."""
        if self._registered_model() is None:
            return []
        found = sorted(self._all_versions(), key=lambda version: -int(version.version))
        aliases = self._aliases()
        before = previous(self._champions(), aliases.get(CHAMPION), {str(version.version) for version in found})
        pointing = [*aliases.items(), *([(PREVIOUS, before)] if before else [])]
        return [
            version_of(
                str(v.version),
                v.creation_timestamp,
                v.run_id,
                v.tags,
                sorted(alias for alias, version in pointing if version == str(v.version)),
            )
            for v in found
        ]

    def _all_versions(self) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{self.name}'", page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _registered_model(self) -> Any:
        try:
            return self.client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _aliases(self) -> dict[str, str]:
        model = self._registered_model()
        return {alias: str(version) for alias, version in model.aliases.items()} if model is not None else {}

    def _champions(self) -> list[str]:
        model = self._registered_model()
        return read_champions(model.tags.get(CHAMPIONS_TAG)) if model is not None else []

    def find(self, alias: str = CHAMPION) -> Registered | None:
        """The model an alias (or a version number) points to, or None.

        Raises
        ------
        DataError
            If there is one, but its files cannot be read.
        """
        try:
            if alias.isdigit():
                found = self.client.get_model_version(self.name, alias)
            else:
                found = self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException:  # no such model or alias: MLflow has no other way to say so
            return None
        try:
            with self._as_default(), tempfile.TemporaryDirectory() as folder:
                local = Path(mlflow.artifacts.download_artifacts(artifact_uri=found.source, dst_path=folder))
                model = FittedModel.load(local / "artifacts" / "model")
        except (DataError, MlflowException, OSError) as error:
            raise DataError(
                f"The files of version {found.version} of the model `{self.name}` cannot be read: {error}",
                received=found.source,
                remedy="restore them, or choose another version: `pql models` lists them",
            ) from error
        return Registered(self.name, str(found.version), str(found.run_id or found.tags.get("run_id", "")), model)

    def get(self, alias: str = CHAMPION) -> Registered:
        """The model an alias or version points to.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        """
        found = self.find(alias)
        if found is None:
            raise ModelNotFoundError(
                f"There is no {alias} of the model `{self.name}`",
                received=self.uri,
                remedy="train with `pql train`; a model that is not ready is not promoted, `--model challenger` scores with it all the same",
            )
        return found

    def predict(self, registered: Registered, table: pd.DataFrame) -> pd.DataFrame:
        """Scored rows of a feature table by the stored pyfunc, loaded as anybody with MLflow loads it.

        Parameters
        ----------
        table
            Every column that the model or its decisions read.

        Raises
        ------
        DataError
            If it cannot be loaded, or refuses the table.
        """
        with self._as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this package is not the one it was stored with
            try:
                model = mlflow.pyfunc.load_model(f"models:/{registered.name}/{registered.version}")
                rows: pd.DataFrame = model.predict(_signed(model).conform(table))
            except (MlflowException, OSError) as error:
                raise DataError(
                    f"MLflow cannot score with version {registered.version} of the model `{registered.name}`: {error}",
                    remedy="restore its files, or choose another version: `pql models` lists them",
                ) from error
        return rows

    def read(self, run_id: str, name: str) -> bytes | None:
        """A file of a run as it was logged; None if the run has none of this name."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(self.client.download_artifacts(run_id, name, folder)).read_bytes()
            except (MlflowException, OSError):
                return None

    @contextmanager
    def _as_default(self) -> Iterator[None]:
        """Point MLflow's global state here, and back afterwards."""
        kept = {key: os.environ.get(key) for key in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
        mlflow.set_tracking_uri(self.uri)  # also sets the environment, which another product must not inherit
        mlflow.set_registry_uri(self.uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(kept["MLFLOW_TRACKING_URI"])
            mlflow.set_registry_uri(kept["MLFLOW_REGISTRY_URI"])
            for key, value in kept.items():
                if value is None:
                    os.environ.pop(key, None)

    @contextmanager
    def _run(self) -> Iterator[str]:
        """A new run, or the one that `mlflow run` has opened for us."""
        given = os.environ.get("MLFLOW_RUN_ID")
        where = None if given else self.experiment_id
        with mlflow.start_run(run_id=given, experiment_id=where, tags={_PLACE: self._place}) as run:
            yield str(run.info.run_id)


def _make_store(uri: str) -> None:
    """Make a new SQLite store whole or not at all, once: MLflow's own steps cannot be taken up when one was broken off."""
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or "?" in uri or path.exists():
        return
    with file_lock(path.parent / ".pql" / "store.lock", lambda: None):
        if not path.exists():
            atomic_write(path, lambda at: MlflowClient(f"sqlite:///{at}", f"sqlite:///{at}").search_experiments())


def _ends(estimate: Estimate) -> list[tuple[str, float]]:
    return [("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)]


def _signature(model: FittedModel) -> ModelSignature:
    """Every column optional: a missing value and a missing column mean the same. MLflow drops what it does not name."""
    named = {"entity": "string", "as_of": "long"}
    named |= {c.name: "string" if c.kind == "category" else "double" for c in _columns(model)}
    return ModelSignature(inputs=Schema([ColSpec(kind, name, required=False) for name, kind in named.items()]))


def _columns(model: FittedModel) -> list[ModelColumn]:
    """What the model reads, then what only its decisions read, and its words: they ask how old an entity is."""
    conditions = Decider.of_facts(model.facts).conditions
    also = {c.column: ModelColumn(c.column, "number") for c in conditions} | {AGE: ModelColumn(AGE, "feature")}
    own = {c.name: c for c in model.manifest.columns}
    # What a condition reads as a text comes as one: as a number, 007 would be 7 and true 1 for it. The model reads its number.
    texts = {c.column: ModelColumn(c.column, "category") for c in conditions if c.reads_text}
    return list({**own, **{name: column for name, column in also.items() if name not in own}, **texts}.values())


def _signed(model: mlflow.pyfunc.PyFuncModel) -> Manifest:
    """The columns of a stored model, texts or numbers as its signature has them."""
    inputs = model.metadata.get_input_schema().inputs
    return Manifest(
        tuple(
            ModelColumn(column.name, "category" if column.type == DataType.string else "number")
            for column in inputs
            if column.name not in ("entity", "as_of")
        )
    )
