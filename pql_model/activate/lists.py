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
    now = time.now()
    if not _is_queue(target):
        return Outcome(written + len(faults), written, len(faults), 0, _output(target, job), _told(faults))
    delivered = [key for key in job.ready if key not in faults]
    job.outbox.mark(target.name, delivered, SENT, None, now)
    for key, fault in faults.items():
        job.outbox.mark(target.name, [key], DEAD, fault, now)
    return Outcome(len(job.ready), len(delivered), len(faults), 0, _output(target, job), _told(faults))


def preview_list(target: ListTarget, job: Job, at_most: int) -> Outcome:
    """Show the first rows as they would be written."""
    leads = _rows(target, job)
    shown = [_shown(target, job, lead) for lead in islice(leads, at_most)]
    due = len(job.ready) if _is_queue(target) else len(shown) + sum(1 for _ in leads)
    return Outcome(due, 0, 0, due, _output(target, job), preview=shown)


def _write(target: ListTarget, job: Job, faults: dict[LeadKey, str]) -> int:
    leads = _rows(target, job)
    if isinstance(target, TableTarget):
        rows = (lead.row for lead in leads)
        if _is_queue(target) and not job.ready:
            return 0
        return upsert_rows(_url(target, job), job.home, target.table, rows, mirror=not _is_queue(target))
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


def _shown(target: ListTarget, job: Job, lead: Lead) -> Any:
    if isinstance(target, HubSpotTarget | SalesforceTarget):
        row, fault = crm_row(target, lead.row, _contact(job, lead))
        return row if fault is None else {**row, "refused": fault}
    return flat_row(lead.row) if isinstance(target, FileTarget) and target.path.endswith(".csv") else lead.row


def _told(faults: dict[LeadKey, str]) -> str | None:
    counts = Counter(faults.values())
    return "; ".join(f"{count:,} rows were left out: {why}" for why, count in islice(counts.most_common(), 5)) or None


def _url(target: TableTarget, job: Job) -> str:
    return str(job.secrets.url(target) or job.connection)


def _output(target: ListTarget, job: Job) -> str:
    if not isinstance(target, TableTarget):
        return str(resolved_path(job.home, target.path, job.run.as_of))
    variable = variable_of_url(target)
    return f"table {target.table} of {variable or without_password(_url(target, job))}"
