"""A fitted model: columns, learner and calibration, saved as a folder of text and JSON."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model.errors import DataError
from pql_model.model.age_level import AGE_LEVEL_FILE, AgeLevel, LevelledPredictor
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest
from pql_model.model.learner import Predictor
from pql_model.model.learners import RESERVED, learner_named
from pql_model.time import Duration, parse_instant

FORMAT = 3
REFIT = "refit"
"""Key in the facts of a model: the rows that it was refitted on, and its level."""
QUANTILES = 1001
_TESTED = "tested"


@dataclass(frozen=True)
class FittedModel:
    """A fitted learner, its calibration and the columns it reads.

    Attributes
    ----------
    predictor
        The fitted learner: margins and contributions.
    learner
        The name of the learner that reads the predictor back.
    reference
        1,001 quantiles of the probability in the reference population (the test period); they turn a
        probability into a score.
    facts
        Facts about the model for its readers: name, horizon, training period, training rows.
    tested
        The model whose test figures these are, where this one was refitted on all rows with a final outcome.
    answers
        The same quantiles of what this very model answers on the test period, where it was refitted on it: equal inputs give
        equal probabilities, so that only a change of the inputs moves them. Empty: those of `reference`.

    Examples
    --------
    `pql_model.train(...).registered.model` is a fitted model. One made by hand, of a single trait:

    >>> from pql_model.model.calibrate import fit_calibration
    >>> from pql_model.model.columns import ModelColumn
    >>> from pql_model.model.learner import TrainingRows
    >>> from pql_model.model.lightgbm_learner import LightGBM
    >>> manifest = Manifest((ModelColumn("trait.seats", "number"),))
    >>> table, converted = pd.DataFrame({"trait.seats": range(400)}), np.repeat([0.0, 1.0], 200)
    >>> X = manifest.matrix(table)
    >>> predictor = LightGBM().fit(TrainingRows(X, converted, manifest))
    >>> calibration = fit_calibration(predictor.margin(X), converted)
    >>> model = FittedModel(predictor, calibration, manifest, reference_quantiles(np.array([0.2, 0.8])), {})
    >>> few, many = model.probability(table)[[5, 395]]
    >>> bool(few < 0.5 < many)
    True
    """

    predictor: Predictor
    calibration: Calibration
    manifest: Manifest
    reference: tuple[float, ...]
    facts: dict[str, Any]
    learner: str = "lightgbm"
    tested: FittedModel | None = None
    answers: tuple[float, ...] = ()

    @property
    def held_back(self) -> FittedModel:
        """The model that has not learnt from the test period: to explain or compare on its rows."""
        return self.tested if self.tested is not None else self

    @property
    def learnt_until(self) -> int | None:
        """The end of the outcomes that it has learnt from; None for a model without this fact.

        What it says of an instant from then on is a prediction. Of an earlier one it may have seen the outcome.
        """
        if REFIT in self.facts:
            return parse_instant(self.facts[REFIT]["to"]) + Duration.parse(self.facts["horizon"]).us
        until = self.facts.get("labels_until")
        return int(until) if until is not None else None

    @cached_property
    def _quantiles(self) -> np.ndarray:
        return np.array(self.reference)

    @property
    def level_error(self) -> float:
        """Standard error of the level of the probabilities, as a share of it."""
        if REFIT in self.facts:
            return float(self.facts[REFIT]["level"]["relative_error"])
        return 1 / math.sqrt(max(1, self.facts.get("train", {}).get("converting_entities", 1)))

    def margin(self, table: pd.DataFrame) -> np.ndarray:
        """Return the log-odds before calibration, (rows,)."""
        return self.predictor.margin(self.manifest.matrix(table))

    def probability(self, table: pd.DataFrame) -> np.ndarray:
        """Return the calibrated probability of conversion within the horizon, (rows,)."""
        return self.calibration.apply(self.margin(table))

    def score(self, probability: np.ndarray) -> np.ndarray:
        """Return the percentile of a probability in the reference population, 0-100."""
        low = np.searchsorted(self._quantiles, probability, side="left")
        high = np.searchsorted(self._quantiles, probability, side="right")
        return np.asarray(np.round(50.0 * (low + high) / len(self.reference), 1))

    def save(self, folder: Path) -> None:
        """Write the folder: text and JSON only."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = dict(self.predictor.save())
        parts["manifest.json"] = _text(self.manifest.to_dict())
        parts["calibration.json"] = _text(self.calibration.to_dict())
        about = {
            "format": FORMAT,
            "learner": self.learner,
            "reference": list(self.reference),
            "answers": list(self.answers),
            "facts": self.facts,
            "sha256": {n: _digest(text.encode()) for n, text in parts.items()},
        }
        for name, text in {**parts, "model.json": _text(about)}.items():
            (folder / name).write_bytes(text.encode())
        if self.tested is not None:
            self.tested.save(folder / _TESTED)

    @classmethod
    def load(cls, folder: Path) -> FittedModel:
        """Read a folder that `save` wrote.

        Raises
        ------
        DataError
            If the folder does not hold a complete model of this format, or a file of it was changed.
        LearnerError
            If its learner is not registered here.
        """
        try:
            about = json.loads((folder / "model.json").read_bytes())
            if about.get("format") != FORMAT:
                raise DataError(
                    "This model has a different format",
                    received=about.get("format"),
                    allowed=str(FORMAT),
                    remedy="train it again with this version",
                )
            parts = {name: _unchanged(folder, name, digest) for name, digest in about["sha256"].items()}
            own = {name: text for name, text in parts.items() if name not in RESERVED}
            predictor = learner_named(str(about["learner"])).load(own)
            if AGE_LEVEL_FILE in parts:
                level = AgeLevel.from_dict(json.loads(parts[AGE_LEVEL_FILE]))
                predictor = LevelledPredictor(predictor, level)
            return cls(
                predictor=predictor,
                learner=str(about["learner"]),
                calibration=Calibration.from_dict(json.loads(parts["calibration.json"])),
                manifest=Manifest.from_dict(json.loads(parts["manifest.json"])),
                reference=tuple(about["reference"]),
                answers=tuple(about["answers"]),
                facts=about["facts"],
                tested=cls.load(folder / _TESTED) if (folder / _TESTED).is_dir() else None,
            )
        except DataError:
            raise
        except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise DataError(
                f"This folder does not hold a complete model: {error}",
                received=folder,
                remedy="export the model again",
            ) from error


def require_fact(facts: Mapping[str, Any], key: str) -> Any:
    """Return a fact of a model.

    Raises
    ------
    DataError
        If the model does not have it.
    """
    if key not in facts:
        raise DataError(f"This model has no `{key}` among its facts", remedy="train it with this version of pql")
    return facts[key]


def reference_quantiles(probability: np.ndarray) -> tuple[float, ...]:
    """Return the quantiles that scores are read from."""
    return tuple(float(q) for q in np.quantile(probability, np.linspace(0, 1, QUANTILES)))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unchanged(folder: Path, name: str, digest: str) -> str:
    path = folder / Path(name).name  # a name must not lead out of the folder
    content = path.read_bytes()
    if _digest(content) != digest:
        raise DataError(
            "A file of this model was changed after it was saved", received=path, remedy="export the model again"
        )
    return content.decode()
