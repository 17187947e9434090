"""What `pql serve` starts the service with."""

from __future__ import annotations

from pathlib import Path

from pql_model.config.schema import Config
from pql_model.serve.bundle import Bundle, load_bundle


def bundle_to_serve(config: Config | str | Path, folder: str | Path | None = None) -> Bundle:
    """The bundle in a folder; without one the champion, exported now.

    Raises
    ------
    DataError
        If the folder holds no sound bundle.
    """
    if folder is not None:
        return load_bundle(folder)
    from pql_model.pipelines.export import export  # loads MLflow, which who has a bundle need not wait for

    return export(config).bundle
