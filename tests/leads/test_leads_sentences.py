import pytest

from pql_model.leads import sentences
from pql_model.leads.lead import ListedLead
from pql_model.leads.sections import SECTIONS, Section
from pql_model.page.numbers import forbidden
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY


def sections(**counts):
    suppressed = counts.pop("suppressed", {})
    return {
        key: Section(key, counts.get(key, 0), Estimate(1.5, 0.0, 4.0), (), (), suppressed if key == "waiting" else {})
        for key in SECTIONS
    }


def lead(**changed):
    return ListedLead("a", None, Estimate(0.3, 0.2, 0.4), "high", **changed)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (
            {"new": 7, "open": 18, "waiting": 3, "suppressed": {"capacity": 3}},
            "7 new leads to call today, 18 still open; 3 wait for a place",
        ),
        ({"new": 1}, "1 new lead to call today"),
        ({"open": 1}, "No new leads today; 1 is still open"),
        ({"open": 2000}, "No new leads today; 2,000 are still open"),
        ({"waiting": 1, "suppressed": {"capacity": 1}}, "Nobody to call today; 1 waits for a place"),
        ({"waiting": 2, "suppressed": {"held_out": 2}}, "Nobody to call today"),
        ({}, "Nobody to call today"),
    ],
)
def test_the_first_line_says_what_to_do_today(counts, text):
    assert sentences.headline(sections(**counts)) == text


def test_the_suppressed_are_counted_by_reason():
    parts = sections(waiting=7, suppressed={"capacity": 1, "held_out": 3, "something_new": 1})
    assert sentences.waiting_text(parts["waiting"]) == "1 waits for a place, 3 are held out and 3 for another reason"


@pytest.mark.parametrize(
    ("changed", "section", "text"),
    [
        ({"since": 8 * DAY}, "new", "New today"),
        ({"since": 8 * DAY}, "open", "PQL since 9 Jan 1970 (2 days)"),
        ({"since": 9 * DAY + 1}, "open", "PQL since 10 Jan 1970"),
        ({}, "open", "PQL since an earlier run"),
        (
            {"since": 8 * DAY, "alerted": 1 * DAY, "suppressed": "cool_down"},
            "open",
            "PQL since 9 Jan 1970 (2 days). No second alert within the cool-down: last alerted 2 Jan 1970",
        ),
        ({"suppressed": "capacity"}, "waiting", "Waits for a place"),
        ({"suppressed": "excluded"}, "waiting", "Do not contact: excluded by the policy"),
        ({"suppressed": "held_out"}, "waiting", "Do not contact: in the hold-out, which measures what contact brings"),
        ({"suppressed": "something_new"}, "waiting", "Something new"),
        ({"paid": 9 * DAY}, "waiting", "Do not contact: has paid on 10 Jan 1970, after it was scored"),
    ],
)
def test_each_row_says_since_when_or_why_not(changed, section, text):
    assert sentences.status(lead(**changed), section, 10 * DAY) == text


def test_a_contact_without_share_or_date_is_still_one():
    assert sentences.contact_text({"user": "u"}) == ""
    assert sentences.contact_text({"user": "u", "share": 0.031, "last_seen": None}) == "did 3.1 % of the activity"


def test_a_step_without_words_says_how_far_it_is():
    step = {"criterion": "at least 3 `a`", "value": 2.0, "needed": 3.0, "probability": None}
    assert sentences.step_text(step) == "at least 3 `a`: 2 of 3 so far"
    assert sentences.step_gain(step) == ""
    assert sentences.step_gain({"probability": 0.5, "gain": None}) == "predicted then: 50 %"


def test_no_sentence_claims_a_cause():
    texts = [
        *sentences._WHY.values(),
        sentences.step_gain({"probability": 0.5, "gain": {"value": 0.1, "low": 0, "high": 0.2}}),
    ]
    assert forbidden(" ".join(texts)) == []
