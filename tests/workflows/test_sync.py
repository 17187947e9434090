import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from receiver import receiver
from sync_world import SECRET, make_world

from pql_model.activate import http_sender
from pql_model.activate.outbox import open_outbox, outbox_path
from pql_model.decide.state_file import read_runs, state_path
from pql_model.errors import ConfigError, DataError
from pql_model.workflows import remember
from pql_model.workflows.sync import sync


@pytest.fixture(autouse=True)
def _payments_read_quickly(request, monkeypatch):
    """Read the payments without an engine, except where a test is about them."""
    if "converted" not in request.node.name:
        module = importlib.import_module("pql_model.workflows.sync")
        monkeypatch.setattr(module, "open_session", nullcontext)
        monkeypatch.setattr(module, "converted_entities", lambda *_: set())


@pytest.fixture
def hook(monkeypatch):
    monkeypatch.setattr(http_sender, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with receiver() as running:
        yield running


@pytest.fixture
def world(tmp_path, hook):
    crm = {"name": "crm", "kind": "webhook", "url": hook.url, "secret_env": "HOOK_SECRET"}
    return make_world(tmp_path, "abcdef").targets(crm, {"name": "today", "kind": "file", "path": "new.csv"})


def counts(result, name="crm"):
    target = next(t for t in result.to_dict()["targets"] if t["name"] == name)
    return {key: target[key] for key in ("rows", "sent", "failed", "pending")}


def test_nothing_is_sent_unless_asked(world, hook):
    world.score(0, new=["a", "b"])
    before = outbox_path(world.home, "boards").read_bytes()
    result = sync(world.config)
    assert counts(result) == {"rows": 2, "sent": 0, "failed": 0, "pending": 2}
    assert result.to_dict()["send"] is False
    assert [shown["body"]["data"]["entity"] for shown in result.targets[0].outcome.preview] == ["a", "b"]
    assert hook.received == []
    assert not (world.home / "new.csv").exists()
    assert outbox_path(world.home, "boards").read_bytes() == before


def test_every_target_receives_each_lead_once(world, hook):
    world.score(0, new=["a", "b"])
    for sent in (2, 0):
        result = sync(world.config, send=True)
        assert result.error is None
        assert counts(result)["sent"] == counts(result, "today")["sent"] == sent
    assert sorted(hook.entities) == ["a", "b"]


def test_a_lead_that_the_next_run_no_longer_calls_new_is_still_sent(world, hook):
    world.score(0, new=["a"])
    world.score(1, new=["b"], stay=["a"])
    sync(world.config, send=True)
    assert sorted(hook.entities) == ["a", "b"]


def test_who_converted_since_or_is_no_longer_a_pql_is_withdrawn_and_counted_once(world, hook):
    world.score(0, new=["a", "b", "c"])
    world.score(1, new=["d"], stay=["a", "b"])
    world.convert("b")
    shown, sent, again = sync(world.config), sync(world.config, send=True), sync(world.config, send=True)
    withdrawn = [result.to_dict()["targets"][0]["withdrawn"] for result in (shown, sent, again)]
    assert withdrawn == [{"converted": 1, "no_longer_pql": 1}] * 2 + [{}]
    assert sorted(hook.entities) == ["a", "d"]


def test_a_withdrawn_lead_that_is_a_pql_again_is_sent(world, hook):
    world.score(0, new=["a"])
    world.score(1, new=["b"])
    sync(world.config, send=True)
    world.score(2, new=[], stay=["a", "b"])
    sync(world.config, send=True)
    assert sorted(hook.entities) == ["a", "b"]


def test_a_target_that_fails_keeps_nothing_from_the_others(world, hook):
    world.score(0, new=["a"])
    hook.always = 500
    result = sync(world.config, send=True)
    assert counts(result) == {"rows": 1, "sent": 0, "failed": 0, "pending": 1}
    assert counts(result, "today")["sent"] == 1
    assert "Not everything was delivered. crm: 1 times: HTTP 500" in str(result.error)
    hook.always = 200
    assert sync(world.config, send=True).error is None
    assert len(set(hook.ids)) == 1


def test_what_a_replay_would_send_is_shown(world, hook):
    world.score(0, new=["a", "b"])
    hook.always = 413
    sync(world.config, target="crm", send=True)
    assert counts(sync(world.config))["rows"] == 0
    shown = sync(world.config, target="crm", replay_dead=True)
    assert counts(shown) == {"rows": 2, "sent": 0, "failed": 0, "pending": 2}
    ids = [message["headers"]["webhook-id"] for message in shown.targets[0].outcome.preview]
    assert sorted(ids) == sorted(hook.ids)
    assert counts(sync(world.config, target="crm"))["rows"] == 0  # showing has changed nothing


def test_only_the_targets_asked_for_are_served(world, hook):
    world.score(0, new=["a"])
    result = sync(world.config, target="today", send=True)
    assert [target.target.name for target in result.targets] == ["today"]
    assert hook.received == []


def test_an_unknown_target_is_named_with_the_nearest(world):
    with pytest.raises(DataError, match="no target `todya` under `sync:`, did you mean `today`"):
        sync(world.config, target="todya")


def test_a_missing_variable_stops_the_run_before_anything_is_sent(world, hook, monkeypatch):
    world.score(0, new=["a"])
    monkeypatch.delenv("HOOK_SECRET")
    assert sync(world.config).missing == ["HOOK_SECRET"]
    with pytest.raises(ConfigError, match="sync target `crm`: the environment variable HOOK_SECRET is not set"):
        sync(world.config, send=True)
    assert hook.received == []
    assert not (world.home / "new.csv").exists()


def test_a_config_without_targets_and_a_product_without_a_run_are_said(world):
    with pytest.raises(DataError, match="There is no scoring run to sync"):
        sync(world.config)
    with pytest.raises(DataError, match="no targets to sync"):
        sync(world.targets().config)


@pytest.mark.parametrize("killed_before", ["write_runs", "settle"])
def test_a_scoring_run_killed_at_any_step_loses_no_lead_and_sends_none_twice(world, hook, killed_before, monkeypatch):
    world.score(0, new=["a"])

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if killed_before == "write_runs":
            patch.setattr(remember, "write_runs", killed)
        else:
            real = remember.write_runs
            patch.setattr(remember, "write_runs", lambda *given: (real(*given), killed()))
        with pytest.raises(KeyboardInterrupt, match=""):
            world.score(1, new=["b"], stay=["a"])
    sync(world.config, target="crm", send=True)
    remembered = killed_before == "settle"
    assert sorted(hook.entities) == (["a", "b"] if remembered else ["a"])
    world.score(2, new=["c"] if remembered else ["b", "c"], stay=["a", "b"] if remembered else ["a"])
    sync(world.config, target="crm", send=True)
    assert sorted(hook.entities) == ["a", "b", "c"]
    assert len(set(hook.ids)) == 3


def test_a_full_disk_while_queueing_leaves_the_decisions_unmade(world, monkeypatch):
    world.score(0, new=["a"])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(remember, "write_runs", full)
        with pytest.raises(OSError, match="No space left"):
            world.score(1, new=["b"], stay=["a"])
    assert [run.as_of for run in read_runs(state_path(world.home, "boards")) if "b" in run.entities] == []
    world.score(1, new=["b"], stay=["a"])
    assert counts(sync(world.config))["rows"] == 2


def test_lost_decisions_do_not_send_a_lead_twice(world, hook):
    world.score(0, new=["a"])
    sync(world.config, send=True)
    state_path(world.home, "boards").unlink()
    world.score(1, new=["a", "b"])
    sync(world.config, send=True)
    assert sorted(hook.entities) == ["a", "b"]


def test_a_run_of_an_earlier_instant_is_neither_remembered_nor_queued(world, hook):
    world.score(5, new=["a"])
    world.score(3, new=["b"])
    sync(world.config, target="crm", send=True)
    assert hook.entities == ["a"]


def test_no_secret_is_in_what_is_shown_or_stored(world, hook, caplog):
    world.score(0, new=["a"])
    hook.always = 400
    shown = json.dumps(sync(world.config).to_dict()) + json.dumps(sync(world.config, send=True).to_dict())
    stored = outbox_path(world.home, "boards").read_bytes()
    assert SECRET not in shown + caplog.text
    assert SECRET.encode() not in stored


def test_dead_letters_are_replayed_when_asked(world, hook):
    world.score(0, new=["a"])
    hook.always = 400
    assert counts(sync(world.config, target="crm", send=True))["failed"] == 1
    hook.always = 200
    result = sync(world.config, target="crm", send=True)
    assert (counts(result)["sent"], result.targets[0].dead) == (0, 1)
    result = sync(world.config, target="crm", send=True, replay_dead=True)
    assert (counts(result)["sent"], result.targets[0].dead) == (1, 0)
    assert len(set(hook.ids)) == 1


def test_two_syncs_at_once_send_each_lead_once(world, hook):
    world.score(0, new="abcdef")
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: sync(world.config, target="crm", send=True), range(2)))
    assert sorted(counts(result)["sent"] for result in results) == [0, 6]
    assert sorted(hook.entities) == list("abcdef")


def test_a_sync_waits_for_a_scoring_run_that_has_staged_its_leads(world, hook):
    world.score(0, new=["a"])
    with open_outbox(world.home, "boards") as outbox:
        outbox.stage(outbox.run, [("zombie", 0.5, "{}")])
    sync(world.config, target="crm", send=True)
    assert hook.entities == ["a"]
