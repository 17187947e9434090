"""Whatever is scored, synced, killed and broken, in whatever order: no lead is lost, and none is sent under two ids."""

from __future__ import annotations

import importlib
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from sync_world import SECRET, make_world

from pql_model.activate import messages
from pql_model.activate.http_sender import Answer
from pql_model.activate.outbox import Outbox
from pql_model.decide.state_file import read_runs, state_path
from pql_model.workflows import remember

sync_module = importlib.import_module("pql_model.workflows.sync")
ENTITIES = [f"e{k}" for k in range(12)]
TARGETS = (
    {"name": "crm", "kind": "webhook", "url": "https://example.com/hook", "secret_env": "HOOK_SECRET"},
    {"name": "team", "kind": "slack", "url_env": "SLACK_URL", "at_most": 12},
)

Step = tuple[str, Any, int]
"""What is done; which answers it receives, or who qualifies; and after how many operations it is killed (0: never)."""
ANSWERS = st.lists(st.sampled_from(["sent", "refused", "unavailable", "lost"]), max_size=6)
SCORES = st.tuples(st.just("score"), st.sets(st.sampled_from(ENTITIES), max_size=6), st.integers(0, 6))
AGAIN = st.tuples(st.just("score again"), st.sets(st.sampled_from(ENTITIES), max_size=6), st.integers(0, 6))
SYNCS = st.tuples(st.just("sync"), ANSWERS, st.integers(0, 20))


class Killed(BaseException):
    """Stands for a signal that leaves no time to tidy up."""


class Fuse:
    """Kills after so many operations, before or after the operation itself."""

    def __init__(self) -> None:
        self.left = 0

    def burn(self) -> None:
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                raise Killed

    def around(self, operation: Any) -> Any:
        def guarded(*given: Any, **named: Any) -> Any:
            self.burn()
            result = operation(*given, **named)
            self.burn()
            return result

        return guarded


class Receivers:
    """What targets have received, whether or not the answer arrived."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.script: list[str] = []

    def post_all(self, sent: Any) -> list[Answer]:
        return [self._answer(message) for message in sent]

    def _answer(self, message: Any) -> Answer:
        step = self.script.pop(0) if self.script else "sent"
        if step in ("sent", "lost"):
            self._receive(message)
        outcome: Any = "unavailable" if step == "lost" else step
        return Answer(outcome, step)

    def _receive(self, message: Any) -> None:
        text = message.body.decode()
        for entity in ENTITIES:
            if f'"entity":"{entity}"' in text:
                self.ids["crm", entity].add(message.id)
            if f"*{entity}*" in text:
                self.ids["team", entity].add(message.id)


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> tuple[Fuse, Receivers]:
    fuse, receivers = Fuse(), Receivers()

    @contextmanager
    def opened(*_: Any) -> Iterator[Any]:
        yield type("Sender", (), {"post_all": staticmethod(fuse.around(lambda sent: receivers.post_all(sent)))})

    real = Outbox._transaction

    @contextmanager
    def transaction(self: Outbox) -> Iterator[Any]:
        fuse.burn()
        with real(self) as con:
            yield con
            fuse.burn()  # before it is committed
        fuse.burn()

    monkeypatch.setattr(messages, "open_sender", opened)
    monkeypatch.setattr(Outbox, "_transaction", transaction)
    monkeypatch.setattr(remember, "write_runs", fuse.around(remember.write_runs))
    monkeypatch.setattr(sync_module, "open_session", nullcontext)
    monkeypatch.setattr(sync_module, "converted_entities", lambda *_: set())
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("SLACK_URL", "https://hooks.slack.com/services/x")
    return fuse, receivers


@examples(100, suppress=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(SCORES, AGAIN, SYNCS), max_size=14))
@example(steps=[("score", {"e0", "e1"}, 4), ("sync", ["lost"], 0), ("score again", {"e0"}, 0)])
@example(steps=[("score", {"e0"}, 0), ("sync", ["lost"], 5), ("score", {"e0", "e1"}, 0), ("sync", ["refused"], 0)])
def test_no_lead_is_lost_or_sent_under_two_ids(setting, steps):
    fuse, receivers = setting
    receivers.ids.clear()
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), ENTITIES).targets(*TARGETS)
        world.score_qualifying(0, [])
        day = 0
        for what, given_, kill in steps:
            fuse.left = kill
            day += what == "score"
            try:
                if what == "sync":
                    receivers.script = list(given_)
                    sync_module.sync(world.config, send=True)
                else:
                    world.score_qualifying(day, sorted(given_))
            except Killed:
                pass
        fuse.left, receivers.script = 0, []
        world.score_qualifying(day + 1, [])  # settles what a kill has left, and makes nobody a PQL
        world.score_qualifying(day + 2, ENTITIES)  # within the cool-down: those alerted before are PQLs again
        sync_module.sync(world.config, send=True, replay_dead=True)
        result = sync_module.sync(world.config, send=True)
        assert all(target.outcome.pending == 0 for target in result.targets)
        alerted = {
            e for run in read_runs(state_path(world.home, "boards")) for e, s in run.entities.items() if s.alerted_at
        }
    assert {entity: len(receivers.ids["crm", entity]) for entity in alerted} == dict.fromkeys(alerted, 1)
    assert {entity: len(receivers.ids["team", entity]) for entity in alerted} == dict.fromkeys(alerted, 1)
    assert alerted == set(ENTITIES)
