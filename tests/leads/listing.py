"""Scored rows as `pql score` writes them, made without a model, and the list of them."""

from __future__ import annotations

import json
import random
from typing import Any

import pandas as pd

from pql_model.decide.rows import json_row
from pql_model.decide.state import EntityState
from pql_model.leads.lead import ListedLead, make_lead
from pql_model.leads.page import LeadList
from pql_model.leads.sections import make_sections
from pql_model.time import DAY

AS_OF = 20_000 * DAY
LEVEL_ERROR = 0.09
BANDS = ("high", "medium", "low", "very_low")
_EDGES = (0.25, 0.1, 0.03)
_NAMES = (
    *(
        "Alder & Finch",
        "Bluewater Logistics",
        "Castle Peak Dental",
        "Delacroix Frères",
        "Étoile du Nord",
        "Fjordkraft Büro",
    ),
    *(
        "株式会社みらい",
        "شركة النور",
        "חברת אורן",
        "ООО Ромашка",
        "Ελιά Α.Ε.",
        "सूर्य टेक",
        "Zażółć S.A.",
        "Nguyễn & Trần",
    ),
)
_EVENTS = ("Teammate Invited", "Automation Run", "Board Created", "File Uploaded", "Pricing Viewed")


def scored(count: int, seed: int = 3, **changed: Any) -> pd.DataFrame:
    """A table of scored rows: the first tenth are new leads, the next one open, the next one suppressed."""
    chance = random.Random(seed)
    probabilities = sorted((chance.betavariate(0.7, 7) for _ in range(count)), reverse=True)
    rows = [{**_row(chance, k, p, count), **changed} for k, p in enumerate(probabilities)]
    return pd.DataFrame(rows)


def _row(chance: random.Random, k: int, p: float, count: int) -> dict[str, Any]:
    tenth = 10 * k // count
    suppressed = (
        ("capacity", "held_out", "excluded")[k % 3]
        if tenth == 2
        else "cool_down"
        if k % 7 == 6 and tenth == 1
        else None
    )
    users = [f"u_{chance.randrange(10_000)}" for _ in range(3)]
    shares = sorted((chance.random() for _ in range(3)), reverse=True)
    contacts = [
        {
            "user": user,
            "share": round(share / 2, 3),
            "last_seen": "2024-10-0" + str(1 + i),
            "brought_in_by": users[0] if i else None,
        }
        for i, (user, share) in enumerate(zip(users, shares, strict=True))
    ]
    step = {
        "criterion": "at least 3 `Teammate Invited` in the first 7 days",
        "condition": {},
        "value": float(k % 3),
        "needed": 3.0,
        "words": f"{k % 3} of 3 `Teammate Invited` in the first 7 days",
        "probability": min(1.0, p * 1.4),
        "gain": {"value": 0.4 * p, "low": 0.1 * p, "high": 0.7 * p},
    }
    return {
        "entity": f"acc-{k + 1:05d}",
        "as_of": pd.Timestamp(AS_OF, unit="us", tz="UTC"),
        "probability": p,
        "expected_value": 900 * p,
        "expected_value_low": 700 * p,
        "expected_value_high": 1100 * p,
        "band": next((name for name, edge in zip(BANDS, _EDGES, strict=False) if p >= edge), BANDS[-1]),
        "is_pql": tenth < 2,
        "reasons": json.dumps([_reason(chance) for _ in range(3)]),
        "newly_qualified": tenth == 0,
        "suppressed": suppressed,
        "contact": json.dumps(contacts[0]),
        "contacts": json.dumps(contacts),
        "next_step": json.dumps(step) if k % 3 else None,
        "model_version": "4",
    }


def _reason(chance: random.Random) -> dict[str, Any]:
    sign, event = chance.choice("++-"), chance.choice(_EVENTS)
    return {"sign": sign, "words": f"{chance.randrange(2, 30)} `{event}` in the last 14 days ({sign})"}


def name_of(row: int) -> str:
    return f"{_NAMES[row % len(_NAMES)]} {row + 1}"


def lead_list(rows: pd.DataFrame, names: dict[str, str] | None = None, **changed: Any) -> LeadList:
    """The list of some rows, the open ones of which qualified up to ten days earlier."""
    names = names if names is not None else {entity: name_of(k) for k, entity in enumerate(rows["entity"])}
    paid = changed.pop("paid", {})

    def lead(row: Any) -> ListedLead:
        entity, days = str(row["entity"]), 0 if row["newly_qualified"] else 1 + len(row["reasons"]) % 10
        state = EntityState(bool(row["is_pql"]), AS_OF - days * DAY, AS_OF - days * DAY)
        return make_lead(json_row(row), LEVEL_ERROR, names.get(entity), state, paid.get(entity))

    return LeadList(
        **{
            "product": "nimbus-boards",
            "entity": "account",
            "as_of": AS_OF,
            "horizon": "30 days",
            "rule": "the 25 best per 7 days",
            "model_version": "4",
            "scores": "scores.parquet",
            "bands": BANDS,
            "sections": make_sections(rows, BANDS, LEVEL_ERROR, lead, paid),
            **changed,
        }
    )
