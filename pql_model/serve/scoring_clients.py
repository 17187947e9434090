"""Clients that score requests: the engine in this process, and a running service."""

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

MAX_ENTITIES, MAX_EVENTS = 100, 20_000
"""Limits of one request to a service."""

Request = Mapping[str, Any]
ScoringClient = Callable[[Sequence[Request]], list[dict[str, Any]]]
"""Requests -> answers in the same order: scored rows, or `{"error": ...}`."""


def in_process(version: str, model: FittedModel) -> ScoringClient:
    """Score with the engine of the service, as if the requests had come over the wire."""
    engine = ScoringEngine(Bundle(Path(), {"name": model.facts.get("name"), "version": version}, model, {}, {}, "", ""))

    def score(requests: Sequence[Request]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for request in requests:
            try:
                answers.append(engine.score(parse(json.dumps(request).encode()), time.now()).row)
            except PqlError as error:
                answers.append({"error": {"message": str(error)}})
        return answers

    return score


def over_http(url: str, key: str | None, version: str) -> ScoringClient:
    """Score with `POST /score_batch` of a running service.

    Parameters
    ----------
    url
        Such as `http://127.0.0.1:3000`.
    key
        Its API key.
    version
        Version of the model that it must answer with.

    Raises
    ------
    DataError
        If `url` is not a URL; when called, if the service does not answer, refuses, or serves another version.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError("This is not the URL of a service", received=url, allowed="http://HOST:PORT or https://...")
    headers = {"content-type": "application/json", **({"x-api-key": key} if key is not None else {})}

    def score(requests: Sequence[Request]) -> list[dict[str, Any]]:
        rows = []
        for batch in _batches(requests):
            body = json.dumps({"entities": batch}).encode()
            rows += _post(url, urllib.request.Request(f"{url.rstrip('/')}/score_batch", body, headers))  # noqa: S310 (checked above)
        other_versions = {row["model_version"] for row in rows if "error" not in row} - {version}
        if other_versions:
            raise DataError(
                "The service serves another version",
                received=", ".join(sorted(other_versions)),
                allowed=version,
                remedy="name it with `--model`, or export again",
            )
        return rows

    return score


def _batches(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Split requests by the limits of a service, in number and in size."""
    batch: list[Request] = []
    events = 0
    for request in requests:
        events += len(request["events"])
        if batch and (len(batch) == MAX_ENTITIES or events > MAX_EVENTS):
            yield batch
            batch, events = [], len(request["events"])
        batch.append(request)
    if batch:
        yield batch


def _post(url: str, request: urllib.request.Request) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (checked by the caller)
            rows: list[dict[str, Any]] = json.loads(answer.read())["rows"]
    except urllib.error.HTTPError as error:
        text = error.read()[:500].decode("utf-8", "replace")
        raise DataError("The service refused the request", received=text) from error
    except (OSError, ValueError, LookupError) as error:
        raise DataError(
            f"The service does not answer: {error}", received=url, remedy="start it with `pql serve`"
        ) from error
    return rows
