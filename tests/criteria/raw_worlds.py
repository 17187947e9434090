"""Raw tables of all three shapes whose rows fall on the edges: of windows, ages, days, sessions and of what counts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.time import DAY, HOUR, MINUTE, parse_instant

AS_OF = parse_instant("2026-03-10T08:00:00Z")
LOGGED, LESSON, COUNTED = ("Board Created", "o'Brien's \\ file", "any", "Help"), "lesson watched", ("Mail", "Deal")
VALUES = ("mb", "minutes")
SIZES = ("1-10", "11-50", " 51-200 ", None, "12")
COLUMNS = {"accounts.parquet": ("account", "created", "plan", "size", "seats")}
"""What is known of the tables by looking at them: which traits there are."""
_EDGES = (0, 1, 2, 7, 14, 15, 28)
_NUDGES = (0, 0, 0, -1, 1, 30 * MINUTE, 30 * MINUTE + 1, -30 * MINUTE, 5 * HOUR)
_USERS = ("ann", "bob", " ann ", "Ann", None, "", "null", "googlebot", "u_internal")
_AMOUNTS = (None, 0.0, 0.1, 0.2, 2.5, -3.0, 1000.0, float("nan"), float("inf"))
_AGENTS = (None, "Mozilla/5.0", "Mozilla/5.0", "curl/8.0", "SomeBot 1.0")
_UNSET = (0, parse_instant("0001-01-01"))


class Dice(random.Random):
    """Draws of instants that decide something."""

    def around(self, *anchors: int) -> int:
        step = self.choice((1, -1)) * self.choice(_EDGES) * DAY
        instant = self.choice(anchors) + step + self.choice(_NUDGES)
        return instant // DAY * DAY + self.choice((0, 0, -1)) if self.random() < 0.2 else instant


def write(home: Path, motion: str, entities: int, seed: int, **config: Any) -> Config:
    """A product whose five tables are parquet files with real types, and its config."""
    dice = Dice(seed)
    accounts, paid, log, lessons, weekly = [], [], [], [], []
    for number in range(entities):
        name = f"a{number}"
        signed_up = _signed_up(dice, motion)
        base = AS_OF - 9 * DAY if signed_up is None else signed_up
        plan = dice.choice(("free", "free", "free", "free", "Internal", "12", None))
        accounts.append(
            [dice.choice((name, f" {name} ")), signed_up, plan, dice.choice(SIZES), dice.choice((3, 8, None))]
        )
        if dice.random() < 0.05:
            accounts.append([name, signed_up, "free", "1-10", 3])
        if dice.random() < 0.35:
            paid.append([name, dice.choice((AS_OF, AS_OF - 1, AS_OF + DAY, base + DAY, *_UNSET, None))])
        log += _logged(dice, name, base)
        lessons += [[name, dice.around(AS_OF, base), dice.choice(_AMOUNTS)] for _ in range(dice.randrange(3))]
        weekly += [
            [name, dice.around(AS_OF, base) - 7 * DAY, *(dice.choice((None, 0, 1, 4)) for _ in range(3))]
            for _ in range(dice.randrange(3))
        ]
    accounts += [[None, AS_OF - 9 * DAY, "free", "1-10", 3], ["nan", AS_OF - 9 * DAY, "free", "1-10", 3]]
    log += [["stranger", AS_OF - DAY, LOGGED[0], "ann", None, "x1", 1.0, None]]
    dice.shuffle(log)
    moments = pa.timestamp("us")
    _table(
        home / "accounts.parquet",
        accounts,
        account=pa.string(),
        created=moments,
        plan=pa.string(),
        size=pa.string(),
        seats=pa.int64(),
    )
    _table(home / "paid.parquet", paid, account=pa.string(), paid_at=moments)
    _table(
        home / "log.parquet",
        log,
        account=pa.string(),
        occurred=moments,
        action=pa.string(),
        user=pa.string(),
        loaded=moments,
        insert_id=pa.string(),
        size_mb=pa.float64(),
        agent=pa.string(),
    )
    _table(home / "lessons.parquet", lessons, account=pa.string(), at=moments, minutes=pa.float64())
    _table(
        home / "weekly.parquet",
        weekly,
        account=pa.string(),
        week=moments,
        MAILS=pa.int64(),
        MAIL_USERS=pa.int64(),
        DEALS=pa.int64(),
    )
    path = home / "pql.yaml"
    path.write_text(yaml.safe_dump({**_config(motion), **config}, sort_keys=False), encoding="utf-8")
    return load_config(path)


def _config(motion: str) -> dict[str, Any]:
    log = {"entity": "account", "time": "occurred", "event": "action", "user": "user", "known_at": "loaded"}
    return {
        "name": "edges",
        "events": [
            {
                "table": "log.parquet",
                "columns": {**log, "id": "insert_id", "user_agent": "agent"},
                "values": {"mb": "size_mb"},
            },
            {
                "table": "lessons.parquet",
                "columns": {"entity": "account", "time": "at"},
                "event": LESSON,
                "values": {"minutes": "minutes"},
            },
            {
                "table": "weekly.parquet",
                "columns": {"entity": "account", "time": "week"},
                "counts": {COUNTED[0]: "MAILS", COUNTED[1]: "DEALS"},
                "users": {COUNTED[0]: "MAIL_USERS"},
                "covers": "7d",
            },
        ],
        "entities": {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}},
        "conversions": {"table": "paid.parquet", "columns": {"entity": "account", "time": "paid_at"}},
        "motion": motion,
        "snapshots": {"at_days": [0, 3, 14]} if motion == "trial" else {"every": "7d", "active_within": "14d"},
        "horizon": "14d",
        "exclude": {"entities": {"plan": ["Internal", 12]}, "users": ["u_internal"]},
        "max_set_aside": 1.0,
    }


def _signed_up(dice: Dice, motion: str) -> int | None:
    """On, or a microsecond beside, an age that is scored; unset or unknown now and then."""
    if dice.random() < 0.08:
        return dice.choice((None, *_UNSET))
    age = dice.choice((0, 3, 9, 14, 15) if motion == "trial" else (0, 9, 40))
    return AS_OF - age * DAY + dice.choice((0, 0, -1, 1, -5 * HOUR))


def _logged(dice: Dice, name: str, base: int) -> list[list[Any]]:
    rows: list[list[Any]] = []
    time = base
    for place in range(dice.randrange(12)):
        time = dice.choice((dice.around(AS_OF, base), time + dice.choice((0, 1, 30 * MINUTE, 30 * MINUTE + 1, DAY))))
        known = dice.choice((None, None, time, AS_OF - 1, AS_OF, time - DAY))
        row = [name, time, dice.choice(LOGGED), dice.choice(_USERS), known]
        row += [
            dice.choice((f"{name}-{place}", f"{name}-{place}", None, "nan")),
            dice.choice(_AMOUNTS),
            dice.choice(_AGENTS),
        ]
        rows.append(row)
        if dice.random() < 0.15:  # once more under the same id, earlier or later, or by another user
            rows.append([*row[:1], time + dice.choice((0, DAY, -DAY)), *row[2:3], dice.choice(_USERS), known, *row[5:]])
        if dice.random() < 0.05:
            rows.append([name, dice.choice((None, *_UNSET)), *row[2:]])
        if dice.random() < 0.05:
            rows.append([*row[:2], dice.choice((None, " ")), *row[3:]])
    return rows


def _table(path: Path, rows: list[list[Any]], **columns: pa.DataType) -> None:
    arrays = [pa.array([row[place] for row in rows], type=kind) for place, kind in enumerate(columns.values())]
    pq.write_table(pa.table(arrays, names=list(columns)), path)
