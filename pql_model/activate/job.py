"""What one target is to receive, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pql_model.activate.lead import LeadKey
from pql_model.activate.outbox import Outbox, Run
from pql_model.activate.secrets import Secrets
from pql_model.progress import Listener


@dataclass(frozen=True)
class Job:
    """The work of one target.

    Attributes
    ----------
    product, connection
        Name and connection of the config.
    of_users
        Whether the entities are users, who are their own contacts.
    ready
        The leads to send, in their order.
    withdrawal
        Says why a lead of an entity must not be sent any more; None if it may be.
    """

    home: Path
    product: str
    connection: str | None
    of_users: bool
    outbox: Outbox
    run: Run
    secrets: Secrets
    ready: list[LeadKey]
    withdrawal: Callable[[str], str | None]
    listener: Listener


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes
    ----------
    rows
        Rows or leads that the target was due.
    sent, failed, pending
        Of these: delivered, refused for good, still waiting.
    output
        Where they went, without secrets.
    problem
        Why some were not delivered; None if all were.
    preview
        The first messages or rows, of a run that only shows; it counts under `failed` what an importer would refuse.
    refused
        Why rows were left out, or would be -> their number, the most frequent first.
    """

    rows: int
    sent: int
    failed: int
    pending: int
    output: str
    problem: str | None = None
    preview: list[Any] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
