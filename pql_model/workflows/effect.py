"""`pql effect`: the difference that contact makes, from the random hold-out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.bands import Bands
from pql_model.decide.decider import DEFAULTS
from pql_model.outreach.effect_measurement import EffectMeasurement, measure_effect
from pql_model.outreach.effect_text import sentences
from pql_model.outreach.logged_runs import logged_runs
from pql_model.outreach.qualifications import first_qualifications
from pql_model.progress import Listener, Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.workflows.ledger import build_ledger


@dataclass(frozen=True)
class EffectResult:
    """The difference that contact makes.

    Attributes
    ----------
    as_of
        The instant up to which outcomes are known.
    sentences
        What is known, the most important first.
    runs
        Runs of `pql score` that count, and the others by reason.
    """

    measurement: EffectMeasurement
    sentences: tuple[str, ...]
    as_of: int
    horizon: time.Duration
    runs: dict[str, int]
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql effect --json` prints."""
        return {
            "as_of": time.iso(self.as_of),
            "horizon": str(self.horizon),
            "sentences": list(self.sentences),
            **self.measurement.to_dict(),
            "runs": self.runs,
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def effect(
    config: Config | str | Path, *, as_of: InstantLike | None = None, listener: Listener | None = None
) -> EffectResult:
    """Measure the difference that contact makes: alerted entities against those of the random hold-out.

    Parameters
    ----------
    as_of
        Measure with what was known at this date or time; default: everything that is known.

    Raises
    ------
    DataError
        If `as_of` is not a time, or the score log or the feedback cannot be read.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=300)
    >>> result = pql_model.effect(folder / "pql.yaml")
    >>> result.measurement.verdict, result.sentences[0]
    ('no_leads', 'Whether contact makes a difference cannot be known: no accounts have qualified in a logged run of `pql score` that counts in the ledger.')
    """
    config = config if isinstance(config, Config) else load_config(config)
    requested = read_optional_instant(as_of)
    settings = config.policy if config.policy is not None else DEFAULTS
    stages = Stages(listener)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config, may_lack_conversions=True)
        ledger = build_ledger(con, config, sources, stages, as_of=requested, replay=False)
        with stages("compare"):
            runs = logged_runs(ledger.table, config.horizon.us)
            measurement = measure_effect(
                first_qualifications(ledger.table, runs),
                config.name,
                config.horizon.us,
                Bands.of(settings.bands).names,
                settings.hold_out,
                has_feedback=config.feedback is not None,
            )
    return EffectResult(
        measurement,
        sentences(measurement, f"{config.entity}s", config.horizon.text),
        ledger.until,
        config.horizon,
        {"used": len(runs.used), **runs.set_aside},
        ledger.warnings,
        stages.seconds,
    )
