import json

import pytest
from standardwebhooks import Webhook
from sync_world import OLD_SECRET, SECRET, scored_row

from pql_model import time
from pql_model.activate import messages
from pql_model.activate.http_sender import AT_ONCE, Answer
from pql_model.activate.job import Job
from pql_model.activate.messages import preview_messages, send_messages
from pql_model.activate.outbox import DEAD, Run, open_outbox, outbox_path
from pql_model.activate.secrets import Secrets
from pql_model.config.sync_targets import NotifyTarget, SlackTarget, WebhookTarget
from pql_model.decide.state import EntityState, RunState
from pql_model.progress import Silent

CRM = WebhookTarget(name="crm", kind="webhook", url="https://example.com", secret_env=["NEW", "OLD"], timeout="2s")
SLACK = SlackTarget(name="slack", kind="slack", url_env="SLACK_URL", at_most=2)
NOTIFY = NotifyTarget(name="mail", kind="notify", url_env="MAIL_URL")
AT = 20_000 * time.DAY


@pytest.fixture
def outbox(tmp_path):
    with open_outbox(tmp_path, "boards") as opened:
        yield opened


@pytest.fixture
def queue(outbox, hook, tmp_path):
    """Queue leads, and make the job of a target that sends to the receiver."""

    def make(target, *entities, at=AT):
        if entities:
            run = Run(at, "scores.parquet", "2024-10-04", "1", 1, (target.name,))
            outbox.stage(run, [(e, 1 - k / 1000, json.dumps(scored_row(e, at))) for k, e in enumerate(entities)])
            outbox.settle([RunState(at, {e: EntityState(True, at, at) for e in entities})])
        values = {"NEW": SECRET, "OLD": OLD_SECRET, "SLACK_URL": hook.url, "MAIL_URL": hook.url.replace("http", "json")}
        job = Job(
            home=tmp_path,
            product="boards",
            connection=None,
            of_users=False,
            outbox=outbox,
            run=outbox.run,
            secrets=Secrets(values),
            ready=outbox.open_keys(target.name),
            withdrawal=lambda entity: None,
            listener=Silent(),
        )
        to_us = {"url": hook.url} if isinstance(target, WebhookTarget) else {}
        return target.model_copy(update=to_us), job

    return make


def counts(outcome):
    return outcome.rows, outcome.sent, outcome.failed, outcome.pending


def test_each_lead_is_sent_once_and_signed(hook, queue):
    assert counts(send_messages(*queue(CRM, "a", "b", "c"))) == (3, 3, 0, 0)
    assert sorted(hook.entities) == ["a", "b", "c"]
    for one in hook.received:
        Webhook(OLD_SECRET).verify(one.body, one.headers)
    assert counts(send_messages(*queue(CRM))) == (0, 0, 0, 0)
    assert len(hook.received) == 3


def test_a_refused_lead_is_kept_and_replayed_with_the_same_id(hook, queue, outbox):
    hook.always = 413
    outcome = send_messages(*queue(CRM, "a"))
    assert counts(outcome) == (1, 0, 1, 0)
    assert outcome.problem == "1 times: HTTP 413 Request Entity Too Large: ok"
    assert outbox.count("crm", DEAD) == 1
    hook.always = 200
    assert counts(send_messages(*queue(CRM))) == (0, 0, 0, 0)
    outbox.replay_dead("crm")
    assert counts(send_messages(*queue(CRM))) == (1, 1, 0, 0)
    assert len(set(hook.ids)) == 1


def test_a_target_that_is_down_is_left_alone_after_a_few_leads_and_loses_none(hook, queue):
    hook.always = 500
    entities = [f"e{k:03d}" for k in range(100)]
    outcome = send_messages(*queue(CRM, *entities))
    assert counts(outcome) == (100, 0, 0, 100)
    assert len(set(hook.entities)) == AT_ONCE
    hook.always = 200
    hook.received.clear()
    assert counts(send_messages(*queue(CRM))) == (100, 100, 0, 0)
    assert sorted(hook.entities) == entities


def test_one_bad_lead_does_not_keep_the_others_back(hook, queue):
    hook.script = [500, 500, 500]
    assert counts(send_messages(*queue(CRM, "bad"))) == (1, 0, 0, 1)
    job = queue(CRM, *(f"e{k}" for k in range(20)), at=AT + 1)
    assert [key[0] for key in job[1].ready][-1] == "bad"
    assert counts(send_messages(*job)) == (21, 21, 0, 0)


