"""The registered model of a product: its versions, the champion among them, and loading one."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from pql_model.errors import DataError, ModelNotFoundError, listed
from pql_model.model.artifact import FittedModel
from pql_model.registry.connection import Connection, without_password
from pql_model.registry.history import (
    CHAMPIONS_TAG,
    ModelVersion,
    champions_after,
    parse_champions,
    parse_version,
    previous_champion,
)
from pql_model.registry.runs import LoggedRun
from pql_model.time import SECOND, iso, now

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_NOT_FOUND = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""How MLflow reports a missing model or version, and a missing alias."""


@dataclass(frozen=True)
class RegisteredModel:
    """One version of a registered model."""

    name: str
    version: str
    run_id: str
    model: FittedModel


class RegisteredModels(Connection):
    """The versions of one product's model."""

    def register(self, logged: LoggedRun, tags: Mapping[str, str], description: str = "") -> RegisteredModel:
        """Create a version of a logged model with all its tags at once, and make it the challenger."""
        with self.session():
            self._ensure_registered_model()
            created = self.client.create_model_version(
                self.name,
                f"models:/{logged.model_id}",
                logged.run_id,
                tags=dict(tags),
                description=description or None,
                model_id=logged.model_id,  # a server refuses a source of this kind without it
            )
            version = str(created.version)
            self.client.set_registered_model_alias(self.name, CHALLENGER, version)
        return RegisteredModel(self.name, version, logged.run_id, logged.model)

    def promote(self, version: str, by: str = "auto") -> None:
        """Make a version the champion, then note when and `by` which mode. Requires `exclusive`.

        The alias comes first: a history that does not end with the champion repairs itself at the next promotion.
        """
        with self.session():
            before, champions = self._aliases().get(CHAMPION), self._champions()
            self.client.set_registered_model_alias(self.name, CHAMPION, version)
            history = json.dumps(champions_after(champions, before, version))
            self.client.set_registered_model_tag(self.name, CHAMPIONS_TAG, history)
            instant = iso(now() // SECOND * SECOND)
            self.client.set_model_version_tag(self.name, version, "promoted_at", instant)
            self.client.set_model_version_tag(self.name, version, "promoted_by", by)
            if "rolled_back_at" in self.client.get_model_version(self.name, version).tags:
                self.client.delete_model_version_tag(self.name, version, "rolled_back_at")
            if by == "rollback" and before is not None:
                self.client.set_model_version_tag(self.name, before, "rolled_back_at", instant)

    def champion(self) -> str | None:
        """Return the champion's version without loading it, or None."""
        with self.session():
            return self._aliases().get(CHAMPION)

    def versions(self) -> list[ModelVersion]:
        """List every version of the registered model, the newest first."""
        with self.session():
            if self._registered_model() is None:
                return []
            versions = sorted(self._all_versions(), key=lambda version: -int(version.version))
            aliases = self._aliases()
            existing = {str(version.version) for version in versions}
            before = previous_champion(self._champions(), aliases.get(CHAMPION), existing)
        pointing = [*aliases.items(), *([(PREVIOUS, before)] if before else [])]
        return [
            parse_version(
                str(v.version),
                v.creation_timestamp,
                v.run_id,
                v.tags,
                sorted(alias for alias, version in pointing if version == str(v.version)),
            )
            for v in versions
        ]

    def load(self, alias: str = CHAMPION) -> RegisteredModel:
        """Load the model that an alias points to, or a version.

        Parameters
        ----------
        alias : str
            `champion`, `challenger` or a version number.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        DataError
            If its files cannot be read.
        """
        registered = self.load_if_registered(alias)
        if registered is None:
            versions = [version.version for version in self.versions()]
            if alias != CHAMPION and versions:
                raise ModelNotFoundError(
                    f"There is no {alias} of the model `{self.name}`",
                    received=alias,
                    allowed=f"{CHAMPION}, {CHALLENGER}, or a version: {listed(versions)}",
                    remedy="`pql models` lists the versions",
                )
            raise ModelNotFoundError(
                f"There is no {alias} of the model `{self.name}`",
                received=without_password(self.uri),
                remedy="train with `pql train`; a model that is not ready is not promoted, but `--model challenger` scores with it",
            )
        return registered

    def load_if_registered(self, alias: str = CHAMPION) -> RegisteredModel | None:
        """Load the model that an alias points to, or a version; None if there is no such alias or version.

        Raises
        ------
        DataError
            If its files cannot be read.
        """
        with self.session():
            version = self._version(alias)
            if version is None:
                return None
            try:
                with tempfile.TemporaryDirectory() as folder:
                    # Not the code that is stored with it.
                    uri = f"models:/{self.name}/{version.version}/artifacts/model"
                    model = FittedModel.load(Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)))
            except (DataError, MlflowException, OSError) as error:
                raise DataError(
                    f"The files of version {version.version} of the model `{self.name}` cannot be read: {' '.join(str(error).split())}",
                    received=version.source,
                    remedy="restore them, or choose another version: `pql models` lists them",
                ) from error
        return RegisteredModel(self.name, str(version.version), str(version.run_id), model)

    def predict(self, registered: RegisteredModel, table: pd.DataFrame) -> pd.DataFrame:
        """Score a feature table by the stored pyfunc, loaded as anybody with MLflow loads it.

        Raises
        ------
        DataError
            If the pyfunc cannot be loaded, or refuses the table.
        """
        with self.session(), _unchanged_import_path(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow compares the installed versions with those of the training
            try:
                model = mlflow.pyfunc.load_model(f"models:/{registered.name}/{registered.version}")
                rows: pd.DataFrame = model.predict(table)
            except (MlflowException, OSError) as error:
                raise DataError(
                    f"MLflow cannot score with version {registered.version} of the model `{registered.name}`: {' '.join(str(error).split())}",
                    remedy="restore its files, or choose another version: `pql models` lists them",
                ) from error
        return rows

    def _ensure_registered_model(self) -> None:
        text = (
            f"The chance that each {self.entity} of {self.name} converts, with reasons. Load the model in use with "
            f"`mlflow.pyfunc.load_model('models:/{self.name}@{CHAMPION}')` and give it a feature table."
        )
        try:
            self.client.create_registered_model(self.name, description=text)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _version(self, alias: str) -> Any:
        try:
            if alias.isdigit():
                return self.client.get_model_version(self.name, alias)
            return self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            if error.error_code not in _NOT_FOUND:
                raise
            return None

    def _all_versions(self) -> list[Any]:
        versions: list[Any] = []
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{self.name}'", page_token=token)
            versions += page
            token = page.token
            if not token:
                return versions

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
        return parse_champions(model.tags.get(CHAMPIONS_TAG)) if model is not None else []


@contextmanager
def _unchanged_import_path() -> Iterator[None]:
    """MLflow puts the code stored with a model before all other code, for good: later imports here must not find it."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
