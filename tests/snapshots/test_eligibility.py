import pytest
from worlds import at, opened, product

from pql_model.snapshots.eligibility import eligibility
from pql_model.sources.select_entity import select_entity

ACCOUNTS = [
    {"account": "acme", "signed_up": "2026-01-01", "plan": "free"},
    {"account": "payer", "signed_up": "2026-01-01", "plan": "free"},
    {"account": "us", "signed_up": "2026-01-01", "plan": "own staff"},
]
EVENTS = [{"account": a["account"], "event": "login", "time": "2026-01-02"} for a in ACCOUNTS]
PAID = [{"account": "payer", "time": "2026-01-09T10:00:00Z"}]
TRIAL = {"snapshots": {"at_days": [3, 7]}, "exclude": {"entities": {"plan": ["own staff"]}}}


@pytest.fixture
def ask(tmp_path):
    def of(name, as_of, **config):
        product_ = product(tmp_path, ACCOUNTS, EVENTS, PAID, **{**TRIAL, "observed_until": "2026-03-01", **config})
        with opened(product_) as (con, sources):
            return eligibility(product_, select_entity(con, product_, sources, name), at(as_of))[0]

    return of


def test_entities_at_risk_have_no_reason(ask):
    found = ask("acme", "2026-01-05")
    assert (found.why_not, found.text, found.begun) == (None, None, True)
    assert (found.signed_up, found.converted_at) == (at("2026-01-01"), None)


@pytest.mark.parametrize(
    ("name", "as_of", "reason", "words"),
    [
        ("us", "2026-01-05", "excluded", "it is excluded by `exclude:` in the config"),
        (
            "payer",
            "2026-01-09T10:00:01Z",
            "converted",
            "it converted at 2026-01-09T10:00:00Z; `--as-of 2026-01-09T10:00:00Z` is the last instant before that",
        ),
        (
            "acme",
            "2026-01-02T12:00",
            "too_young",
            "as_of is 1.5 days after its sign-up, and the model covers days 3 to 8 only",
        ),
        (
            "acme",
            "2026-01-19",
            "too_old",
            "as_of is 18.0 days after its sign-up, and the model covers days 3 to 8 only",
        ),
    ],
)
def test_entities_not_at_risk_have_a_reason(ask, name, as_of, reason, words):
    found = ask(name, as_of)
    assert (found.why_not, found.text, found.begun) == (reason, words, True)


def test_recommended_as_of_precedes_the_conversion(ask):
    assert ask("payer", "2026-01-09T10:00:00Z", snapshots={"at_days": [3, 14]}).why_not is None


def test_nothing_is_known_before_the_sign_up(ask):
    found = ask("acme", "2025-12-31")
    assert (found.why_not, found.begun) == ("not_signed_up_yet", False)
    assert found.text == "it signed up at 2026-01-01, which is not before as_of, so nothing was known about it"


def test_entity_without_recent_events_is_inactive(ask):
    found = ask("acme", "2026-02-15", motion="freemium", snapshots={"every": "7d", "active_within": "28d"})
    assert found.why_not == "inactive"
    assert found.text == "it had no event in the last 28 days, and the model covers active entities only"
