import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pql_model.errors import DataError
from pql_model.serve import scoring_clients
from pql_model.serve.scoring_clients import in_process, over_http


@pytest.fixture
def served():
    """A service that answers every entity with `row`, or with `status` and `body`."""
    payload = {"received": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            entities = json.loads(self.rfile.read(int(self.headers["content-length"])))["entities"]
            payload["key"], payload["path"] = self.headers.get("x-api-key"), self.path
            payload["received"].append([request["entity"] for request in entities])
            body = payload.get("body") or json.dumps({"rows": [payload["row"] for _ in entities]}).encode()
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


def test_rows_and_errors_are_returned_in_order(served):
    payload, url = served
    payload["row"] = {"model_version": "7", "probability": 0.5}
    answers = over_http(f"{url}/", "0123456789abcdef", "7")(requests(0, 1))
    assert answers == [payload["row"], payload["row"]]
    assert (payload["key"], payload["path"]) == ("0123456789abcdef", "/score_batch")

    payload["row"] = {"error": {"code": "invalid", "message": "no"}}
    assert over_http(url, None, "7")(requests(0)) == [payload["row"]]
    assert payload["key"] is None


def test_requests_are_split_by_the_limits_of_the_service(served, monkeypatch):
    payload, url = served
    payload["row"] = {"model_version": "7"}
    monkeypatch.setattr(scoring_clients, "MAX_ENTITIES", 3)
    monkeypatch.setattr(scoring_clients, "MAX_EVENTS", 10)
    answers = over_http(url, None, "7")(requests(1, 1, 1, 1, 9, 1, 50, 0))
    assert len(answers) == 8
    assert payload["received"] == [["a0", "a1", "a2"], ["a3", "a4"], ["a5"], ["a6"], ["a7"]]
    assert over_http(url, None, "7")([]) == []


def test_another_version_is_refused(served):
    payload, url = served
    payload["row"] = {"model_version": "99"}
    with pytest.raises(DataError, match=r"serves another version. Received: 99. Allowed: 7"):
        over_http(url, None, "7")(requests(0))


def test_a_refusing_or_absent_service_is_an_error(served):
    payload, url = served
    payload |= {"row": {}, "status": 401}
    with pytest.raises(DataError, match="The service refused"):
        over_http(url, None, "7")(requests(0))
    payload |= {"status": 200, "body": b"<html>"}
    with pytest.raises(DataError, match="does not answer"):
        over_http(url, None, "7")(requests(0))
    with pytest.raises(DataError, match="does not answer"):
        over_http("http://127.0.0.1:9", None, "7")(requests(0))


def test_an_invalid_url_is_refused():
    with pytest.raises(DataError, match="not the URL of a service"):
        over_http("file:///etc/passwd", None, "7")


def test_the_engine_in_process_answers_like_the_service(bundle, engine, entity):
    [good, bad] = in_process("1", bundle.model)([entity, {**entity, "as_of": "soon"}])
    assert good["probability"] == engine.score(entity, 2_000_000_000_000_000).row["probability"]
    assert good["model_version"] == "1"
    assert "`as_of` cannot be used" in bad["error"]["message"]


def test_invalid_json_is_refused_in_process(bundle, entity):
    [answer] = in_process("1", bundle.model)([{**entity, "traits": {"company_size": float("nan")}}])
    assert "NaN" in answer["error"]["message"]
