"""Send what is new to where it is used: webhooks, Slack, files, CRM importers, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.activate.job import Job, Outcome
from pql_model.activate.lists import preview_list, send_list
from pql_model.activate.messages import preview_messages, send_messages
from pql_model.activate.outbox import DEAD, Outbox, Run, open_outbox
from pql_model.activate.secrets import missing_variables, read_secrets
from pql_model.activate.withdraw import count_withdrawals, record_withdrawals, sort_leads, withdrawal_of
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.config.sync_targets import FileTarget, HubSpotTarget, SalesforceTarget, SyncTarget, TableTarget
from pql_model.decide.state import RunState
from pql_model.decide.state_file import read_runs, state_path
from pql_model.errors import DataError, did_you_mean, nearest
from pql_model.file_lock import file_lock
from pql_model.progress import Listener, Stages
from pql_model.sources.converted import converted_entities
from pql_model.sources.duckdb_session import open_session

_LISTS = (FileTarget, TableTarget, HubSpotTarget, SalesforceTarget)
_SCORING = "A scoring run in this folder is in progress; waiting for it."
_SYNCING = "Another sync in this folder is in progress; waiting for it."


@dataclass(frozen=True)
class TargetResult:
    """What one target received, or would receive.

    Attributes
    ----------
    withdrawn
        Reason -> leads that will not be sent: `converted` since they qualified, or `no_longer_pql`.
    dead
        Leads of this target that were refused for good, in this run or before; `replay_dead` tries them again.
    """

    target: SyncTarget
    outcome: Outcome
    withdrawn: dict[str, int]
    dead: int

    def to_dict(self) -> dict[str, Any]:
        outcome = self.outcome
        return {
            "name": self.target.name,
            "kind": self.target.kind,
            "rows": outcome.rows,
            "sent": outcome.sent,
            "failed": outcome.failed,
            "pending": outcome.pending,
            "output": outcome.output,
            "withdrawn": self.withdrawn,
            "dead": self.dead,
            "problem": outcome.problem,
            "refused": outcome.refused,
            "preview": outcome.preview,
        }


@dataclass(frozen=True)
class SyncResult:
    """What every target received, or would receive.

    Attributes
    ----------
    missing
        Environment variables that are not set and that sending needs.
    """

    as_of: int
    sent: bool
    targets: list[TargetResult]
    missing: list[str]
    seconds: dict[str, float]

    @property
    def error(self) -> DataError | None:
        """The error for a run in which something was not delivered; None if everything was."""
        problems = [(t.target.name, t.outcome.problem) for t in self.targets if t.outcome.problem]
        if not problems:
            return None
        return DataError(
            "Not everything was delivered. "
            + " ".join(f"{name}: {problem.rstrip('.')}." for name, problem in problems),
            remedy="correct the target and sync again: what is pending is sent then, what was refused with `--replay-dead`",
        )

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql sync --json` prints."""
        return {
            "as_of": time.iso(self.as_of),
            "send": self.sent,
            "targets": [target.to_dict() for target in self.targets],
            "missing_variables": self.missing,
            "seconds": self.seconds,
        }


