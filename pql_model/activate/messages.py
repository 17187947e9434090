"""Deliver leads as messages: webhooks one by one, Slack and Apprise in one message a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from pql_model import time
from pql_model.activate.digest import digest_text, slack_body
from pql_model.activate.http_sender import AT_ONCE, Answer, Message, open_sender, still_held
from pql_model.activate.job import Job, Outcome
from pql_model.activate.lead import LeadKey, message_id
from pql_model.activate.notify import send_notification
from pql_model.activate.outbox import DEAD, SENT
from pql_model.activate.secrets import MASK, masked_address, variable_of_url
from pql_model.activate.webhook import lead_message, plain_message
from pql_model.config.sync_targets import NotifyTarget, SlackTarget, WebhookTarget

DigestTarget = SlackTarget | NotifyTarget
MessageTarget = WebhookTarget | DigestTarget


def send_messages(target: MessageTarget, job: Job) -> Outcome:
    """Deliver the leads of a job; what fails for a reason that may pass waits for the next run."""
    tally = _Tally(len(job.ready))
    held_until = job.outbox.held_until(target.name)
    if job.ready and still_held(held_until, time.now()):
        tally.problem = f"the target asked not to be called before {time.iso(int(held_until or 0))}"
    elif job.ready and isinstance(target, WebhookTarget):
        _send_each(target, job, tally)
    elif job.ready and not isinstance(target, WebhookTarget):
        _send_digests(target, job, tally)
    return tally.outcome(_destination(target, job))


def preview_messages(target: MessageTarget, job: Job, at_most: int) -> Outcome:
    """Show the first messages exactly as they would be sent, except for what a secret makes."""
    shown = [_shown(target, job, message) for message in islice(_messages(target, job), at_most)]
    rows = len(job.ready)
    return Outcome(rows, 0, 0, rows, _destination(target, job), preview=shown)


@dataclass
class _Tally:
    """Counts of a job under way."""

    rows: int
    sent: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    problem: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)

    def outcome(self, destination: str) -> Outcome:
        reasons = "; ".join(f"{count:,} times: {reason}" for reason, count in self.reasons.items())
        problem = "; ".join(filter(None, [reasons, self.problem])) or None
        return Outcome(self.rows, self.sent, self.failed, self.rows - self.sent - self.failed, destination, problem)


def _send_each(target: WebhookTarget, job: Job, tally: _Tally) -> None:
    secrets = job.secrets.signing(target)
    with _sender(target, job) as post_all:
        for start in range(0, len(job.ready), AT_ONCE):
            leads = list(job.outbox.leads(job.ready[start : start + AT_ONCE]))
            answers = post_all([lead_message(job.product, target.name, lead, secrets) for lead in leads])
            _record(target, job, [([lead.key], answer) for lead, answer in zip(leads, answers, strict=True)], tally)
            job.listener.share((start + len(leads)) / len(job.ready), f"{tally.sent:,} sent")
            if _must_stop(target, job, answers, tally):
                return


def _send_digests(target: DigestTarget, job: Job, tally: _Tally) -> None:
    with _sender(target, job) as post_all:
        for identifier, keys in _batches(target, job).items():
            job.outbox.assign_batch(target.name, keys, identifier)
            body = _digest(target, job, keys)
            answers = post_all([plain_message(identifier, body)])
            _record(target, job, [(keys, answers[0])], tally)
            if _must_stop(target, job, answers, tally):
                return


def _batches(target: DigestTarget, job: Job) -> dict[str, list[LeadKey]]:
    """The leads of each message by its id: messages begun before as they were, then one of all new leads."""
    begun = job.outbox.batches(target.name, job.ready)
    taken = {key for keys in begun.values() for key in keys}
    new = [key for key in job.ready if key not in taken]
    return begun | ({message_id(job.product, target.name, new): new} if new else {})


def _digest(target: DigestTarget, job: Job, keys: Sequence[LeadKey]) -> bytes:
    described = list(job.outbox.leads(keys[: target.at_most]))
    if isinstance(target, SlackTarget):
        return slack_body(job.product, described, len(keys))
    return digest_text(job.product, described, len(keys)).encode()


def _record(
    target: MessageTarget, job: Job, answered: Sequence[tuple[Sequence[LeadKey], Answer]], tally: _Tally
) -> None:
    """Store how messages fared as soon as that is known; those that were sent in one transaction, as each waits for the disk."""
    now = time.now()
    sent = [key for keys, answer in answered if answer.outcome == "sent" for key in keys]
    if sent:
        job.outbox.mark(target.name, sent, SENT, None, now)
        tally.sent += len(sent)
    for keys, answer in answered:
        if answer.outcome == "sent":
            tally.failed_in_a_row = 0
            continue
        reason = job.secrets.mask(answer.reason)
        tally.failed_in_a_row += 1
        tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
        if answer.outcome == "refused":
            job.outbox.mark(target.name, keys, DEAD, reason, now)
            tally.failed += len(keys)
        else:
            job.outbox.note_attempt(target.name, keys, reason, now)


def _must_stop(target: MessageTarget, job: Job, answers: Sequence[Answer], tally: _Tally) -> bool:
    """Stop where the target asks for a pause, or answers nothing but errors: the other leads would fare no better."""
    holds = [answer.hold_until for answer in answers if answer.outcome == "unavailable" and answer.hold_until]
    if holds:
        job.outbox.hold(target.name, max(holds))
        tally.problem = f"the target asked not to be called before {time.iso(max(holds))}"
        return True
    return tally.failed_in_a_row >= AT_ONCE


@contextmanager
def _sender(target: MessageTarget, job: Job) -> Iterator[Callable[[Sequence[Message]], list[Answer]]]:
    url = str(job.secrets.url(target))
    if isinstance(target, NotifyTarget):
        yield partial(_notify_all, url, job.product)
        return
    with open_sender(url, target.timeout.us / time.SECOND) as sender:
        yield sender.post_all


def _notify_all(urls: str, product: str, messages: Sequence[Message]) -> list[Answer]:
    texts = (message.body.decode().partition("\n\n") for message in messages)
    return [send_notification(urls, title, body) for title, _, body in texts]


def _messages(target: MessageTarget, job: Job) -> Iterator[Message]:
    if isinstance(target, WebhookTarget):
        yield from (lead_message(job.product, target.name, lead, []) for lead in job.outbox.leads(job.ready))
        return
    for identifier, keys in _batches(target, job).items():
        yield plain_message(identifier, _digest(target, job, keys))


def _shown(target: MessageTarget, job: Job, message: Message) -> dict[str, Any]:
    headers = dict(message.headers(time.now()))
    if isinstance(target, WebhookTarget):
        headers["webhook-signature"] = " ".join(f"v1,{MASK} (by {name})" for name in target.secret_env)
    text = message.body.decode()
    body = text if isinstance(target, NotifyTarget) else json.loads(text)
    shown = {"destination": _destination(target, job), "headers": headers, "body": body}
    return shown if not isinstance(target, NotifyTarget) else {"destination": shown["destination"], "body": body}


def _destination(target: MessageTarget, job: Job) -> str:
    variable = variable_of_url(target)
    if isinstance(target, NotifyTarget):
        return f"the services in {variable}"
    return masked_address(job.secrets.url(target), variable is not None, variable)
