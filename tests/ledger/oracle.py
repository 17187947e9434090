"""The ledger by its definition: a naive reading of all parts, row by row, and small random worlds to read."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from pql_model.decide.holdout import unit_hash
from pql_model.time import DAY

Row = dict[str, Any]
HORIZON = 10 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRODUCT = "shop"
SHARES = {"1": 0.0, "2": 0.5}
"""Of the hold-out by version; that of others is 0.3."""
LEARNT = {"2": 12 * DAY}
_FLAGS = (True, False, None)


def instant(us: int | None) -> datetime | None:
    return None if us is None else EPOCH + timedelta(microseconds=us)


class World:
    """A product of a few entities over sixty days, with everything that may be odd about its parts."""

    def __init__(self, seed: int, *, conversions: bool = True, log: bool = True, replayed: bool = True) -> None:
        draw = random.Random(seed)
        ids = ["a", "b", "c", "d", "old-a", "gone"]
        self.aliases = {"old-a": "a"}
        self.entities = [{"entity": e, "excluded": e == "d"} for e in ("a", "b", "c", "d")]
        days = [0, 1, 1, 5, 11, 12, 20, 30, 31, 45, 58]
        edge = [d * DAY + HORIZON + offset for d in days for offset in (-1, 0)]
        self.conversions = [
            {"entity": e, "time": draw.choice([*edge, draw.randrange(70) * DAY]), "value": draw.choice([None, 9.5])}
            for e in ("a", "b", "c", "d")
            if conversions and draw.random() < 0.8
        ]
        self.said = [self._score(draw, draw.choice(ids), draw.choice(days)) for _ in range(60)] if log else []
        self.said += [
            {**self._score(draw, draw.choice(("a", "b")), draw.choice(days)), "source": "replayed"}
            for _ in range(9)
            if replayed
        ]
        self.feedback = [self._feedback(draw, draw.choice(("a", "b", "c", "gone"))) for _ in range(25)]
        self.sent = [{"entity": draw.choice(("a", "c")), "time": draw.choice(days) * DAY} for _ in range(4)]

    @staticmethod
    def _score(draw: random.Random, entity: str, day: int) -> Row:
        service = draw.random() < 0.2
        late = draw.choice((0, 0, 1, DAY))
        return {
            "entity": draw.choice((entity, f" {entity} ")) if service else entity,
            "as_of": None if service and draw.random() < 0.5 else day * DAY,
            "scored_at": day * DAY + late + draw.randrange(3) - (2 * DAY if draw.random() < 0.05 else 0),
            "source": "service" if service else "score",
            "model_name": "other" if draw.random() < 0.05 else PRODUCT,
            "model_version": draw.choice(("1", "2", "3")),
            "feature_set": "f",
            "probability": draw.choice((None, 37.0, draw.random())) if draw.random() < 0.1 else draw.random(),
            "score": draw.choice((None, 50.0)),
            "band": draw.choice(("high", "low")),
            "is_pql": draw.choice(_FLAGS),
            "usage": draw.random(),
            "fit": draw.choice((None, 0.5)),
            "newly_qualified": draw.choice(_FLAGS),
            "suppressed": draw.choice((None, "hold_out")),
            "meets_definition": draw.choice(_FLAGS),
            "meets_in_force": draw.choice(_FLAGS),
            "expected_value": draw.choice((None, 3.0)),
        }

    @staticmethod
    def _feedback(draw: random.Random, entity: str) -> Row:
        return {
            "entity": entity,
            "time": draw.randrange(60) * DAY,
            "meaning": draw.choice(("contacted", "accepted", "rejected", "won")),
            "reason": draw.choice((None, "student", "too small")),
            "owner": draw.choice((None, "ann", "bob")),
        }


def ledger_of(world: World, outcomes_until: int, as_of: int | None = None) -> tuple[list[Row], dict[str, int]]:
    """The rows of the ledger and the reasons why others are not in it."""
    until = outcomes_until if as_of is None else min(as_of, outcomes_until)
    before = (lambda time: True) if as_of is None else (lambda time: time < as_of)
    aside: dict[str, int] = {}
    rows: dict[tuple[str, int, str], tuple[Any, Row]] = {}
    for said in world.said:
        own = said["entity"].strip()
        row = {**said, "entity": world.aliases.get(own, own)}
        row["as_of"] = said["scored_at"] if said["as_of"] is None else said["as_of"]
        if as_of is not None and row["as_of"] > as_of:
            continue
        if as_of is not None and row["source"] != "replayed" and row["scored_at"] > as_of:
            continue
        entity = next((e for e in world.entities if e["entity"] == row["entity"]), None)
        paid = next((c for c in world.conversions if c["entity"] == row["entity"] and before(c["time"])), None)
        reason = _reason(row, entity, paid)
        if reason is None and _looks_back(row, world, as_of):
            reason = "looked_back"
        if reason is not None:
            aside[reason] = aside.get(reason, 0) + 1
            continue
        row |= _done(world, row, own, before) | _came(row, entity, paid, until)
        rank = (
            row["source"] == "replayed",
            -row["scored_at"],
            own != row["entity"],
            row["source"],
            -row["probability"],
            own,
        )
        key = (row["entity"], row["as_of"], row["model_version"])
        if key in rows:
            aside["repeated"] = aside.get("repeated", 0) + 1
        if key not in rows or rank < rows[key][0]:
            rows[key] = (rank, row)
    return [row for _, row in rows.values()], aside


def _reason(row: Row, entity: Row | None, paid: Row | None) -> str | None:
    if row["probability"] is None or not 0 <= row["probability"] <= 1:
        return "incomplete"
    if row["model_name"] != PRODUCT:
        return "other_product"
    if row["as_of"] - row["scored_at"] > DAY:
        return "scored_ahead"
    if row["source"] != "replayed" and row["as_of"] < LEARNT.get(row["model_version"], row["as_of"]):
        return "learnt_from"
    if entity is not None and entity["excluded"]:
        return "excluded"
    return "already_converted" if paid is not None and paid["time"] < row["as_of"] else None


def _looks_back(row: Row, world: World, as_of: int | None) -> bool:
    """Made after the run of a later instant, while the same instant and version was also scored in time."""
    runs = {
        (said["as_of"], said["model_version"], said["scored_at"])
        for said in world.said
        if said["source"] == "score" and said["model_name"] == PRODUCT
        if as_of is None or max(said["as_of"], said["scored_at"]) <= as_of
    }

    def late(run: tuple[int, str, int]) -> bool:
        return any(other[0] > run[0] and other[2] < run[2] for other in runs)

    run = (row["as_of"], row["model_version"], row["scored_at"])
    same = [other for other in runs if other[:2] == run[:2]]
    return row["source"] == "score" and late(run) and not all(late(other) for other in same)


def _done(world: World, row: Row, own: str, before: Any) -> Row:
    later = [
        f for f in world.feedback if f["entity"] == row["entity"] and f["time"] >= row["as_of"] and before(f["time"])
    ]
    first = {
        m: min((f["time"] for f in later if f["meaning"] == m), default=None)
        for m in ("contacted", "accepted", "rejected", "won")
    }
    reasons = [
        f["reason"] for f in later if f["meaning"] == "rejected" and f["time"] == first["rejected"] and f["reason"]
    ]
    owned = [(f["time"], f["owner"]) for f in later if f["owner"] is not None]
    sent = [
        s["time"]
        for s in world.sent
        if s["entity"] == row["entity"] and s["time"] >= row["as_of"] and before(s["time"])
    ]
    return {
        "held_out": unit_hash(PRODUCT, own) < SHARES.get(row["model_version"], 0.3),
        "sent_at": min(sent, default=None),
        **{f"{meaning}_at": time for meaning, time in first.items()},
        "rejected_reason": min(reasons, default=None),
        "owner": min(owned)[1] if owned else None,
    }


def _came(row: Row, entity: Row | None, paid: Row | None, until: int) -> Row:
    final = entity is not None and row["as_of"] + HORIZON <= until
    paid = paid if entity is not None else None
    return {
        "known": entity is not None,
        "final": final,
        "converted": (paid is not None and paid["time"] < row["as_of"] + HORIZON) if final else None,
        "converted_at": None if paid is None else paid["time"],
        "value": None if paid is None else paid["value"],
    }
