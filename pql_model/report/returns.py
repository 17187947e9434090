"""What a list of leads brings in a week: how many leads, wins and how much value, for a rule and for the model's best list."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, Outcomes, evaluate_definition, leads_per_week
from pql_model.outreach.sample_size import entities_needed
from pql_model.payload import select_attributes, to_payload
from pql_model.statistics.estimate import Estimate, wilson

SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Shares of all rows, best first, that the table of list sizes shows."""
_MOST_WHOLE, _STEP = 60, 1.08
_RESAMPLES, _SEED = 2_000, 0
_HELD_OUT = (0.1, 0.5)


def weekly_return(mask: np.ndarray, outcomes: Outcomes) -> dict[str, Any]:
    """The leads of a rule and what they bring, as JSON.

    Parameters
    ----------
    mask : array of bool, shape (rows,)
        Whether each row meets the rule.
    outcomes : Outcomes
        Rows of one period.

    Returns
    -------
    dict
        `entities, conversions, rate, recall, leads_per_week, wins_per_week, value_per_week`. Wins are leads times their rate;
        their interval is that of the rate, at the mean number of leads. Value is None where no value is known, or fewer
        than five conversions have one.

    Examples
    --------
    >>> from pql_model.time import DAY
    >>> days = np.arange(280) // 10 * DAY + 4 * DAY  # ten rows a day, from a Monday on
    >>> outcomes = Outcomes(np.arange(280), days, days, np.arange(280) % 5 == 0)
    >>> found = weekly_return(np.arange(280) % 10 == 0, outcomes)
    >>> found["leads_per_week"]["value"], found["rate"]["value"], found["wins_per_week"]["value"], found["recall"]["value"]
    (7.0, 1.0, 7.0, 0.5)
    """
    metrics, value = evaluate_definition(mask, outcomes), _value_of_a_lead(np.asarray(mask, bool), outcomes)
    leads = metrics.leads_per_week.value
    return {
        "entities": metrics.qualified,
        **select_attributes(metrics, "conversions", "rate", "recall", "leads_per_week", digits=6),
        "wins_per_week": _scaled(metrics.rate.to_dict(), leads),
        "value_per_week": _scaled(value.to_dict(), leads) if value is not None else None,
    }


def at_capacity(weekly: Mapping[str, Any], leads: float) -> dict[str, Any]:
    """What a rule brings where only so many of its leads a week can be worked; which of them is left to chance.

    Examples
    --------
    >>> rate = {"value": 0.2, "low": 0.1, "high": 0.3}
    >>> found = at_capacity({"leads_per_week": {"value": 40.0}, "rate": rate, "recall": rate}, 10.0)
    >>> found["leads_per_week"], found["wins_per_week"]["value"], found["recall"]["value"]
    (10.0, 2.0, 0.05)
    """
    own = weekly["leads_per_week"]["value"]
    worked = min(own, leads)
    return {
        "leads_per_week": round(worked, 6),
        "rate": weekly["rate"],
        "wins_per_week": _scaled(weekly["rate"], worked),
        "recall": _scaled(weekly["recall"], worked / own if own else 0.0),
    }


def frontier(outcomes: Outcomes) -> list[dict[str, Any]]:
    """The model's own best lists: outcomes of its best rows, for every number of leads a week.

    Returns
    -------
    list of dict
        `share, leads_per_week, entities, conversions, rate`, from the smallest list to everybody: every whole number of
        leads a week up to 60, then steps of 8 %, and the shares of `SHARES`. Empty without probabilities or a whole week.
    """
    everybody = leads_per_week(np.ones(len(outcomes), bool), outcomes).value if len(outcomes) else math.nan
    if outcomes.probability is None or not everybody > 0:
        return []
    caught = np.cumsum(outcomes.converted[np.argsort(-outcomes.probability, kind="stable")])
    sizes = {max(1, round(share * len(outcomes))) for share in SHARES}
    sizes |= {max(1, int(share * len(outcomes) + 1e-9)) for share in _capacities(everybody)}  # never above the number
    points = []
    for size in sorted(sizes):
        share = size / len(outcomes)
        points.append(
            {
                "share": round(share, 6),
                "leads_per_week": round(share * everybody, 4),
                "entities": size,
                "conversions": int(caught[size - 1]),
                "rate": wilson(int(caught[size - 1]), size).to_dict(6),
            }
        )
    return points


