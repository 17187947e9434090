import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from calls import NOW, Caller, relabel, service_of

import pql_model.serve.score_log_writer as module
from pql_model.errors import DataError
from pql_model.score_log.files import log_files
from pql_model.score_log.log_schema import inputs_digest, log_rows
from pql_model.score_log.store import RowSelection, select_rows
from pql_model.serve.problem import ProblemError
from pql_model.serve.score_log_writer import ScoreLogWriter
from pql_model.time import parse_instant

ROOT = Path(__file__).resolve().parents[2]


class Recorder:
    """Records counts and notifications."""

    def __init__(self):
        self.rows, self.events = {"written": 0, "lost": 0}, []

    def count(self, result, rows):
        self.rows[result] += rows

    def notify(self, event, reason):
        self.events.append((event, reason))


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def log(recorder, tmp_path):
    return ScoreLogWriter(tmp_path / "log", recorder.count, recorder.notify)


@pytest.fixture(scope="module")
def answer(engine):
    def of(name="acme", **more):
        raw = {
            "entity": name,
            "signed_up": "2026-01-01",
            "as_of": "2026-01-08",
            "traits": {"company_size": "1-10"},
            "events": [{"event": "Board Created", "time": "2026-01-02"}],
            **more,
        }
        return engine.score(raw, NOW)

    return of


def table_in(folder):
    return select_rows(log_files(folder), RowSelection(limit=10**6))[0]


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def full_disk(*_):
    raise OSError("No space left on device")


# ---------------------------------------------------------------- what a row is


def test_a_row_is_the_answer_with_its_inputs(log, answer, engine, tmp_path):
    given = answer(as_of="2026-01-08T10:11:12.345678Z")
    log.add([given])
    log.flush()
    [path] = files_in(tmp_path / "log")
    [row], [payload] = log_rows(table_in(tmp_path / "log")), pq.read_table(path).to_pylist()
    assert row.as_of == parse_instant("2026-01-08T10:11:12.345678Z")
    assert (row.entity, row.source, row.model_name, row.model_version) == ("acme", "service", engine.bundle.name, "1")
    assert {n: getattr(row, n) for n in ("probability", "usage", "fit", "timing", "reasons", "feature_set")} == {
        n: given.row[n] for n in ("probability", "usage", "fit", "timing", "reasons", "feature_set")
    }
    np.testing.assert_array_equal(row.inputs, given.inputs)
    assert row.inputs_digest == inputs_digest(row.feature_set, given.inputs)
    assert (payload["band"], payload["is_pql"], payload["newly_qualified"]) == (
        given.row["band"],
        given.row["is_pql"],
        None,
    )


def test_finished_features_without_as_of_give_a_row_without_as_of(log, engine, tmp_path):
    raw = {"entity": "acme", "features": dict.fromkeys(engine._position)}
    log.add([engine.score(raw, NOW), engine.score({**raw, "as_of": "2026-01-08"}, NOW)])
    log.flush()
    assert [row.as_of for row in log_rows(table_in(tmp_path / "log"))] == [None, parse_instant("2026-01-08")]


# ---------------------------------------------------------------- when it is written


def test_answers_are_written_when_the_interval_has_passed(log, answer, recorder, tmp_path, monkeypatch):
    log.add([answer("a"), answer("b")])
    log.flush_if_due()
    assert (files_in(tmp_path), recorder.rows["written"]) == ([], 0)
    monkeypatch.setattr(module.time, "monotonic", lambda: log._next_flush)
    log.flush_if_due()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b"]
    assert recorder.rows == {"written": 2, "lost": 0}
    monkeypatch.setattr(module.time, "monotonic", lambda: log._next_flush)
    log.flush_if_due()
    assert len(files_in(tmp_path)) == 1  # no empty files


