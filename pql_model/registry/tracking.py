"""The only way to MLflow for the rest of the package: training runs and registered models of one product."""

from __future__ import annotations

from pql_model.registry.registered_models import CHALLENGER, CHAMPION, PREVIOUS, RegisteredModel, RegisteredModels
from pql_model.registry.runs import Dataset, LoggedRun, Runs, TrainingRecord

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PREVIOUS",
    "Dataset",
    "LoggedRun",
    "RegisteredModel",
    "Tracking",
    "TrainingRecord",
]


class Tracking(Runs, RegisteredModels):
    """MLflow for one product.

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
