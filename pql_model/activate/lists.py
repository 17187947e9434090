"""Deliver rows as lists: files, files for CRM importers, and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from pql_model import time
from pql_model.activate.crm_files import CrmTarget, crm_row, write_crm
from pql_model.activate.flat import flat_row
from pql_model.activate.job import Job, Outcome
from pql_model.activate.lead import Lead, LeadKey
from pql_model.activate.list_files import resolved_path, write_rows
from pql_model.activate.outbox import DEAD, SENT
from pql_model.activate.scored_file import scored_rows
from pql_model.activate.secrets import variable_of_url
from pql_model.activate.tables import upsert_rows
from pql_model.config.sync_targets import FileTarget, HubSpotTarget, SalesforceTarget, TableTarget
from pql_model.errors import PqlError
from pql_model.sources.files import without_password

ListTarget = FileTarget | TableTarget | HubSpotTarget | SalesforceTarget


def send_list(target: ListTarget, job: Job) -> Outcome:
    """Write the list of a job, all of it or nothing."""
    faults: dict[LeadKey, str] = {}
    try:
        written = _write(target, job, faults)
    except PqlError as error:
        due = len(job.ready) if _is_queue(target) else sum(1 for _ in _last_run_rows(target, job, quiet=True))
        return Outcome(due, 0, 0, due, _output(target, job), job.secrets.mask(str(error)))
    now, counts = time.now(), dict(Counter(faults.values()).most_common())
    due, sent = written + len(faults), written
    if _is_queue(target):
        delivered = [key for key in job.ready if key not in faults]
        job.outbox.mark(target.name, delivered, SENT, None, now)
        for fault in counts:
            job.outbox.mark(target.name, [key for key, why in faults.items() if why == fault], DEAD, fault, now)
        due, sent = len(job.ready), len(delivered)
    return Outcome(due, sent, len(faults), 0, _output(target, job), _told(counts), refused=counts)


def preview_list(target: ListTarget, job: Job, at_most: int) -> Outcome:
    """Show the first rows as they would be written, and count those that an importer would refuse."""
    shown: list[Any] = []
    refused: Counter[str] = Counter()
    read = 0
    for lead in _rows(target, job):
        read += 1
        if len(shown) < at_most or isinstance(target, CrmTarget):
            row, fault = _as_written(target, job, lead)
            if fault is not None:
                refused[fault] += 1
            if len(shown) < at_most:
                shown.append(row)
        elif _is_queue(target):  # its rows are counted already
            break
    due, failed = len(job.ready) if _is_queue(target) else read, refused.total()
    counts = dict(refused.most_common())
    return Outcome(due, 0, failed, due - failed, _output(target, job), preview=shown, refused=counts)


def _write(target: ListTarget, job: Job, faults: dict[LeadKey, str]) -> int:
    leads = _rows(target, job)
    if isinstance(target, TableTarget):
        rows = (lead.row for lead in leads)
        if _is_queue(target) and not job.ready:
            return 0
        return upsert_rows(
            _url(target, job),
            job.home,
            target.table,
            rows,
            mirror=not _is_queue(target),
            variable=variable_of_url(target),
            key="connection" if target.connection is None else f"sync.{target.name}.connection",
        )
    path = resolved_path(job.home, target.path, job.run.as_of)
    if isinstance(target, FileTarget):
        return write_rows(path, (lead.row for lead in leads))
    return write_crm(path, target, _shaped(target, job, leads, faults))


def _shaped(target: CrmTarget, job: Job, leads: Iterable[Lead], faults: dict[LeadKey, str]) -> Iterator[dict[str, Any]]:
    """Yield the rows that an importer takes, and note the others."""
    for lead in leads:
        row, fault = crm_row(target, lead.row, _contact(job, lead))
        if fault is None:
            yield row
        else:
            faults[lead.key] = fault


def _rows(target: ListTarget, job: Job) -> Iterator[Lead]:
    return _queued(target, job) if _is_queue(target) else _last_run_rows(target, job)


def _queued(target: ListTarget, job: Job) -> Iterator[Lead]:
    """The leads that wait. A file keeps those of the newest run that it had already: syncing twice gives the same file."""
    keys = list(job.ready)
    if not isinstance(target, TableTarget):
        kept = job.outbox.delivered_keys(target.name, job.run.as_of)
        keys += [key for key in kept if job.withdrawal(key[0]) is None]
    return job.outbox.leads(keys)


def _last_run_rows(target: ListTarget, job: Job, quiet: bool = False) -> Iterator[Lead]:
    try:
        for row in chain.from_iterable(scored_rows(job.run, target.rows == "pql")):
            yield Lead(str(row["entity"]), job.run.as_of, row)
    except PqlError:
        if not quiet:
            raise


def _is_queue(target: ListTarget) -> bool:
    return target.rows == "newly_qualified"


def _contact(job: Job, lead: Lead) -> str | None:
    user = lead.entity if job.of_users else (lead.row.get("contact") or {}).get("user")
    return str(user) if user else None


def _as_written(target: ListTarget, job: Job, lead: Lead) -> tuple[dict[str, Any], str | None]:
    """The row as the target gets it, and why an importer would refuse it; then only whose it is."""
    if isinstance(target, CrmTarget):
        row, fault = crm_row(target, lead.row, _contact(job, lead))
        return (row, None) if fault is None else ({"entity": lead.entity, "refused": fault}, fault)
    return flat_row(lead.row) if isinstance(target, FileTarget) and target.path.endswith(".csv") else lead.row, None


def _told(counts: dict[str, int]) -> str | None:
    return "; ".join(f"{count:,} rows were left out: {why}" for why, count in islice(counts.items(), 5)) or None


def _url(target: TableTarget, job: Job) -> str:
    return str(job.secrets.url(target) or job.connection)


def _output(target: ListTarget, job: Job) -> str:
    if not isinstance(target, TableTarget):
        return str(resolved_path(job.home, target.path, job.run.as_of))
    variable = variable_of_url(target)
    return f"table {target.table} of {variable or without_password(_url(target, job))}"
