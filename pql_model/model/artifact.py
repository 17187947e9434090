"""A fitted model as a folder of text and JSON, and the scored rows it gives."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
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

    Examples
    --------
    `pql_model.train(...).registered.model` is one. Made by hand, of a single trait:

    >>> from pql_model.model.booster import Params, fit_ensemble, training_data
    >>> from pql_model.model.calibrate import fit_calibration
    >>> from pql_model.model.columns import ModelColumn
    >>> manifest = Manifest((ModelColumn("trait.seats", "number"),))
    >>> table, converted = pd.DataFrame({"trait.seats": range(400)}), np.repeat([0.0, 1.0], 200)
    >>> X = manifest.matrix(table)
    >>> ensemble = fit_ensemble(training_data(X, converted, manifest.names, []), [Params(rounds=20)], seed=7)
    >>> calibration = fit_calibration(ensemble.margin(X), converted)
    >>> model = FittedModel(ensemble, calibration, manifest, reference_quantiles(np.array([0.2, 0.8])), {})
    >>> few, many = model.probability(table)[[5, 395]]
    >>> bool(few < 0.5 < many)
    True
    """

    ensemble: Ensemble
    calibration: Calibration
    manifest: Manifest
    reference: tuple[float, ...]
    facts: dict[str, Any]

    @cached_property
    def _quantiles(self) -> np.ndarray:
        return np.array(self.reference)

    def margin(self, table: pd.DataFrame) -> np.ndarray:
        """Log-odds before calibration, (rows,)."""
        return self.ensemble.margin(self.manifest.matrix(table))

    def probability(self, table: pd.DataFrame) -> np.ndarray:
        """Calibrated chance of conversion within the horizon, (rows,)."""
        return self.calibration.apply(self.margin(table))

    def score(self, probability: np.ndarray) -> np.ndarray:
        """Percentile of a probability in the reference population, 0-100."""
        low = np.searchsorted(self._quantiles, probability, side="left")
        high = np.searchsorted(self._quantiles, probability, side="right")
        return np.asarray(np.round(50.0 * (low + high) / len(self.reference), 1))

    def save(self, folder: Path) -> None:
        """Write the folder: LightGBM text and JSON only."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = {f"booster_{k}.txt": text for k, text in enumerate(self.ensemble.texts())}
        parts["manifest.json"] = _text(self.manifest.to_dict())
        parts["calibration.json"] = _text(self.calibration.to_dict())
        about = {
            "format": FORMAT,
            "boosters": len(self.ensemble.boosters),
            "reference": list(self.reference),
            "facts": self.facts,
            "sha256": {n: _digest(text.encode()) for n, text in parts.items()},
        }
        for name, text in {**parts, "model.json": _text(about)}.items():
            (folder / name).write_bytes(text.encode())

    @classmethod
    def load(cls, folder: Path) -> FittedModel:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the folder is not a whole model of this format, or a file of it was changed.
        """
        try:
            about = json.loads((folder / "model.json").read_bytes())
            if about.get("format") != FORMAT:
                raise DataError(
                    "This model has another format",
                    received=about.get("format"),
                    allowed=str(FORMAT),
                    remedy="export it again with this version",
                )
            parts = {name: _unchanged(folder / name, digest) for name, digest in about["sha256"].items()}
            return cls(
                ensemble=Ensemble.from_texts([parts[f"booster_{k}.txt"] for k in range(about["boosters"])]),
                calibration=Calibration.from_dict(json.loads(parts["calibration.json"])),
                manifest=Manifest.from_dict(json.loads(parts["manifest.json"])),
                reference=tuple(about["reference"]),
                facts=about["facts"],
            )
        except DataError:
            raise
        except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise DataError(
                f"This folder is no whole model: {error}", received=folder, remedy="export the model again"
            ) from error


def reference_quantiles(probability: np.ndarray) -> tuple[float, ...]:
    """The quantiles that a score is read from."""
    return tuple(float(q) for q in np.quantile(probability, np.linspace(0, 1, QUANTILES)))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unchanged(path: Path, digest: str) -> str:
    content = path.read_bytes()
    if _digest(content) != digest:
        raise DataError(
            "A file of this model was changed after it was saved", received=path, remedy="export the model again"
        )
    return content.decode()
