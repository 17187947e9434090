"""A growth object as the pipeline makes it, from a simulated table: every number follows from the same 20,000 rows."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Definition
from pql_model.criteria.definition_metrics import Outcomes, compare_definitions, evaluate_definition
from pql_model.criteria.evaluate import definition_features
from pql_model.model.columns import ModelColumn
from pql_model.report.changes import changes
from pql_model.report.cohort_counts import monthly_counts
from pql_model.report.fit_rates import fit_by_usage, trait_rates
from pql_model.report.near_misses import near_misses
from pql_model.report.returns import at_capacity, experiment, frontier, on_frontier, weekly_return
from pql_model.statistics.estimate import wilson
from pql_model.time import DAY, iso, parse_instant, week_of

MONDAY = parse_instant("2026-01-05")
CANARIES = ("canary-account-4711", "canary@example.com", "canary-corp.example")
_WEEKS, _LATER_FROM = 26, 18

# event, group in words, mean count, weight, thresholds of the explorer's criteria
_BEHAVIOURS = (
    ("Board Created", "first 7d", 2.4, 0.9, (3, 4, 5, 6, 8)),
    ("Teammate Invited", "first 7d", 0.9, 0.8, (1, 2, 3, 4)),
    ("Automation Created", "first 14d", 0.6, 0.7, (1, 2, 3)),
    ("Comment Posted", "last 7d", 4.0, 0.2, (5, 10, 15)),
    ("Card Exported", "last 7d", 0.8, 0.3, (1, 2, 6)),
    ("Integration Connected", "first 14d", 0.3, 0.5, (1, 2)),
    ("Pricing Viewed", "last 7d", 0.4, 0.6, (1, 2, 3)),
    ("Template Used", "first 7d", 1.1, 0.0, (1, 2, 3)),
    ("File Shared", "last 14d", 1.0, 0.1, (1, 2, 3, 5)),
)
_MINED = (
    "Board Created:5",
    "Automation Created:2",
    "Teammate Invited:2",
    "Pricing Viewed:1",
    "Card Exported:2",
    "Integration Connected:1",
)


@cache
def simulated(rows: int = 20_000, seed: int = 7) -> pd.DataFrame:
    """One row an account: counts of each behaviour, whether it converted, and a model's probability."""
    random = np.random.default_rng(seed)
    keen = random.gamma(2.0, 0.5, rows)
    table = pd.DataFrame({"entity": [f"w{at:06}" for at in range(rows)]})
    table.loc[0, "entity"] = CANARIES[0]
    table["email"], table["domain"] = CANARIES[1], CANARIES[2]
    table["begins"] = MONDAY + random.integers(0, _WEEKS * 7 * DAY, rows)
    table["as_of"] = table["begins"] + 14 * DAY
    table["period"] = np.where(table["begins"] < MONDAY + _LATER_FROM * 7 * DAY, "earlier", "later")
    margin = np.full(rows, -4.0)
    for event, _, mean, weight, thresholds in _BEHAVIOURS:
        table[event] = random.poisson(mean * keen)
        margin += weight * (table[event].to_numpy() >= thresholds[len(thresholds) // 2])
    planted = (table["Board Created"] >= 5) & (table["Automation Created"] >= 2)
    margin += 1.1 * planted.to_numpy()
    table["probability"] = 1 / (1 + np.exp(-margin))
    table["converted"] = random.random(rows) < table["probability"]
    table["value"] = np.where(table["converted"], random.lognormal(4.0, 0.5, rows), np.nan)
    size = np.digitize(random.random(rows) + 0.15 * table["converted"], [0.3, 0.7, 0.95])
    table["size"] = np.array(["1-10", "11-50", "51-200", "201+"], object)[size]
    table["country"] = np.array([f"country {k}" for k in range(40)], object)[
        random.geometric(0.12, rows).clip(max=40) - 1
    ]
    return table


def condition(event: str, threshold: int) -> dict[str, Any]:
    window = next(b[1] for b in _BEHAVIOURS if b[0] == event)
    return {"event": event, "measure": "count", "window": window, "operator": ">=", "threshold": threshold}


def _words(event: str, threshold: int) -> str:
    kind, days = condition(event, threshold)["window"].split()
    return f"at least {threshold} `{event}` in the {kind} {days[:-1]} days"


@cache
def _offered() -> tuple[tuple[str, str, int], ...]:
    """Id, event and threshold of the explorer's criteria."""
    mined = [(event, int(at)) for event, at in (name.split(":") for name in _MINED)]
    others = [(b[0], at) for b in _BEHAVIOURS for at in b[4] if (b[0], at) not in mined]
    return tuple((f"c{place + 1}", event, at) for place, (event, at) in enumerate([*mined, *others]))


CHIPS = (
    *((f"s{at}", "size", value) for at, value in enumerate(("1-10", "11-50", "51-200", "201+"))),
    *((f"l{at}", "country", f"country {at}") for at in range(5)),
)


def explorer_criteria() -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "text": _words(event, at),
            "short": f"{at} or more",
            "group": event,
            "control": "slider",
            "conditions": [condition(event, at)],
        }
        for name, event, at in sorted(_offered(), key=lambda one: ([b[0] for b in _BEHAVIOURS].index(one[1]), one[2]))
    ] + [
        {
            "id": name,
            "text": f"`{trait}` is {value}",
            "short": value,
            "group": trait,
            "control": "chips",
            "conditions": [{"trait": trait, "in": [value]}],
        }
        for name, trait, value in CHIPS
    ]


