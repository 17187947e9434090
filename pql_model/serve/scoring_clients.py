"""Two ways to ask for scored rows: the engine in this process, and a service that runs somewhere."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.errors import DataError, PqlError
from pql_model.model.artifact import FittedModel
from pql_model.serve.bundle import Bundle
from pql_model.serve.engine import ScoringEngine
from pql_model.serve.strict_json import parse

MOST_ENTITIES, MOST_EVENTS = 100, 20_000
"""Of one request to a service."""

Request = Mapping[str, Any]
Ask = Callable[[Sequence[Request]], list[dict[str, Any]]]
"""Requests to answers in the same order: scored rows, or `{"error": ...}`."""


def in_process(version: str, model: FittedModel) -> Ask:
    """Ask the engine of the service, as if the requests had come over the wire."""
    engine = ScoringEngine(Bundle(Path(), {"name": model.facts.get("name"), "version": version}, model, {}, {}, "", ""))

    def ask(requests: Sequence[Request]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for request in requests:
            try:
                answers.append(engine.score(parse(json.dumps(request).encode()), time.now()).row)
            except PqlError as error:
                answers.append({"error": {"message": str(error)}})
        return answers

    return ask


def over_http(url: str, key: str | None, version: str) -> Ask:
    """Ask `POST /score_batch` of a running service.

    Parameters
    ----------
    url
        Such as `http://127.0.0.1:3000`.
    key
        Its API key.
    version
        The version of the model it must answer with.

    Raises
    ------
    DataError
        If this is no address; when asked, if the service does not answer, refuses, or serves another version.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError("This is no address of a service", received=url, allowed="http://HOST:PORT or https://...")
    headers = {"content-type": "application/json", **({"x-api-key": key} if key is not None else {})}

    def ask(requests: Sequence[Request]) -> list[dict[str, Any]]:
        rows = []
        for part in _parts(requests):
            body = json.dumps({"entities": part}).encode()
            rows += _rows(url, urllib.request.Request(f"{url.rstrip('/')}/score_batch", body, headers))  # noqa: S310 (checked above)
        other = {row["model_version"] for row in rows if "error" not in row} - {version}
        if other:
            raise DataError(
                "The service serves another version",
                received=", ".join(sorted(other)),
                allowed=version,
                remedy="name it with `--model`, or export again",
            )
        return rows

    return ask


def _parts(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """As many at once as a service takes, in number and in size."""
    part: list[Request] = []
    events = 0
    for request in requests:
        events += len(request["events"])
        if part and (len(part) == MOST_ENTITIES or events > MOST_EVENTS):
            yield part
            part, events = [], len(request["events"])
        part.append(request)
    if part:
        yield part


def _rows(url: str, request: urllib.request.Request) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (checked by who calls)
            rows: list[dict[str, Any]] = json.loads(answer.read())["rows"]
    except urllib.error.HTTPError as error:
        raise DataError("The service refuses", received=error.read()[:500].decode("utf-8", "replace")) from error
    except (OSError, ValueError, LookupError) as error:
        raise DataError(
            f"The service does not answer: {error}", received=url, remedy="start it with `pql serve`"
        ) from error
    return rows
