"""The forms of a raw value, declared once, and their reading in plain Python for a service without a database.

`pql_model.sources.casts` compiles the same forms to Ibis columns and `pql_model.criteria.sql_raw` to SQL, so that an
id, a text, a number, a time or a bot means the same in a table, in a warehouse and in a request.
"""

from __future__ import annotations

import re

from pql_model.measures import ANY

MISSING_IDS = ("nan", "null", "none", "nil", "<na>", "\\n", "nat", "(null)", "undefined")
"""Lower-case texts that programs write for a missing id. As an id, one would be an entity that did everything."""

SPACES = "\t\n\v\f\r "
"""What is trimmed at both ends of a text: ASCII only, as in RE2's `\\s` plus the vertical tab."""

WHOLE_NUMBER = r"^(-?[0-9]+)\.0+$"
"""A whole number written as a float; group 1 is how an id or a trait writes it."""

SIGNED = "^(?:\\(([0-9][^()]*)\\)|([0-9].*)-|\u2212(.*))$"
"""Negative numbers as accounts and typography write them: `(49.00)`, `49.00-`, and the minus sign U+2212."""

LARGEST = 1e300
"""Largest absolute value of a number: the sum of many such numbers is still finite, and anything larger is an error."""

BOT_USERS = (
    r"(?i)^([^@]*[^a-z@])?(bots?|robots?|crawler|spider|[a-z]+-?crawler|googlebot|bingbot|yandexbot|baiduspider"
    r"|healthcheck|health-check|uptimerobot|pingdom|synthetics?)([^a-z]|$)"
)
"""User names of bots. Only the part before the `@` of an address counts: a domain name says nothing about the user."""
BOT_AGENTS = (
    r"(?i)bot([^a-z]|$)|crawl|spider|slurp|headless|phantomjs|selenium|puppeteer|playwright|^curl/|^wget/"
    r"|python-requests|go-http-client|pingdom|lighthouse|uptime"
)
"""User agents of bots."""
BOT_FLAGS = ("true", "t", "1", "yes", "y")
"""Lower-case values of a bot column that mark a bot."""
BOT_COLUMNS = ("is_bot", "bot", "$bot", "is_robot", "isbot")
"""Lower-case names of columns that mark bots."""
AGENT_COLUMNS = ("user_agent", "useragent", "context_user_agent", "$user_agent", "$raw_user_agent")
"""Lower-case names of columns with the user agent, best first."""

EVENT_CALLED_ANY = f"{ANY} (event)"
"""The name given to an event that the data call `any`, because `any` stands for all events together."""

_EDGES = SPACES.replace("\v", "")
_whole_number = re.compile(WHOLE_NUMBER).search
_signed = re.compile(SIGNED).sub
_bot_user = re.compile(BOT_USERS).search
_NOT_LETTERS = str.maketrans("ıİ", "öÖ")
"""When ignoring case, Python matches these two with `i`; the database, like every letter beyond a to z, does not."""


def clean_text(raw: str) -> str | None:
    """Trim a text; None if nothing remains.

    >>> clean_text(" a b "), clean_text("  ")
    ('a b', None)
    """
    if raw and raw[0] not in _EDGES and raw[-1] not in _EDGES:
        return raw
    return raw.strip(SPACES) or None


def read_identifier(raw: str) -> str | None:
    """Read an id; None if the text stands for a missing one.

    >>> read_identifier("12.0"), read_identifier("0012"), read_identifier(" NULL ")
    ('12', '0012', None)
    """
    text = clean_text(raw)
    if text is None:
        return None
    if text[-1] == "0" and (whole := _whole_number(text)):
        return whole[1]
    return None if text.lower() in MISSING_IDS else text


def read_event_name(raw: str) -> str | None:
    """Read the name of an event; one that is really called `any` gets another name.

    >>> read_event_name("Teammate Invited "), read_event_name("any")
    ('Teammate Invited', 'any (event)')
    """
    name = clean_text(raw)
    return EVENT_CALLED_ANY if name == ANY else name


def leading_sign(number: str) -> str:
    """Write the sign of a number in front of it.

    >>> leading_sign("(49.00)"), leading_sign("49.00-"), leading_sign("-49.00"), leading_sign("n/a")
    ('-49.00', '-49.00', '-49.00', 'n/a')
    """
    return _signed(r"-\1\2\3", number)


def canonical_value(raw: str) -> str:
    """Bring the value of a trait to one spelling: a boolean is `true` or `false`, and `7.0` is `7`.

    >>> canonical_value("TRUE"), canonical_value("7.0"), canonical_value("007"), canonical_value("Team plan")
    ('true', '7', '007', 'Team plan')
    """
    if len(raw) <= 5 and (boolean := raw.lower()) in ("true", "false"):
        return boolean
    whole = _whole_number(raw) if raw.endswith("0") else None
    return whole[1] if whole else raw


def spellings(value: str, booleans: bool = True) -> list[str]:
    """List the spellings of a value that a text column may hold.

    Parameters
    ----------
    value : str
        The value as the config writes it.
    booleans : bool
        Whether `true` also stands for `TRUE` and `True`.

    Examples
    --------
    >>> spellings("12"), spellings("true"), spellings("true", booleans=False)
    (['12', '12.0'], ['true', 'TRUE', 'True'], ['true'])
    """
    canonical = canonical_value(value)
    if re.fullmatch(r"-?\d+", canonical):
        return list(dict.fromkeys([value, canonical, f"{canonical}.0"]))
    if booleans and canonical in ("true", "false"):
        return list(dict.fromkeys([value, canonical, canonical.upper(), canonical.title()]))
    return [value]


def is_bot(user: str) -> bool:
    """Tell whether a user name is that of a program.

    >>> is_bot("build-bot@acme.com"), is_bot("abbot@acme.com")
    (True, False)
    """
    return _bot_user(user if user.isascii() else user.translate(_NOT_LETTERS)) is not None
