"""Products that are watched for three months after a training: quiet ones, and ones with a single planted change.

Accounts, usage and decisions are those of the demo (`pql_model.demo`). A change of how accounts behave or decide is made before
they decide; a change of tracking afterwards, so that it alters what is seen and nothing else.

    world = make_world("event_renamed", seed=3)
    write_world(world, folder, TRAINED)   # what was known when the model was trained
    write_world(world, folder, world.as_of)  # what is known when it is monitored
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from pql_model.demo.mechanism import odds_at_decision, payments
from pql_model.demo.unusable import iso_texts
from pql_model.demo.usage import (
    EVENTS,
    NEVER,
    UPLOAD,
    Accounts,
    Bools,
    Floats,
    Ints,
    done_by_age,
    draw_accounts,
    trial_usage,
)
from pql_model.demo.world import make_tables
from pql_model.time import DAY, HOUR, MINUTE, SECOND, iso, parse_instant

TRAINED = parse_instant("2025-09-15")
AS_OF = parse_instant("2025-12-22")
DECIDING = parse_instant("2025-09-22")
"""From here on accounts decide by other rules, where they do."""
HOLIDAY = 14
SMALL, LARGE = 3000, 10_000
"""Accounts that sign up in a year; about one in nine pays."""
BACKEND = ("Automation Run", "Teammate Invited")
"""Events of the second table."""

QUIET = {
    "quiet": "weekends and seasons",
    "holiday": "a fortnight in which 65 % of the usage and 60 % of the sign-ups are missing",
    "growth": "sign-ups that double within four months",
}
TRACKING = {
    "event_renamed": "one event goes by another name",
    "event_stopped": "one event is no longer sent",
    "event_started": "a quarter of the active accounts use a new feature",
    "sent_twice": "one event is sent twice, up to two seconds apart",
    "tracking_gap": "a week is missing, in everything or in one of two tables",
    "late_data": "everything arrives three days late",
    "trait_changed": "new values, a share of missing values, or another unit",
}
OUTCOME = {
    "odds_cut": "the odds of paying are cut to a third",
    "behaviours_changed": "what led to payment does no longer, and other behaviours do",
    "campaign": "sign-ups rise by 60 % with small accounts that do little",
}
PAYMENTS = {
    "payments_stopped": "no payment arrives any more; half of the tables hold renewals too",
    "payments_doubled": "each payment stands in its table twice, up to two seconds apart",
    "sales_stopped": "nobody new buys, and those who pay renew every month",
}
KINDS = {**QUIET, **TRACKING, **OUTCOME, **PAYMENTS}
BROKEN = {**TRACKING, **PAYMENTS}
"""Kinds that are one quiet product, but for a change in its data."""
FINDING = {kind: kind for kind in TRACKING} | {
    "payments_stopped": "event_stopped",
    "payments_doubled": "volume_changed",
    "sales_stopped": "base_rate_changed",
    "sent_twice": "volume_changed",
    "odds_cut": "calibration_off",
    "behaviours_changed": "performance_fell",
}
"""Kind of world -> the finding that names its change; none for a campaign, whose change the model handles."""
ADVICE = {kind: "fix_tracking" for kind in BROKEN if kind not in ("event_started", "sales_stopped")} | {
    "odds_cut": "recalibrate",
    "behaviours_changed": "retrain",
}
"""Kind of world -> the right advice; `keep` or `watch` elsewhere."""

SIZES_BEFORE = ("1-10", "11-50", "51-200", "201-1000")
SIZES_AFTER = ("1-9", "10-49", "50-249", "250+")
CONFIG = """\
name: watched-boards
entity: account
events:
  - table: product.parquet
    columns: {entity: account_id, user: user_id, event: action, time: occurred, id: event_id@known@}
    values: {megabytes: size_mb}
  - table: backend.parquet
    columns: {entity: account_id, user: user_id, event: action, time: occurred, id: event_id@known@}
entities:
  table: accounts.csv
  columns: {entity: account_id, signed_up: created_at}
  traits: [company_size, region, email_kind, employees]
conversions:
  table: subscriptions.csv
  columns: {entity: account_id, time: paid_at, value: mrr}
motion: trial
snapshots: {at_days: [7, 14]}
horizon: 30d
exclude: {entities: {email_domain: [nimbus.test]}}
definition:
  all: [{event: Teammate Invited, at_least: 2, within: first 14d}]
