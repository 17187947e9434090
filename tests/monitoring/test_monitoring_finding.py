import pytest

from pql_model.errors import DataError
from pql_model.monitoring.finding import KINDS, Finding, in_order
from pql_model.time import DAY


def finding(kind="event_stopped", subject="login", since=0, severity="act"):
    return Finding(kind, subject, since, 0.0, 9.5, "Nobody logs in.", severity)


def test_the_kinds_are_those_of_the_contract():
    assert KINDS == (
        "event_stopped",
        "event_renamed",
        "event_started",
        "volume_changed",
        "tracking_gap",
        "late_data",
        "trait_changed",
        "score_drift",
        "base_rate_changed",
        "calibration_off",
        "performance_fell",
        "criterion_stale",
    )


def test_the_fields_that_other_programs_read():
    assert finding(since=DAY).to_dict() == {
        "kind": "event_stopped",
        "subject": "login",
        "since": "1970-01-02",
        "figure": 0.0,
        "expected": 9.5,
        "words": "Nobody logs in.",
        "severity": "act",
    }


def test_a_finding_without_a_beginning_has_a_null():
    assert finding(since=None).to_dict()["since"] is None


def test_an_unknown_kind_is_rejected_with_the_nearest():
    with pytest.raises(DataError, match=r"unknown kind\. Received: event_stoped.*Fix: use `event_stopped`"):
        finding(kind="event_stoped")


def test_an_unknown_severity_is_rejected():
    with pytest.raises(DataError, match=r"unknown severity\. Received: alarm\. Allowed: act, watch"):
        finding(severity="alarm")


def test_what_needs_an_act_comes_first_then_the_kind_then_the_newest():
    findings = [
        finding("event_started", severity="watch"),
        finding("performance_fell"),
        finding(subject="older", since=DAY),
        finding(subject="newer", since=2 * DAY),
    ]

    assert [f.subject for f in in_order(findings)] == ["newer", "older", "login", "login"]
    assert [f.kind for f in in_order(findings)][2:] == ["performance_fell", "event_started"]


def test_only_findings_about_data_ask_for_their_repair():
    assert [kind for kind in KINDS if not finding(kind).is_about_data] == list(KINDS[7:])
