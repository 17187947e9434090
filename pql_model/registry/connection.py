"""The connection to MLflow: which store, which experiment, how long to wait, and errors as sentences."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

import mlflow
import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pql_model.atomic import atomic_write
from pql_model.config.schema import Config
from pql_model.errors import PqlError
from pql_model.file_lock import file_lock

FIRST_CALL = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""A server that is down or hangs is reported within half a minute, before any work is done."""
LATER_CALLS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""A finished training is worth more patience, though not the four minutes of MLflow's own defaults."""
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""As opposed to the traces and prompts of language models, which MLflow's pages are made for otherwise."""
_URIS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
_DENIED = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")


class Connection:
    """The tracking store and the experiment of one product.

    Parameters
    ----------
    config : Config
        Names the experiment and the registered model.
    uri : str, optional
        Tracking server or database; default: `MLFLOW_TRACKING_URI`, else `mlflow.db` beside the config.

    Raises
    ------
    PqlError
        If the store cannot be reached or refuses access.
    """

    def __init__(self, config: Config, uri: str | None = None) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.name, self.entity, self.home = config.name, config.entity, config.home
        self.uri = uri or _default_uri(config)
        self._lock = config.home / ".pql" / "registry.lock"
        place = f"{platform.node()}:{self._lock.resolve()}"
        self.place = hashlib.sha256(place.encode()).hexdigest()[:16]
        if not is_server(self.uri):
            self.require_writable_home()
        with self.session(FIRST_CALL):
            make_store(self.uri)
            self.client = MlflowClient(self.uri, self.uri)
            self.experiment_id = self._experiment_id(config.home)

    def require_writable_home(self) -> None:
        """Refuse a folder in which nothing can be written, before hours of work are lost.

        Raises
        ------
        PqlError
            If it is read-only or full.
        """
        probe = self.home / ".pql" / f"probe-{os.getpid()}"
        try:
            probe.parent.mkdir(exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise PqlError(
                f"The folder of the config cannot be written: {error.strerror}",
                received=self.home,
                remedy="make it writable, or copy the config to a folder that is; relative paths start there",
            ) from error

    @contextmanager
    def exclusive(self, waiting: Callable[[], object]) -> Iterator[None]:
        """Let no other process register or promote from this folder; call `waiting` once if one does so now.

        The champion that the gate has compared with is then still the champion when the aliases change. Machines that
        share a tracking server but not the folder do not see this lock.
        """
        with file_lock(self._lock, waiting):
            yield

    @contextmanager
    def session(self, patience: Mapping[str, str] = LATER_CALLS) -> Iterator[None]:
        """Point MLflow's global state at this store, restore it afterwards, and turn its errors into `PqlError`.

        Parameters
        ----------
        patience : mapping of str to str
            MLflow's environment variables for retries and timeouts; those that the user has set are left alone.
        """
        before = {name: os.environ.get(name) for name in (*_URIS, *patience)}
        for name, value in patience.items():
            os.environ.setdefault(name, value)
        try:
            mlflow.set_tracking_uri(self.uri)  # also sets the environment, which another product must not inherit
            mlflow.set_registry_uri(self.uri)
            yield
        except (MlflowException, requests.RequestException) as error:
            raise _explained(error, self.uri, self.name) from error
        finally:
            mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])
            mlflow.set_registry_uri(before["MLFLOW_REGISTRY_URI"])
            for name, previous in before.items():
                if previous is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = previous

    def _experiment_id(self, home: Path) -> str:
        experiment = self.client.get_experiment_by_name(self.name)
        if experiment is None:
            # A server decides where artifacts go. A database does not, and MLflow would take the current directory.
            location = None if is_server(self.uri) else (home / "mlruns").as_uri()
            try:
                text = f"Which {self.entity}s of {self.name} will convert: one run per training, its trials inside."
                tags = {**_MODEL_TRAINING, "mlflow.note.content": text}
                return str(self.client.create_experiment(self.name, location, tags=tags))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another training was quicker
                    raise
                experiment = self.client.get_experiment_by_name(self.name)
        if experiment.lifecycle_stage == "deleted":
            raise PqlError(
                f"The MLflow experiment `{self.name}` was deleted",
                received=without_password(self.uri),
                remedy=f"restore it with `mlflow experiments restore --experiment-id {experiment.experiment_id}`, or choose another `name:`",
            )
        return str(experiment.experiment_id)


def _default_uri(config: Config) -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{config.home / 'mlflow.db'}"


def has_store(config: Config) -> bool:
    """Whether there may be models: false where the store is a SQLite file that nobody has made yet."""
    uri = _default_uri(config)
    return not uri.startswith("sqlite:///") or "?" in uri or Path(uri.removeprefix("sqlite:///")).exists()


def is_server(uri: str) -> bool:
    """Whether a tracking URI names a server, as opposed to a database or a folder."""
    return uri.startswith(("http:", "https:", "databricks"))


def without_password(uri: str) -> str:
    """A URI that can be shown.

    >>> without_password("postgresql://ann:secret@db/mlflow")
    'postgresql://ann:***@db/mlflow'
    """
    return re.sub(r"(://[^/@:]*:)[^/@]*@", r"\1***@", uri)


def make_store(uri: str) -> None:
    """Create a new SQLite store atomically and once: MLflow cannot resume its own migrations after a kill."""
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or "?" in uri or path.exists():
        return
    with file_lock(path.parent / ".pql" / "store.lock", lambda: None):
        if not path.exists():
            atomic_write(path, lambda at: MlflowClient(f"sqlite:///{at}", f"sqlite:///{at}").search_experiments())


def _explained(error: Exception, uri: str, name: str) -> PqlError:
    """The error as a sentence, with what to do about it."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or getattr(error, "error_code", None) in _DENIED:
        return PqlError(
            f"The MLflow server refuses access: {_first_line(error)}",
            received=without_password(uri),
            remedy="set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, to an account "
            f"that may edit the experiment and the registered model `{name}`",
        )
    if any(isinstance(cause, requests.ConnectionError | requests.Timeout) for cause in _causes(error)):
        return PqlError(
            "The MLflow server does not answer",
            received=without_password(uri),
            remedy="check MLFLOW_TRACKING_URI and that the server is running, then run the command again",
        )
    return PqlError(
        f"MLflow cannot be used: {_first_line(error)}",
        received=without_password(uri),
        remedy="check MLFLOW_TRACKING_URI",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
