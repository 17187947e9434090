"""Do planted rules of every kind come back? Groups, orders, shares, one user, minutes, streaks, trends, nesting, segments.

    python benchmarks/criteria_kinds.py                      20 worlds of 6,000 accounts a kind, some three hours on two cores
    python benchmarks/criteria_kinds.py --worlds 2 --kinds order share
    python benchmarks/criteria_kinds.py --table              the table of what is finished

The accounts, their events and their sizes are those of `criteria_worlds.py`. On day 14 an account decides by the planted rule
and noise. Under `features:` the config declares the kind for every event of the product (three groups, twelve orders), not
only for the planted one. Each world goes through the parts of `pql train`, as in `criteria.py`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from criteria import BEHAVIOUR, EXACTLY, MISSED, NEARLY, Record, add, find_in, read
from criteria_worlds import DAY, DELAY, SHAPE, SIZES, TRIAL_DAYS, CriteriaWorld, base_odds, criteria_world

from pql_model.config.definition import Criterion, Definition
from pql_model.config.load import load_config
from pql_model.config.own_features import OwnFeature
from pql_model.criteria.definition_text import criterion_short, definition_short
from pql_model.features.spec import Feature, declared_feature, feature_criterion
from pql_model.features.table import feature_table
from pql_model.measures import LESS_IS_MORE
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources

RESULTS = Path(__file__).resolve().parent / "results" / "criteria_kinds.json"
ACCOUNTS, FIRST_SEED = 6_000, 9_000
WEIGHT, NOISE, SHARE_MET = 2.0, 0.3, (0.12, 0.45)
SHARES_MET = {2: [(0.35, 0.6), (0.15, 0.35), (0.15, 0.35)], 1: [(0.08, 0.25), (0.3, 0.55), (0.3, 0.55)]}
"""Of a nested rule, so that each of its criteria decides for some accounts: by the number that must hold."""

PER_EVENT: dict[str, dict[str, Any]] = {
    "share": {"share_of": "quota"},
    "one user": {"measure": "top_user_count"},
    "minutes": {"measure": "session_minutes"},
    "streak": {"measure": "longest_streak_days"},
    "trend": {"measure": "trend", "window": "last 7d"},
    "own past": {"measure": "times_before", "window": "last 7d"},
    "days to do it": {"measure": "days_to_first"},
}
"""Kind -> what is declared of every event."""
NESTED = {"all with any inside": 2, "any with all inside": 1}
"""Kind -> how many of the criterion alone and the other two must hold."""
NEXT_PRODUCT = 1_000_000
BY_SEGMENT = "by segment"
THRESHOLDS_MET = [(0.08, 0.2), (0.35, 0.6)]
"""Of the threshold for everybody, and of the one that is enough in the segment."""
KINDS = ("group", "order", *PER_EVENT, *NESTED, BY_SEGMENT, "plain")


def declared(kind: str, events: Sequence[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    """What the config declares under `features:`."""
    if kind == "group":
        return [{"event": sorted(map(str, rng.choice(events, 3, replace=False)))} for _ in range(3)]
    if kind == "order":
        pairs = [(a, b) for a in events for b in events if a != b]
        return [{"event": pairs[k][0], "after": pairs[k][1], "gap": "1d"} for k in rng.permutation(len(pairs))[:12]]
    return [{"event": event, **PER_EVENT[kind]} for event in events] if kind in PER_EVENT else []


def values_at_the_end(world: CriteriaWorld, features: Sequence[Feature]) -> pd.DataFrame:
    """The features of every account on the last day of its trial, in the order of `accounts`."""
    with tempfile.TemporaryDirectory() as folder, open_session() as con:
        config = load_config(world.write(Path(folder)))
        sources = read_sources(con, config)
        entities = sources.entities.table
        snapshots = entities.select("entity", "signed_up", as_of=entities.signed_up + TRIAL_DAYS * DAY)
        table = feature_table(sources, snapshots, features, {})
    return table.set_index("entity").reindex(world.accounts["account"])


def drawn(
    feature: Feature, values: pd.Series, rng: np.random.Generator, between: tuple[float, float] = SHARE_MET
) -> Criterion | None:
    """A threshold of a feature that this share of the accounts meets, from the round numbers between its values."""
    present = values.dropna().to_numpy()
    steps = np.unique(np.round(np.quantile(present, np.linspace(0.1, 0.95, 35)), 1 if np.ptp(present) < 20 else 0))
    falling = feature.measure in LESS_IS_MORE
    met = {t: float((present <= t).sum() if falling else (present >= t).sum()) / len(values) for t in steps}
    allowed = [t for t, share in met.items() if between[0] <= share <= between[1]]
    return feature_criterion(feature, "<=" if falling else ">=", float(rng.choice(allowed))) if allowed else None


def planted_world(kind: str, seed: int) -> tuple[CriteriaWorld, Definition]:
    """A product whose accounts decide by a rule of the kind; another product where none of its events has a fitting threshold."""
    for product_seed in range(seed, seed + 10 * NEXT_PRODUCT, NEXT_PRODUCT):
        found = _planted_world(kind, product_seed)
        if found is not None:
            return found
    raise ValueError(f"no product of ten has a rule of kind {kind}")


def _planted_world(kind: str, seed: int) -> tuple[CriteriaWorld, Definition] | None:
    world, rng = criteria_world(ACCOUNTS, seed, planted=0), np.random.default_rng([seed, 7])
    events = sorted(set(world.events["action"]) - {"App Opened"})
    quota = rng.choice([20.0, 50.0, 100.0], ACCOUNTS)
    config = {**world.config, "features": declared(kind, events, rng)}
    world = replace(world, accounts=world.accounts.assign(quota=quota), config=config)
    plain = [
        declared_feature(Criterion.model_validate({"event": e, "at_least": 1, "within": "first 14d"})) for e in events
    ]
    of_kind = [declared_feature(OwnFeature.model_validate(raw)) for raw in config["features"]]
    values = values_at_the_end(world, [*of_kind, *plain])
    planted = (
        _rule_by_segment(plain, values, world.accounts["company_size"].to_numpy(), rng)
        if kind == BY_SEGMENT
        else _rule(kind, of_kind or plain, values, rng)
    )
    if planted is None:
        return None
    rule, met = planted
    odds = WEIGHT * met.to_numpy(float) + rng.normal(0, NOISE, ACCOUNTS)
    low = base_odds(odds, 0.1)
    decides = rng.random(ACCOUNTS) < 1 / (1 + np.exp(-odds - low))
    signed_up = world.accounts["created"].astype("datetime64[us]").astype(np.int64).to_numpy()
    paid = signed_up + ((TRIAL_DAYS + DELAY * rng.weibull(SHAPE, ACCOUNTS)) * DAY).astype(np.int64)
    payments = pd.DataFrame({"account": world.accounts["account"], "paid": paid.astype("datetime64[us]")})[decides]
    return replace(world, payments=payments.reset_index(drop=True)), rule


def _rule(
    kind: str, of_kind: Sequence[Feature], values: pd.DataFrame, rng: np.random.Generator
) -> tuple[Definition, pd.Series] | None:
    """One criterion of the kind; or three plain ones, the first beside the other two."""
    shares = SHARES_MET[NESTED[kind]] if kind in NESTED else [SHARE_MET]
    criteria: list[Criterion] = []
    for feature in (of_kind[k] for k in rng.permutation(len(of_kind))):
        if len(criteria) < len(shares):
            criterion = drawn(feature, values[feature.name], rng, shares[len(criteria)])
            criteria += [criterion] if criterion is not None else []
    if len(criteria) < len(shares):
        return None
    masks = [
        values[declared_feature(c).name].le(c.threshold)
        if c.operator == "<="
        else values[declared_feature(c).name].ge(c.threshold)
        for c in criteria
    ]
    if kind not in NESTED:
        return Definition.joining(criteria[:1], 1), masks[0]
    (a, b, c), least = masks, NESTED[kind]
    inner = Definition.joining(criteria[1:3], 3 - least)
    return Definition.joining([criteria[0], inner], least), a & (b | c) if least == 2 else a | (b & c)


def _rule_by_segment(
    plain: Sequence[Feature], values: pd.DataFrame, sizes: np.ndarray, rng: np.random.Generator
) -> tuple[Definition, pd.Series] | None:
    """A threshold of one behaviour, or a lower one for two of the four sizes of company."""
    segment = sorted(map(str, rng.choice(SIZES, 2, replace=False)))
    for feature in (plain[k] for k in rng.permutation(len(plain))):
        of = values[feature.name]
        high, low = (drawn(feature, of, rng, between) for between in THRESHOLDS_MET)
        if high is not None and low is not None and float(low.threshold or 0) < float(high.threshold or 0):
            inner = Definition.joining([low, Criterion.model_validate({"trait": "company_size", "in": segment})], 2)
            met = of.ge(high.threshold) | (of.ge(low.threshold) & np.isin(sizes, segment))
            return Definition.joining([high, inner], 1), met
    return None


# ---------------------------------------------------------------- how it came back


def standing(planted: Criterion, found: Sequence[Criterion]) -> str:
    """How a planted criterion came back; `nearly`: a threshold one, or a tenth, away, or a window that is the same on day 14."""
    subject = declared_feature(planted)
    best = MISSED
    for criterion in found:
        feature = declared_feature(criterion) if criterion.event is not None else None
        if feature is None or feature.subject != subject.subject:
            continue
        alike = (feature.measure, feature.share_of) == (subject.measure, subject.share_of)
        distance = abs(float(criterion.threshold or 0) - float(planted.threshold or 0))
        if alike and distance == 0:
            return EXACTLY
        close = alike and distance <= max(
            1.0 if abs(planted.threshold or 0) >= 2 else 0.0, 0.1 * abs(planted.threshold or 0)
        )
        best = NEARLY if close else BEHAVIOUR if best == MISSED else best
    return best


def shape(definition: Definition) -> list[Any]:
    """The behaviours of a definition and how they are joined, whatever the thresholds and windows."""
    parts = [
        shape(member)
        if isinstance(member, Definition)
        else declared_feature(member).family
        if member.event
        else str(member.trait)
        for member in definition.members
    ]
    return [definition.least, sorted(parts, key=str)]


def run(kind: str, seed: int) -> Record:
    began = time.perf_counter()
    world, rule = planted_world(kind, seed)
    results = find_in(world).results
    best = results.recommended
    conditions = [c.mined.condition for c in results.criteria]
    if kind == BY_SEGMENT and best is not None:  # its thresholds are those of the definition
        conditions += best.definition.criteria
    about_usage = [c for c in rule.criteria if c.event is not None]
    behaviours = {event for c in about_usage for event in declared_feature(c).reads}
    return {
        "kind": kind,
        "seed": seed,
        "planted": definition_short(rule),
        "found": [standing(c, conditions) for c in about_usage],
        "criteria": [criterion_short(c) for c in conditions],
        "false": [
            criterion_short(c)
            for c in conditions
            if c.event is not None and not set(declared_feature(c).reads) & behaviours
        ],
        "recommended": definition_short(best.definition) if best is not None else None,
        "same_shape": best is not None and shape(best.definition) == shape(rule),
        "nested": best is not None and best.definition.nested,
        "conversions": len(world.payments),
        "seconds": round(time.perf_counter() - began),
    }


def table(records: Sequence[Record]) -> str:
    lines = [
        "| kind | worlds | criteria planted | exactly | near | behaviour only | missed | recommended rule has the planted form |"
        " false criteria a world |",
        "|---" * 9 + "|",
    ]
    for kind in KINDS:
        of = [r for r in records if r["kind"] == kind]
        if of:
            every = [found for r in of for found in r["found"]]
            counts = " | ".join(str(every.count(quality)) for quality in (EXACTLY, NEARLY, BEHAVIOUR, MISSED))
            false = np.mean([len(r["false"]) for r in of])
            form = sum(r["same_shape"] for r in of)
            lines.append(f"| {kind} | {len(of)} | {len(every)} | {counts} | {form} of {len(of)} | {false:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--table", action="store_true", help="only print the table")
    args = parser.parse_args()
    finished = {(r["kind"], r["seed"]) for r in read(RESULTS)}
    for seed in range(FIRST_SEED, FIRST_SEED + (0 if args.table else args.worlds)):
        for kind in args.kinds:
            if (kind, seed) not in finished:
                record = run(kind, seed)
                add([record], RESULTS, lambda r: (KINDS.index(r["kind"]), r["seed"]))
                print(
                    kind,
                    seed,
                    f"{record['seconds']} s",
                    record["planted"],
                    record["found"],
                    record["recommended"],
                    flush=True,
                )
    print(table(read(RESULTS)))


if __name__ == "__main__":
    main()
