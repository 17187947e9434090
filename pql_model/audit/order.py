"""Identifiers and row order: they describe nobody, so they should not predict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pql_model.audit.finding import ROW_ORDER, Finding, action_for
from pql_model.features.trait_columns import as_numbers
from pql_model.model.columns import as_texts
from pql_model.statistics.univariate_auc import corrected_z

LEAST_ORDER_AUC = 0.60
"""Threshold; an identifier that grows with time reaches 0.57 in a product whose rate drifts (ds365)."""
_STRATA, _PER_STRATUM, _SAME = 50, 2, 0.99


@dataclass(frozen=True)
class OrderAuc:
    """How well an order separates converters among entities that signed up at about the same time."""

    auc: float
    z: float

    def predicts(self, tried: int) -> bool:
        return self.auc >= LEAST_ORDER_AUC and self.z >= corrected_z(tried)


def order_auc(order: np.ndarray, y: np.ndarray, time: np.ndarray | None = None) -> OrderAuc:
    """ROC-AUC of an order within strata of sign-up time (van Elteren's test); without times, all rows form one stratum.

    An identifier that grows with sign-ups predicts as far as the conversion rate drifts. That is not a leak, and it
    vanishes within a stratum; rows sorted by their outcome stay sorted there.

    Examples
    --------
    >>> signed_up = np.arange(1000)
    >>> drift = signed_up * 37 % 100 < signed_up // 10
    >>> round(order_auc(signed_up, drift).auc, 2), round(order_auc(signed_up, drift, signed_up).auc, 2)
    (0.84, 0.52)
    """
    filled = ~np.isnan(order)
    order, y = order[filled], y[filled]
    strata = np.zeros(len(y), int)
    if time is not None and not np.isnan(time).all():
        groups = min(_STRATA, max(1, int(y.sum()) // _PER_STRATUM))
        strata = np.asarray(rankdata(np.nan_to_num(time[filled], nan=-1.0), method="average") * groups / (len(y) + 1))
        strata = strata.astype(int)
    won = pairs = variance = 0.0
    for stratum in np.unique(strata):
        position, converted = order[strata == stratum], y[strata == stratum]
        yes, no = int(converted.sum()), int((~converted).sum())
        won += float(rankdata(position)[converted].sum()) - yes * (yes + 1) / 2
        pairs += yes * no
        variance += yes * no * (yes + no + 1) / 12
    if not pairs:
        return OrderAuc(0.5, 0.0)
    return OrderAuc(max(won, pairs - won) / pairs, abs(won - pairs / 2) / float(np.sqrt(variance)))


def natural_order(column: pd.Series) -> np.ndarray:
    """Order of each value among the others: as a number, by its trailing number, or alphabetically.

    >>> natural_order(pd.Series(["acc-2", "acc-10", None])).tolist()
    [2.0, 10.0, nan]
    """
    texts = as_texts(column)
    filled = texts.notna().to_numpy()
    numbers = as_numbers(column)
    if not np.isnan(numbers[filled]).any():
        return numbers
    ends_in = as_numbers(texts.str.extract(r"(\d+)\D*$", expand=False))
    if not np.isnan(ends_in[filled]).any():
        return ends_in
    return np.asarray(texts.astype(object).rank(method="dense").astype(float))


def counts_up(numbers: np.ndarray, order: np.ndarray | None) -> bool:
    """Whether numbers form an identifier: integers, unique, and either dense or equal to the row order."""
    filled = ~np.isnan(numbers)
    values = numbers[filled]
    if len(values) < max(20, len(numbers) / 2) or (values % 1 != 0).any():
        return False
    if len(np.unique(values)) < len(values):
        return False
    if values.max() - values.min() < 3 * len(values):
        return True
    if order is None:
        return False
    return abs(float(np.corrcoef(rankdata(values), rankdata(order[filled]))[0, 1])) > _SAME


def judge_identifier(
    names: tuple[str, str],
    order: np.ndarray,
    y: np.ndarray,
    time: np.ndarray | None,
    tried: int,
    allowed: Collection[str],
) -> Finding | None:
    """Judge an identifier column: guilty if its order predicts."""
    found = order_auc(order, y, time)
    if not found.predicts(tried):
        return None
    reason = f"an identifier whose order predicts with ROC-AUC {found.auc:.3f}{_within_strata(time)}: it was assigned or sorted by the outcome"
    return Finding(names[0], "identifier", reason, found.auc, action_for(allowed, names))


def judge_row_order(order: np.ndarray, y: np.ndarray, time: np.ndarray | None, tried: int) -> Finding | None:
    """Judge the order of the rows in the file."""
    found = order_auc(order, y, time)
    if not found.predicts(tried):
        return None
    reason = (
        f"the order of the rows predicts with ROC-AUC {found.auc:.3f}{_within_strata(time)}: they are sorted by something that knows "
        "the outcome. Row order is not a feature, but a column that numbers the rows would be a leak"
    )
    return Finding(ROW_ORDER, "row_order", reason, found.auc, "named")


def judge_key(name: str, entities: pd.Series, y: np.ndarray, time: np.ndarray | None, tried: int) -> Finding | None:
    """Judge the ids of the entities themselves."""
    found = judge_identifier((name, name), natural_order(entities), y, time, tried, ())
    if found is None:
        return None
    return replace(
        found,
        reason=found.reason + ". The id is not a feature, but a column derived from it would be a leak",
        action="named",
    )


def _within_strata(time: np.ndarray | None) -> str:
    return "" if time is None else " among those who signed up at about the same time"
