import json

import pytest
from receiver import receiver
from sync_world import SECRET, make_world

from pql_model.cli.app import main


@pytest.fixture
def world(tmp_path):
    made = make_world(tmp_path, "ab").targets({"name": "today", "kind": "file", "path": "new.csv"})
    made.score(0, new=["a", "b"])
    return made


@pytest.fixture
def run(world, capsys):
    def run_(*arguments):
        with pytest.raises(SystemExit, match=r"^\d$") as raised:
            main(["sync", "-c", str(world.home / "pql.yaml"), *arguments])
        captured = capsys.readouterr()
        return raised.value.code, captured.out, " ".join(captured.err.split())

    return run_


def test_without_send_the_first_rows_are_shown_and_nothing_is_written(run, world):
    code, out, _ = run("--show", "1")
    assert code == 0
    assert "today, the first 1 of 2" in out
    assert '"entity": "a"' in out
    assert "Nothing was sent. Add --send to send it." in out
    assert not (world.home / "new.csv").exists()


def test_json_has_the_documented_fields(run, world):
    code, out, _ = run("--send", "--json")
    assert code == 0
    (target,) = json.loads(out)["targets"]
    expected = {"name": "today", "kind": "file", "rows": 2, "sent": 2, "failed": 0, "pending": 0}
    assert {name: target[name] for name in expected} == expected
    assert target["output"] == str(world.home / "new.csv")


def test_what_was_not_delivered_is_shown_and_ends_with_2(run, world, monkeypatch):
    monkeypatch.setenv("HOOK", SECRET)
    with receiver() as hook:
        hook.always = 400
        world.targets({"name": "crm", "kind": "webhook", "url": hook.url, "secret_env": "HOOK"})
        world.score(1, new=["c"], stay=["a", "b"])
        code, out, err = run("--send")
    assert code == 2
    assert "crm webhook" in " ".join(out.split())
    assert "Not everything was delivered. crm: 1 times: HTTP 400 Bad Request" in err


def test_variables_that_sending_needs_are_named(run, world):
    world.targets({"name": "team", "kind": "slack", "url_env": "NO_SUCH_VARIABLE"})
    world.score(1, new=["c"])
    _, out, _ = run()
    assert "To send, set NO_SUCH_VARIABLE." in out
