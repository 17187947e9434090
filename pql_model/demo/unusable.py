"""The event log as file rows, with unusable rows mixed in. Each is unusable for exactly one reason, so counts are exact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pql_model.demo.usage import EVENTS, SEATS, UPLOAD, Floats, Ints
from pql_model.time import DAY, HOUR, SECOND

Names = npt.NDArray[np.object_]

SHARES = {
    "no_entity": 0.012,
    "unparsable_time": 0.006,
    "duplicate_id": 0.05,
    "bot": 0.06,
    "unknown_entity": 0.02,
    "before_signup": 0.02,
    "after_observed_until": 0.004,
}
"""Reason -> unusable rows per account."""
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0",
    "Mozilla/5.0 (Macintosh) Safari/605.1",
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0",
    "NimbusDesktop/3.2",
)
_CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def iso_texts(instants: npt.ArrayLike) -> Names:
    """Format instants, truncated to seconds, as `2025-03-04T10:11:12Z`."""
    seconds = np.asarray(instants, dtype=np.int64) // SECOND
    return np.datetime_as_string(seconds.astype("datetime64[s]"), timezone="UTC").astype(object)


def as_rows(rng: np.random.Generator, log: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Convert the log to the columns of the file; ids follow its order."""
    account, user, action = (log[column].to_numpy() for column in ("account", "user", "action"))
    people = np.array([f"{name}/u{seat + 1}" for name in names for seat in range(SEATS)], dtype=object)
    agents = np.array(_AGENTS, dtype=object)
    size: Floats = np.where(action == UPLOAD, np.round(rng.lognormal(0.5, 1.2, len(log)) + 0.01, 2), np.nan)
    return pd.DataFrame(
        {
            "event_id": [f"e{number:08d}" for number in range(len(log))],
            "account_id": names[account],
            "user_id": np.where(user >= 0, people[account * SEATS + user], None),
            "action": np.array(EVENTS, dtype=object)[action],
            "occurred": iso_texts(log["time"]),
            "size_mb": size,
            "user_agent": np.where(user >= 0, agents[(account + user) % len(agents)], None),
        }
    )


def with_unusable_rows(
    rng: np.random.Generator, rows: pd.DataFrame, names: Names, signed_up: Ints
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Mix in copies that are each corrupted in one way, and count them by reason."""
    counts = {reason: max(2, round(share * names.size)) for reason, share in SHARES.items()}
    positions = rng.choice(len(rows), sum(counts.values()), replace=False)
    copies = rows.iloc[positions].reset_index(drop=True)
    reason = np.repeat(list(counts), list(counts.values()))
    fresh = np.flatnonzero(reason != "duplicate_id")
    copies.loc[fresh, "event_id"] = [f"e{len(rows) + number:08d}" for number in fresh]
    began = pd.Series(signed_up, index=names)[copies["account_id"]].to_numpy()
    for name in counts:
        _corrupt(rng, copies, np.flatnonzero(reason == name), name, began)
    place = np.concatenate([np.arange(len(rows)), rng.uniform(0, len(rows), len(copies))])
    mixed = pd.concat([rows, copies]).iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    return mixed, counts


def _corrupt(rng: np.random.Generator, rows: pd.DataFrame, at: Ints, reason: str, began: Ints) -> None:
    if reason == "no_entity":
        rows.loc[at, "account_id"] = _alternate(at, None, "")
    elif reason == "unparsable_time":
        rows.loc[at, "occurred"] = _alternate(at, "not-a-time", "2025-13-45")
    elif reason == "bot":
        rows.loc[at[::2], "user_id"] = "uptime-bot"
        rows.loc[at[1::2], "user_agent"] = _CRAWLER
    elif reason == "unknown_entity":
        rows.loc[at, "account_id"] = [f"ghost-{number:04d}" for number in rng.integers(0, 20, at.size)]
    elif reason == "before_signup":
        rows.loc[at, "occurred"] = iso_texts(began[at] - rng.integers(HOUR, 20 * DAY, at.size))
    elif reason == "after_observed_until":
        rows.loc[at, "occurred"] = _alternate(at, "2031-05-17T08:00:00Z", "2099-12-31T23:59:59Z")


def _alternate(at: Ints, first: str | None, second: str | None) -> Names:
    turns = np.empty(at.size, dtype=object)
    turns[::2], turns[1::2] = first, second
    return turns
