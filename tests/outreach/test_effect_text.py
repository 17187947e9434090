"""The effect in sentences."""

from __future__ import annotations

import pytest

from pql_model.outreach.effect_text import sentences
from pql_model.time import DAY
from tests.outreach.ledgers import T0, row
from tests.outreach.test_effect_measurement import rows_of


def told(*rows, **keys):
    return sentences(rows_of(*rows, **keys), "accounts", "30 days")


def arms(alerted, held_out, day=lambda k: 0, **other):
    (k1, n1), (k0, n0) = alerted, held_out
    rows = [row(f"a{k}", day(k), converted=k < k1, **other) for k in range(n1)]
    return rows + [row(f"h{k}", day(k), "held_out", converted=k < k0) for k in range(n0)]


def test_without_a_hold_out_it_cannot_be_known_and_the_remedy_is_named():
    lines = told(*(row(f"a{k}", k) for k in range(30)), hold_out=0.0)

    assert lines[0] == (
        "Whether contact makes a difference cannot be known: none of the 30 accounts that qualified was held out. "
        "Set `policy: {hold_out: 0.1}` to keep a random tenth from being alerted."
    )
    assert "7 accounts first qualify per week. With a hold-out of 10 %" in lines[1]
    assert "in about " in lines[1]


def test_too_few_say_how_many_are_needed():
    lines = told(*arms((9, 40), (2, 9)))

    assert "cannot be known yet: 40 alerted and 9 held-out accounts have a final outcome" in lines[0]
    assert "is seen 8 times in 10 with" in " ".join(lines)


@pytest.mark.parametrize(
    ("alerted", "held_out", "begins"),
    [
        ((56, 70), (48, 80), "Contact makes a difference: 80 % of the alerted accounts converted within 30 days, 60 %"),
        ((48, 80), (56, 70), "Contact does harm: "),
        ((20, 80), (17, 70), "No difference can be seen yet: "),
    ],
)
def test_the_first_sentence_is_the_answer(alerted, held_out, begins):
    lines = told(*arms(alerted, held_out))

    assert lines[0].startswith(begins)
    assert "points (95 % interval " in lines[0]


def test_who_would_have_paid_anyway_is_said():
    assert (
        "Of 70 alerted accounts, 56 converted; at the rate of the hold-out, 42 (34 to 49) would have paid anyway."
        in told(*arms((56, 70), (48, 80)))
    )


def test_held_out_accounts_that_were_contacted_are_named():
    rows = arms((56, 70), (48, 80), contacted_at=T0 + DAY)
    rows[-1]["contacted_at"] = T0 + DAY
    lines = " ".join(told(*rows))

    assert "1 held-out accounts were contacted all the same: h79. They count as held out." in lines
    assert "never contacted" not in lines


def test_without_feedback_nobody_is_said_to_be_neglected():
    lines = " ".join(told(*arms((56, 70), (48, 80)), has_feedback=False))

    assert "Who was contacted is not recorded" in lines


def test_a_harmful_contact_has_no_cost_of_the_hold_out():
    assert "The hold-out has cost" not in " ".join(told(*arms((48, 80), (56, 70))))