policy: {capacity: {leads: 25, per: 7d}}
score_log: score_log/
seed: 7
"""


@dataclass(frozen=True)
class WatchedWorld:
    """A product, what was planted in it, and what is to be found.

    Attributes
    ----------
    kind
        One of `KINDS`.
    subject
        Event, trait or table that changes; empty where everything does.
    changed
        Instant of the change; None in a quiet world.
    as_of
        When it is monitored; the tables know all of it.
    accounts, events, conversions
        As the files hold them at the end. `events` has its table in `source` and its arrival in `loaded_at`.
    knows_arrival
        Whether the config maps the arrival.
    """

    kind: str
    subject: str
    changed: int | None
    as_of: int
    accounts: pd.DataFrame
    events: pd.DataFrame
    conversions: pd.DataFrame
    knows_arrival: bool

    @property
    def finding(self) -> str | None:
        """The kind of finding that names the change."""
        return FINDING.get(self.kind)

    @property
    def config(self) -> str:
        return CONFIG.replace("@known@", ", known_at: loaded_at" if self.knows_arrival else "")


def make_world(kind: str, seed: int, accounts: int = SMALL) -> WatchedWorld:
    """Generate a product.

    Parameters
    ----------
    kind
        One of `KINDS`.
    seed
        The same seed gives the same product under every kind of `BROKEN`, but for the change. Even seeds know when rows
        arrive.
    accounts
        About how many sign up in a year.
    """
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    changed, subject = _planted(rng, kind, seed)
    listed, events, paid = _product("quiet" if kind in BROKEN else kind, seed, accounts)
    watched = WatchedWorld(kind, subject, changed, AS_OF, listed, events, paid, seed % 2 == 0)
    return _with_change(rng, watched, seed) if kind in BROKEN else watched


@lru_cache(maxsize=1)  # the changes of tracking are made to one product
def _product(kind: str, seed: int, accounts: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Accounts, events and payments of a product; callers leave them as they are."""
    away = partial(_is_away, kind, seed)
    people = _people(kind, seed, accounts)
    rng = np.random.default_rng([seed, 99])
    trial = trial_usage(rng, people)
    trial = trial[~away(trial["account"].to_numpy(), trial["time"].to_numpy())]
    world = make_tables(rng, people, trial, _decisions(rng, kind, people, trial))
    table = world.events
    table = table[table["occurred"].between("2025-01-01T", "2026-02-01") & table["occurred"].str.len().eq(20)]
    events = table[table["account_id"].notna() & table["account_id"].ne("")].drop_duplicates("event_id")
    number = events["account_id"].str.extract(r"acc-(\d+)", expand=False).fillna("1").astype(int).to_numpy() - 1
    events = events[~away(number, instants(events["occurred"]))].drop(columns="user_agent")  # also customers
    events = events.assign(source=np.where(events["action"].isin(BACKEND), "backend.parquet", "product.parquet"))
    columns = ["account_id", "created_at", "company_size", "region", "email_kind", "email_domain"]
    listed = world.accounts[columns].assign(employees=_employees(rng, people))
    return listed, _with_arrival(rng, events), world.conversions


