"""The words in names of columns, and how strongly each one suggests a role.

`pql_model.discovery.recognise` adds the scores over the words of a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_COMPOUND = re.compile(
    r"(user|account|customer|company|team|tenant|workspace|org|client|member|student|group)(id|uuid|key)|(user)(agent)"
)


def words(name: str) -> tuple[str, ...]:
    """Split the name of a column into lower-case words.

    >>> words("messageId"), words("USERS_EMAIL"), words("Created (UTC)"), words("domain_userid")
    (('message', 'id'), ('users', 'email'), ('created', 'utc'), ('domain', 'user', 'id'))
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    parts: list[str] = []
    for word in re.findall(r"[^\W_]+", spaced.lower()):
        compound = _COMPOUND.fullmatch(word)
        parts += [part for part in compound.groups() if part] if compound else [word]
    return tuple(parts)


def slug(name: str) -> str:
    """Bring a name to one spelling: `messageId`, `Message ID` and `message_id` are the same.

    >>> slug("messageId"), slug("Message ID")
    ('message_id', 'message_id')
    """
    return "_".join(words(name))


def vocabulary(text: str) -> frozenset[str]:
    """Split a text into a set of words, which reads better than forty quoted ones."""
    return frozenset(text.split())


def scores(by_score: Mapping[float, str]) -> dict[str, float]:
    """Turn score -> words into word -> score; a later score replaces an earlier one.

    >>> scores({1: "time date", 5: "time"})
    {'time': 5, 'date': 1}
    """
    return {word: score for score, text in by_score.items() for word in text.split()}


# ---------------------------------------------------------------- times

ARRIVAL = (
    "received loaded load inserted ingested ingestion processed processing sent upload uploaded synced server etl "
    "collector exported imported"
)
"""When a row reached a system, which is later than when something happened."""
_UNRELATED = (
    "last latest updated modified end ended ends expires expired expiry deleted birth born birthday due cancelled "
    "canceled cancel refunded refund churned next closed until previous lost expected planned estimated scheduled"
)
_PAID = "paid converted conversion purchase purchased bought subscribed subscription upgraded upgrade charged"
_JOINED = "signup signed registered registration joined enrolled"

TIME_SCORES: dict[str, dict[str, float]] = {
    "events": scores(
        {
            2: "ts tstamp datetime event day",
            1: "time date at on when created",
            -1: "original",
            -3: "first",
            -4: f"{ARRIVAL} {_JOINED} {_PAID}",
            -9: _UNRELATED,
            5: "timestamp occurred happened",
            3: "week month period quarter",
        }
    ),
    "entities": scores(
        {
            2: "timestamp ts tstamp datetime onboarded",
            1: "time date at on when activated",
            -1: "first",
            -4: ARRIVAL,
            -9: f"{_UNRELATED} {_PAID}",
            6: _JOINED,
            4: "created creation",
            3: "sign trial start started since",
        }
    ),
    "conversions": scores(
        {
            2: "timestamp ts tstamp datetime activated start started created",
            1: "time date at on when first",
            -5: "trial",
            -9: f"{_UNRELATED} {_JOINED}",
            5: _PAID,
            4: "adopted payment won",
        }
    ),
}
"""Kind of table -> how strongly a word says that a time is the one looked for."""

TIME_WORDS = vocabulary(
    "time timestamp tstamp ts stamp date datetime at on when day week month period hour utc occurred received loaded "
    "created updated epoch start end signup registered ms micros"
)
"""Words under which a number may be a time."""
DAYS = {"day": "1d", "daily": "1d", "date": "1d"}
PERIODS = {"week": "7d", "weekly": "7d", "month": "31d", "monthly": "31d", "quarter": "92d", "period": "7d"}
"""Words that say how long a pre-counted row lasts."""

# ---------------------------------------------------------------- ids

ACCOUNTS = scores(
    {
        1.0: "account workspace org organization organisation tenant company portal team group business shop store site",
        0.8: "customer client",
        0.7: "school",
        0.4: "project",
        0.2: "domain",
    }
)
AMBIGUOUS_ACCOUNTS = vocabulary("customer client school project domain")
"""A company or a person: the word alone does not tell."""
USERS = scores(
    {
        1.0: "user person who member student learner player visitor subscriber distinct profile contact patient reader "
        "listener lead actor uid",
        0.5: "anonymous",
        0.4: "email",
        0.3: "device",
        0.2: "cookie",
    }
)
ID_WORDS = vocabulary(
    "id ids key uuid guid identifier no number ref hash slug pseudo external uid internal pk fk code metadata "
    "properties traits the canonical"
)
"""Words that say nothing about what is identified."""
GENERIC_IDS = vocabulary("id uuid key name guid pk index")
ROW_IDS = vocabulary("id uuid event_id message_id insert_id row_id log_id event_uuid record_id")
USER_AGENTS = vocabulary(
    "user_agent context_user_agent properties_user_agent raw_user_agent http_user_agent",
)

# ---------------------------------------------------------------- events, counts and values

EVENT_SCORES = scores(
    {
        5: "event",
        4: "action",
        3: "activity verb operation happened",
        2: "what did interaction",
        1: "type name feature kind",
        0: "text label key code",
    }
)
OTHER_EVENT_WORD = -2.0
"""The score of every other word in the name of a column of event names."""
CONTEXT = vocabulary(
    "country city region state device browser os platform plan source referrer url path language lang title medium "
    "campaign currency email agent ip timezone locale model brand version status properties context category"
)
"""Circumstances of an event, which are not its name."""
ACTS = vocabulary(
    "view click login open create start send sent upload download invite share add delete edit sign log visit search "
    "play watch read built made set"
)
PEOPLE = vocabulary("user users people members")
FILLERS = vocabulary("actions action count counts num number n of total events")
AMOUNTS = ["mrr", "arr", "amount", "revenue", "price", "value", "total", "paid", "net", "gross", "usd", "eur"]
"""Words for what was paid, best first."""
NOT_VALUES = vocabulary(
    "id ids key uuid guid hash code zip zipcode postal postcode phone lat lng lon latitude longitude height width "
    "version port offset index idx schema sequence seq year month week weekday hour minute ip epoch row line"
)
"""Numbers that are not worth summing up."""

MEASURES = vocabulary(
    "count counts cnt total totals sum amount price minutes seconds hours duration score rate ratio percent seats "
    "licenses quantity qty visits sessions views clicks actions users members months weeks days age rank size length "
    "revenue mrr arr value cost used usage opens logins exports"
)
"""Words of numbers that measure something, and therefore identify nothing."""

# ---------------------------------------------------------------- traits

IDENTIFIERS = vocabulary("id ids uuid guid hash token key ip phone telephone ssn iban")
NAMES = vocabulary(
    "name firstname lastname fullname surname username address street url website description notes note comment "
    "comments bio avatar password"
)
OUTCOME = vocabulary(
    "paid paying payer converted conversion customer subscription subscribed subscriber mrr arr revenue ltv churned "
    "churn upgraded premium adopter plan billing stage status won cancelled canceled"
)
"""Traits that may say who paid."""
