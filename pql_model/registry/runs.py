"""Training runs in MLflow: parameters, metrics, data, files, the model, and one child run per tuning trial."""

from __future__ import annotations

import math
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import mlflow
import pandas as pd
from mlflow.entities import Metric, Param

from pql_model.model.artifact import FittedModel
from pql_model.model.learner import Trial
from pql_model.registry.connection import Connection
from pql_model.registry.packaging import input_example, log_model
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY

PLACE = "pql.logged_from"
"""Tag of a run: a digest of the folder and machine that log it. Whoever holds the folder's lock knows that every other
process that logged from there has ended."""
MONITORING = "pql.monitoring"
"""Tag of the run that holds what the monitor measured."""
_NAME, _DESCRIPTION, _PARENT = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId"
_GENERATED_NAME = re.compile(r"[a-z]+-[a-z]+-[0-9]+").fullmatch
_TRIAL_STATUS = {"complete": "FINISHED"}
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class LoggedRun:
    """A finished run with its model, which is not registered yet."""

    run_id: str
    model_id: str
    model: FittedModel


@dataclass(frozen=True)
class Dataset:
    """Rows that a model was trained or tested on. MLflow gets their schema, size and digest, never the rows.

    Attributes
    ----------
    rows : pandas.DataFrame
        A feature table with the column `converted`.
    source : str
        Where the data come from: a path or URI.
    """

    rows: pd.DataFrame
    source: str
    digest: str


@dataclass(frozen=True)
class TrainingRecord:
    """What a training logs.

    Attributes
    ----------
    run_name, description : str
        What MLflow's pages show first.
    params : mapping
        Group -> name -> value. MLflow gets `group/name`: `mlflow run` logs the parameters of an entry point without a
        group, so the two cannot collide.
    metrics : mapping
        Group -> name -> value; MLflow draws one section of charts per group. The ends of an `Estimate` form the group
        `interval`.
    datasets : mapping
        Context (`training`, `testing`) -> rows.
    files : pathlib.Path
        A folder.
    """

    run_name: str
    description: str
    params: Mapping[str, Mapping[str, object]]
    metrics: Mapping[str, Mapping[str, float | Estimate]]
    trials: Sequence[Trial]
    tags: Mapping[str, str]
    files: Path
    datasets: Mapping[str, Dataset] = field(default_factory=dict)


