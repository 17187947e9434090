"""How often the leads of a team would have converted, had it worked the test period with its capacity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pql_model.config.policy_settings import Capacity
from pql_model.statistics.estimate import Estimate, wilson


def precision_within_capacity(frame: pd.DataFrame, probability: np.ndarray, capacity: Capacity) -> Estimate:
    """Conversion rate of the best `leads` entities of each `per` of the test period.

    Periods follow each other from the first snapshot on. An entity is a lead once, at its best snapshot of the period, and
    never again. Between equal probabilities a hash of the entity decides.

    Parameters
    ----------
    frame : pandas.DataFrame
        entity, as_of (microseconds), converted (0 or 1), one row per test snapshot.
    probability : numpy.ndarray
        Of each row, (rows,).
    capacity : Capacity
        Of the policy.

    Returns
    -------
    Estimate
        Conversions per lead with Wilson's interval: every lead is another entity. NaN without rows.

    Examples
    --------
    >>> from pql_model.config.policy_settings import Capacity
    >>> frame = pd.DataFrame({"entity": list("aab"), "as_of": [0, 1, 1], "converted": [1, 1, 0]})
    >>> precision_within_capacity(frame, np.array([0.9, 0.8, 0.1]), Capacity(leads=1, per="1d")).value
    1.0
    """
    leads = worked_leads(frame, probability, capacity)
    return wilson(int(frame["converted"].to_numpy()[leads].sum()), len(leads))


def worked_leads(frame: pd.DataFrame, probability: np.ndarray, capacity: Capacity) -> np.ndarray:
    """Return the positions of the rows that would have been leads, in the order in which they were worked."""
    at = frame["as_of"].to_numpy(np.int64)
    period = (at - at.min()) // capacity.per.us if len(at) else at
    entity, known = pd.factorize(frame["entity"])
    tie = pd.util.hash_array(np.asarray(known, dtype=object))[entity] if len(known) else entity
    order = np.lexsort((tie, -np.asarray(probability), period))
    ends = np.flatnonzero(np.diff(period[order])) + 1
    was_lead, leads = np.zeros(len(known), bool), []
    for rows in np.split(order, ends):
        fresh = rows[~was_lead[entity[rows]]]
        first = np.sort(np.unique(entity[fresh], return_index=True)[1])[: capacity.leads]
        was_lead[entity[fresh[first]]] = True
        leads.append(fresh[first])
    return np.concatenate(leads)
