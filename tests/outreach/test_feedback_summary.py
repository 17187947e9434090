"""What sales did, in sentences."""

from __future__ import annotations

from pql_model.outreach.feedback_summary import sentences, summarise_feedback
from pql_model.outreach.rejected_traits import RejectedTraits
from pql_model.time import DAY
from tests.outreach.ledgers import T0, leads_of, row

NOW = T0 + 60 * DAY
NOTHING = RejectedTraits((), 0, enough=False)


def summary_of(*rows, traits=NOTHING):
    return summarise_feedback(leads_of(*rows, until=NOW), traits, ("high", "medium"), NOW)


def test_without_the_table_what_sales_did_is_not_known():
    assert sentences(summary_of(row("a", 0)), has_feedback=False) == (
        "What sales did is not known: the config has no `feedback:`.",
    )


def test_no_alerts_and_no_answers_are_said():
    assert "There are no alerts yet" in sentences(summary_of(), has_feedback=True)[0]
    assert sentences(summary_of(row("a", 0), row("b", 0)), True) == ("Sales has answered none of 2 alerts.",)


def test_the_counts_the_selection_and_the_untouched_are_said():
    rows = [row(f"a{k}", 0, accepted_at=T0 + DAY, contacted_at=T0 + DAY, probability=0.5) for k in range(6)]
    rows += [row(f"r{k}", 0, rejected_at=T0 + DAY, probability=0.5) for k in range(2)]
    rows += [row(f"o{k}", 0, probability=0.2) for k in range(12)]
    lines = sentences(summary_of(*rows), has_feedback=True)

    assert lines[0] == "Of 20 alerts, 8 have an answer: 6 contacted, 6 accepted, 2 rejected, 0 won."
    assert lines[1] == "Sales accepts 75 % (95 % interval 41 to 93) of those it decides on."
    assert "their mean probability was 50 %, that of the others 20 %" in lines[2]
    assert "12 alerts older than 7 days have no answer at all (60 %)." in lines
    assert "Half of the contacts come within 1.0 days; 30 % of all alerts are contacted within 7 days." in lines
    assert "looked for from 100 decided leads on" in lines[-1]


def test_contradictory_answers_are_said():
    lines = sentences(summary_of(row("a", 0, accepted_at=T0 + DAY, rejected_at=T0 + 2 * DAY)), True)

    assert "1 alerts were both accepted and rejected: the later answer counts." in lines


def test_the_json_object_has_every_group():
    payload = summary_of(row("a", 0, accepted_at=T0 + DAY), row("b", 1)).to_dict()

    assert payload["overall"]["leads"] == 2
    assert payload["groups"]["band"][0]["group"] == "high"
    assert payload["contact_delay"]["median_days"] is None
    assert payload["mean_probability"] == {"answered": 0.3, "others": 0.3}
