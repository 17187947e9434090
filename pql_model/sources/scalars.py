"""How one name, id or user is read, in plain Python: what `sources.values` does to columns, for a service without a database."""

from __future__ import annotations

import re

from pql_model.measures import ANY
from pql_model.time import SECOND

NOTHING = ("nan", "null", "none", "nil", "<na>", "\\n", "nat", "(null)", "undefined")
"""How programs write a missing id: as an id it would be one entity that did everything."""

EARLIEST, LATEST = -2_208_988_800 * SECOND, 7_258_118_400 * SECOND  # the years 1900 and 2200
LARGEST = 1e300
"""In size: the sum of many such numbers is still a number, and anything larger is a mistake."""

BOT_NAMES = (
    r"(?i)^([^@]*[^a-z@])?(bots?|robots?|crawler|spider|[a-z]+-?crawler|googlebot|bingbot|yandexbot|baiduspider"
    r"|healthcheck|health-check|uptimerobot|pingdom|synthetics?)([^a-z]|$)"
)
"""Before the `@` of an address: the name of a domain is not that of a user."""

_SPACE = "\t\n\f\r "
_WHOLE = re.compile(r"(-?[0-9]+)\.0+").fullmatch
_IS_BOT = re.compile(BOT_NAMES).search
_NO_LETTERS = str.maketrans("ıİ", "öÖ")
"""Python takes these two for an `i` where case does not count; the database, as of any letter beyond a to z, does not."""


def text_of(written: str) -> str | None:
    """Trimmed text; None for nothing.

    >>> text_of(" a b "), text_of("  ")
    ('a b', None)
    """
    if written and written[0] not in _SPACE and written[-1] not in _SPACE:
        return written
    return written.strip(_SPACE + "\v") or None


def identifier_of(written: str) -> str | None:
    """An id as text; None for what stands for no id.

    >>> identifier_of("12.0"), identifier_of("0012"), identifier_of(" NULL ")
    ('12', '0012', None)
    """
    tidy = text_of(written)
    if tidy is None:
        return None
    if tidy[-1] == "0" and (whole := _WHOLE(tidy)):
        return whole[1]
    return None if tidy.lower() in NOTHING else tidy


def value_of(written: str) -> str:
    """A value of a trait, however a table or a program has written it: a truth is `true` or `false`, `7.0` is 7.

    >>> value_of("TRUE"), value_of("7.0"), value_of("007"), value_of("Team plan")
    ('true', '7', '007', 'Team plan')
    """
    if len(written) <= 5 and (truth := written.lower()) in ("true", "false"):
        return truth
    whole = _WHOLE(written) if written.endswith("0") else None
    return whole[1] if whole else written


def event_name_of(written: str) -> str | None:
    """The name of an event. An event that is really called `any` is not all events together.

    >>> event_name_of("Teammate Invited "), event_name_of("any")
    ('Teammate Invited', 'any (event)')
    """
    name = text_of(written)
    return f"{ANY} (event)" if name == ANY else name


def is_bot(user: str) -> bool:
    """Whether the name is that of a program.

    >>> is_bot("build-bot@acme.com"), is_bot("abbot@acme.com")
    (True, False)
    """
    return _IS_BOT(user if user.isascii() else user.translate(_NO_LETTERS)) is not None
