import pytest

from pql_model.errors import (
    ConfigError,
    DataError,
    Fault,
    FeatureMismatchError,
    InputError,
    ModelNotFoundError,
    NotEnoughDataError,
    PqlError,
    TooFewConversionsError,
    listed,
    nearest,
)


def test_error_states_problem_received_allowed_and_fix_in_order():
    error = DataError("The table has no rows", received="events.csv", allowed=["one row", "more"], remedy="give one.")
    assert str(error) == "The table has no rows. Received: events.csv. Allowed: one row, more. Fix: give one."
    assert error.to_dict() == {
        "type": "DataError",
        "message": str(error),
        "received": "events.csv",
        "allowed": ["one row", "more"],
        "remedy": "give one.",
    }


def test_errors_are_listed_in_the_order_of_the_file():
    error = ConfigError("pql.yaml", [Fault("b", "late", 9), Fault("a", "early", 2)])
    assert str(error) == "pql.yaml has 2 errors:\n  - line 2: a: early\n  - line 9: b: late."
    assert [fault["line"] for fault in error.to_dict()["faults"]] == [2, 9]


@pytest.mark.parametrize(
    ("kind", "builtin", "status"),
    [(DataError, ValueError, 422), (FeatureMismatchError, ValueError, 409), (ModelNotFoundError, LookupError, 404)],
)
def test_errors_are_also_builtins_and_carry_their_http_status(kind, builtin, status):
    assert issubclass(kind, builtin)
    assert issubclass(kind, PqlError)
    assert (kind.http_status, kind.exit_code) == (status, 2)


def test_too_few_conversions_come_with_the_verdict_and_the_base_rate():
    rate = {"value": 0.0375, "low": 0.0128, "high": 0.1045}
    error = TooFewConversionsError(
        "There are too few", entities=80, conversions=3, rate=rate, received="3 in 80 snapshots", allowed="several"
    )
    assert isinstance(error, NotEnoughDataError)
    assert "Received: 3 in 80 snapshots; 3 of 80 entities converted, 3.8% (95 % interval 1.3% to 10.4%)." in str(error)
    payload = error.to_dict()
    assert payload["verdict"] == "too_few_conversions"
    assert payload["base_rate"] == {"entities": 80, "conversions": 3, "rate": rate}
    assert error.exit_code == 2


def test_an_input_error_names_the_field():
    error = InputError("events[3].time", received="12", allowed="a date such as 2026-06-30")
    assert str(error) == "`events[3].time` cannot be used. Received: 12. Allowed: a date such as 2026-06-30."
    assert (error.field, error.to_dict()["field"], error.http_status) == ("events[3].time", "events[3].time", 422)
    assert isinstance(error, ValueError)


def test_the_nearest_name_ignores_case_and_far_names():
    assert nearest("Horzon", ["horizon", "motion"]) == "horizon"
    assert nearest("xyz", ["horizon", "motion"]) is None


def test_long_lists_are_cut():
    assert listed(range(2000), 3) == "0, 1, 2 and 1,997 more"
