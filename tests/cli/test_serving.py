import json
import os
import subprocess
import sys

import pytest

from pql_model.cli import serving


@pytest.fixture
def started(monkeypatch):
    """What would have been started, instead of starting it."""
    calls = []
    monkeypatch.setattr(serving, "_become", lambda command, environment: calls.append((command, environment)))
    return calls


def test_export_names_the_folder_size_and_version(run, config, tmp_path):
    code, words, _ = run("export", "-c", config, "-o", tmp_path / "boards", "--model", "1")
    again, payload, _ = run("export", "-c", config, "-o", tmp_path / "boards", "--model", "1", "--json")

    assert (code, again) == (0, 0)
    assert f"Wrote {tmp_path / 'boards'} (" in words.replace("\n", "")
    assert "nimbus-boards version 1." in words
    assert json.loads(payload)["model"]["version"] == "1"


def test_serve_runs_the_given_bundle(run, config, tmp_path, started, monkeypatch):
    run("export", "-c", config, "-o", tmp_path / "boards", "--model", "1")
    monkeypatch.chdir(tmp_path)
    code, out, err = run("serve", "--bundle", "boards", "--host", "0.0.0.0", "--port", "3100")
    [(command, environment)] = started

    assert (code, out) == (0, "")
    assert "nimbus-boards version 1 on http://0.0.0.0:3100" in err
    assert command[1:] == ["-m", "bentoml", "serve", "pql_model.serve.bento:Pql", "--host", "0.0.0.0", "--port", "3100"]
    assert environment["PQL_BUNDLE"] == str(tmp_path / "boards")


def test_a_link_to_a_bundle_is_not_resolved_so_it_can_be_changed_later(run, config, tmp_path, started):
    run("export", "-c", config, "-o", tmp_path / "boards", "--model", "1")
    (tmp_path / "current").symlink_to(tmp_path / "boards")
    run("serve", "--bundle", tmp_path / "current")
    [(_, environment)] = started

    assert environment["PQL_BUNDLE"] == str(tmp_path / "current")


def test_serve_exports_the_champion_first(run, config, started):
    code, _, _ = run("serve", "-c", config)
    [(_, environment)] = started

    assert code == 0
    assert environment["PQL_BUNDLE"] == str((config.parent / "models" / "nimbus-boards").resolve())
    assert os.path.exists(os.path.join(environment["PQL_BUNDLE"], "BUNDLE.json"))


def test_serve_states_whether_requests_need_a_key(run, config, tmp_path, started, monkeypatch):
    run("export", "-c", config, "-o", tmp_path / "boards", "--model", "1")
    monkeypatch.delenv("PQL_API_KEYS", raising=False)
    payload = [run("serve", "--bundle", tmp_path / "boards")[2]]
    monkeypatch.setenv("PQL_API_KEYS", "crm-0123456789abcdef")
    payload.append(run("serve", "--bundle", tmp_path / "boards")[2])

    assert "open to everyone: no API key is set" in payload[0]
    assert "requests need an API key" in payload[1]
    assert len(started) == 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("PQL_API_KEYS", "short", "An API key is too short"), ("PQL_MAX_BATCH", "many", "PQL_MAX_BATCH")],
)
def test_serve_refuses_an_invalid_setting_before_it_starts_anything(
    run, config, tmp_path, started, monkeypatch, name, value, words
):
    run("export", "-c", config, "-o", tmp_path / "boards", "--model", "1")
    monkeypatch.setenv(name, value)
    code, _, err = run("serve", "--bundle", tmp_path / "boards")

    assert code == 2
    assert words in " ".join(err.split())
    assert started == []


def test_serve_refuses_an_invalid_bundle_before_it_starts_anything(run, tmp_path, started):
    code, _, err = run("serve", "--bundle", tmp_path)

    assert code == 2
    assert "There is no complete bundle here" in " ".join(err.split())
    assert started == []


def test_serve_becomes_the_service_so_that_signals_and_exit_codes_are_its_own():
    program = "import os; print(os.getpid(), os.environ['MARK']); raise SystemExit(3)"
    ours = "import os, sys; from pql_model.cli import serving; print('first'); serving._become({}, {})"
    words = ours.format([sys.executable, "-c", program], "{**os.environ, 'MARK': 'x'}")
    child = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True)
    payload, _ = child.communicate(timeout=60)

    assert payload.split() == ["first", str(child.pid), "x"]
    assert child.returncode == 3


def test_where_a_process_cannot_become_another_serve_waits_for_it_and_takes_over_its_exit_code(monkeypatch, capfd):
    monkeypatch.setattr(serving.os, "name", "nt")
    program = "import os; print(os.environ['MARK']); raise SystemExit(3)"
    with pytest.raises(SystemExit, match="3"):
        serving._become([sys.executable, "-c", program], {**os.environ, "MARK": "x"})

    assert capfd.readouterr().out == "x\n"


def test_an_interruption_is_left_to_the_service(monkeypatch):
    class Process:
        waited = 0

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait(self):
            self.waited += 1
            if self.waited < 3:
                raise KeyboardInterrupt
            return 130

    monkeypatch.setattr(serving.subprocess, "Popen", Process)
    assert serving._wait_for(["pql"], {}) == 130


def test_verify_prints_the_comparison(run, config):
    code, words, _ = run("verify", "-c", config, "--as-of", "2025-11-20", "--model", "1", "--rows", "5")
    assert code == 0
    assert "5 snapshots at risk at 2025-11-20" in " ".join(words.split())
    assert "All paths give the same scores." in words


def test_verify_ends_with_1_where_anything_differs(run, config, monkeypatch):
    from pql_model.score_log.row_diff import NUMBERS, RowDiff
    from pql_model.workflows.verify import VerifyResult

    result = VerifyResult(None, 3, (RowDiff("in process", 3, dict.fromkeys(NUMBERS, 0.5), {"reasons": 2}),))
    monkeypatch.setattr("pql_model.verify", lambda *_, **__: result, raising=False)
    code, words, _ = run("verify", "-c", config)
    assert code == 1
    assert "in process: reasons differs in 2 rows" in words
    code, payload, _ = run("verify", "-c", config, "--json")
    assert (code, json.loads(payload)["paths"][0]["different_rows"]) == (1, {"reasons": 2})


def test_a_read_only_home_is_replaced_by_a_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert serving._writable_home() == str(tmp_path / "bentoml")
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "file"))
    temporary = serving._writable_home()
    assert not temporary.startswith(str(tmp_path))
    assert os.access(temporary, os.W_OK)
