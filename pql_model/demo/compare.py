"""Compare the results of a training with the planted truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.statistics.univariate_auc import roc_auc


@dataclass(frozen=True)
class TruthComparison:
    """Planted truth beside the results.

    Attributes
    ----------
    lines
        Each (subject, planted, found, agreement).
    """

    lines: tuple[tuple[str, str, str, bool], ...]

    def to_dict(self) -> list[dict[str, Any]]:
        return [{"what": w, "planted": p, "found": f, "agrees": ok} for w, p, f, ok in self.lines]


def compare(
    truth: dict[str, Any],
    predictions: pd.DataFrame,
    behaviours: Sequence[str],
    leaks: Sequence[str],
    set_aside: dict[str, int],
    criteria: Sequence[dict[str, Any]],
) -> TruthComparison:
    """Compare the results of a training with `truth.json`.

    Parameters
    ----------
    predictions
        entity, as_of, converted, probability of the test rows.
    behaviours
        Behaviours in descending order of strength.
    leaks
        Quarantined traits.
    criteria
        Conditions of the mined criteria: event, measure, window, operator, threshold.
    """
    lines = [_counts(truth["expected_set_aside"], set_aside), _leaks(truth["leaking_columns"], leaks)]
    lines += _ranking(truth["probabilities"], predictions)
    return TruthComparison((*lines, _behaviours(truth["criteria"], behaviours), _criteria(truth["criteria"], criteria)))


def _counts(expected: dict[str, int], counts: dict[str, int]) -> tuple[str, str, str, bool]:
    return (
        "unusable rows, by reason",
        _listed(expected),
        _listed(counts),
        {k: v for k, v in expected.items() if v} == counts,
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()) if count)


def _leaks(planted: Sequence[str], columns: Sequence[str]) -> tuple[str, str, str, bool]:
    return (
        "columns that know the outcome",
        ", ".join(sorted(planted)),
        ", ".join(sorted(columns)),
        sorted(planted) == sorted(columns),
    )


def _ranking(planted: dict[str, list[Any]], predictions: pd.DataFrame) -> list[tuple[str, str, str, bool]]:
    """The true probabilities set the ceiling: an honest model exceeds it only by chance."""
    true = pd.DataFrame(planted)
    true["as_of"] = pd.to_datetime(true["as_of"], utc=True).dt.as_unit("us")
    scored = predictions.assign(as_of=predictions["as_of"].dt.as_unit("us"))
    joined = scored.merge(true, on=["entity", "as_of"], suffixes=("", "_true"))
    y = joined["converted"].to_numpy(bool)
    ceiling, model_auc = roc_auc(joined["probability_true"].to_numpy(), y), roc_auc(joined["probability"].to_numpy(), y)
    mean_true, mean_found = joined["probability_true"].mean(), joined["probability"].mean()
    error = float(np.abs(joined["probability_true"] - joined["probability"]).mean())
    return [
        (
            "ROC-AUC on later accounts",
            f"{ceiling:.3f} (true probabilities)",
            f"{model_auc:.3f}",
            ceiling - 0.06 < model_auc < ceiling + 0.03,
        ),
        (
            "mean probability",
            f"{mean_true:.3f}",
            f"{mean_found:.3f} (mean distance {error:.3f})",
            bool(abs(mean_true - mean_found) < 0.03),
        ),
    ]


def _behaviours(criteria: Sequence[dict[str, Any]], behaviours: Sequence[str]) -> tuple[str, str, str, bool]:
    planted = list(dict.fromkeys("activity as a whole" if c["event"] == "any" else c["event"] for c in criteria))
    top = list(behaviours[: len(planted) + 2])
    return "behaviours that matter", ", ".join(planted), "strongest: " + ", ".join(top), set(planted) <= set(top)


def _criteria(planted: Sequence[dict[str, Any]], mined: Sequence[dict[str, Any]]) -> tuple[str, str, str, bool]:
    """Compare criteria about usage. With few accounts some may be missed, but none should be found that was not planted."""
    usage = [_condition_text(c) for c in mined if "event" in c]
    texts = [_condition_text(c) for c in planted]
    return "criteria", "; ".join(texts), "; ".join(usage) or "none", set(usage) == set(texts)


def _condition_text(c: dict[str, Any]) -> str:
    """Short text of a condition. At day 14, `first 14d` and `ever` are the same."""
    window = "" if c["window"] in ("ever", "first 14d", "last 14d") else f", {c['window']}"
    subject = c["measure"] if c["event"] == "any" else c["event"]
    return f"{subject} {c['operator']} {c['threshold']:g}{window}"
