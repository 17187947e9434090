import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from sync_world import OLD_SECRET, SECRET, scored_row

from pql_model import time
from pql_model.activate.lead import Lead
from pql_model.activate.webhook import lead_message, plain_message

LEAD = Lead("Łódź & Co", 20_000 * time.DAY, scored_row("Łódź & Co"))


def test_the_body_is_the_documented_one():
    body = json.loads(lead_message("boards", "crm", LEAD, [SECRET]).body)
    assert body == {"type": "lead.newly_qualified", "timestamp": "2024-10-04T00:00:00Z", "data": LEAD.row}


@pytest.mark.parametrize("known", [SECRET, OLD_SECRET])
def test_a_receiver_that_knows_one_of_the_secrets_verifies_the_message(known):
    message = lead_message("boards", "crm", LEAD, [SECRET, OLD_SECRET])
    headers = dict(message.headers(time.now()))
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(known).verify(message.body, headers) == json.loads(message.body)


def test_another_body_or_another_secret_is_not_verified():
    message = lead_message("boards", "crm", LEAD, [SECRET])
    headers = dict(message.headers(time.now()))
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(SECRET).verify(message.body + b" ", headers)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(OLD_SECRET).verify(message.body, headers)


def test_a_repeat_has_the_same_id_and_body_and_its_own_time():
    first, second = (lead_message("boards", "crm", LEAD, [SECRET]) for _ in range(2))
    assert (first.id, first.body) == (second.id, second.body)
    early, late = first.headers(10 * time.SECOND), first.headers(20 * time.SECOND)
    assert early["webhook-id"] == late["webhook-id"] == first.id
    assert (early["webhook-timestamp"], late["webhook-timestamp"]) == ("10", "20")
    assert early["webhook-signature"] != late["webhook-signature"]


def test_a_plain_message_has_an_id_and_no_signature():
    headers = plain_message("msg_1", b"{}").headers(0)
    assert headers["webhook-id"] == "msg_1"
    assert "webhook-signature" not in headers
