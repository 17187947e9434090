"""The one door to MLflow: runs, registered models, aliases. SQLite beside the config unless told otherwise."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import ColSpec, Schema

from pql_model.config.schema import Config
from pql_model.errors import ModelNotFoundError, PqlError
from pql_model.model.columns import Manifest
from pql_model.model.estimate import Estimate
from pql_model.model.fitted import FittedModel
from pql_model.model.tune import Trial

CHAMPION, CHALLENGER = "champion", "challenger"
_CODE = Path(__file__).with_name("pyfunc.py")


@dataclass(frozen=True)
class Registered:
    """A version of a registered model."""

    name: str
    version: str
    run_id: str
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
        try:
            self.client = MlflowClient(self.uri, self.uri)
            found = self.client.get_experiment_by_name(config.name)
            if found is None:
                local = self.uri.startswith("sqlite")
                place = (config.home / "mlruns").as_uri() if local else None
                self.experiment_id = self.client.create_experiment(config.name, artifact_location=place)
            else:
                self.experiment_id = found.experiment_id
        except MlflowException as error:
            raise PqlError(
                f"MLflow cannot be used: {error}", received=self.uri, remedy="check MLFLOW_TRACKING_URI"
            ) from error

    def log_training(self, model: FittedModel, record: Record) -> Registered:
        """Log a run with all its files, then register the model: a killed run leaves no version."""
        with self._as_default(), self._run() as run_id:
            mlflow.log_params(record.params)
            mlflow.set_tags(record.tags)
            mlflow.log_metrics(record.numbers)
            mlflow.log_metrics({f"{n}{end}": v for n, e in record.metrics.items() for end, v in _ends(e) if v == v})
            for folder, path in record.files.items():
                put = mlflow.log_artifacts if path.is_dir() else mlflow.log_artifact  # a folder: what is in it
                put(str(path), artifact_path=folder if folder != "." else None)
            self._log_trials(run_id, record.trials)
            info = self._log_model(model)
            version = self._register(info.model_uri, run_id)
        self.client.set_registered_model_alias(self.name, CHALLENGER, version)
        return Registered(self.name, str(version), run_id, model)

    def _log_model(self, model: FittedModel) -> Any:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # MLflow asks for type hints and examples that a feature table does not have
            model.save(Path(folder) / "model")
            return mlflow.pyfunc.log_model(
                name="model", python_model=str(_CODE), artifacts={"model": str(Path(folder) / "model")},
                signature=_signature(model.manifest), pip_requirements=["pql-model"],
            )  # fmt: skip

    def _register(self, model_uri: str, run_id: str) -> str:
        try:
            self.client.get_registered_model(self.name)
        except MlflowException:  # MLflow has no other way to say that there is none
            self.client.create_registered_model(self.name)
        return str(self.client.create_model_version(self.name, model_uri, run_id, tags={"run_id": run_id}).version)

    def _log_trials(self, run_id: str, trials: Sequence[Trial]) -> None:
        for trial in trials:
            child = self.client.create_run(
                self.experiment_id, run_name=f"trial {trial.number}", tags={"mlflow.parentRunId": run_id}
            )
            for key, value in trial.params.items():
                self.client.log_param(child.info.run_id, key, value)
            if trial.score is not None:
                self.client.log_metric(child.info.run_id, "fold_roc_auc", trial.score)
            self.client.set_terminated(child.info.run_id, "FINISHED" if trial.state == "complete" else "KILLED")

    def promote(self, version: str) -> None:
        """Make a version the champion."""
        self.client.set_registered_model_alias(self.name, CHAMPION, version)

    def find(self, alias: str = CHAMPION) -> Registered | None:
        """The model an alias (or a version number) points to, or None."""
        try:
            if alias.isdigit():
                found = self.client.get_model_version(self.name, alias)
            else:
                found = self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException:  # no such model or alias: MLflow has no other way to say so
            return None
        with self._as_default(), tempfile.TemporaryDirectory() as folder:
            local = Path(mlflow.artifacts.download_artifacts(artifact_uri=found.source, dst_path=folder))
            model = FittedModel.load(local / "artifacts" / "model")
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
                f"There is no {alias} of the model `{self.name}`", received=self.uri,
                remedy="train with `pql train`; a model that is not ready is not promoted, `--model challenger` scores with it all the same",
            )  # fmt: skip
        return found

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
        with mlflow.start_run(run_id=given, experiment_id=None if given else self.experiment_id) as run:
            yield str(run.info.run_id)


def _ends(estimate: Estimate) -> list[tuple[str, float]]:
    return [("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)]


def _signature(manifest: Manifest) -> ModelSignature:
    """Every column optional: a missing value and a missing column mean the same."""
    columns = [ColSpec("string", "entity", required=False), ColSpec("long", "as_of", required=False)]
    columns += [
        ColSpec("string" if c.kind == "category" else "double", c.name, required=False) for c in manifest.columns
    ]
    return ModelSignature(inputs=Schema(columns))