def bits_of(table: pd.DataFrame) -> pd.DataFrame:
    """What the pipeline writes as explorer.parquet."""
    bits = table[["entity", "as_of", "begins", "period", "converted"]].copy()
    for name, event, at in _offered():
        bits[name] = (table[event] >= at).to_numpy()
    for name, trait, value in CHIPS:
        bits[name] = (table[trait] == value).to_numpy()
    bits["in_force"] = (table["Teammate Invited"] >= 2).to_numpy()
    return bits


def bits() -> pd.DataFrame:
    return bits_of(simulated())


def outcomes(table: pd.DataFrame, period: str) -> Outcomes:
    part = table[table["period"] == period]
    columns = (part[name].to_numpy() for name in ("entity", "as_of", "begins", "converted", "probability", "value"))
    return Outcomes(*columns)


def _both(table: pd.DataFrame, met: pd.Series) -> dict[str, Any]:
    return {
        key: evaluate_definition(met[table["period"] == period].to_numpy(), outcomes(table, period)).to_dict()
        for key, period in (("earlier", "earlier"), ("tested", "later"))
    }


def _criteria(table: pd.DataFrame) -> list[dict[str, Any]]:
    items = []
    for name, event, at in _offered()[: len(_MINED)]:
        items.append(
            {
                "id": name,
                "text": _words(event, at),
                "parts": [_words(event, at)],
                "short": f"{event} {at}+",
                "conditions": [condition(event, at)],
                "kind": "intent" if event == "Pricing Viewed" else "value",
                "threshold_interval": [at, at + 1],
                "threshold_agreement": 0.87,
                "also": [{"text": f"at least {at} `{event}` ever", "share": 0.21}] if at == 2 else [],
                "adjusted_p": 0.0004,
                **_both(table, table[event] >= at),
            }
        )
    return items


def _met(table: pd.DataFrame, parts: list[str], least: int) -> pd.Series:
    by_id = {name: table[event] >= at for name, event, at in _offered()}
    return sum((by_id[name].astype(int) for name in parts), start=pd.Series(0, index=table.index)) >= least


_DEFINITIONS = (
    ("d1", ["c1", "c2"], "all", None),
    ("d2", ["c1", "c3", "c6"], "at_least_k", 2),
    ("d3", ["c2", "c4"], "any", None),
)


def _least(parts: list[str], join: str, k: int | None) -> int:
    return len(parts) if join == "all" else k or 1


def _definitions(table: pd.DataFrame) -> list[dict[str, Any]]:
    texts = {name: _words(event, at) for name, event, at in _offered()}
    shorts = {name: f"{event} {at}+" for name, event, at in _offered()}
    items = []
    for name, parts, join, k in _DEFINITIONS:
        least = _least(parts, join, k)
        held = sum((_met(table, [part], 1).astype(int) for part in parts), start=pd.Series(0, index=table.index))
        near = (held == least - 1) & (held > 0) & (table["period"] == "later")
        conversions = int((near & table["converted"]).sum())
        word = {"all": " and ", "any": " or "}.get(join, "; ")
        prefix = f"at least {k} of: " if join == "at_least_k" else f"{join} of: "
        items.append(
            {
                "id": name,
                "text": prefix + "; ".join(texts[part] for part in parts),
                "parts": [texts[part] for part in parts],
                "short": word.join(shorts[part] for part in parts),
                "conditions": [condition(event, at) for part in parts for i, event, at in _offered() if i == part],
                "join": join,
                "k": k,
                "criteria": parts,
                "adjusted_p": 0.0002,
                "recommended": name == "d1",
                "near_miss": {
                    "entities": int(near.sum()),
                    "conversions": conversions,
                    "text": "meet all but one",
                    "rate": wilson(conversions, int(near.sum())).to_dict(6),
                }
                if least > 1
                else None,
                **_both(table, held >= least),
            }
        )
    return items


