"""The order of remedies."""

from __future__ import annotations

import itertools

import pytest

from pql_model.monitoring.advice import REMEDIES, advise
from pql_model.monitoring.finding import KINDS, Finding


def finding(kind: str, severity: str = "act") -> Finding:
    return Finding(kind, "x", None, 1, 2, f"{kind} in words.", severity)  # type: ignore[arg-type]


LEVEL, RANKING, DATA = "calibration_off", "performance_fell", "event_stopped"


@pytest.mark.parametrize(
    ("findings", "hopeless", "remedy"),
    [
        ([], None, "keep"),
        ([finding("score_drift", "watch")], None, "watch"),
        ([finding("base_rate_changed", "watch")], None, "watch"),
        ([finding(DATA, "watch")], None, "watch"),
        ([finding(LEVEL)], None, "recalibrate"),
        ([finding(LEVEL), finding("base_rate_changed", "watch")], None, "recalibrate"),
        ([finding(RANKING)], None, "retrain"),
        ([finding(RANKING), finding(LEVEL)], None, "retrain"),
        ([finding("criterion_stale")], None, "retrain"),
        ([finding("criterion_stale", "watch")], None, "watch"),
        ([finding(RANKING)], "A baseline is better.", "stop"),
        ([finding(LEVEL)], "A baseline is better.", "recalibrate"),
        ([finding(DATA), finding(RANKING), finding(LEVEL)], "A baseline is better.", "fix_tracking"),
        ([finding(DATA), finding(LEVEL, "watch")], None, "fix_tracking"),
    ],
)
def test_the_mildest_remedy_that_mends_everything(findings, hopeless, remedy):
    for order in itertools.permutations(findings):
        assert advise(order, hopeless).remedy == remedy


def test_every_finding_to_act_on_leads_to_an_act_and_every_reason_is_said():
    for kind in KINDS:
        advice = advise([finding(kind)])
        assert advice.acts
        assert advice.why[0] == f"{kind} in words."
        assert advice.remedy in REMEDIES


def test_the_first_line_says_whether_anything_must_be_done():
    assert advise([]).headline == "Nothing has to be done."
    assert "fix" not in advise([finding(LEVEL)]).headline
    assert advise([finding(LEVEL)]).headline.startswith("Recalibrate")


def test_a_model_is_not_judged_by_broken_data():
    why = advise([finding(DATA), finding(RANKING)]).why
    assert why[0] == "event_stopped in words."
    assert "cannot be judged before the data are repaired" in why[1]


def test_a_quiet_look_says_on_what_it_rests():
    assert advise([], quiet="40 outcomes came as promised.").to_dict() == {
        "advice": "keep",
        "why": ["40 outcomes came as promised."],
    }
