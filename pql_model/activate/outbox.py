"""The outbox: leads that qualified and where each was sent, in one SQLite file beside the config.

`pql score` stages the leads of a run, then remembers its decisions, then settles: a run that was killed in between is
settled by whoever comes next, by what the remembered decisions say. So a lead is queued exactly if it was alerted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pql_model.activate.lead import Lead, LeadKey
from pql_model.decide.state import RunState
from pql_model.errors import DataError

_AT_ONCE = 200
SENT, DEAD, WITHDRAWN = "sent", "dead", "withdrawn"
CONVERTED, NOT_A_PQL = "converted", "no_longer_pql"
"""Why a lead is withdrawn. One that is no longer a PQL returns if it is one again."""

_TABLES = """
CREATE TABLE IF NOT EXISTS leads (
  entity TEXT, qualified_at INTEGER, probability REAL, row TEXT, PRIMARY KEY (entity, qualified_at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  target TEXT, entity TEXT, qualified_at INTEGER, status TEXT, reason TEXT, batch TEXT, attempts INTEGER DEFAULT 0,
  at INTEGER, PRIMARY KEY (target, entity, qualified_at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS targets (target TEXT PRIMARY KEY, since INTEGER, held_until INTEGER);
CREATE TABLE IF NOT EXISTS run (as_of INTEGER, record TEXT);
CREATE TABLE IF NOT EXISTS staged_run (as_of INTEGER, record TEXT);
CREATE TABLE IF NOT EXISTS staged_leads (entity TEXT PRIMARY KEY, probability REAL, row TEXT);
"""
_OPEN = """
FROM leads l LEFT JOIN deliveries d ON d.target = ? AND d.entity = l.entity AND d.qualified_at = l.qualified_at
WHERE l.qualified_at >= ? AND l.row IS NOT NULL
  AND (d.status IS NULL OR (d.status = 'withdrawn' AND d.reason = 'no_longer_pql') OR (d.status = 'dead' AND ?))
  AND NOT EXISTS (SELECT 1 FROM leads n WHERE n.entity = l.entity AND n.qualified_at > l.qualified_at)
"""  # of several qualifications of an entity that were not sent, the newest


@dataclass(frozen=True)
class Run:
    """A remembered scoring run.

    Attributes
    ----------
    output
        The file of its rows.
    scored_at
        Time in its rows, which tells its file from that of another run.
    cool_down
        Microseconds within which an entity is not alerted twice.
    targets
        Names of the targets of the config at that time.
    """

    as_of: int
    output: str
    scored_at: str
    model_version: str
    cool_down: int
    targets: tuple[str, ...]

    @classmethod
    def of_record(cls, record: str) -> Run:
        values = json.loads(record)
        return cls(**{**values, "targets": tuple(values["targets"])})

    def to_record(self) -> str:
        return json.dumps(self.__dict__, ensure_ascii=False)


def outbox_path(home: Path, product: str) -> Path:
    """The file of the outbox: one per product, beside the decisions of its runs."""
    return home / ".pql" / f"outbox-{product}.sqlite"


def read_deliveries(home: Path, product: str) -> list[tuple[str, int]]:
    """List who was sent when (entity, instant), to any target; empty where there is no outbox. Nothing is created.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    path = outbox_path(home, product)
    if not path.exists():
        return []
    with open_outbox(home, product) as outbox:
        return outbox.deliveries()


@contextmanager
def open_outbox(home: Path, product: str) -> Iterator[Outbox]:
    """Open the outbox of a product; it is created if needed.

    Raises
    ------
    DataError
        If the file cannot be read or written, also by the block.
    """
    path = outbox_path(home, product)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)) as con:
            con.executescript(_TABLES)
            yield Outbox(con)
    except sqlite3.Error as error:
        raise DataError(
            f"The outbox cannot be used: {error}",
            received=path,
            remedy="free disk space, or restore the file; nothing that was queued is lost while it exists",
        ) from error


class Outbox:
    """Leads and deliveries. Every change is one transaction."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con

    # ---------------------------------------------------------------- scoring

    def stage(self, run: Run, leads: Iterable[tuple[str, float, str]]) -> None:
        """Store a run and its newly qualified rows (entity, probability, JSON text) before its decisions are remembered."""
        with self._transaction() as con:
            self._clear_staged()
            con.execute("INSERT INTO staged_run VALUES (?, ?)", (run.as_of, run.to_record()))
            con.executemany("INSERT INTO staged_leads VALUES (?, ?, ?)", leads)

    @property
    def has_staged(self) -> bool:
        return bool(self._con.execute("SELECT count(*) FROM staged_run").fetchone()[0])

    def settle(self, runs: Sequence[RunState]) -> None:
        """Queue the staged leads that the remembered runs alerted, and drop the others: their run left nothing else behind."""
        staged = self._con.execute("SELECT record FROM staged_run").fetchone()
        if staged is None:
            return
        run = Run.of_record(staged[0])
        state = next((state for state in runs if state.as_of == run.as_of), None)
        with self._transaction():
            if state is not None:
                self._queue(run, state)
            self._clear_staged()

    def _queue(self, run: Run, state: RunState) -> None:
        """Queue the leads of a run, each entity at most once within the cool-down, whatever became of the memory of runs."""
        con = self._con
        alerted = [e for (e,) in con.execute("SELECT entity FROM staged_leads") if _is_alerted(state, e, run.as_of)]
        for entity in alerted:
            con.execute(
                "INSERT OR IGNORE INTO leads SELECT entity, ?, probability, row FROM staged_leads s WHERE entity = ?"
                " AND NOT EXISTS (SELECT 1 FROM leads l WHERE l.entity = s.entity AND l.qualified_at > ?)",
                (run.as_of, entity, run.as_of - run.cool_down),
            )
        con.execute("DELETE FROM run")
        con.execute("INSERT INTO run VALUES (?, ?)", (run.as_of, run.to_record()))
        con.executemany(
            "INSERT OR IGNORE INTO targets (target, since) VALUES (?, ?)", [(name, run.as_of) for name in run.targets]
        )
        self._forget_delivered_rows(run.as_of)

    def _forget_delivered_rows(self, as_of: int) -> None:
        """Keep of older leads that wait for no target only who and when."""
        self._con.execute(
            "UPDATE leads SET row = NULL WHERE qualified_at < ? AND row IS NOT NULL AND NOT EXISTS ("
            " SELECT 1 FROM targets t LEFT JOIN deliveries d ON d.target = t.target AND d.entity = leads.entity"
            "  AND d.qualified_at = leads.qualified_at"
            " WHERE t.since <= leads.qualified_at AND coalesce(d.status, '') <> 'sent'"
            "  AND NOT (coalesce(d.status, '') = 'withdrawn' AND coalesce(d.reason, '') = 'converted'))",
            (as_of,),
        )

    def _clear_staged(self) -> None:
        self._con.execute("DELETE FROM staged_run")
        self._con.execute("DELETE FROM staged_leads")

    # ---------------------------------------------------------------- sending

    @property
    def run(self) -> Run | None:
        """The newest remembered run since there is an outbox."""
        found = self._con.execute("SELECT record FROM run").fetchone()
        return Run.of_record(found[0]) if found is not None else None

    def since(self, target: str) -> int | None:
        """The instant from which on a target receives leads: a new one starts with the newest run. None before any run."""
        found = self._con.execute("SELECT since FROM targets WHERE target = ?", (target,)).fetchone()
        return int(found[0]) if found is not None else self.run.as_of if self.run is not None else None

    def register(self, target: str) -> None:
        """Fix from when on a target receives leads."""
        if (since := self.since(target)) is not None:
            with self._transaction() as con:
                con.execute("INSERT OR IGNORE INTO targets (target, since) VALUES (?, ?)", (target, since))

    def open_keys(self, target: str, also_dead: bool = False) -> list[LeadKey]:
        """List the leads that a target has not received: those tried least first, then by probability.

        Parameters
        ----------
        also_dead
            Whether to list those too that it has refused for good.
        """
        if (since := self.since(target)) is None:
            return []
        order = "ORDER BY coalesce(d.attempts, 0), l.probability DESC, l.entity"
        query = f"SELECT l.entity, l.qualified_at {_OPEN} {order}"
        return self._con.execute(query, (target, since, also_dead)).fetchall()

    def delivered_keys(self, target: str, qualified_at: int) -> list[LeadKey]:
        """List the leads of one run that a target has received, by probability."""
        return self._con.execute(
            "SELECT l.entity, l.qualified_at FROM leads l JOIN deliveries d USING (entity, qualified_at) WHERE d.target = ?"
            " AND l.qualified_at = ? AND d.status = 'sent' AND l.row IS NOT NULL ORDER BY l.probability DESC, l.entity",
            (target, qualified_at),
        ).fetchall()

    def leads(self, keys: Sequence[LeadKey]) -> Iterator[Lead]:
        """Read leads in the order of the keys, a few at a time."""
        for start in range(0, len(keys), _AT_ONCE):
            chunk = keys[start : start + _AT_ONCE]
            marks = ", ".join(["(?, ?)"] * len(chunk))
            # a cross join keeps this order: each key is looked up, where `IN (VALUES ...)` compares every pair of its parts
            query = (
                f"WITH key (entity, at) AS (VALUES {marks}) SELECT l.entity, l.qualified_at, l.row FROM key"  # noqa: S608
                " CROSS JOIN leads l ON l.entity = key.entity AND l.qualified_at = key.at"
            )
            rows = {(e, at): row for e, at, row in self._con.execute(query, [part for key in chunk for part in key])}
            yield from (Lead(*key, json.loads(rows[key])) for key in chunk)

    def count(self, target: str, status: str) -> int:
        """Count the leads of a target in a state."""
        query = "SELECT count(*) FROM deliveries WHERE target = ? AND status = ?"
        return int(self._con.execute(query, (target, status)).fetchone()[0])

    def deliveries(self) -> list[tuple[str, int]]:
        """List who was sent when (entity, instant), to any target."""
        query = "SELECT DISTINCT entity, at FROM deliveries WHERE status = 'sent' AND at IS NOT NULL"
        return self._con.execute(query).fetchall()

    def mark(self, target: str, keys: Iterable[LeadKey], status: str, reason: str | None, at: int) -> None:
        """Record that leads were sent, refused for good, or withdrawn."""
        with self._transaction() as con:
            con.executemany(
                "INSERT INTO deliveries (target, entity, qualified_at, status, reason, at) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET status = excluded.status, reason = excluded.reason, at = excluded.at",
                [(target, *key, status, reason, at) for key in keys],
            )

    def reopen(self, target: str, keys: Iterable[LeadKey]) -> None:
        """Return withdrawn leads to those that wait."""
        with self._transaction() as con:
            con.executemany(
                "UPDATE deliveries SET status = NULL, reason = NULL WHERE target = ? AND entity = ? AND qualified_at = ?",
                [(target, *key) for key in keys],
            )

    def withdrawn_keys(self, target: str) -> set[LeadKey]:
        """The leads that a target does not receive at present."""
        query = "SELECT entity, qualified_at FROM deliveries WHERE target = ? AND status = 'withdrawn'"
        return set(self._con.execute(query, (target,)).fetchall())

    def note_attempt(self, target: str, keys: Iterable[LeadKey], reason: str, at: int) -> None:
        """Record a failure that may pass: the lead waits for the next run, behind those tried less often."""
        with self._transaction() as con:
            con.executemany(
                "INSERT INTO deliveries (target, entity, qualified_at, reason, attempts, at) VALUES (?, ?, ?, ?, 1, ?)"
                " ON CONFLICT DO UPDATE SET attempts = attempts + 1, reason = excluded.reason, at = excluded.at",
                [(target, *key, reason, at) for key in keys],
            )

    def replay_dead(self, target: str) -> int:
        """Let leads that were refused for good be tried once more; return their number."""
        with self._transaction() as con:
            return con.execute(
                "UPDATE deliveries SET status = NULL WHERE target = ? AND status = 'dead'", (target,)
            ).rowcount

    def hold(self, target: str, until: int | None) -> None:
        """Remember until when a target asked not to be called."""
        with self._transaction() as con:
            con.execute("UPDATE targets SET held_until = ? WHERE target = ?", (until, target))

    def held_until(self, target: str) -> int | None:
        found = self._con.execute("SELECT held_until FROM targets WHERE target = ?", (target,)).fetchone()
        return found[0] if found is not None else None

    # ---------------------------------------------------------------- messages of several leads

    def batches(self, target: str, waiting: Iterable[LeadKey]) -> dict[str, list[LeadKey]]:
        """Group leads that wait into the messages that were begun before, by the id of the message."""
        keys = set(waiting)
        query = "SELECT batch, entity, qualified_at FROM deliveries WHERE target = ? AND batch IS NOT NULL"
        groups: dict[str, list[LeadKey]] = {}
        for batch, entity, at in self._con.execute(query, (target,)):
            if (entity, at) in keys:
                groups.setdefault(batch, []).append((entity, at))
        return groups

    def assign_batch(self, target: str, keys: Iterable[LeadKey], batch: str) -> None:
        """Fix which leads a message holds before it is sent, so that a repeat holds the same ones."""
        with self._transaction() as con:
            con.executemany(
                "INSERT INTO deliveries (target, entity, qualified_at, batch) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET batch = excluded.batch",
                [(target, *key, batch) for key in keys],
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._con.execute("BEGIN IMMEDIATE")
        try:
            yield self._con
        except BaseException:
            if self._con.in_transaction:  # SQLite has rolled back by itself where the disk is full
                self._con.execute("ROLLBACK")
            raise
        self._con.execute("COMMIT")


def _is_alerted(state: RunState, entity: str, as_of: int) -> bool:
    remembered = state.entities.get(entity)
    return remembered is not None and remembered.alerted_at == as_of
