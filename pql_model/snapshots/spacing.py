"""Looks at the same entity that share no outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.time import Duration


def non_overlapping(frame: pd.DataFrame, horizon: Duration) -> np.ndarray:
    """Positions of snapshots of which no two of one entity are less than the horizon apart, the first of each included.

    No conversion is then counted twice, and which look is taken never depends on what came after it.

    >>> looks = pd.DataFrame({"entity": ["a", "a", "a", "b"], "as_of": [0, 5, 12, 3]})
    >>> apart(looks, Duration(10)).tolist()
    [0, 2, 3]
    """
    entity, as_of = pd.factorize(frame["entity"])[0], frame["as_of"].to_numpy(np.int64)
    free_from: dict[int, int] = {}
    kept = []
    for i in np.lexsort((as_of, entity)):
        if as_of[i] >= free_from.get(int(entity[i]), as_of[i]):
            kept.append(int(i))
            free_from[int(entity[i])] = int(as_of[i]) + horizon.us
    return np.sort(np.array(kept, dtype=np.intp))
