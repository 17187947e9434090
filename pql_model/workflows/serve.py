"""The bundle and the checks that `pql serve` needs before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pql_model.config.schema import Config
from pql_model.serve.api_keys import ApiKeys
from pql_model.serve.bundle import Bundle, load_bundle
from pql_model.serve.settings import Settings


def bundle_to_serve(config: Config | str | Path, folder: str | Path | None = None) -> Bundle:
    """Load the bundle in a folder; without a folder, export the champion now.

    Raises
    ------
    DataError
        If the folder does not hold a valid bundle.
    """
    if folder is not None:
        return load_bundle(folder)
    from pql_model.workflows.export import export  # loads MLflow, which serving a folder does not need

    return export(config).bundle


def requires_key(environment: Mapping[str, str]) -> bool:
    """Test whether the service will require a key, and that its settings are valid before it starts.

    Raises
    ------
    DataError
        If a setting or a key is invalid.
    """
    settings = Settings.of_environment(environment)
    return ApiKeys(settings.keys, settings.keys_file).needed
