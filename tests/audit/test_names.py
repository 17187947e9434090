import numpy as np
import pytest

from pql_model.audit.names import later_word, named_evidence

N = 2000
CLOCK = np.arange(N, dtype=float)
ALL = np.ones(N, bool)


def outcomes(conversions=200):
    return np.random.default_rng(1).permutation(np.arange(N) < conversions)


def evidence(name="company_rank", filled=ALL, auc=0.65, y=None, clock=CLOCK, dated=False):
    return named_evidence(name, filled, auc, outcomes() if y is None else y, clock, dated, 20)


@pytest.mark.parametrize(
    "name", ["Last Activity", "lead_profile", "Lead Quality", "deal stage", "account_status", "Tags", "alexa_rank"]
)
def test_a_name_that_suggests_a_later_value(name):
    assert later_word(name)


@pytest.mark.parametrize(
    "name",
    [
        "Lead Source",
        "Lead Origin",
        "What is your current occupation",
        "company_size",
        "TotalVisits",
        "team",
        "plan",
        "industry",
        "blast_radius",
        "lead",
    ],
)
def test_a_name_that_does_not(name):
    assert later_word(name) is None


def test_a_rank_known_at_sign_up_has_no_evidence_against_it():
    assert evidence(auc=0.67) is None
    assert evidence(auc=0.74) is None


def test_a_state_needs_less_separation_than_a_judgement():
    y = outcomes(600)
    assert "more than honest traits" in evidence("last_activity", auc=0.74, y=y)
    assert evidence("company_rank", auc=0.74, y=y) is None
    assert evidence("company_rank", auc=0.82, y=y)


def test_values_filled_or_missing_with_the_outcome_are_evidence():
    y = outcomes()
    some = np.random.default_rng(2).random(N)
    assert "filled for" in evidence(filled=some < np.where(y, 0.85, 0.3), y=y)
    assert "missing for" in evidence(filled=some > np.where(y, 0.85, 0.3), y=y)
    assert evidence(filled=some < np.where(y, 0.85, 0.75), y=y) is None


def test_values_filled_in_some_periods_only_are_evidence():
    blocks = (CLOCK < 600) | (CLOCK > 1400)
    assert "depending on their position in the file" in evidence(filled=blocks)
    assert evidence(filled=blocks, auc=0.5) is None


def test_a_column_introduced_at_some_time_is_spared():
    assert evidence(filled=CLOCK > 900, dated=True) is None
    assert evidence(filled=CLOCK > 900) is None


def test_values_that_newer_entities_lack_were_filled_later():
    assert "depending on their time of sign-up" in evidence(filled=CLOCK < 900, dated=True)
    assert evidence(filled=CLOCK < 900) is None  # the file may be sorted either way


def test_even_gaps_are_no_evidence():
    assert evidence(filled=np.random.default_rng(3).random(N) < 0.5) is None
