"""The leading reason of each alert, as the score log says it: the behaviour that raised the probability most."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

LOGGED = ("entity", "as_of", "model_version", "reasons")
"""The columns of the score log that are read."""


def leading_behaviours(batches: Iterable[pa.Table], leads: pd.DataFrame) -> np.ndarray:
    """Look up the leading behaviour of each alert; None where the log does not have it, or nothing raised the probability.

    Parameters
    ----------
    batches
        Parts of the score log with the columns `LOGGED`.
    leads
        entity, as_of (microseconds), model_version.
    """
    wanted = pa.array(leads["entity"].astype(str).unique(), pa.string())
    found: dict[tuple[str, int, str], str | None] = {}
    for batch in batches:
        rows = batch.select(list(LOGGED)).filter(pc.is_in(batch["entity"], value_set=wanted))
        as_of = rows["as_of"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        columns = (rows["entity"].to_pylist(), as_of, rows["model_version"].to_pylist(), rows["reasons"].to_pylist())
        for entity, at, version, reasons in zip(*columns, strict=True):
            found[entity, at, version] = leading(reasons)
    keys = zip(leads["entity"].astype(str), leads["as_of"].astype(np.int64), leads["model_version"], strict=True)
    return np.array([found.get(key) for key in keys], object)


def leading(reasons: str | None) -> str | None:
    """The behaviour that raised a probability most, from the JSON of a scored row; None where there is none.

    >>> leading('[{"behaviour": "Export Made", "sign": "-"}, {"behaviour": "Invite", "sign": "+"}]')
    'Invite'
    """
    try:
        listed: Any = json.loads(reasons or "[]")
    except ValueError:
        return None
    for reason in listed if isinstance(listed, list) else []:
        if isinstance(reason, dict) and reason.get("sign") == "+":
            return str(reason.get("behaviour"))
    return None
