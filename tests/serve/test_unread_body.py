"""A server on a real socket: what a caller can read who sends a body that is refused."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from calls import service_of

from pql_model.serve import unread_body


@pytest.fixture(scope="module")
def port(bundle):
    with running(service_of(bundle.path, max_body=300_000, deadline_seconds=1.0)) as port:
        yield port


@contextmanager
def running(service):
    server = uvicorn.Server(uvicorn.Config(service.app(), port=0, log_level="warning", http="h11"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def head(length, path="/score", more=""):
    return f"POST {path} HTTP/1.1\r\nhost: a\r\n{more}content-length: {length}\r\n\r\n".encode()


def _send_on(connection):
    for _ in range(2_000):
        connection.sendall(b"a" * 100_000)
        time.sleep(0.001)


def answer_of(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or pytest.fail(f"closed after {data!r}")
    top, _, body = data.partition(b"\r\n\r\n")
    length = int(top.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536) or pytest.fail("closed within the answer")
    return int(top.split()[1]), top.lower(), body


@pytest.mark.parametrize(("path", "status"), [("/score", 413), ("/nowhere", 404), ("/model", 405)])
def test_who_sends_everything_before_reading_can_read_the_answer(port, path, status):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head(3_000_000, path) + b"a" * 3_000_000)
        time.sleep(0.1)
        answered, top, _ = answer_of(connection)
        assert (answered, b"connection: close" in top) == (status, True)
        assert connection.recv(1) == b""  # and then it is closed, without a reset


def test_the_answer_comes_before_the_body_has_been_sent(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head(3_000_000) + b"a" * 1000)
        assert answer_of(connection)[0] == 413


def test_who_asks_first_sends_no_body(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head(3_000_000, more="expect: 100-continue\r\n"))
        assert answer_of(connection)[0] == 413
        assert connection.recv(1) == b""


def test_a_small_body_that_is_refused_keeps_the_connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(head(10, "/nowhere") + b"a" * 10)
            status, top, _ = answer_of(connection)
            assert (status, b"connection: close" in top) == (404, False)


@pytest.mark.parametrize("limit", ["DRAIN_BYTES", "DRAIN_SECONDS"])
def test_who_sends_for_ever_is_cut_off(port, monkeypatch, limit):
    monkeypatch.setattr(unread_body, limit, 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head(10**9))
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            _send_on(connection)


def test_a_slow_sender_reads_its_answer(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head(1000) + b" ")
        status, top, body = answer_of(connection)
        assert (status, b"connection: close" in top) == (408, True)
        assert b"did not arrive in time" in body


def test_large_bodies_wait_for_their_turn():
    turns = []

    async def run():
        async def turn():
            turns.append(1)

        async def receive():
            return {"type": "http.request", "body": b"a" * 60_000, "more_body": True}

        incoming = unread_body.Incoming(receive, turn)
        for _ in range(4):
            await incoming()

    asyncio.run(run())
    assert len(turns) == 2
