import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from calls import NOW, Caller, service_of

import pql_model.serve.score_log_writer as module
from pql_model.errors import DataError
from pql_model.score_log.files import log_files
from pql_model.score_log.schema import inputs_digest, log_rows
from pql_model.score_log.selection import Wanted, choose
from pql_model.serve.problem import ProblemError
from pql_model.serve.score_log_writer import ScoreLogWriter
from pql_model.time import parse_instant

ROOT = Path(__file__).resolve().parents[2]


class Told:
    """Counts and sentences."""

    def __init__(self):
        self.rows, self.said = {"written": 0, "lost": 0}, []

    def count(self, result, rows):
        self.rows[result] += rows

    def tell(self, what, why):
        self.said.append((what, why))


@pytest.fixture
def payload():
    return Told()


@pytest.fixture
def log(payload, tmp_path):
    return ScoreLogWriter(tmp_path / "log", payload.count, payload.tell)


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
    return choose(log_files(folder), Wanted(rows=10**6))[0]


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def full_disk(*_):
    raise OSError("No space left on device")


# ---------------------------------------------------------------- what a row is


def test_a_row_is_the_answer_and_what_the_model_read(log, answer, engine, tmp_path):
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


def test_finished_features_without_an_instant_are_a_row_without_one(log, engine, tmp_path):
    raw = {"entity": "acme", "features": dict.fromkeys(engine._place)}
    log.add([engine.score(raw, NOW), engine.score({**raw, "as_of": "2026-01-08"}, NOW)])
    log.flush()
    assert [row.as_of for row in log_rows(table_in(tmp_path / "log"))] == [None, parse_instant("2026-01-08")]


# ---------------------------------------------------------------- when it is written


def test_nothing_is_written_while_answering_and_all_of_it_when_time_is_over(
    log, answer, payload, tmp_path, monkeypatch
):
    log.add([answer("a"), answer("b")])
    log.look()
    assert (files_in(tmp_path), payload.rows["written"]) == ([], 0)
    monkeypatch.setattr(module.time, "monotonic", lambda: log._next)
    log.look()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b"]
    assert payload.rows == {"written": 2, "lost": 0}
    monkeypatch.setattr(module.time, "monotonic", lambda: log._next)
    log.look()
    assert len(files_in(tmp_path)) == 1  # no empty files


def test_many_rows_are_written_before_their_time_and_in_pieces(log, answer, payload, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "A_FILE", 3)
    log.add([answer()] * 2)
    log.look()
    assert files_in(tmp_path) == []
    log.add([answer()] * 5)
    log.look()
    assert sorted(len(file.look()) for file in log_files(tmp_path / "log")) == [1, 3, 3]
    assert payload.rows["written"] == 7


def test_rows_that_come_while_it_writes_wait_for_the_next_time(log, answer, tmp_path, monkeypatch):
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


def test_the_last_rows_are_written_at_the_end(log, answer, payload, tmp_path):
    log.add([answer("last")])
    log.close()
    log.close()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["last"]
    assert (payload.rows, payload.said) == ({"written": 1, "lost": 0}, [])


def test_the_end_waits_for_a_write_that_is_under_way_and_no_row_is_written_twice(log, answer, tmp_path, monkeypatch):
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


def test_rows_added_from_many_threads_while_it_writes_are_each_written_once(
    log, answer, payload, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "A_FILE", 7)
    one = answer()
    adding = [threading.Thread(target=lambda: [log.add([one]) for _ in range(50)]) for _ in range(4)]
    for thread in adding:
        thread.start()
    while any(thread.is_alive() for thread in adding):
        log.flush()
    log.close()
    assert (len(table_in(tmp_path / "log")), payload.rows) == (200, {"written": 200, "lost": 0})


# ---------------------------------------------------------------- a disk that fails


