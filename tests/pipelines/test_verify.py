import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.pipelines.verify import verify

AS_OF = "2025-11-20"


@pytest.fixture(scope="module")
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


def test_the_service_gives_the_numbers_of_the_batch(config):
    found = verify(config, as_of=AS_OF, model="1")
    assert found.rows > 10
    assert found.largest == dict.fromkeys(("probability", "score", "usage", "fit", "timing"), 0.0)
    assert set(found.different.values()) == {0}
    assert found.same
    assert json.loads(json.dumps(found.as_json()))["same"] is True


def test_so_many_rows_as_asked_for(config):
    assert verify(config, as_of=AS_OF, model="1", rows=7).rows == 7


def test_a_difference_is_found(config, monkeypatch):
    from pql_model.serve.engine import Engine

    honest = Engine.score

    def tampered(self, raw, now):
        answer = honest(self, raw, now)
        answer.row["probability"] += 1e-6
        answer.row["reasons"] = answer.row["reasons"][:1]
        return answer

    monkeypatch.setattr(Engine, "score", tampered)
    found = verify(config, as_of=AS_OF, model="1", rows=5)
    assert not found.same
    assert found.largest["probability"] == pytest.approx(1e-6)
    assert found.different["reasons"] == 5


def test_nobody_at_risk_is_said(config):
    with pytest.raises(NotEnoughDataError, match="Nobody is at risk"):
        verify(config, as_of="2030-01-01", model="1")


@pytest.fixture
def served(config):
    """A service that answers every entity with what it is told to."""
    told = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told["key"] = self.headers.get("x-api-key")
            body = json.dumps({"rows": [told["row"] for _ in asked["entities"]]}).encode()
            self.send_response(told.get("status", 200))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_refused_rows_are_counted_with_the_first_message(config, served):
    told, url = served
    told["row"] = {"error": {"code": "invalid", "message": "no"}}
    found = verify(config, url=url, key="0123456789abcdef", as_of=AS_OF, model="1", rows=3)
    assert found.refused[0] == 3
    assert found.refused[1].endswith(": no")
    assert not found.same
    assert told["key"] == "0123456789abcdef"


def test_another_version_is_not_compared(config, served):
    told, url = served
    told["row"] = {"model_version": "99"}
    with pytest.raises(DataError, match="serves another version"):
        verify(config, url=url, as_of=AS_OF, model="1", rows=3)


def test_a_service_that_refuses_or_is_not_there_is_told(config, served):
    told, url = served
    told |= {"row": {}, "status": 401}
    with pytest.raises(DataError, match="The service refuses"):
        verify(config, url=url, as_of=AS_OF, model="1", rows=3)
    with pytest.raises(DataError, match="does not answer"):
        verify(config, url="http://127.0.0.1:9", as_of=AS_OF, model="1", rows=3)
    with pytest.raises(DataError, match="no address of a service"):
        verify(config, url="file:///etc/passwd", as_of=AS_OF, model="1", rows=3)
