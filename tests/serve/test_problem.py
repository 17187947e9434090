import json

import pytest

from pql_model.errors import DataError, InputError
from pql_model.serve.problem import ProblemError, json_response
from pql_model.serve.strict_json import JsonError


def test_absent_fields_are_left_out():
    response = ProblemError(429, "overloaded", "Come again", headers={"retry-after": "1"}).response()

    assert response.status_code == 429
    assert json.loads(response.body) == {"error": {"code": "overloaded", "message": "Come again"}}
    assert (response.headers["retry-after"], response.headers["cache-control"]) == ("1", "no-store")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InputError("events[3].time", received=12, allowed=["a", "b"]), 422, "invalid"),
        (JsonError("body", received="nothing", allowed="JSON"), 400, "not_json"),
    ],
)
def test_a_field_is_named_with_what_is_allowed(error, status, code):
    problem = ProblemError.of(error)
    payload = problem.to_dict()["error"]

    assert (problem.status, payload["code"], payload["field"]) == (status, code, error.field)
    assert payload["received"] == str(error.received)
    assert payload["allowed"] in ("a, b", "JSON")
    assert payload["message"] == str(error)


def test_other_errors_have_code_and_message():
    assert ProblemError.of(DataError("Nothing fits")).to_dict() == {
        "error": {"code": "invalid", "message": "Nothing fits."}
    }


def test_lone_surrogates_are_escaped_and_nan_is_an_error():
    assert json_response({"text": "a\ud800ü"}).body == '{"text":"a\\ud800ü"}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_response({"number": float("nan")})