def test_a_disk_that_fails_is_said_once_and_the_rows_wait_for_it(log, answer, payload, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_log", full_disk)
        log.add([answer("a")])
        log.flush()
        log.add([answer("b")])
        log.flush()
    assert payload.said == [("score_log_failed", "No space left on device; 1 rows wait")]
    assert payload.rows == {"written": 0, "lost": 0}
    log.flush()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b"]
    assert payload.said[1:] == [("score_log_works_again", str(tmp_path / "log"))]


def test_what_finds_no_room_is_lost_and_counted(log, answer, payload, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    log.add([answer("a"), answer("b")])
    log.add([answer("c"), answer("d"), answer("e")])
    log.add([answer("f")])
    assert payload.rows == {"written": 0, "lost": 3}
    log.flush()
    assert table_in(tmp_path / "log")["entity"].to_pylist() == ["a", "b", "c"]
    log.add([answer("g")])
    log.close()
    assert payload.rows == {"written": 4, "lost": 3}


def test_what_cannot_be_written_at_the_end_is_lost_and_said(log, answer, payload, monkeypatch):
    monkeypatch.setattr(module, "write_log", full_disk)
    log.add([answer(), answer()])
    log.close()
    assert payload.rows == {"written": 0, "lost": 2}
    assert [what for what, _ in payload.said] == ["score_log_failed", "score_log_lost"]


def test_a_folder_that_cannot_be_is_refused_at_the_start(payload, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=rf"cannot be written here: .*PQL_SCORE_LOG={tmp_path}/file/log"):
        ScoreLogWriter(tmp_path / "file" / "log", payload.count, payload.tell)


# ---------------------------------------------------------------- in the service


@pytest.fixture
def service(bundle, tmp_path):
    return service_of(bundle.path, score_log=tmp_path / "log")


def lived(service, requests):
    """Answers of a service that starts, is asked, and stops, as a server runs it."""

    async def run():
        app = service.app()
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pql")
        async with app.router.lifespan_context(app), client:
            return [await client.post(path, json=body) for path, body in requests]

    return asyncio.run(run())


def test_every_served_score_is_in_the_log_when_the_service_has_stopped(service, entity, tmp_path):
    many = [{**entity, "entity": f"e{k}"} for k in range(5)]
    answers = lived(service, [("/score", entity), ("/score_batch", [*many, {"entity": "bad"}])])
    sent = [answers[0].json(), *answers[1].json()["rows"][:5]]
    logged = {row.entity: row for row in log_rows(table_in(tmp_path / "log"))}
    assert list(logged) == ["acme", "e0", "e1", "e2", "e3", "e4"]
    for row in sent:
        assert logged[row["entity"]].probability == row["probability"]
        assert logged[row["entity"]].reasons == row["reasons"]
    assert 'pql_score_log_rows_total{result="written"} 6.0' in service.metrics.text().decode()


def test_what_was_not_sent_is_not_in_the_log(service, entity, tmp_path, monkeypatch):
    call = Caller(service)
    assert call.post("/score", b"{").status_code == 400
    assert call.post("/score", {**entity, "signed_up": "2020-01-01"}).status_code == 422
    times = iter([0.0, 2.0])
    with monkeypatch.context() as patch:
        patch.setattr(module.time, "perf_counter", lambda: next(times))
        with pytest.raises(ProblemError, match="1 of 2 entities were scored when the time was over"):
            service._many([entity, entity], deadline=1.0)
    service.log.close()
    assert files_in(tmp_path) == []


def test_a_row_names_the_model_that_gave_it_also_after_a_new_one_came(bundle, copied, entity, tmp_path):
    service = service_of(copied, score_log=tmp_path / "log")
    call = Caller(service)
    call.post("/score", entity)
    manifest = copied / "BUNDLE.json"
    manifest.write_text(manifest.read_text().replace('"version": "1"', '"version": "99"'))
    service.look()
    call.post("/score", entity)
    service.log.close()
    assert [row.model_version for row in log_rows(table_in(tmp_path / "log"))] == ["1", "99"]


def test_scoring_goes_on_while_the_disk_fails_and_the_metric_says_so(service, entity, monkeypatch, caplog):
    monkeypatch.setattr(module, "write_log", full_disk)
    monkeypatch.setattr(module, "MOST", 1)
    call = Caller(service)
    with caplog.at_level("INFO", logger="pql.serve"):
        assert [call.post("/score", entity).status_code for _ in range(3)] == [200] * 3
        monkeypatch.setattr(module.time, "monotonic", lambda: 1e12)
        service.look()
        service.look()
    assert 'pql_score_log_rows_total{result="lost"} 2.0' in service.metrics.text().decode()
    said = [record.message for record in caplog.records if "score_log" in record.message]
    assert len(said) == 1
    assert '"what": "score_log_failed", "part": "score_log", "why": "No space left on device; 1 rows wait"' in said[0]
    assert "acme" not in caplog.text


def test_a_service_without_a_log_does_not_load_what_writes_it(bundle):
    code = (
        "import sys; from pathlib import Path; from pql_model.serve.app import Service; from pql_model.serve.settings import Settings; "
        f"s = Service(Settings(bundle=Path({str(bundle.path)!r}))); s.app(); "
        "print(*(n for n in ('pql_model.serve.score_log_writer', 'pql_model.score_log.schema', 'pyarrow.parquet') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_two_services_write_into_one_folder(bundle, entity, tmp_path):
    services = [service_of(bundle.path, score_log=tmp_path / "log") for _ in range(2)]
    for k, service in enumerate(services):
        Caller(service).post("/score", {**entity, "entity": f"e{k}"})
        service.log.close()
    assert sorted(table_in(tmp_path / "log")["entity"].to_pylist()) == ["e0", "e1"]
