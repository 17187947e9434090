"""Read the data for a training, and ask whether the outcomes are known until their end."""

from __future__ import annotations

from dataclasses import replace

from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.monitoring.conversion_feed import missing_conversions
from pql_model.monitoring.finding import Finding
from pql_model.progress import Stages
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.read import Sources, read_sources

_REMEDY = "export the table again, or set `observed_until` to the day on which it ends"


def read_for_training(con: Connection, config: Config, stages: Stages) -> tuple[Sources, Finding | None]:
    """Read the data, and say what a person should know before anything is learnt from them.

    Returns
    -------
    sources : Sources
        Its `warnings` name conversions that are missing at the end, too.
    missing : Finding or None
        See `missing_outcomes`.
    """
    with stages("read"):
        sources = read_sources(con, config)
        missing = missing_outcomes(sources, config)
        sources = with_warning(sources, missing)
        for warning in sources.warnings:
            stages.listener.say(warning)
    return sources, missing


def missing_outcomes(sources: Sources, config: Config) -> Finding | None:
    """Conversions that end before the events do: those who pay later would be learnt as not converted.

    Whoever sets `observed_until` has said until when conversions are known.
    """
    return None if config.observed_until is not None else missing_conversions(sources, config, sources.observed_until)


def with_warning(sources: Sources, missing: Finding | None) -> Sources:
    """Add what is missing to the warnings."""
    if missing is None:
        return sources
    warning = f"{missing.words} Until then later payments count as none: {_REMEDY}."
    return replace(sources, warnings=(*sources.warnings, warning))


def refuse_refit(missing: Finding | None) -> None:
    """Refuse to set the level by outcomes that are not known: a refit is there to follow the newest of them.

    Raises
    ------
    DataError
        If conversions are missing at the end of the data.
    """
    if missing is not None:
        raise DataError(
            "Conversions are missing at the end of the data: a refit would learn that nobody buys any more",
            received=missing.words.rstrip("."),
            remedy=_REMEDY,
        )
