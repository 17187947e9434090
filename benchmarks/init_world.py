"""One product with a known truth (accounts, users, events, payments), to be written in the form of many vendors.

The mixture of statuses is that of a real export: trials that were never paid, failed and refunded charges, test mode, lost
deals, planned dates.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
ACTS = ("Teammate Invited", "Project Created", "File Uploaded", "Page Viewed")
DAY = dt.timedelta(days=1)
Row = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """An account of the product; `paid_at` is None where it never paid."""

    id: str
    signed_up: dt.datetime
    paid_at: dt.datetime | None
    price: int


@dataclass(frozen=True)
class World:
    """The truth behind every export."""

    accounts: tuple[Account, ...]
    events: tuple[tuple[str, str, str, dt.datetime], ...]
    """Account, user, name and time."""

    @property
    def payers(self) -> list[Account]:
        return [account for account in self.accounts if account.paid_at is not None]

    @property
    def others(self) -> list[Account]:
        return [account for account in self.accounts if account.paid_at is None]

    @property
    def end(self) -> dt.datetime:
        return max(time for *_, time in self.events)


@dataclass(frozen=True)
class Files:
    """The files of an export, as they are passed to `pql init`."""

    events: tuple[Path, ...]
    entities: Path
    conversions: Path


@dataclass(frozen=True)
class Export:
    """An export and the truth about it.

    Attributes
    ----------
    write
        Writes the files into a folder.
    expected
        What the drafted config must hold: a dotted path such as `conversions.columns.time` and its value.
    counts
        What `pql check` must count, beside the conversions and entities of the world.
    refused
        Whether a refusal or a question is the right answer.
    """

    name: str
    write: Callable[[World, Path], Files]
    expected: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    refused: bool = False


def make_world(seed: int = 5, accounts: int = 300) -> World:
    """Make a product in which a fifth of the accounts pay, two weeks after signing up or later."""
    rng = random.Random(seed)
    made, events = [], []
    for number in range(accounts):
        name = f"acc_{number:04d}"
        signed_up = START + dt.timedelta(seconds=rng.randrange(240 * 86_400))
        paid = rng.random() < 0.2
        paid_at = signed_up + 14 * DAY + dt.timedelta(seconds=rng.randrange(10 * 86_400)) if paid else None
        made.append(Account(name, signed_up, paid_at, rng.choice([49, 99, 199])))
        for _ in range(3 + int(rng.expovariate(1 / 12))):
            time = signed_up + dt.timedelta(seconds=60 + rng.randrange(45 * 86_400))
            events.append((name, f"{name}_u{rng.randrange(3)}", rng.choice(ACTS), time))
    return World(tuple(made), tuple(sorted(events, key=lambda event: event[3])))


# ---------------------------------------------------------------- writing


def iso(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def minute(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M") if time else ""


def date(time: dt.datetime | None) -> str:
    return time.strftime("%Y-%m-%d") if time else ""


def epoch(time: dt.datetime | None) -> int | None:
    return int(time.timestamp()) if time else None


def write_csv(path: Path, rows: Iterable[Row], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """Write rows under the columns of the first row."""
    rows = list(rows)
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def account_rows(world: World, form: Callable[[Any], Any] = iso) -> list[Row]:
    sizes, countries = ("1-10", "11-50", "51-200"), ("DE", "US", "NA")
    return [
        {
            "account_id": a.id,
            "created_at": form(a.signed_up),
            "company_size": sizes[n % 3],
            "country": countries[n // 3 % 3],
        }
        for n, a in enumerate(world.accounts)
    ]


def event_rows(world: World, form: Callable[[Any], Any] = iso) -> list[Row]:
    return [
        {"event_id": f"e{n:06d}", "account_id": account, "user_id": user, "event": name, "timestamp": form(time)}
        for n, (account, user, name, time) in enumerate(world.events)
    ]


def payment_rows(world: World, form: Callable[[Any], Any] = iso) -> list[Row]:
    return [{"account_id": a.id, "paid_at": form(a.paid_at), "mrr": f"{a.price}.0"} for a in world.payers]


def _others(world: World, name: str, rows: Iterable[Row], as_json: bool = False) -> Callable[[Path], Files]:
    """Plain events and accounts beside the given conversions."""

    def write(folder: Path) -> Files:
        events = write_csv(folder / "events.csv", event_rows(world))
        entities = write_csv(folder / "accounts.csv", account_rows(world))
        writer = write_json if as_json else write_csv
        return Files((events,), entities, writer(folder / name, rows))

    return write


def payments(name: str, rows: Callable[[World], list[Row]], **expected: Any) -> Export:
    """An export whose conversions are the given rows; a name that ends in .jsonl is written as JSON."""
    file = f"{name}.csv" if "." not in name else name

    def write(world: World, folder: Path) -> Files:
        return _others(world, file, rows(world), as_json=file.endswith("jsonl"))(folder)

    paths = {key.replace("__", "."): value for key, value in expected.items()}
    return Export(name.split(".")[0], write, paths)


def shuffled(rows: Sequence[Row], seed: int = 1) -> list[Row]:
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    return rows


def number_of(account: str) -> int:
    return int(account[4:]) + 1


Rows = Callable[[World], list[Row]]


def files(
    folder: Path, events: list[Row], accounts: list[Row], paid: list[Row], *, log: str = "events.csv", **options: Any
) -> Files:
    writer = write_json if log.endswith("jsonl") else write_csv
    return Files(
        (writer(folder / log, events, **options) if writer is write_csv else writer(folder / log, events),),
        write_csv(folder / "accounts.csv", accounts, **options),
        write_csv(folder / "subscriptions.csv", paid, **options),
    )


def log(name: str, rows: Rows, file: str = "events.csv", **expected: Any) -> Export:
    """An event log in a vendor's form, beside plain accounts and payments."""

    def write(world: World, folder: Path) -> Files:
        return files(folder, rows(world), account_rows(world), payment_rows(world), log=file)

    columns = {f"events.0.columns.{role}": column for role, column in expected.items()}
    return Export(name, write, columns)
