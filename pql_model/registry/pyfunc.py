"""The code MLflow stores beside a model: it loads text and JSON, never a pickle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# MLflow stores this file beside the package's code. An installed package comes first: its data files are not in the zip.
sys.path.append(str(Path(__file__).parent / "code" / "pql_model.zip"))

import mlflow
import numpy as np
import pandas as pd

from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows
from pql_model.model.artifact import FittedModel


class PqlModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Turns a feature table into scored rows: as many, in the same order, under the same index."""

    def load_context(self, context: Any) -> None:
        self.model = FittedModel.load(Path(context.artifacts["model"]))
        self.decider = Decider.of_facts(self.model.facts)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        table = model_input.reset_index(drop=True)
        if "as_of" in table.columns:
            table["as_of"] = _microseconds(table["as_of"])
        rows = decided_rows(self.model, table, self.decider).rows.set_axis(model_input.index)
        return rows.assign(as_of=model_input["as_of"]) if "as_of" in rows.columns else rows


def _microseconds(column: pd.Series) -> pd.Series:
    """Instants as microseconds since the epoch; timestamps and texts without a time zone are UTC."""
    if pd.api.types.is_numeric_dtype(column) or column.isna().all():
        return column
    times = pd.to_datetime(column, utc=True).dt.tz_localize(None)
    return pd.Series(times.to_numpy("datetime64[us]").astype(np.int64), column.index).where(times.notna())


mlflow.models.set_model(PqlModel())