def test_a_target_that_asks_for_a_pause_is_not_called_before_its_end(hook, queue, monkeypatch):
    hook.script = [(429, {"retry-after": "600"})]
    outcome = send_messages(*queue(CRM, "a"))
    assert counts(outcome) == (1, 0, 0, 1)
    assert "asked not to be called before" in outcome.problem
    assert counts(send_messages(*queue(CRM))) == (1, 0, 0, 1)
    assert len(hook.received) == 1
    later = time.now() + 601 * time.SECOND
    monkeypatch.setattr(time, "now", lambda: later)
    assert counts(send_messages(*queue(CRM))) == (1, 1, 0, 0)


def test_a_clock_that_was_far_ahead_does_not_silence_a_target(hook, queue, outbox):
    job = queue(CRM, "a")
    outbox.hold("crm", time.now() + 3_650 * time.DAY)
    assert counts(send_messages(*job)) == (1, 1, 0, 0)


def test_slack_receives_one_message_per_run(hook, queue):
    assert counts(send_messages(*queue(SLACK, "a", "b", "c"))) == (3, 3, 0, 0)
    (one,) = hook.received
    assert json.loads(one.body)["text"] == "3 new leads from boards"
    assert "And 1 more." in one.body.decode()


def test_a_message_that_failed_is_repeated_as_it_was_beside_that_of_new_leads(hook, queue):
    hook.script = [500, 500, 500]
    assert counts(send_messages(*queue(SLACK, "a", "b"))) == (2, 0, 0, 2)
    assert counts(send_messages(*queue(SLACK, "c", at=AT + 1))) == (3, 3, 0, 0)
    texts = [json.loads(one.body)["text"] for one in hook.received]
    assert texts == ["2 new leads from boards"] * 4 + ["1 new lead from boards"]
    assert len(set(hook.ids)) == 2
    assert len(set(hook.ids[:4])) == 1


def test_a_lead_withdrawn_in_between_is_left_out_of_the_repeated_message(hook, queue):
    hook.script = [500, 500, 500]
    send_messages(*queue(SLACK, "a", "b"))
    target, job = queue(SLACK)
    job.ready.remove(("a", AT))
    assert counts(send_messages(target, job)) == (1, 1, 0, 0)
    assert len(set(hook.ids)) == 1
    assert "*a*" not in hook.received[-1].body.decode()


def test_apprise_receives_the_same_text(hook, queue):
    assert counts(send_messages(*queue(NOTIFY, "a"))) == (1, 1, 0, 0)
    content = json.loads(hook.received[0].body)
    assert content["title"] == "1 new lead from boards"
    assert content["message"].startswith("a\n  30% likely to convert")


@pytest.mark.parametrize("target", [CRM, SLACK, NOTIFY])
def test_what_is_shown_is_what_would_be_sent_without_secrets(hook, queue, target):
    target, job = queue(target, "a", "b")
    outcome = preview_messages(target, job, 5)
    assert counts(outcome) == (2, 0, 0, 2)
    assert hook.received == []
    shown = json.dumps(outcome.preview)
    assert SECRET not in shown
    assert job.outbox.batches(target.name, job.outbox.open_keys(target.name)) == {}
    send_messages(target, job)
    bodies = sorted(one.body.decode() for one in hook.received)
    if target.kind == "notify":
        assert outcome.preview[0]["body"].endswith(json.loads(bodies[0])["message"])
        return
    assert sorted(json.dumps(one["body"]) for one in outcome.preview) == [
        json.dumps(json.loads(body)) for body in bodies
    ]
    assert {one["headers"]["webhook-id"] for one in outcome.preview} == set(hook.ids)
    if target.kind == "slack":
        assert outcome.output.endswith("/***")
        assert "/hook" not in shown


def test_a_secret_that_an_answer_repeats_is_masked(hook, queue, outbox):
    target, job = queue(SLACK, "a")
    tally = messages._Tally(1)
    messages._record(target, job, [(job.ready, Answer("refused", f"HTTP 400: no hook at {hook.url}"))], tally)
    assert tally.reasons == {"HTTP 400: no hook at ***": 1}
    assert hook.url.encode() not in outbox_path(job.home, "boards").read_bytes()
