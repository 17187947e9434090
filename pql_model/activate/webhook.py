"""Messages by the Standard Webhooks specification: one lead each, signed, with an id that a repeat keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from standardwebhooks import Webhook

from pql_model import time
from pql_model.activate.http_sender import Message
from pql_model.activate.lead import Lead, message_id

TYPE = "lead.newly_qualified"
_JSON = {"content-type": "application/json; charset=utf-8", "user-agent": "pql-model"}


def lead_message(product: str, target: str, lead: Lead, secrets: Sequence[str]) -> Message:
    """Build the message of a lead.

    Parameters
    ----------
    secrets
        Signing secrets; each gives a signature, so that a receiver may still know only the old one.
    """
    content = {"type": TYPE, "timestamp": time.timestamp(lead.qualified_at), "data": lead.row}
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    identifier = message_id(product, target, [lead.key])
    return Message(identifier, body, partial(_signed_headers, identifier, body, secrets))


def plain_message(identifier: str, body: bytes) -> Message:
    """Build a message for a receiver that knows no signatures."""
    return Message(identifier, body, lambda _: {**_JSON, "webhook-id": identifier})


def _signed_headers(identifier: str, body: bytes, secrets: Sequence[str], now: int) -> Mapping[str, str]:
    at = time.to_datetime(now)
    signatures = [Webhook(secret).sign(identifier, at, body.decode()) for secret in secrets]
    return {
        **_JSON,
        "webhook-id": identifier,
        "webhook-timestamp": str(now // time.SECOND),
        "webhook-signature": " ".join(signatures),
    }
