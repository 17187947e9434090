import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pql_model.errors import DataError
from pql_model.serve import scoring_clients
from pql_model.serve.scoring_clients import in_process, over_http


@pytest.fixture
def served():
    """A service that answers every entity with what it is told to."""
    payload = {"asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["entities"]
            payload["key"], payload["path"] = self.headers.get("x-api-key"), self.path
            payload["asked"].append([request["entity"] for request in asked])
            body = payload.get("body") or json.dumps({"rows": [payload["row"] for _ in asked]}).encode()
            self.send_response(payload.get("status", 200))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield payload, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def requests(*events):
    return [{"entity": f"a{k}", "events": [{}] * number} for k, number in enumerate(events)]


def test_rows_and_refusals_come_back_in_order(served):
    payload, url = served
    payload["row"] = {"model_version": "7", "probability": 0.5}
    answers = over_http(f"{url}/", "0123456789abcdef", "7")(requests(0, 1))
    assert answers == [payload["row"], payload["row"]]
    assert (payload["key"], payload["path"]) == ("0123456789abcdef", "/score_batch")

    payload["row"] = {"error": {"code": "invalid", "message": "no"}}
    assert over_http(url, None, "7")(requests(0)) == [payload["row"]]
    assert payload["key"] is None


def test_no_request_is_larger_than_a_service_takes(served, monkeypatch):
    payload, url = served
    payload["row"] = {"model_version": "7"}
    monkeypatch.setattr(scoring_clients, "MOST_ENTITIES", 3)
    monkeypatch.setattr(scoring_clients, "MOST_EVENTS", 10)
    answers = over_http(url, None, "7")(requests(1, 1, 1, 1, 9, 1, 50, 0))
    assert len(answers) == 8
    assert payload["asked"] == [["a0", "a1", "a2"], ["a3", "a4"], ["a5"], ["a6"], ["a7"]]
    assert over_http(url, None, "7")([]) == []


def test_another_version_is_not_compared(served):
    payload, url = served
    payload["row"] = {"model_version": "99"}
    with pytest.raises(DataError, match=r"serves another version. Received: 99. Allowed: 7"):
        over_http(url, None, "7")(requests(0))


def test_a_service_that_refuses_or_is_not_there_is_told(served):
    payload, url = served
    payload |= {"row": {}, "status": 401}
    with pytest.raises(DataError, match="The service refuses"):
        over_http(url, None, "7")(requests(0))
    payload |= {"status": 200, "body": b"<html>"}
    with pytest.raises(DataError, match="does not answer"):
        over_http(url, None, "7")(requests(0))
    with pytest.raises(DataError, match="does not answer"):
        over_http("http://127.0.0.1:9", None, "7")(requests(0))


def test_what_is_no_address_is_refused_before_anything_is_asked():
    with pytest.raises(DataError, match="no address of a service"):
        over_http("file:///etc/passwd", None, "7")


def test_the_engine_in_this_process_answers_as_the_service(bundle, engine, entity):
    [good, bad] = in_process("1", bundle.model)([entity, {**entity, "as_of": "soon"}])
    assert good["probability"] == engine.score(entity, 2_000_000_000_000_000).row["probability"]
    assert good["model_version"] == "1"
    assert "`as_of` cannot be used" in bad["error"]["message"]


def test_what_is_no_json_does_not_pass_in_this_process_either(bundle, entity):
    [answer] = in_process("1", bundle.model)([{**entity, "traits": {"company_size": float("nan")}}])
    assert "NaN" in answer["error"]["message"]
