"""Snapshots of the same entity whose outcomes do not overlap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.time import Duration


def non_overlapping(frame: pd.DataFrame, horizon: Duration) -> np.ndarray:
    """Pick snapshots so that those of one entity are at least the horizon apart, starting with its first.

    No conversion is then counted twice, and the choice of a snapshot never depends on later ones.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns entity and as_of.
    horizon : Duration
        The least distance.

    Returns
    -------
    numpy.ndarray
        Positions of the rows, ascending.

    Examples
    --------
    >>> snapshots = pd.DataFrame({"entity": ["a", "a", "a", "b"], "as_of": [0, 5, 12, 3]})
    >>> non_overlapping(snapshots, Duration(10)).tolist()
    [0, 2, 3]
    """
    entity, as_of = pd.factorize(frame["entity"])[0], frame["as_of"].to_numpy(np.int64)
    free_from: dict[int, int] = {}
    positions = []
    for i in np.lexsort((as_of, entity)):
        if as_of[i] >= free_from.get(int(entity[i]), as_of[i]):
            positions.append(int(i))
            free_from[int(entity[i])] = int(as_of[i]) + horizon.us
    return np.sort(np.array(positions, dtype=np.intp))
