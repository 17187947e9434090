"""The parts of a model that MLflow stores: the pyfunc, its code, requirements, signature and input example."""

from __future__ import annotations

import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, Schema

from pql_model.decide.decider import Decider
from pql_model.features.trait_columns import as_numbers
from pql_model.model.age_level import AGE
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import as_texts
from pql_model.model.conversion_value import VALUE_COLUMNS
from pql_model.time import iso

CODE = "pql_model.zip"
_PYFUNC = Path(__file__).with_name("pyfunc.py")
_PACKAGE = Path(__file__).parents[1]
_OUTPUTS = {
    **dict.fromkeys(("entity", "as_of"), AnyType()),
    **dict.fromkeys(("probability", "score", *VALUE_COLUMNS), "double"),
    "band": "string",
    "is_pql": "boolean",
    **dict.fromkeys(("usage", "fit", "timing"), "double"),
    **dict.fromkeys(("reasons", "criteria_met"), "string"),
    **dict.fromkeys(("meets_definition", "meets_in_force"), "boolean"),
    **dict.fromkeys(
        ("nearest_missing", "next_step", "contact", "contacts", "suppressed", "feature_set"),
        "string",
    ),
}
"""The columns of a scored row that a model gives without the memory of earlier runs."""
_REQUIRED = ("lightgbm", "mlflow", "numpy", "pandas", "pydantic", "scikit-learn", "scipy")
"""Packages that the stored code imports to score a table. This package is not among them: its code is stored with the model."""


def log_model(model: FittedModel, example: pd.DataFrame | None = None) -> Any:
    """Log the model with the active run.

    Parameters
    ----------
    model : FittedModel
    example : pandas.DataFrame, optional
        Rows of a feature table, stored as the input example; it must not show a real customer.

    Returns
    -------
    mlflow.models.model.ModelInfo
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks for type hints, which say less than the signature
        model.save(Path(folder) / "model")
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_PYFUNC),
            artifacts={"model": str(Path(folder) / "model")},
            code_paths=[str(_zip_code(Path(folder) / CODE))],
            signature=signature(model),
            input_example=example,
            pip_requirements=requirements(),
        )


def input_example(model: FittedModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Make one row of typical values, so that no real customer shows in the registry.

    Parameters
    ----------
    rows : pandas.DataFrame
        The training rows.

    Returns
    -------
    pandas.DataFrame
        The median of each number and the most frequent value of each category.
    """
    values: dict[str, object] = {"entity": "example", "as_of": iso(int(rows["as_of"].max()))}
    for column in model.manifest.columns:
        if column.kind == "category":
            values[column.name] = next(iter(as_texts(rows[column.name]).mode()), None)
        else:
            values[column.name] = float(np.nan_to_num(np.nanmedian(as_numbers(rows[column.name]))))
    return pd.DataFrame([values])


def _zip_code(path: Path) -> Path:
    """Pack this package's code: one file, as MLflow copies each file of a model to a server on its own."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in sorted(_PACKAGE.rglob("*.py")):
            archive.writestr(
                ZipInfo(str(file.relative_to(_PACKAGE.parent).as_posix())), file.read_bytes(), ZIP_DEFLATED
            )
    return path


def requirements() -> list[str]:
    """The packages a model needs: at least the version it was trained with, below the next major one."""
    versions = {name: version(name) for name in _REQUIRED}
    return [f"{name}>={number},<{int(number.split('.')[0]) + 1}" for name, number in versions.items()]


def signature(model: FittedModel) -> ModelSignature:
    """The columns that a table must have, and those it may have.

    MLflow's `double` refuses 64-bit integers and its `datetime` refuses time zones, so every column is of any type and
    is read as the library reads it. MLflow names the required columns that a table lacks, and drops unknown ones.
    """
    required = model.manifest.names
    decisions = [c.column for c in Decider.of_facts(model.facts).conditions]
    optional = [name for name in dict.fromkeys([*decisions, AGE]) if name not in required]
    columns = [(name, False) for name in ("entity", "as_of")]
    columns += [(name, True) for name in required] + [(name, False) for name in optional]
    inputs = Schema([ColSpec(AnyType(), name, required=is_required) for name, is_required in columns])
    return ModelSignature(inputs, Schema([ColSpec(kind, name, required=False) for name, kind in _OUTPUTS.items()]))