class Runs(Connection):
    """The training runs of one product."""

    def log(self, model: FittedModel, record: TrainingRecord) -> LoggedRun:
        """Log a finished run with its files and its model, without registering it. Requires `exclusive`."""
        with self.session():
            self._close_dead_runs()
            with self._training_run(record) as run_id:
                mlflow.log_params(_grouped(record.params))
                self._log_datasets(record.datasets)
                mlflow.log_artifacts(str(record.files))
                self._log_trials(run_id, record.trials)
                training = record.datasets.get("training")
                example = input_example(model, training.rows) if training is not None else None
                model_id = str(self._log_model(model, example).model_id)
                mlflow.log_metrics(_numbers(record.metrics), model_id=model_id)
                return LoggedRun(run_id, model_id, model)

    def read_file(self, run_id: str, name: str) -> bytes | None:
        """Read a file as a run logged it; None if the run has no file of this name."""
        with self.session(), tempfile.TemporaryDirectory() as folder:
            if name not in {file.path for file in self.client.list_artifacts(run_id)}:
                return None
            return Path(self.client.download_artifacts(run_id, name, folder)).read_bytes()

    def log_monitoring(self, as_of: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> str:
        """Log what the monitor measured: one run a product, with one point per metric and day of `as_of`.

        Parameters
        ----------
        as_of : int
            Microseconds. A look that is repeated adds no second point.
        metrics : mapping
            Name -> value; missing numbers are left out.
        tags : mapping
            Those of the newest look.

        Returns
        -------
        str
            The id of the run.
        """
        with self.session():
            query = f"tags.`{MONITORING}` = 'true'"
            runs = self.client.search_runs([self.experiment_id], query, max_results=1)
            if runs:
                run_id = str(runs[0].info.run_id)
            else:
                created = self.client.create_run(
                    self.experiment_id, run_name="monitor", tags={MONITORING: "true", PLACE: self.place}
                )
                run_id = str(created.info.run_id)
            step = as_of // DAY
            points = [
                Metric(name, value, as_of // 1000, step)
                for name, value in metrics.items()
                if math.isfinite(value) and not self._has_point(run_id, name, step, value)
            ]
            self.client.log_batch(run_id, metrics=points)
            for name, text in tags.items():
                self.client.set_tag(run_id, name, text)
            self.client.set_terminated(run_id)
            return run_id

    def _has_point(self, run_id: str, name: str, step: int, value: float) -> bool:
        history = self.client.get_metric_history(run_id, name)
        return any(point.step == step and point.value == value for point in history)

    def artifact_folders(self) -> dict[str, str]:
        """Find where the files of each training and of its model lie: id of the run or model -> URI."""
        with self.session():
            runs: list[Any] = []
            token: str | None = None
            while token != "":
                page = self.client.search_runs([self.experiment_id], page_token=token)
                runs += [run for run in page if _PARENT not in run.data.tags]
                token = page.token or ""
            return {run.info.run_id: run.info.artifact_uri for run in runs}

    _log_model = staticmethod(log_model)

    @contextmanager
    def _training_run(self, record: TrainingRecord) -> Iterator[str]:
        """Open a new run, or continue the one that `mlflow run` has opened."""
        tags = {PLACE: self.place, _NAME: record.run_name, _DESCRIPTION: record.description, **record.tags}
        project_run = os.environ.get("MLFLOW_RUN_ID")
        if project_run and not _GENERATED_NAME(self.client.get_run(project_run).info.run_name or ""):
            del tags[_NAME]  # the user's own `--run-name`
        with mlflow.start_run(
            run_id=project_run,
            experiment_id=None if project_run else self.experiment_id,
            nested=mlflow.active_run() is not None,
            tags=tags,
        ) as run:
            yield str(run.info.run_id)

    def _close_dead_runs(self) -> None:
        """Mark runs as killed that were being logged from here when their process was killed."""
        query = f"tags.`{PLACE}` = '{self.place}' and attributes.status = 'RUNNING'"
        for run in self.client.search_runs([self.experiment_id], query):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def _log_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        for context, data in datasets.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on whole numbers, which have no missing values
                logged = mlflow.data.from_pandas(
                    data.rows, data.source, targets="converted", name=f"{self.name} {context}", digest=data.digest
                )
                mlflow.log_input(logged, context=context)

    def _log_trials(self, run_id: str, trials: Sequence[Trial]) -> None:
        experiment = self.client.get_run(run_id).info.experiment_id
        for trial in trials:
            tags = {_PARENT: run_id, PLACE: self.place}
            child = self.client.create_run(experiment, run_name=f"trial {trial.number}", tags=tags)
            score = [] if trial.score is None else [Metric("fold/roc_auc", trial.score, child.info.start_time, 0)]
            params = [Param(name, str(value)) for name, value in _grouped({"model": trial.params}).items()]
            self.client.log_batch(child.info.run_id, metrics=score, params=params)
            self.client.set_terminated(child.info.run_id, _TRIAL_STATUS.get(trial.state, "KILLED"))


def _grouped(values: Mapping[str, Mapping[str, _Value]]) -> dict[str, _Value]:
    return {f"{group}/{name}": value for group, metrics in values.items() for name, value in metrics.items()}


def _numbers(metrics: Mapping[str, Mapping[str, float | Estimate]]) -> dict[str, float]:
    """Flatten metrics; missing numbers are left out, as MLflow cannot draw them."""
    numbers: dict[str, float] = {}
    for name, value in _grouped(metrics).items():
        if not isinstance(value, Estimate):
            numbers[name] = value
            continue
        numbers[name] = value.value
        group, metric = name.split("/", 1)
        if group == "test":
            numbers |= {f"interval/{metric}_low": value.low, f"interval/{metric}_high": value.high}
    return {name: number for name, number in numbers.items() if number == number}
