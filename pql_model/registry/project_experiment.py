"""Tell `mlflow run` which experiment a training belongs to: the product's, not `Default`.

`mlflow run` opens the run before our command starts, and a run cannot move to another experiment afterwards. MLflow asks
the plugins in the entry point group `mlflow.default_experiment_provider` for the experiment if the user names none.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = "name: pql_model"
"""The first line of our `MLproject`."""


class ProjectExperiment:
    """MLflow's interface of a provider: `in_context`, then `get_experiment_id`."""

    def in_context(self) -> bool:
        """Return whether this process is `mlflow run` with our `MLproject`."""
        return config_path(sys.argv) is not None

    def get_experiment_id(self) -> str:
        """Return the id of the product's experiment, which is created if need be."""
        import mlflow

        from pql_model.config.load import load_config
        from pql_model.registry.connection import Connection

        return Connection(load_config(config_path(sys.argv) or ""), mlflow.get_tracking_uri()).experiment_id


def config_path(arguments: Sequence[str]) -> Path | None:
    """Return the config that a command line of `mlflow run` names; None for any other command.

    >>> config_path(["mlflow", "ui"])
    """
    program = Path(arguments[0])  # `mlflow`, or `mlflow/__main__.py` of `python -m mlflow`
    if len(arguments) < 3 or "mlflow" not in (program.stem, program.parent.name) or arguments[1] != "run":
        return None
    for folder in map(Path, arguments[2:]):
        project = folder / "MLproject"
        if project.is_file() and project.read_text(encoding="utf-8").startswith(PROJECT):
            paths = [value.split("=", 1)[1] for value in arguments if value.startswith(("config=", "-Pconfig="))]
            return folder / (paths[-1] if paths else "pql.yaml")
    return None
