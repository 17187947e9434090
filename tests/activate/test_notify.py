import json
import sys

import pytest
from receiver import receiver

from pql_model.activate.http_sender import Answer
from pql_model.activate.notify import send_notification
from pql_model.errors import DataError


def test_a_text_reaches_every_service():
    with receiver() as first, receiver() as second:
        urls = " ".join(one.url.replace("http://", "json://") for one in (first, second))
        assert send_notification(urls, "2 new leads", "Acme & <Bolt>") == Answer("sent", "sent")
        bodies = [json.loads(one.received[0].body) for one in (first, second)]
    assert [(body["title"], body["message"]) for body in bodies] == [("2 new leads", "Acme & <Bolt>")] * 2


def test_a_service_that_fails_may_be_tried_again():
    with receiver() as hook:
        hook.always = 500
        assert send_notification(hook.url.replace("http://", "json://"), "t", "b").outcome == "unavailable"


def test_an_unknown_service_is_said_without_its_url():
    with pytest.raises(DataError, match="a URL that Apprise does not know") as raised:
        send_notification("nonsense://s3cr3t", "t", "b")
    assert "s3cr3t" not in str(raised.value)


def test_without_apprise_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(DataError, match=r"pip install 'pql-model\[notify\]'"):
        send_notification("json://127.0.0.1", "t", "b")
