"""What `pql serve` starts the service with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pql_model.config.schema import Config
from pql_model.serve.api_keys import ApiKeys
from pql_model.serve.bundle import Bundle, load_bundle
from pql_model.serve.settings import Settings


def bundle_to_serve(config: Config | str | Path, folder: str | Path | None = None) -> Bundle:
    """The bundle in a folder; without one the champion, exported now.

    Raises
    ------
    DataError
        If the folder holds no sound bundle.
    """
    if folder is not None:
        return load_bundle(folder)
    from pql_model.workflows.export import export  # loads MLflow, which who has a bundle need not wait for

    return export(config).bundle


def asks_for_key(environment: Mapping[str, str]) -> bool:
    """Whether the service will ask for a key; what it could not start with is said before it is started.

    Raises
    ------
    DataError
        If a setting or a key is none.
    """
    settings = Settings.of_environment(environment)
    return ApiKeys(settings.keys, settings.keys_file).needed