def _in_force(table: pd.DataFrame) -> dict[str, Any]:
    met, new = table["Teammate Invited"] >= 2, _met(table, ["c1", "c2"], 2)
    later = (table["period"] == "later").to_numpy()
    cells = compare_definitions(new[later].to_numpy(), met[later].to_numpy(), outcomes(table, "later"))
    return {
        "text": _words("Teammate Invited", 2),
        "parts": [_words("Teammate Invited", 2)],
        "conditions": [condition("Teammate Invited", 2)],
        "join": "all",
        "k": None,
        **_both(table, met),
        "verdict": "too lax",
        "sentence": "It lets through many who do not pay: a narrower rule finds a better rate among fewer leads.",
        "against": {
            "definition": "d1",
            "both": cells.both.to_dict(),
            "only_new": cells.only_a.to_dict(),
            "only_today": cells.only_b.to_dict(),
            "neither": cells.neither.to_dict(),
            "sentence": "",
        },
    }


def _near_misses(later: pd.DataFrame) -> list[dict[str, Any]]:
    """Of `d1`, from the library: the table has the columns that its conditions read."""
    rule = Definition.model_validate({"all": [condition("Board Created", 5), condition("Automation Created", 2)]})
    columns = {feature.name: later[feature.event].astype(float) for feature in definition_features(rule)}
    return near_misses(rule, pd.DataFrame(columns), outcomes(later, "later"))


def _cell(part: pd.DataFrame) -> dict[str, Any]:
    conversions = int(part["converted"].sum())
    return {"entities": len(part), "conversions": conversions, "rate": wilson(conversions, len(part)).to_dict(6)}