def on_frontier(points: list[dict[str, Any]], leads: float, conversions: int) -> dict[str, Any] | None:
    """The model's list of at most so many leads a week.

    Parameters
    ----------
    conversions
        Of all rows.
    """
    within = [point for point in points if point["leads_per_week"] <= leads + 1e-6] or points[:1]
    if not within:
        return None
    best = within[-1]
    return {
        "leads_per_week": best["leads_per_week"],
        "rate": best["rate"],
        "wins_per_week": _scaled(best["rate"], best["leads_per_week"]),
        "recall": wilson(best["conversions"], conversions).to_dict(6),
    }


def experiment(weekly: Mapping[str, Any]) -> dict[str, Any] | None:
    """How long it takes to see whether contact makes a difference, with the leads of a rule.

    Parameters
    ----------
    weekly
        See `weekly_return`.

    Returns
    -------
    dict or None
        `rate` of the leads today, `raised` (half as many again), and `plans`: for a hold-out of one in ten and of half of the
        leads, how many must qualify until that rise is seen 8 times in 10, and how many weeks that takes. None without a rate
        or a whole week.

    Examples
    --------
    >>> found = experiment({"rate": {"value": 0.2}, "leads_per_week": {"value": 50.0}})
    >>> found["raised"], [(plan["share"], plan["leads"], plan["weeks"]) for plan in found["plans"]]
    (0.3, [(0.1, 1630, 33), (0.5, 587, 12)])
    """
    rate, leads = weekly["rate"]["value"], weekly["leads_per_week"]["value"]
    if not rate or not leads or rate >= 1:
        return None
    raised = round(min(1.5 * rate, 1.0), 6)
    plans = []
    for share in _HELD_OUT:
        needed = entities_needed(rate, raised - rate, share)
        plans.append({"share": share, "leads": needed, "weeks": math.ceil(needed / leads)})
    return {"rate": rate, "raised": raised, "plans": plans}


def _capacities(everybody: float) -> list[float]:
    """Shares that make a whole number of leads a week, then larger and larger steps."""
    leads = [float(whole) for whole in range(1, _MOST_WHOLE + 1)]
    while leads[-1] * _STEP < everybody:
        leads.append(leads[-1] * _STEP)
    return [number / everybody for number in leads if number <= everybody]


def _value_of_a_lead(mask: np.ndarray, outcomes: Outcomes) -> Estimate | None:
    """Mean value of the rows that meet a rule, those that do not convert included; percentile bootstrap (Efron 1979).

    The value of a conversion without one is the mean of the others.
    """
    if outcomes.value is None:
        return None
    values = outcomes.value[mask & outcomes.converted]
    known = values[~np.isnan(values)]
    if len(known) < LEAST_CONVERSIONS:
        return None
    values = np.where(np.isnan(values), known.mean(), values)
    rng = np.random.default_rng(_SEED)
    rows = int(mask.sum())
    counts = rng.binomial(rows, len(values) / rows, _RESAMPLES)
    totals = [rng.choice(values, count).sum() for count in counts]
    low, high = np.quantile(totals, [0.025, 0.975]) / rows
    return Estimate(float(values.sum() / rows), float(low), float(high))


def _scaled(estimate: Mapping[str, float | None], factor: float) -> dict[str, float | None]:
    numbers: dict[str, float | None] = to_payload(
        {end: None if value is None else value * factor for end, value in estimate.items()}, 6
    )
    return numbers
