"""The code MLflow stores beside a model: it loads text and JSON, never a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows
from pql_model.model.artifact import FittedModel


class PqlModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Takes a feature table, gives scored rows."""

    def load_context(self, context: Any) -> None:
        self.model = FittedModel.load(Path(context.artifacts["model"]))
        self.decider = Decider.of_facts(self.model.facts)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        # Optional columns that a caller leaves out are missing values, not errors: MLflow's signature says so.
        table = model_input.reindex(columns=list(dict.fromkeys([*model_input.columns, *self.model.manifest.names])))
        return decided_rows(self.model, table, self.decider).rows


mlflow.models.set_model(PqlModel())