def _behaviours(table: pd.DataFrame) -> list[dict[str, Any]]:
    later, result = table[table["period"] == "later"], []
    for at, (event, window, _, weight, thresholds) in enumerate(_BEHAVIOURS[:7]):
        cut = thresholds[len(thresholds) // 2]
        share = 0.3 / (at + 1) + 0.02
        result.append(
            {
                "behaviour": event,
                "part": "usage",
                "kind": "intent" if event == "Pricing Viewed" else "value",
                "share": {"value": share, "low": share * 0.8, "high": share * 1.2},
                "direction": "+" if weight else "mixed",
                "shape": "step" if at < 3 else "saturating",
                "shown": event,
                "features": [
                    {"name": event, "words": f"number of `{event}` in the {window.replace('d', ' days')}", "share": 0.1}
                ],
                "words": _words(event, cut),
                "is_criterion": event in {one.split(":")[0] for one in _MINED},
                "threshold": cut,
                "unit": "events",
                "above": _cell(later[later[event] >= cut]),
                "below": _cell(later[later[event] < cut]),
                "curve": [
                    {"threshold": t, **_cell(later[later[event] >= t])}
                    for t in range(1, 11)
                    if (later[event] >= t).any()
                ],
                "shap": [
                    {
                        "value": v,
                        "contribution": round(0.1 * min(v, cut) - 0.2, 3),
                        "entities": int((later[event] == v).sum()),
                    }
                    for v in range(8)
                ],
            }
        )
    return result


def _weeks(table: pd.DataFrame) -> list[dict[str, Any]]:
    weeks, result = week_of(table["begins"].to_numpy()), []
    new, today = _met(table, ["c1", "c2"], 2), table["Teammate Invited"] >= 2
    for week in range(_WEEKS + 3):
        start = MONDAY + week * 7 * DAY
        part = pd.Series(weeks == start, index=table.index)
        rules = {
            name: {"qualified": int((part & met).sum()), "conversions": int((part & met & table["converted"]).sum())}
            for name, met in (("d1", new), ("in_force", today))
        }
        result.append(
            {
                "week": iso(start),
                "entities": int(part.sum()) or 700,
                "conversions": int((part & table["converted"]).sum()),
                "finished": week < _WEEKS,
                "by_definition": rules,
            }
        )
    return result


CAPACITY = 25.0


def _decision(table: pd.DataFrame) -> dict[str, Any]:
    later, rows = outcomes(table, "later"), (table["period"] == "later").to_numpy()
    rules = {"new": _met(table, ["c1", "c2"], 2), "today": table["Teammate Invited"] >= 2}
    weekly = {name: weekly_return(met.to_numpy()[rows], later) for name, met in rules.items()}
    capacity = {
        "leads_per_week": CAPACITY,
        "source": "policy",
        "model": on_frontier(frontier(later), CAPACITY, int(later.converted.sum())),
        **{name: at_capacity(found, CAPACITY) for name, found in weekly.items()},
    }
    return {**weekly, "capacity": capacity}


def _fit(later: pd.DataFrame) -> dict[str, Any]:
    rows = outcomes(later, "later")
    names = {"trait.size": later["size"], "trait.country": later["country"]}
    columns = [ModelColumn(name, "category", tuple(sorted(set(values)))) for name, values in names.items()]
    return {
        "traits": trait_rates(columns, pd.DataFrame(names), rows),
        "by_usage": fit_by_usage((later["size"] > "201").to_numpy(float), later["probability"].to_numpy(), rows),
    }


def _calibration(table: pd.DataFrame) -> list[dict[str, Any]]:
    later = table[table["period"] == "later"].sort_values("probability", kind="stable")
    return [
        {
            "predicted": float(part["probability"].mean()),
            "observed": _cell(part)["rate"],
            "rows": len(part),
            "conversions": _cell(part)["conversions"],
        }
        for part in (later.iloc[at] for at in np.array_split(np.arange(len(later)), 10))
    ]


def _period(part: pd.DataFrame) -> dict[str, Any]:
    return {
        "from": iso(int(part["begins"].min()) // DAY * DAY),
        "to": iso(int(part["begins"].max()) // DAY * DAY),
        "rows": len(part),
        "entities": len(part),
        "conversions": int(part["converted"].sum()),
    }


def _months(table: pd.DataFrame) -> list[dict[str, Any]]:
    later = table[table["period"] == "later"]
    names = [iso(int(at))[:7] for at in later["as_of"]]
    return [
        {
            "month": str(name),
            "rows": len(part),
            "expected": round(float(part["probability"].sum()), 1),
            "observed": int(part["converted"].sum()),
        }
        for name, part in later.groupby(names)
    ]


@cache
def _made() -> dict[str, Any]:
    table = simulated()
    earlier, later = (table[table["period"] == name] for name in ("earlier", "later"))
    return {
        "product": "nimbus-boards",
        "entity": "account",
        "motion": "trial",
        "horizon_days": 30,
        "rows_words": "as of day 14 of the trial",
        "made_at": "2026-08-20T09:00:00Z",
        "owner": "Growth & Sales <team>",
        "config_digest": "ab12cd34ef56",
        "model": {
            "name": "nimbus-boards",
            "version": "3",
            "verdict": "ready",
            "trained_at": "2026-08-20T08:55:00Z",
            "served": {**_period(table), "from": "2026-01-05", "to": "2026-07-20"},
            "verdict_sentence": "The model ranks later accounts well, and its probabilities are calibrated.",
            "roc_auc": {"value": 0.79, "low": 0.77, "high": 0.81},
        },
        "periods": {"earlier": _period(earlier), "later": _period(later)},
        "base": {"earlier": _cell(earlier)["rate"], "later": _cell(later)["rate"]},
        "badge": {
            "name": "use",
            "sentence": "The rule holds on later accounts, and finds more than today's rule does.",
            "would_change": "A red line in the data health, or a rate of today's rule within its range.",
            "thresholds": [
                "Use: the lower end of the lift is at least 1.5",
                "Use: it beats today's rule, with an interval that excludes 0",
                "Use: no red line in the data health",
            ],
        },
        "criteria": _criteria(table),
        "definitions": _definitions(table),
        "not_confirmed": [],
        "tried": {"definitions": 812, "tested": 3, "correction": "one-sided exact tests, corrected by Holm's method"},
        "in_force": _in_force(table),
        "behaviours": _behaviours(table),
        "volume": frontier(outcomes(table, "later")),
        "decision": _decision(table),
        "experiment": experiment(_decision(table)["new"]),
        "fit": _fit(later),
        "weeks": _weeks(table),
        "cohort_months": monthly_counts(_weeks(table), _period(later)["from"]),
        "profiles": {
            "call": [
                {
                    "text": "5 or more boards and 2 or more automations, company of 51 to 200",
                    "entities": 84,
                    "conversions": 30,
                    "rate": wilson(30, 84).to_dict(6),
                }
            ],
            "leave": [
                {
                    "text": "no board after 14 days",
                    "entities": 1210,
                    "conversions": 13,
                    "rate": wilson(13, 1210).to_dict(6),
                }
            ],
        },
        "near_misses": _near_misses(later),
        "calibration": _calibration(table),
        "months": _months(table),
        "health": [
            {
                "level": "amber",
                "saw": "`Template Used` has no events from 3 to 5 March",
                "does": "the weeks around it may look weaker than they were",
                "todo": "ask whoever runs the tracking",
            },
            {"level": "ok", "saw": "No test account and no duplicate", "does": "nothing", "todo": "nothing"},
        ],
        "facts": {
            "versions": {"pql_model": "0.1.0", "lightgbm": "4.7.0"},
            "seed": 7,
            "set_aside": {"unparsable time": 12, "before sign-up": 40},
            "leakage": [{"column": "plan_tier", "reason": "filled for converters only", "action": "quarantined"}],
            "features": 412,
        },
        "changes": None,
    }


def growth() -> dict[str, Any]:
    return copy.deepcopy(_made())


def with_changes() -> dict[str, Any]:
    """The report that follows one of another rule, with other behaviours in front."""
    result, before = growth(), growth()
    before["model"]["version"], before["made_at"] = "2", "2026-07-01T09:00:00Z"
    for definition in before["definitions"]:
        definition["recommended"] = definition["id"] == "d2"
    before["behaviours"] = before["behaviours"][2:]
    result["changes"] = changes(before, result)
    return result


def nothing_found() -> dict[str, Any]:
    """A world of noise: no criterion, no definition; the rule in force is all there is."""
    result = growth()
    result["criteria"], result["definitions"], result["behaviours"] = [], [], []
    result["badge"] |= {
        "name": "do_not_use",
        "sentence": "No behaviour goes with paying here, beyond what chance gives.",
        "would_change": "More conversions, or events that are not recorded yet.",
    }
    result["in_force"]["against"] = None
    result["decision"]["new"] = result["decision"]["capacity"]["new"] = result["experiment"] = None
    result["profiles"], result["near_misses"] = {"call": [], "leave": []}, []
    for week in [*result["weeks"], *result["cohort_months"]]:
        week["by_definition"].pop("d1")
    return result


def no_rule_in_force() -> dict[str, Any]:
    result = growth()
    result["in_force"] = None
    result["decision"]["today"] = result["decision"]["capacity"]["today"] = None
    for week in [*result["weeks"], *result["cohort_months"]]:
        week["by_definition"].pop("in_force")
    return result


def too_few() -> dict[str, Any]:
    """A table of 150 accounts: 3 of 11 who meet the rule converted."""
    result = growth()
    nothing = {"value": None, "low": None, "high": None}
    rows = {
        "entities": 150,
        "rows": 150,
        "qualified": 11,
        "share": 11 / 150,
        "conversions": 3,
        "months": [],
        "fidelity": None,
        "base_rate": wilson(9, 150).to_dict(6),
        "rate": wilson(3, 11).to_dict(6),
        "lift": {"value": 4.5, "low": 1.4, "high": 14.4},
        "recall": wilson(3, 9).to_dict(6),
        "leads_per_week": nothing,
        "note": "too few to judge",
    }
    result["definitions"] = result["definitions"][:1]
    result["definitions"][0] |= {"tested": rows, "recommended": False, "near_miss": None}
    result["near_misses"] = []
    result["criteria"] = [criterion | {"tested": rows} for criterion in result["criteria"][:2]]
    result["base"]["later"] = wilson(9, 150).to_dict(6)
    result["badge"] |= {
        "name": "do_not_use",
        "sentence": "Only 11 later accounts meet the rule: too few to judge.",
        "would_change": "About 20 more leads that meet it.",
    }
    cell = {"entities": 11, "conversions": 3, "rate": wilson(3, 11).to_dict(6)}
    result["in_force"]["against"] |= {"both": cell, "only_new": {"entities": 0, "conversions": 0, "rate": nothing}}
    result["decision"]["new"] |= cell | {"leads_per_week": nothing, "wins_per_week": nothing, "recall": rows["recall"]}
    result["decision"]["capacity"], result["volume"], result["experiment"] = None, [], None
    result["in_force"]["verdict"], result["in_force"]["sentence"] = "cannot tell", "Too few accounts meet it to judge."
    return result


def few_everywhere() -> dict[str, Any]:
    """Rates below 1 % throughout: the page counts of 1,000."""
    result = growth()

    def shrink(at: Any) -> None:
        if isinstance(at, dict):
            for key, value in at.items():
                if (
                    key in ("rate", "base_rate", "observed", "earlier", "later")
                    and isinstance(value, dict)
                    and "low" in value
                ):
                    at[key] = {name: None if share is None else share / 200 for name, share in value.items()}
                else:
                    shrink(value)
        elif isinstance(at, list):
            for item in at:
                shrink(item)

    shrink(result)
    return result
