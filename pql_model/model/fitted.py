"""A fitted model as a folder of text and JSON, and the scored rows it gives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model.errors import DataError
from pql_model.model.booster import Ensemble
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest

FORMAT = 1
QUANTILES = 1001


@dataclass(frozen=True)
class FittedModel:
    """Boosters, calibration and the columns they read.

    Attributes
    ----------
    reference
        1,001 quantiles of the probability in the reference population (the test period); they turn a
        probability into a score.
    facts
        What a reader of the folder wants to know: name, horizon, when it was trained, on what.
    """

    ensemble: Ensemble
    calibration: Calibration
    manifest: Manifest
    reference: tuple[float, ...]
    facts: dict[str, Any]

    def margin(self, table: pd.DataFrame) -> np.ndarray:
        """Log-odds before calibration, (rows,)."""
        return self.ensemble.margin(self.manifest.matrix(table))

    def probability(self, table: pd.DataFrame) -> np.ndarray:
        """Calibrated chance of conversion within the horizon, (rows,)."""
        return self.calibration.apply(self.margin(table))

    def score(self, probability: np.ndarray) -> np.ndarray:
        """Percentile of a probability in the reference population, 0-100."""
        low = np.searchsorted(self.reference, probability, side="left")
        high = np.searchsorted(self.reference, probability, side="right")
        return np.asarray(np.round(50.0 * (low + high) / len(self.reference), 1))

    def save(self, folder: Path) -> None:
        """Write the folder: LightGBM text and JSON only."""
        folder.mkdir(parents=True, exist_ok=True)
        for k, text in enumerate(self.ensemble.texts()):
            (folder / f"booster_{k}.txt").write_text(text, encoding="utf-8")
        _write(folder / "manifest.json", self.manifest.as_json())
        _write(folder / "calibration.json", self.calibration.as_json())
        _write(folder / "model.json", {"format": FORMAT, "boosters": len(self.ensemble.boosters),
                                       "reference": list(self.reference), "facts": self.facts})  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> FittedModel:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the folder is not a whole model of this format.
        """
        try:
            about = _read(folder / "model.json")
            if about.get("format") != FORMAT:
                raise DataError("This model has another format", received=about.get("format"), allowed=str(FORMAT),
                                remedy="export it again with this version")  # fmt: skip
            texts = [(folder / f"booster_{k}.txt").read_text(encoding="utf-8") for k in range(about["boosters"])]
            return cls(
                ensemble=Ensemble.from_texts(texts),
                calibration=Calibration.from_json(_read(folder / "calibration.json")),
                manifest=Manifest.from_json(_read(folder / "manifest.json")),
                reference=tuple(about["reference"]),
                facts=about["facts"],
            )
        except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
            raise DataError(
                f"This folder is no whole model: {error}", received=folder, remedy="export the model again"
            ) from error


def reference_quantiles(probability: np.ndarray) -> tuple[float, ...]:
    """The quantiles that a score is read from."""
    return tuple(float(q) for q in np.quantile(probability, np.linspace(0, 1, QUANTILES)))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded
