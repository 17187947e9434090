"""Read the instants that callers name: `as_of`, `since`, `until`, cut-offs."""

from __future__ import annotations

import datetime as dt

from pql_model.errors import DataError
from pql_model.time import INSTANT_HELP, as_instant

InstantLike = str | dt.date
"""An ISO 8601 text, a date, a `datetime` or a `pandas.Timestamp` (which is a `datetime`)."""


def read_instant(when: InstantLike, name: str = "as_of") -> int:
    """Convert a text, a date, a `datetime` or a `pandas.Timestamp` to an instant.

    Parameters
    ----------
    when : str, date, datetime or pandas.Timestamp
        A date means its midnight. A time without an offset is UTC; one with an offset is converted.
    name : str, default "as_of"
        Name of the argument, for the error.

    Returns
    -------
    int
        Microseconds since 1970-01-01 UTC.

    Raises
    ------
    DataError
        If it is not a time: a number, `None`, `NaT`, or a text in another format.

    Examples
    --------
    >>> import pandas as pd
    >>> read_instant("1970-01-01T00:00:01Z"), read_instant(pd.Timestamp("1970-01-01 02:00:01", tz="Europe/Helsinki"))
    (1000000, 1000000)
    """
    try:
        return as_instant(when)
    except ValueError as error:
        allowed = f"{INSTANT_HELP}; from Python also a date, a datetime or a pandas.Timestamp"
        raise DataError(f"`{name}` is not a time", received=when, allowed=allowed) from error


def read_optional_instant(when: InstantLike | None, name: str = "as_of") -> int | None:
    """Read an instant that may be left out."""
    return None if when is None else read_instant(when, name)