def write_world(world: WatchedWorld, folder: Path, at: int) -> None:
    """Write the tables as they were known at an instant, and `pql.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    until = iso_texts([at])[0]
    known = world.events[world.events["loaded_at"] < until]
    for source, rows in known.groupby("source"):
        rows.drop(columns="source").to_parquet(folder / str(source), index=False)
    world.accounts[world.accounts["created_at"] < until].to_csv(folder / "accounts.csv", index=False)
    world.conversions[world.conversions["paid_at"] < until].to_csv(folder / "subscriptions.csv", index=False)
    (folder / "pql.yaml").write_text(world.config, encoding="utf-8")


def _planted(rng: np.random.Generator, kind: str, seed: int) -> tuple[int | None, str]:
    """When and what; tracking changes ten days to six weeks before monitoring."""
    if kind in QUIET:
        return None, ""
    if kind in OUTCOME:
        return DECIDING, ""
    day = AS_OF - int(rng.integers(10, 43)) * DAY
    subject = {
        "late_data": "",
        "tracking_gap": "" if seed % 4 < 2 else "backend.parquet",
        "trait_changed": ("company_size", "region", "employees")[seed % 3],
        "event_started": "Template Used",
        **dict.fromkeys(PAYMENTS, "conversions"),
    }
    return day, subject.get(kind, str(rng.choice([event for event in EVENTS if event != "Desktop App Installed"])))


def _people(kind: str, seed: int, n: int) -> Accounts:
    rng, own = np.random.default_rng(seed), np.random.default_rng([seed, 98])
    if kind == "campaign":
        people = draw_accounts(rng, round(1.6 * n))
        extra = rng.random(people.n) < 0.6 / 1.6
        scale = np.where(extra, 0.4, 1.0)
        people = replace(
            people,
            pace=people.pace * scale[:, None],
            inviting=people.inviting * scale,
            automating=people.automating * scale,
            size=np.where(extra & (own.random(people.n) < 0.8), 0, people.size),
        )
        return _only(people, ~extra | (people.signed_up >= DECIDING))
    if kind == "growth":
        people = draw_accounts(rng, round(1.6 * n))
        since = (people.signed_up - (AS_OF - 120 * DAY)) / (120 * DAY)
        return _only(people, own.random(people.n) < np.clip(0.5 * 2**since, 0.5, 1.0))
    people = draw_accounts(rng, n)
    if kind == "holiday":
        return _only(people, ~(_in_holiday(people.signed_up, seed) & (own.random(people.n) < 0.6)))
    return people


def _only(people: Accounts, rows: Bools) -> Accounts:
    return Accounts(*(getattr(people, field.name)[rows] for field in fields(people)))


def _in_holiday(times: Ints, seed: int) -> Bools:
    """A fortnight that ends a week before monitoring, or, for every other pair of seeds, lasts until then."""
    end = AS_OF - (7 * DAY if seed % 4 < 2 else 0)
    return np.asarray((times >= end - HOLIDAY * DAY) & (times < end))


def _is_away(kind: str, seed: int, accounts: Ints, times: Ints) -> Bools:
    """An account is away for whole days."""
    if kind != "holiday":
        return np.zeros(len(times), bool)
    rng = np.random.default_rng([seed, 97])
    keep_of_day = rng.uniform(0.25, 0.45, 400)  # no two days are alike
    day = (times // DAY) % 400
    luck = rng.random((int(accounts.max()) + 1, 400))
    return np.asarray(_in_holiday(times, seed) & (luck[accounts, day] > keep_of_day[day]))


def _decisions(rng: np.random.Generator, kind: str, people: Accounts, trial: pd.DataFrame) -> Ints:
    odds = odds_at_decision(people, trial)
    late = people.signed_up >= DECIDING
    if kind == "odds_cut":
        odds = odds - np.log(3) * late
    if kind == "behaviours_changed":
        other = _other_odds(people, trial)
        odds = np.where(late, other, odds)
    decided = payments(rng, people, trial, odds)
    early = late & (decided < people.signed_up + 14 * DAY)
    return np.where(early & (rng.random(people.n) < 2 / 3), NEVER, decided) if kind == "odds_cut" else decided


def _other_odds(people: Accounts, trial: pd.DataFrame) -> Floats:
    """Files and reports count now, at the same rate of payment."""
    uploaded = done_by_age(trial, people, UPLOAD, 14) >= 4
    exported = done_by_age(trial, people, EVENTS.index("Report Exported"), 14) >= 2
    few = done_by_age(trial, people, EVENTS.index("Comment Added"), 14) <= 1
    habits: Floats = np.column_stack([uploaded, exported, few]) @ np.array([1.6, 1.4, 1.0])
    target = _rate(odds_at_decision(people, trial))
    bases = np.linspace(-7, 0, 141)
    base = bases[np.argmin([abs(_rate(habits + base) - target) for base in bases])]
    return habits + base


def _rate(odds: Floats) -> float:
    return float((1 / (1 + np.exp(-odds))).mean())


def _employees(rng: np.random.Generator, people: Accounts) -> np.ndarray:
    typical = np.array([5.0, 25.0, 100.0, 450.0, 20.0])[people.size]
    return np.maximum(1, np.round(typical * rng.lognormal(0, 0.45, people.n)))


def _with_arrival(rng: np.random.Generator, events: pd.DataFrame) -> pd.DataFrame:
    """Rows arrive within minutes; one in a hundred within hours, when a device is offline."""
    delay = rng.exponential(3 * MINUTE, len(events)) + 10 * SECOND
    offline = rng.random(len(events)) < 0.01
    delay[offline] += rng.exponential(9 * HOUR, offline.sum())
    return events.assign(loaded_at=iso_texts(instants(events["occurred"]) + delay.astype(np.int64)))


def _with_change(rng: np.random.Generator, world: WatchedWorld, seed: int) -> WatchedWorld:
    assert world.changed is not None
    if world.kind == "payments_stopped":
        paid = _with_renewals(world, AS_OF) if seed % 4 < 2 else world.conversions
        return replace(world, conversions=paid[instants(paid["paid_at"]) < world.changed])
    if world.kind == "payments_doubled":
        paid = world.conversions
        again = paid[instants(paid["paid_at"]) >= world.changed]
        moved = instants(again["paid_at"]) + rng.integers(0, 3, len(again)) * SECOND
        return replace(world, conversions=pd.concat([paid, again.assign(paid_at=iso_texts(moved))], ignore_index=True))
    if world.kind == "sales_stopped":
        return replace(world, conversions=_with_renewals(world, world.changed))
    events, time = world.events, instants(world.events["occurred"])
    after = time >= world.changed
    about = after & events["action"].eq(world.subject).to_numpy()
    if world.kind == "event_stopped":
        return replace(world, events=events[~about])
    if world.kind == "event_renamed":
        return replace(world, events=events.assign(action=events["action"].mask(about, new_name(world.subject, seed))))
    if world.kind == "sent_twice":
        again = events[about]
        moved = instants(again["occurred"]) + rng.integers(0, 3, len(again)) * SECOND
        again = again.assign(event_id=again["event_id"] + "-2", occurred=iso_texts(moved))
        return replace(world, events=pd.concat([events, again], ignore_index=True))
    if world.kind == "event_started":
        return replace(world, events=pd.concat([events, _new_feature(rng, world, after)], ignore_index=True))
    if world.kind == "tracking_gap":
        concerned = events["source"].eq(world.subject).to_numpy() if world.subject else np.ones(len(events), bool)
        return replace(world, events=events[~(concerned & after & (time < world.changed + 7 * DAY))])
    if world.kind == "late_data":
        late = iso_texts(instants(events["loaded_at"]) + 3 * DAY * after)
        return replace(world, events=events.assign(loaded_at=late))
    return replace(world, accounts=_with_other_trait(rng, world))


def _with_renewals(world: WatchedWorld, until: int) -> pd.DataFrame:
    """Payments of those who bought before an instant, every 30 days from then on."""
    first = world.conversions[instants(world.conversions["paid_at"]) < until]
    times = instants(first["paid_at"])
    months = [
        first.assign(paid_at=iso_texts(times + month * 30 * DAY))[times + month * 30 * DAY < AS_OF]
        for month in range(13)
    ]
    return pd.concat(months, ignore_index=True)


def new_name(event: str, seed: int) -> str:
    """Name after the renaming: in another spelling, or another word."""
    return event.lower().replace(" ", "_") if seed % 2 else f"feature_{EVENTS.index(event):02d}"


def _new_feature(rng: np.random.Generator, world: WatchedWorld, after: np.ndarray) -> pd.DataFrame:
    """Beside one in three comments and cards of a quarter of the accounts."""
    events = world.events
    accounts = events["account_id"].unique()
    users = set(rng.choice(accounts, len(accounts) // 4, replace=False))
    beside = after & events["action"].isin(["Comment Added", "Card Moved"]) & events["account_id"].isin(users)
    rows = events[beside & (rng.random(len(events)) < 1 / 3)]
    return rows.assign(event_id=rows["event_id"] + "-new", action=world.subject)


def _with_other_trait(rng: np.random.Generator, world: WatchedWorld) -> pd.DataFrame:
    accounts = world.accounts
    after = instants(accounts["created_at"]) >= world.changed
    old = accounts[world.subject]
    if world.subject == "company_size":
        return accounts.assign(company_size=old.mask(after, old.map(dict(zip(SIZES_BEFORE, SIZES_AFTER, strict=True)))))
    if world.subject == "region":
        return accounts.assign(region=old.mask(after & (rng.random(len(accounts)) < 0.6), None))
    return accounts.assign(employees=old.mask(after, old * 1000))  # in thousands before, in ones now


def instants(texts: pd.Series) -> Ints:
    return np.asarray(texts.str.slice(0, 19).to_numpy().astype("datetime64[us]").astype(np.int64))


def main() -> None:
    for kind in KINDS:
        world = make_world(kind, seed=1)
        since = "" if world.changed is None else iso(world.changed)
        print(f"{kind:20} {len(world.events):8,} events {len(world.conversions):6,} payments {since} {world.subject}")


if __name__ == "__main__":
    main()