def test_many_rows_are_written_early_in_several_files(log, answer, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS_PER_FILE", 3)
    log.add([answer()] * 2)
    log.flush_if_due()
    assert files_in(tmp_path) == []
    log.add([answer()] * 5)
    log.flush_if_due()
    assert sorted(len(file.index()) for file in log_files(tmp_path / "log")) == [1, 3, 3]
    assert recorder.rows["written"] == 7


def test_rows_that_arrive_during_a_flush_wait_for_the_next(log, answer, tmp_path, monkeypatch):
    """Under load each file would otherwise hold the few rows that came while the one before was written."""
    honest = module.write_log

    def meanwhile(*of):
        log.add([answer("late")])
        return honest(*of)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_log", meanwhile)
        log.add([answer("early")])
        log.flush()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["early"]
    log.close()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["early", "late"]


def test_closing_writes_the_remaining_rows(log, answer, recorder, tmp_path):
    log.add([answer("last")])
    log.close()
    log.close()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["last"]
    assert (recorder.rows, recorder.events) == ({"written": 1, "lost": 0}, [])


def test_closing_waits_for_a_running_flush_and_writes_no_row_twice(log, answer, tmp_path, monkeypatch):
    began, go, honest = threading.Event(), threading.Event(), module.write_log

    def slow(*of):
        began.set()
        assert go.wait(10)
        return honest(*of)

    monkeypatch.setattr(module, "write_log", slow)
    log.add([answer("a")])
    looking = threading.Thread(target=log.flush)
    looking.start()
    assert began.wait(10)
    log.add([answer("b")])
    closing = threading.Thread(target=log.close)
    closing.start()
    go.set()
    looking.join(10)
    closing.join(10)
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b"]


def test_rows_from_many_threads_are_each_written_once(log, answer, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS_PER_FILE", 7)
    one = answer()
    adding = [threading.Thread(target=lambda: [log.add([one]) for _ in range(50)]) for _ in range(4)]
    for thread in adding:
        thread.start()
    while any(thread.is_alive() for thread in adding):
        log.flush()
    log.close()
    assert (len(table_in(tmp_path / "log")), recorder.rows) == (200, {"written": 200, "lost": 0})


# ---------------------------------------------------------------- a disk that fails


def test_a_failing_disk_is_reported_once_and_rows_wait(log, answer, recorder, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_log", full_disk)
        log.add([answer("a")])
        log.flush()
        log.add([answer("b")])
        log.flush()
    assert recorder.events == [("score_log_failed", "No space left on device; 1 rows wait")]
    assert recorder.rows == {"written": 0, "lost": 0}
    log.flush()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b"]
    assert recorder.events[1:] == [("score_log_works_again", str(tmp_path / "log"))]


def test_rows_beyond_the_buffer_are_lost_and_counted(log, answer, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    log.add([answer("a"), answer("b")])
    log.add([answer("c"), answer("d"), answer("e")])
    log.add([answer("f")])
    assert recorder.rows == {"written": 0, "lost": 3}
    log.flush()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b", "c"]
    log.add([answer("g")])
    log.close()
    assert recorder.rows == {"written": 4, "lost": 3}


def test_rows_that_cannot_be_written_on_closing_are_lost_and_reported(log, answer, recorder, monkeypatch):
    monkeypatch.setattr(module, "write_log", full_disk)
    log.add([answer(), answer()])
    log.close()
    assert recorder.rows == {"written": 0, "lost": 2}
    assert [what for what, _ in recorder.events] == ["score_log_failed", "score_log_lost"]


def test_an_impossible_folder_is_refused_at_the_start(recorder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=rf"cannot be written here: .*PQL_SCORE_LOG={tmp_path}/file/log"):
        ScoreLogWriter(tmp_path / "file" / "log", recorder.count, recorder.notify)


# ---------------------------------------------------------------- in the service


@pytest.fixture
def service(bundle, tmp_path):
    return service_of(bundle.path, score_log=tmp_path / "log")


def lived(service, requests):
    """Answers of a service that is started, used and stopped by a server."""

    async def run():
        app = service.app()
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pql")
        async with app.router.lifespan_context(app), client:
            return [await client.post(path, json=body) for path, body in requests]

    return asyncio.run(run())


def test_every_served_score_is_in_the_log_after_a_stop(service, entity, tmp_path):
    many = [{**entity, "entity": f"e{k}"} for k in range(5)]
    answers = lived(service, [("/score", entity), ("/score_batch", [*many, {"entity": "bad"}])])
    sent = [answers[0].json(), *answers[1].json()["rows"][:5]]
    logged = {row.entity: row for row in log_rows(table_in(tmp_path / "log"))}
    assert list(logged) == ["acme", "e0", "e1", "e2", "e3", "e4"]
    for row in sent:
        assert logged[row["entity"]].probability == row["probability"]
        assert logged[row["entity"]].reasons == row["reasons"]
    assert 'pql_score_log_rows_total{result="written"} 6.0' in service.metrics.text().decode()


def test_unsent_answers_are_not_in_the_log(service, entity, tmp_path, monkeypatch):
    call = Caller(service)
    assert call.post("/score", b"{").status_code == 400
    assert call.post("/score", {**entity, "signed_up": "2020-01-01"}).status_code == 422
    times = iter([0.0, 2.0])
    with monkeypatch.context() as patch:
        patch.setattr(module.time, "perf_counter", lambda: next(times))
        with pytest.raises(ProblemError, match="after 1 of 2 entities were scored"):
            service._score_many([entity, entity], deadline=1.0)
    service.log.close()
    assert files_in(tmp_path) == []


def test_a_row_names_the_model_that_scored_it_after_a_reload(bundle, copied, entity, tmp_path):
    service = service_of(copied, score_log=tmp_path / "log")
    call = Caller(service)
    call.post("/score", entity)
    relabel(copied, "99")
    service.refresh()
    call.post("/score", entity)
    service.log.close()
    assert [row.model_version for row in log_rows(table_in(tmp_path / "log"))] == ["1", "99"]


def test_scoring_continues_while_the_disk_fails_and_metrics_count_it(service, entity, monkeypatch, caplog):
    monkeypatch.setattr(module, "write_log", full_disk)
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    call = Caller(service)
    with caplog.at_level("INFO", logger="pql.serve"):
        assert [call.post("/score", entity).status_code for _ in range(3)] == [200] * 3
        monkeypatch.setattr(module.time, "monotonic", lambda: 1e12)
        service.refresh()
        service.refresh()
    assert 'pql_score_log_rows_total{result="lost"} 2.0' in service.metrics.text().decode()
    messages = [record.message for record in caplog.records if "score_log" in record.message]
    assert len(messages) == 1
    assert (
        '"what": "score_log_failed", "part": "score_log", "why": "No space left on device; 1 rows wait"' in messages[0]
    )
    assert "acme" not in caplog.text


def test_a_service_without_a_log_does_not_import_pyarrow(bundle):
    code = (
        "import sys; from pathlib import Path; from pql_model.serve.app import Service; from pql_model.serve.settings import Settings; "
        f"s = Service(Settings(bundle=Path({str(bundle.path)!r}))); s.app(); "
        "print(*(n for n in ('pql_model.serve.score_log_writer', 'pql_model.score_log.log_schema', 'pyarrow.parquet') if n in sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (process.returncode, process.stdout.split()) == (0, []), process.stderr


def test_two_services_write_into_one_folder(bundle, entity, tmp_path):
    services = [service_of(bundle.path, score_log=tmp_path / "log") for _ in range(2)]
    for k, service in enumerate(services):
        Caller(service).post("/score", {**entity, "entity": f"e{k}"})
        service.log.close()
    assert sorted(table_in(tmp_path / "log")["entity"].to_pylist()) == ["e0", "e1"]
