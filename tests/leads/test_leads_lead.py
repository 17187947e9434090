import pytest

from pql_model.decide.state import EntityState
from pql_model.leads.lead import chance_of, make_lead
from pql_model.statistics.estimate import Z95

ROW = {"entity": "a1", "probability": 0.4, "band": "high", "suppressed": None, "reasons": []}
ANN, BOB = ({"user": user, "share": 0.5, "last_seen": "2026-01-04", "brought_in_by": None} for user in ("ann", "bob"))


def test_the_range_is_that_of_the_level_and_stays_within_0_and_1():
    chance = chance_of(0.4, 0.1)
    assert (chance.low, chance.high) == pytest.approx((0.4 * (1 - Z95 * 0.1), 0.4 * (1 + Z95 * 0.1)))
    assert (chance_of(0.9, 0.2).high, chance_of(0.1, 0.6).low) == (1.0, 0.0)


def test_a_row_without_optional_columns_is_a_lead():
    lead = make_lead(ROW, 0.1)
    assert (lead.contact, lead.others, lead.next_step, lead.value, lead.since) == (None, (), None, None, None)


def test_the_sign_of_a_reason_is_set_apart_once():
    reasons = [
        {"sign": "-", "words": "no `a (-)` so far (-)"},
        {"sign": "+", "words": "2 `b` (+)"},
        {"sign": "", "words": "3 `c`"},
    ]
    assert make_lead({**ROW, "reasons": reasons}, 0.1).reasons == (
        ("-", "no `a (-)` so far"),
        ("+", "2 `b`"),
        ("", "3 `c`"),
    )


def test_the_contact_is_not_repeated_among_the_others():
    lead = make_lead({**ROW, "contact": ANN, "contacts": [ANN, BOB]}, 0.1)
    assert (lead.contact, lead.others) == (ANN, (BOB,))


def test_without_a_contact_the_first_of_the_others_is_it():
    lead = make_lead({**ROW, "contact": None, "contacts": [BOB, ANN]}, 0.1)
    assert (lead.contact, lead.others) == (BOB, (ANN,))


def test_a_value_is_shown_only_with_its_interval():
    values = {"expected_value": 10.0, "expected_value_low": 8.0, "expected_value_high": None}
    assert make_lead({**ROW, **values}, 0.1).value is None
    assert make_lead({**ROW, **values, "expected_value_high": 12.0}, 0.1).value.high == 12.0


def test_the_dates_are_those_of_the_remembered_run():
    lead = make_lead(ROW, 0.1, state=EntityState(True, 5, 7))
    assert (lead.since, lead.alerted) == (5, 7)


@pytest.mark.parametrize(
    ("suppressed", "paid", "may"),
    [
        (None, None, True),
        ("capacity", None, True),
        ("held_out", None, False),
        ("excluded", None, False),
        (None, 3, False),
    ],
)
def test_nobody_is_named_as_contact_where_contact_is_not_wanted(suppressed, paid, may):
    assert make_lead({**ROW, "suppressed": suppressed}, 0.1, paid=paid).may_be_contacted is may
