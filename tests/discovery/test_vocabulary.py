import pytest

from pql_model.discovery.vocabulary import ACCOUNTS, AMBIGUOUS_ACCOUNTS, TIME_SCORES, USERS, scores, slug, words


@pytest.mark.parametrize("name", ["messageId", "MessageID", "message_id", "Message ID", "message-id"])
def test_spellings_of_a_name_have_one_slug(name):
    assert slug(name) == "message_id"


def test_compound_words_are_split():
    assert words("userid") == ("user", "id")
    assert words("useragent") == ("user", "agent")
    assert words("valid") == ("valid",)


def test_a_later_score_replaces_an_earlier_one():
    assert scores({2: "time event", -4: "event"}) == {"time": 2, "event": -4}


def test_a_word_means_an_account_or_a_user():
    assert not ACCOUNTS.keys() & USERS.keys()
    assert ACCOUNTS.keys() >= AMBIGUOUS_ACCOUNTS


def test_a_payment_is_the_time_of_conversions_only():
    assert {kind: table["paid"] > 0 for kind, table in TIME_SCORES.items()} == {
        "events": False,
        "entities": False,
        "conversions": True,
    }
