"""Error responses, all with one body: `{"error": {code, message, field, received, allowed}}`."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from pql_model.errors import InputError, PqlError
from pql_model.payload import select_attributes
from pql_model.serve.strict_json import JsonError


class ProblemError(Exception):
    """An error response.

    Parameters
    ----------
    status
        HTTP status.
    code
        Error code for programs.
    headers
        Additional response headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        received: str | None = None,
        allowed: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.field, self.received, self.allowed = field, received, allowed
        self.headers = headers or {}

    @classmethod
    def of(cls, error: PqlError) -> ProblemError:
        """Convert an error about what the caller sent."""
        if isinstance(error, InputError):
            code = error.code if isinstance(error, JsonError) else "invalid"
            return cls(
                error.http_status,
                code,
                str(error),
                field=error.field,
                received=str(error.received),
                allowed=_text(error.allowed),
            )
        return cls(422, "invalid", str(error))

    def to_dict(self) -> dict[str, Any]:
        payload = select_attributes(self, "code", "message", "field", "received", "allowed")
        return {"error": {name: value for name, value in payload.items() if value is not None}}

    def response(self) -> Response:
        return json_response(self.to_dict(), self.status, self.headers)


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Build a JSON response in UTF-8. Lone surrogates in echoed input are escaped."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        text.encode("utf-8", "backslashreplace"),
        status,
        {"cache-control": "no-store", **(headers or {})},
        "application/json",
    )


def _text(allowed: Any) -> str | None:
    return None if allowed is None else allowed if isinstance(allowed, str) else ", ".join(map(str, allowed))