def sync(
    config: Config | str | Path,
    *,
    target: str | Sequence[str] | None = None,
    send: bool = False,
    replay_dead: bool = False,
    preview: int = 3,
    listener: Listener | None = None,
) -> SyncResult:
    """Send the lists of `sync:` to their targets, or show what would be sent.

    A target of newly qualified rows receives each lead at least once, whatever is killed in between, and a repeat has the
    same id. Leads that converted or are no longer PQLs are withdrawn. A target that fails keeps the others from nothing.

    Parameters
    ----------
    target
        Names of targets; default: all.
    send
        Send. Without it nothing leaves this machine and no file or table is written.
    replay_dead
        Try once more what a target has refused for good; without `send`, show it.
    preview
        Number of messages or rows to show per target where nothing is sent.

    Raises
    ------
    ConfigError
        If an environment variable of a target is not set, or not usable.
    DataError
        If there is no such target, or no scoring run to sync.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> with (folder / "pql.yaml").open("a") as file:
    ...     _ = file.write("sync: [{name: today, kind: file, path: new.csv}]")
    >>> scores = pql_model.score(folder / "pql.yaml", as_of="2025-11-20")
    >>> result = sync(folder / "pql.yaml", send=True)
    >>> [(t["name"], t["pending"]) for t in result.to_dict()["targets"]], (folder / "new.csv").exists()
    ([('today', 0)], True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    targets = select_targets(config, target)
    secrets = read_secrets(targets, required=send)
    stages = Stages(listener)
    lock = state_path(config.home, config.name).with_name(f"sync-{config.name}.lock")
    with file_lock(lock, lambda: stages.listener.say(_SYNCING)), open_outbox(config.home, config.name) as outbox:
        with stages("read what is new"):
            state = _settled_state(config, outbox, stages.listener)
            run = _last_run(outbox)
            with open_session() as con:
                converted = converted_entities(con, config, time.now())
        withdrawal = partial(withdrawal_of, state, converted)
        results = []
        for each in targets:
            with stages(each.name):
                if send:
                    outbox.register(each.name)
                if send and replay_dead:
                    outbox.replay_dead(each.name)
                ready, withdrawn = sort_leads(outbox.open_keys(each.name, also_dead=replay_dead), withdrawal)
                job = Job(
                    home=config.home,
                    product=config.name,
                    connection=config.connection,
                    of_users=config.entity == "user",
                    outbox=outbox,
                    run=run,
                    secrets=secrets,
                    ready=ready,
                    withdrawal=withdrawal,
                    listener=stages.listener,
                )
                if send:
                    counts = record_withdrawals(outbox, each.name, ready, withdrawn, time.now())
                    outcome = _deliver(each, job)
                else:
                    counts = count_withdrawals(withdrawn, outbox.withdrawn_keys(each.name))
                    outcome = _preview(each, job, preview)
                counts = counts if each.rows == "newly_qualified" else {}
                results.append(TargetResult(each, outcome, counts, outbox.count(each.name, DEAD)))
    return SyncResult(run.as_of, send, results, missing_variables(targets, secrets), stages.seconds)


def select_targets(config: Config, names: str | Sequence[str] | None) -> list[SyncTarget]:
    """Find targets by name.

    Raises
    ------
    DataError
        If the config has none, or none of a name.
    """
    if not config.sync:
        raise DataError(
            "The config has no targets to sync",
            remedy="add some under `sync:`, such as `sync: [{name: today, kind: file, path: out/new.csv}]`",
        )
    by_name = {target.name: target for target in config.sync}
    chosen = [names] if isinstance(names, str) else list(names or by_name)
    for name in chosen:
        if name not in by_name:
            raise DataError(
                f"There is no target `{name}` under `sync:`" + did_you_mean(nearest(name, by_name)),
                allowed=list(by_name),
            )
    return [by_name[name] for name in dict.fromkeys(chosen)]


def _settled_state(config: Config, outbox: Outbox, listener: Listener) -> RunState | None:
    """Read the decisions of the newest run, and queue the leads of one that was killed before it could."""
    memory = state_path(config.home, config.name)
    if outbox.has_staged:
        with file_lock(memory.with_suffix(".lock"), lambda: listener.say(_SCORING)):
            outbox.settle(read_runs(memory))
    return max(read_runs(memory), key=lambda run: run.as_of or 0, default=None)


def _last_run(outbox: Outbox) -> Run:
    if (run := outbox.run) is None:
        raise DataError(
            "There is no scoring run to sync: only runs of the champion at the newest instant are",
            remedy="score first: `pql score`",
        )
    return run


def _deliver(target: SyncTarget, job: Job) -> Outcome:
    return send_list(target, job) if isinstance(target, _LISTS) else send_messages(target, job)


def _preview(target: SyncTarget, job: Job, at_most: int) -> Outcome:
    return preview_list(target, job, at_most) if isinstance(target, _LISTS) else preview_messages(target, job, at_most)
